"""What an artifact is known by: the SHA-256 of a file, or of the sorted list of a folder's files."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from model_registry.limits import DEFAULT_LIMITS, Limits
from policies.errors import Malformed, Sentence

BLOCK = 1 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def folder_digest(folder: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    r"""Return the SHA-256 of a folder's sorted list of files.

    Every file gives one line: its SHA-256 in lower-case hexadecimal, two spaces, its size in bytes as a decimal
    number, two spaces, its path relative to the folder with `/` between the parts. The lines, encoded in UTF-8,
    are sorted byte by byte, and every line, the last one too, ends in one line feed (`\n`). Empty folders and
    times do not count. The same digest on a shell:

        find . -type f -printf '%P\n' | while read -r f; do
          printf '%s  %s  %s\n' "$(sha256sum < "$f" | cut -c1-64)" "$(stat -c %s "$f")" "$f"
        done | LC_ALL=C sort | sha256sum

    Raises
    ------
    Malformed
        For links, devices, pipes, names with control characters, too many files, too many bytes, no file at all.
    """
    lines = []
    for relative, path in folder_files(folder, limits):
        lines.append(f"{file_digest(path)}  {path.stat().st_size}  {relative}\n".encode())
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def artifact_digest(artifact: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the digest by which an artifact is approved, vetoed and served.

    Raises
    ------
    Malformed
        Where a folder cannot be listed safely, or where the artifact is larger than the limit.
    """
    if artifact.is_dir():
        return folder_digest(artifact, limits)
    _refuse_size(artifact.name, artifact.stat().st_size, limits)
    return file_digest(artifact)


def artifact_size(artifact: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    if artifact.is_dir():
        return sum(path.stat().st_size for _, path in folder_files(artifact))
    return artifact.stat().st_size


def folder_files(folder: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[tuple[str, Path], ...]:
    """Return (relative path with `/`, path) of every file in a folder, sorted by path.

    Raises
    ------
    Malformed
        As for `folder_digest`.
    """
    found: list[tuple[str, Path]] = []
    total = 0
    for path in _everything_in(folder):
        relative = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        _refuse_entry(folder.name, relative, mode)
        found.append((relative, path))
        total += path.lstat().st_size
        if len(found) > limits.files:
            raise Malformed(
                Sentence(
                    en=f"the folder {folder.name} holds more than {limits.files} files; hand over the model alone",
                    zh=f"文件夹 {folder.name} 中的文件超过 {limits.files} 个，请只提交模型本身",
                )
            )
    if not found:
        raise Malformed(
            Sentence(en=f"the folder {folder.name} holds no file", zh=f"文件夹 {folder.name} 中没有任何文件")
        )
    _refuse_size(folder.name, total, limits)
    return tuple(sorted(found))


def _everything_in(folder: Path) -> Iterator[Path]:
    """Walk without following links; `Path.rglob` would follow them into another folder."""
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _everything_in(path)


def _refuse_entry(folder: str, relative: str, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise Malformed(
            Sentence(
                en=f"{folder}/{relative} is a link; a model folder holds plain files only",
                zh=f"{folder}/{relative} 是链接，模型文件夹中只允许普通文件",
            )
        )
    if not stat.S_ISREG(mode):
        raise Malformed(
            Sentence(
                en=f"{folder}/{relative} is a device or a pipe; a model folder holds plain files only",
                zh=f"{folder}/{relative} 是设备或管道，模型文件夹中只允许普通文件",
            )
        )
    if not relative.isprintable():
        raise Malformed(
            Sentence(
                en=f"the folder {folder} holds a file whose name has control characters: {relative!a}",
                zh=f"文件夹 {folder} 中有文件名含控制字符：{relative!a}",
            )
        )


def _refuse_size(name: str, size: int, limits: Limits) -> None:
    if size > limits.artifact_bytes:
        raise Malformed(
            Sentence(
                en=f"the artifact {name} has {size:,} bytes; at most {limits.artifact_bytes:,} are accepted",
                zh=f"模型文件 {name} 为 {size:,} 字节，最多接受 {limits.artifact_bytes:,} 字节",
            )
        )
