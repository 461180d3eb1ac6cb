"""Thousands of random changes to evidence, all found; hundreds of untouched logs and bundles, none accused.

The long form (10,000 changes, 1,000 clean runs) is `pytest -m long`; the short form runs always.
"""

from __future__ import annotations

import copy
import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.migrations import upgrade
from audit.checkpoints import Checkpoint, sign_checkpoint
from audit.database import open_database
from audit.merkle import is_consistent
from audit.signed_note import SigningKey
from audit.trace_log import TraceLog, open_log
from audit.verify import verify_bundle
from policies.errors import Fault
from tests.audit.conftest import StandingClock
from tests.audit.logs import a_random_draft, some_history
from tests.audit.second_verifier import bundle_holds

FORMS = [
    pytest.param((300, 200, 60, 100), id="short"),
    pytest.param((6000, 4000, 500, 1000), id="long", marks=pytest.mark.long),
]
"""Changes of a bundle, changes of a database, forks, clean runs."""


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in a JSON value that is no container, and to empty containers."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, below in inner for leaf in leaves_of(below, (*path, key))]
    return found or [path]


def mutated(draws: random.Random, bundle: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The bundle with one random change, and what kind of change it was."""
    changed = copy.deepcopy(bundle)
    path = draws.choice(leaves_of(changed))
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    way = draws.choice([_other_letter, _cut, _other_type, _without, _swapped_lists, _another_entry])
    way(draws, changed, holder, path[-1])
    return way.__name__, changed


def _other_letter(draws: random.Random, changed: Any, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, str) and value:
        place = draws.randrange(len(value))
        letter = draws.choice([one for one in "0123456789abcdefABCDEF +/=x\n" if one != value[place]])
        holder[key] = value[:place] + letter + value[place + 1 :]
    else:
        _other_type(draws, changed, holder, key)


def _cut(draws: random.Random, changed: Any, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, str) and value:
        holder[key] = value[: draws.randrange(len(value))]
    else:
        _other_type(draws, changed, holder, key)


def _other_type(draws: random.Random, changed: Any, holder: Any, key: Any) -> None:
    value = holder[key]
    others = [None, True, False, 0, 1, 2, 10**30, -1, "", "00", [], {}, 0.5, [value]]
    holder[key] = draws.choice([one for one in others if not (one == value and type(one) is type(value))])


def _without(draws: random.Random, changed: Any, holder: Any, key: Any) -> None:
    if isinstance(holder, list) and holder is changed["statements"]:
        _other_type(draws, changed, holder, key)
    else:
        del holder[key]


def _swapped_lists(draws: random.Random, changed: Any, holder: Any, key: Any) -> None:
    """Two steps of the proof change places."""
    path = changed["entry"]["inclusion"]
    if len(path) > 1 and path[0] != path[1]:
        path[0], path[1] = path[1], path[0]
    else:
        _other_type(draws, changed, holder, key)


def _another_entry(draws: random.Random, changed: Any, holder: Any, key: Any) -> None:
    """Salt, payload or header of another entry takes the place of the right one."""
    if changed["statements"]:
        field = draws.choice(["header", "salt", "inclusion", "index"])
        changed["entry"][field] = changed["statements"][0][field]
    else:
        _other_type(draws, changed, holder, key)


class Kept:
    """A log in its own folder that can be copied and changed behind its back."""

    def __init__(self, folder: Path, seed: int, size: int) -> None:
        self.folder = folder
        folder.mkdir()
        self.clock = StandingClock.at_noon()
        upgrade(f"sqlite:///{folder / 'log.db'}")
        with self.opened() as log:
            some_history(log, seed, size)
            log.checkpoint()
            some_history(log, seed + 1, size // 2)
            log.checkpoint()

    @contextmanager
    def opened(self, folder: Path | None = None) -> Iterator[TraceLog]:
        folder = folder or self.folder
        database = open_database(f"sqlite:///{folder / 'log.db'}")
        log = open_log(folder, database, self.clock, "serve-1", tend=False)
        try:
            yield log
        finally:
            log.close()
            database.close()


def plain(folder: Path) -> sqlite3.Connection:
    """A connection without our guards, as someone with the file in his hands has it."""
    connection = sqlite3.connect(folder / "log.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")  # a copy that nobody will miss
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {name}")
    return connection


Tamper = Callable[[random.Random, sqlite3.Connection], bool]


def change_entry(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Change one column of one entry; False when the change would be none."""
    number = _some(draws, raw, "log_entries", "number")
    column, value = draws.choice(
        [
            ("time", draws.randrange(10**15)),
            ("kind", draws.choice(["decision", "review", "veto"])),
            ("counter", draws.randrange(100)),
            ("flags", draws.choice(["", "capped", "forged"])),
            ("subject", "p-999"),
            ("actor", "nobody"),
            ("score", draws.random()),
            ("verdict", draws.choice([0, 1])),
            ("id", draws.randbytes(16)),
            ("about", draws.randbytes(16)),
            ("commitment", draws.randbytes(32)),
            ("leaf", draws.randbytes(32)),
            ("model", draws.choice([None, 2, 3])),
            ("format", 2),
            ("context", _some(draws, raw, "log_contexts", "number")),
        ]
    )
    before = raw.execute(f"SELECT {column} FROM log_entries WHERE number = ?", (number,)).fetchone()[0]
    if before == value:
        return False
    raw.execute(f"UPDATE log_entries SET {column} = ? WHERE number = ?", (value, number))
    return True


def change_payload(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Flip one bit of a sealed payload, or take it away."""
    entry = _some(draws, raw, "log_payloads", "entry")
    sealed = bytearray(raw.execute("SELECT sealed FROM log_payloads WHERE entry = ?", (entry,)).fetchone()[0])
    sealed[draws.randrange(len(sealed))] ^= 1 << draws.randrange(8)
    new = draws.choice([bytes(sealed), None])
    raw.execute("UPDATE log_payloads SET sealed = ? WHERE entry = ?", (new, entry))
    return True


def swap_payloads(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Two entries change payloads."""
    one, other = (_some(draws, raw, "log_payloads", "entry") for _ in range(2))
    if one == other:
        return False
    rows = [
        raw.execute("SELECT sealed, payload_key FROM log_payloads WHERE entry = ?", (n,)).fetchone()
        for n in (one, other)
    ]
    raw.execute("UPDATE log_payloads SET sealed = ?, payload_key = ? WHERE entry = ?", (*rows[1], one))
    raw.execute("UPDATE log_payloads SET sealed = ?, payload_key = ? WHERE entry = ?", (*rows[0], other))
    return True


def swap_entries(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Two entries change places in the log, with all that belongs to them."""
    one, other = (_some(draws, raw, "log_entries", "number") for _ in range(2))
    if one == other:
        return False
    for table, column in (("log_entries", "number"), ("log_payloads", "entry")):
        raw.execute(f"UPDATE {table} SET {column} = -1 WHERE {column} = ?", (one,))
        raw.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (one, other))
        raw.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = -1", (other,))
    return True


def cut_the_end(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Drop the last entries, with everything that belongs to them but the checkpoint."""
    size = raw.execute("SELECT count(*) FROM log_entries").fetchone()[0]
    keep = draws.randrange(size)
    raw.execute("DELETE FROM log_payloads WHERE entry >= ?", (keep,))
    raw.execute("DELETE FROM log_entries WHERE number >= ?", (keep,))
    raw.execute("DELETE FROM log_nodes WHERE (position + 1) << level > ?", (keep,))
    return True


def drop_one(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Take one entry out and close the gap behind it."""
    number = _some(draws, raw, "log_entries", "number")
    raw.execute("DELETE FROM log_payloads WHERE entry = ?", (number,))
    raw.execute("DELETE FROM log_entries WHERE number = ?", (number,))
    for table, column in (("log_entries", "number"), ("log_payloads", "entry")):
        raw.execute(f"UPDATE {table} SET {column} = -{column} WHERE {column} > ?", (number,))
        raw.execute(f"UPDATE {table} SET {column} = -{column} - 1 WHERE {column} < 0")
    return True


def change_node(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Change a stored node of the tree."""
    position = _some(draws, raw, "log_nodes", "position")
    raw.execute("UPDATE log_nodes SET hash = ? WHERE level = 4 AND position = ?", (draws.randbytes(32), position))
    return True


def change_checkpoint(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Change a letter of a checkpoint, or its root."""
    size, note = raw.execute("SELECT size, note FROM log_checkpoints ORDER BY random() LIMIT 1").fetchone()
    place = draws.randrange(len(note) - 1)
    letter = draws.choice([one for one in "0aB+/\n" if one != note[place]])
    if draws.random() < 0.5:
        raw.execute(
            "UPDATE log_checkpoints SET note = ? WHERE size = ?", (note[:place] + letter + note[place + 1 :], size)
        )
    else:
        raw.execute("UPDATE log_checkpoints SET root = ? WHERE size = ?", (draws.randbytes(32), size))
    return True


def forged_checkpoint(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Sign another history with a key of one's own."""
    size, note = raw.execute("SELECT size, note FROM log_checkpoints ORDER BY size LIMIT 1").fetchone()
    forged = sign_checkpoint(note.split("\n")[0], size, draws.randbytes(32), SigningKey(draws.randbytes(32)))
    raw.execute("UPDATE log_checkpoints SET note = ?, root = ? WHERE size = ?", (forged.note, forged.root, size))
    return True


def replaced_key(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Put a key of one's own into the chain."""
    public = SigningKey(draws.randbytes(32)).public.raw
    if draws.random() < 0.5:
        raw.execute("UPDATE log_signing_keys SET public = ?", (public,))
    else:
        raw.execute(
            "INSERT INTO log_signing_keys (number, public, endorsement, since) VALUES (1, ?, ?, 0)",
            (public, draws.randbytes(64)),
        )
    return True


def change_shared(draws: random.Random, raw: sqlite3.Connection) -> bool:
    """Change what many entries share: model name, context, layout, data key."""
    statement = draws.choice(
        [
            "UPDATE log_models SET name = 'another'",
            "UPDATE log_contexts SET version = '99'",
            "UPDATE log_contexts SET artifact = zeroblob(32)",
            "UPDATE log_contexts SET source = 'another'",
            "UPDATE log_layouts SET body = body || 'x'",
            "UPDATE log_payload_keys SET wrapped = zeroblob(60) WHERE number = 1",
            "UPDATE log_payload_keys SET wrapped = NULL WHERE number = 1",
        ]
    )
    raw.execute(statement)
    return True


WAYS: tuple[Tamper, ...] = (
    *(change_entry, change_entry, change_entry, change_payload, swap_payloads, swap_entries, cut_the_end),
    *(drop_one, change_node, change_checkpoint, forged_checkpoint, replaced_key, change_shared),
)


def _some(draws: random.Random, raw: sqlite3.Connection, table: str, column: str) -> int:
    rows = raw.execute(f"SELECT {column} FROM {table} ORDER BY {column}").fetchall()
    return int(draws.choice(rows)[0])


def found(kept: Kept, folder: Path) -> bool:
    """Whether opening or rechecking the log in this folder finds a fault."""
    try:
        with kept.opened(folder) as log:
            return bool(log.recheck().faults)
    except Fault:
        return True


@pytest.mark.parametrize("many", FORMS)
class TestMutations:
    def test_every_change_of_a_bundle_is_found_by_both_verifiers(
        self, many: tuple[int, int, int, int], sqlite_log: TraceLog
    ) -> None:
        draws = random.Random(20260301)
        receipts = some_history(sqlite_log, seed=11, size=40)
        bundles = [json.loads(json.dumps(sqlite_log.evidence(receipt.id))) for receipt in receipts]
        missed: list[object] = []
        ways: Counter[str] = Counter()
        for _ in range(many[0]):
            bundle = draws.choice(bundles)
            way, changed = mutated(draws, bundle)
            ways[way] += 1
            if changed == bundle and json.dumps(changed) == json.dumps(bundle):
                continue
            if verify_bundle(changed, bundle["fingerprint"]).holds or bundle_holds(changed, bundle["fingerprint"]):
                missed.append((way, changed))
        assert missed == []
        assert len(ways) == 6

    def test_every_change_of_a_database_is_found(self, many: tuple[int, int, int, int], tmp_path: Path) -> None:
        draws = random.Random(20260302)
        kept = Kept(tmp_path / "kept", seed=21, size=30)
        missed = []
        for number in range(many[1]):
            folder = tmp_path / f"copy-{number}"
            shutil.copytree(kept.folder, folder)
            way = draws.choice(WAYS)
            with closing(plain(folder)) as raw:
                changed = way(draws, raw)
            if changed and not found(kept, folder):
                missed.append((number, way.__name__))
            shutil.rmtree(folder)
        assert missed == []

    def test_every_fork_is_found_by_who_kept_a_checkpoint(
        self, many: tuple[int, int, int, int], tmp_path: Path
    ) -> None:
        """Two histories from the same keys: each is whole in itself, and no proof joins one to the other's past."""
        kept = Kept(tmp_path / "kept", seed=31, size=24)
        with kept.opened() as log:
            common = log.checkpoint()
        heads: list[tuple[Checkpoint, TraceLog]] = []
        shutil.copytree(kept.folder, tmp_path / "fork")
        with kept.opened() as one, kept.opened(tmp_path / "fork") as other:
            for seed, log in ((1, one), (2, other)):
                some_history(log, seed, 24)
                heads.append((log.checkpoint(), log))
                some_history(log, seed + 2, 24)
                log.checkpoint()
            for (head, own), (_, foreign) in (heads, heads[::-1]):
                later = foreign.checkpoint()
                assert own.recheck().faults == []
                assert is_consistent(
                    common.size, later.size, common.root, later.root, foreign.consistency(common.size, later.size)
                )
                assert not is_consistent(
                    head.size, later.size, head.root, later.root, foreign.consistency(head.size, later.size)
                )

    def test_nothing_untouched_is_accused(self, many: tuple[int, int, int, int], sqlite_log: TraceLog) -> None:
        draws = random.Random(20260304)
        receipts = some_history(sqlite_log, seed=41, size=20)
        accused = []
        for number in range(many[3]):
            receipts += sqlite_log.append([a_random_draft(draws, receipts)])
            bundle = json.loads(json.dumps(sqlite_log.evidence(draws.choice(receipts).id)))
            holds = verify_bundle(bundle, bundle["fingerprint"]).holds and bundle_holds(bundle, bundle["fingerprint"])
            if not holds or (number % 10 == 0 and sqlite_log.recheck().faults):
                accused.append(number)
        assert accused == []
