"""Is this installation sound? Each look says what it found and what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from api.settings import Settings
from policies.errors import Fault
from policies.rulebook import BUILT_IN, read_rulebook

ROOMS = ("policies", "explainers", "audit", "model_registry", "governance", "reports", "api")
LEAST_FREE = 500 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Look:
    """One thing the doctor looked at."""

    name: str
    holds: bool
    says: str

    def as_json(self) -> dict[str, object]:
        """Return the look as JSON values."""
        return {"name": self.name, "holds": self.holds, "says": self.says}


def examine_installation(settings: Settings) -> tuple[Look, ...]:
    """Look at everything; a look that fails does not stop the next."""
    looks: tuple[tuple[str, Callable[[Settings], tuple[bool, str]]], ...] = (
        ("python", _python),
        ("rooms", _rooms),
        ("rulebook", _rulebook),
        ("data", _data),
        ("database", _database),
        ("registry", _registry),
        ("registry shows", _registry_shows),
        ("fonts", _fonts),
        ("kernel", _kernel),
        ("sandbox", _sandbox),
    )
    return tuple(_look(name, look, settings) for name, look in looks)


def _look(name: str, look: Callable[[Settings], tuple[bool, str]], settings: Settings) -> Look:
    try:
        holds, says = look(settings)
    except Fault as fault:
        holds, says = False, fault.says.in_language(settings.language)
    except Exception as error:  # noqa: BLE001 - the doctor reports what is broken, whatever it is
        holds, says = False, f"{type(error).__name__}: {error}"
    return Look(name=name, holds=holds, says=says)


def _python(_settings: Settings) -> tuple[bool, str]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return (3, 11) <= sys.version_info[:2] < (3, 13), f"Python {version}; 3.11 or 3.12 is expected"


def _rooms(_settings: Settings) -> tuple[bool, str]:
    owners = _owners()
    strangers = {room: sorted(set(owners.get(room, [])) - {"mingjing"}) for room in ROOMS}
    shared = {room: names for room, names in strangers.items() if names}
    if shared:
        said = "; ".join(f"'{room}' also belongs to {', '.join(names)}" for room, names in shared.items())
        return False, f"{said}; uninstall it, or Python may import the wrong package"
    home = Path(__file__).resolve().parent.parent
    astray = {room: origin for room in ROOMS if (origin := _origin(room)) != home / room}
    if astray:
        said = "; ".join(f"'{room}' is imported from {origin or 'nowhere'}" for room, origin in astray.items())
        return False, f"{said}, expected under {home}; install mingjing in a fresh environment"
    return True, "seven rooms, each ours alone"


@cache
def _owners() -> Mapping[str, list[str]]:
    """Return which distributions own which package. It does not change while a process runs, and takes a second."""
    return metadata.packages_distributions()


def _origin(room: str) -> Path | None:
    spec = find_spec(room)
    return Path(spec.origin).resolve().parent if spec is not None and spec.origin is not None else None


def _rulebook(settings: Settings) -> tuple[bool, str]:
    book = read_rulebook(settings.rulebook or BUILT_IN)
    return True, f"{book.title.en} {book.version}, digest {book.digest[:12]}"


def _data(settings: Settings) -> tuple[bool, str]:
    place = next((parent for parent in [settings.data, *settings.data.resolve().parents] if parent.exists()), None)
    if place is None:
        return False, f"{settings.data} cannot be made"
    free = shutil.disk_usage(place).free
    return free >= LEAST_FREE, f"{settings.data}, {free // 1024**2:,} MiB free (500 are expected)"


def _database(settings: Settings) -> tuple[bool, str]:
    from api.migrations import newest_revision, revision_of
    from audit.database import open_database

    if settings.database_url is None and not (settings.data / "mingjing.db").exists():
        return True, "not made yet; the first command that stores something makes it"
    database = open_database(settings.database)
    try:
        found, newest = revision_of(database), newest_revision()
    finally:
        database.close()
    return found == newest, f"{database.dialect} at revision {found}, this program needs {newest}"


def _registry(settings: Settings) -> tuple[bool, str]:
    if settings.mlflow_uri is None and not (settings.data / "mlflow.db").exists():
        return True, "not made yet; the first submission makes it"
    from api.wiring import model_store

    return True, f"{len(model_store(settings).versions())} model versions at {settings.mlflow}"


def _registry_shows(settings: Settings) -> tuple[bool, str]:
    from audit.database import open_database
    from governance.registry_watch import standing_faults

    if not _database(settings)[0] or (settings.database_url is None and not (settings.data / "mingjing.db").exists()):
        return True, "nothing to compare yet"
    database = open_database(settings.database)
    try:
        found = standing_faults(database)
    finally:
        database.close()
    said = "; ".join(fault.says.in_language(settings.language) for fault in found)
    return not found, said or "at the last look, what was decided"


def _sandbox(settings: Settings) -> tuple[bool, str]:
    """Whether models that are code could run. Where the rulebook admits none, nothing is wrong without a box."""
    from model_registry.bubblewrap import NoSandbox, bubblewrap

    allowed = read_rulebook(settings.rulebook or BUILT_IN).code.allow_code
    needed = "the rulebook admits such models" if allowed else "the rulebook admits none"
    try:
        box = bubblewrap()
    except NoSandbox as missing:
        return not allowed, f"{missing.says.in_language(settings.language)}; {needed}"
    return True, f"{box.program} held a harmless program; {needed}"


def _fonts(_settings: Settings) -> tuple[bool, str]:
    from reports.typesetting import register_fonts

    register_fonts()
    return True, "Chinese and Latin glyphs are at hand"


def _kernel(_settings: Settings) -> tuple[bool, str]:
    import numpy as np

    from explainers import explain

    why = explain(lambda X: X[:, 0] + X[:, 1], np.array([[1.0, 2.0]]), background=np.zeros((4, 2)))
    return why.residual < 1e-6, f"attributions add up, method {why.method}"
