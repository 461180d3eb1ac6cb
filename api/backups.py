"""A copy of the house while it serves, and a house from a copy. Keys are kept apart from the data, always."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from api.settings import Settings
from audit.entries import Clock
from policies.errors import Conflict, Malformed, Sentence, Unavailable

FORMAT = 1
"""Format of a backup's manifest. Raise it when a file changes its meaning; `restore` refuses what it does not know."""

MANIFEST = "manifest.json"
DUMP = "database.dump"
LEFT_OUT = frozenset({"keys", "spool", "standing", "cache", "jobs", "drafts", "last-head"})
"""What a copy does not hold: keys go elsewhere, the rest is made anew or belongs to a process of that moment."""

TRIES = 5


class BackupRefused(Malformed):
    """The copy is not whole, or of a format that is not known."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What was copied, and when."""

    folder: Path
    keys: Path
    files: int
    bytes: int
    at: datetime


def back_up(settings: Settings, folder: Path, keys: Path, *, clock: Clock) -> Backup:
    """Copy the house at `settings` into two new folders; it may serve meanwhile.

    The key that unlocks payloads changes with every erasure. A copy during which that happened is made again, so that
    database and key are of one moment.

    Raises
    ------
    Conflict
        When a folder exists, or one would hold the other.
    Unavailable
        When PostgreSQL's own tools are needed and absent, or they fail.
    """
    folder, keys = folder.resolve(), keys.resolve()
    if folder in (keys, *keys.parents) or keys in folder.parents:
        raise Conflict(
            Sentence(
                en="keys are kept apart from the data; name two folders", zh="密钥须与数据分开存放，请指定两个目录"
            )
        )
    for target in (folder, keys):
        _make(target)
    for _ in range(TRIES):
        before = _secret(settings.data)
        _copy_databases(settings, folder)
        if _secret(settings.data) == before:
            break
    else:
        raise Unavailable(
            Sentence(
                en="records were erased all the while; back up again later", zh="备份期间不断有记录被删除，请稍后重试"
            )
        )
    for source in _others(settings.data):
        target = folder / "data" / source.relative_to(settings.data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for source in sorted((settings.data / "keys").iterdir()):
        shutil.copyfile(source, keys / source.name)
        (keys / source.name).chmod(0o600)
    at = clock()
    whole = {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    said = {"format": FORMAT, "made": at.isoformat(), "version": version("mingjing"), "files": whole}
    (folder / MANIFEST).write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
    size = sum((folder / path).stat().st_size for path in whole)
    return Backup(folder=folder, keys=keys, files=len(whole), bytes=size, at=at)


def restore(settings: Settings, folder: Path, keys: Path) -> int:
    """Make a house at `settings` from a copy and its keys; return how many files were put in place.

    Whoever holds a newer checkpoint of this log will see that it was set back; keep the copies of both.

    Raises
    ------
    BackupRefused
        When a file is missing or changed.
    Conflict
        When the data folder holds something.
    Unavailable
    """
    files = _checked(folder)
    if settings.data.exists() and any(settings.data.iterdir()):
        raise Conflict(
            Sentence(
                en=f"{settings.data} holds something; restore into an empty folder",
                zh=f"{settings.data} 非空，请恢复到空目录",
            )
        )
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in files:
        if name.startswith("data/"):
            target = settings.data / name.removeprefix("data/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target)
    (settings.data / "keys").mkdir(mode=0o700, exist_ok=True)
    for source in sorted(keys.iterdir()):
        shutil.copyfile(source, settings.data / "keys" / source.name)
        (settings.data / "keys" / source.name).chmod(0o600)
    if DUMP in files:
        _run(["pg_restore", "--no-owner", "--exit-on-error", "--dbname", _plain(settings.database), str(folder / DUMP)])
    return len(files)


def _checked(folder: Path) -> dict[str, str]:
    try:
        said: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, str] = said["files"]
        known = said["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupRefused(
            Sentence(en=f"{folder} is no backup ({error})", zh=f"{folder} 不是备份（{error}）")
        ) from error
    wrong = [name for name, digest in files.items() if ".." in Path(name).parts or _digest(folder / name) != digest]
    if wrong or not known:
        said_wrong = ", ".join(wrong[:8]) or f"format {said['format']}"
        raise BackupRefused(
            Sentence(
                en=f"the backup in {folder} is not whole: {said_wrong}", zh=f"{folder} 中的备份不完整：{said_wrong}"
            )
        )
    return files


def _copy_databases(settings: Settings, folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    address = make_url(settings.database)
    if address.get_backend_name() == "postgresql":
        (folder / DUMP).unlink(missing_ok=True)
        _run(["pg_dump", "--format=custom", "--no-owner", "--file", str(folder / DUMP), _plain(settings.database)])
    elif Path(str(address.database)).parent != settings.data.resolve():
        _copy_sqlite(Path(str(address.database)), folder / "data" / "mingjing.db")
    for file in sorted(settings.data.glob("*.db")):
        _copy_sqlite(file, folder / "data" / file.name)


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, while others write to it."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as running, closing(sqlite3.connect(target)) as copy:
        running.backup(copy)


def _others(data: Path) -> Iterator[Path]:
    for item in sorted(data.iterdir()):
        if item.name in LEFT_OUT or item.name.endswith((".db", ".db-wal", ".db-shm", ".lock", ".draft")):
            continue
        yield from (path for path in ([item] if item.is_file() else sorted(item.rglob("*"))) if path.is_file())


def _secret(data: Path) -> bytes:
    file = data / "keys" / "payload.key"
    return file.read_bytes() if file.exists() else b""


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError as there:
        raise Conflict(
            Sentence(en=f"{folder} exists; name a new folder", zh=f"{folder} 已存在，请指定新的目录")
        ) from there


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; "" where it cannot be read, which is no digest and so counts as changed."""
    try:
        with path.open("rb") as file:
            whole = sha256()
            while part := file.read(1 << 20):
                whole.update(part)
    except OSError:
        return ""
    return whole.hexdigest()


def _plain(url: str) -> str:
    """Return an address as PostgreSQL's own tools read it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _run(words: list[str]) -> None:
    if shutil.which(words[0]) is None:
        raise Unavailable(
            Sentence(
                en=f"{words[0]} is not on this machine; install PostgreSQL's tools",
                zh=f"本机没有 {words[0]}，请安装 PostgreSQL 客户端工具",
            )
        )
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - words of ours, no shell
    if done.returncode != 0:
        why = " ".join(done.stderr.split())[:300]
        raise Unavailable(Sentence(en=f"{words[0]} failed: {why}", zh=f"{words[0]} 执行失败：{why}"))
