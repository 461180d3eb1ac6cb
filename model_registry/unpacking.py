"""A zip from a stranger becomes a submission directory, or nothing at all; and the zip of what came another way."""

from __future__ import annotations

import errno
import io
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from model_registry.digests import BLOCK
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.named_files import DECLARATION
from policies.errors import Malformed, Sentence, Unavailable

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises over bytes that are no zip, or no longer one."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
LARGEST_RATIO = 200
"""Unpacked to packed bytes; honest CSV reaches 50, a zip bomb 1,000. Small entries are let through."""

RATIO_COUNTS_FROM = 10_000_000
DECORATION = {"__MACOSX", ".DS_Store", "Thumbs.db"}
"""What a desktop adds to a zip without being asked."""


class NoRoom(Unavailable):
    """The disk is full; nothing of the upload is left."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="the upload could not be unpacked: the disk is full; try again when there is room",
                zh="上传的文件未能解压：磁盘已满；请在腾出空间后重试",
            )
        )


def unpack_submission(zip_bytes: bytes, target: Path, limits: Limits = DEFAULT_LIMITS) -> Path:
    """Unpack a zipped submission directory and return the folder that holds `submission.toml`.

    The declaration may lie at the top of the zip or in its only folder. Names written by Chinese Windows are read.

    Parameters
    ----------
    zip_bytes : bytes
        The zip as uploaded.
    target : Path
        Made by this function; must not exist. After a refusal it does not exist either.
    limits : Limits
        Number of files and bytes once unpacked; counted while unpacking, whatever the zip claims.

    Raises
    ------
    Malformed
        When it is not a zip, is encrypted or damaged, names files outside itself, holds links or twice the same
        name, unpacks to more than the limits, or holds no `submission.toml`.
    NoRoom
        When the disk is full.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(zip_bytes)) as archive:
            entries = _judged(archive, limits)
            target.mkdir(parents=True)
            try:
                _unpack(archive, entries, target, limits)
                return _submission_in(target)
            except BaseException:
                shutil.rmtree(target, ignore_errors=True)
                raise
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom from error
        raise _unreadable(error) from error
    except DAMAGED as error:
        raise _unreadable(error) from error


def pack_submission(toml: bytes, files: Mapping[str, Path], into: BinaryIO) -> None:
    """Write the zip of a submission directory: the declaration and the files it names, by their name in it."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(DECLARATION, toml)
        for name, path in files.items():
            archive.write(path, name)


def _unreadable(error: Exception) -> Malformed:
    return _refusal(f"the upload is not a readable zip: {error}", f"上传的文件不是可读取的 zip：{error}")


def _refusal(en: str, zh: str) -> Malformed:
    return Malformed(Sentence(en=en, zh=zh))


def _judged(archive: zipfile.ZipFile, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """Return the files to unpack by their safe name; nothing has been written yet."""
    infos = archive.infolist()
    if len(infos) > limits.files:
        raise _refusal(
            f"the zip holds {len(infos):,} entries; at most {limits.files:,} are unpacked",
            f"zip 中有 {len(infos):,} 个条目，最多解压 {limits.files:,} 个",
        )
    claimed = sum(info.file_size for info in infos)
    if claimed > limits.unpacked_bytes:
        raise _too_large(claimed, limits)
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = _name_of(info)
        if info.is_dir() or DECORATION & set(PurePosixPath(name).parts):
            continue
        _refuse_entry(info, name)
        if name.casefold() in {other.casefold() for other in entries}:
            raise _refusal(f"the zip holds {name} twice", f"zip 中重复出现 {name}")
        entries[name] = info
    return entries


def _too_large(size: int, limits: Limits) -> Malformed:
    return _refusal(
        f"the zip holds {size:,} bytes once unpacked; at most {limits.unpacked_bytes:,} are accepted",
        f"zip 解压后为 {size:,} 字节，最多接受 {limits.unpacked_bytes:,} 字节",
    )


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return the name an entry was given; without the UTF-8 flag Python reads it as code page 437."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", errors="surrogateescape")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename


def _refuse_entry(info: zipfile.ZipInfo, name: str) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name or not name.isprintable():
        raise _refusal(
            f"the zip names {name!r}; expected names inside the submission, with '/', without '..'",
            f"zip 中含有路径 {name!r}，应为提交目录内的路径，以“/”分隔且不含“..”",
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _refusal(
            f"the zip holds {name}, which is a link or a device; expected plain files",
            f"zip 中的 {name} 是链接或设备，应为普通文件",
        )
    if info.flag_bits & 0x1:
        raise _refusal(
            f"the zip holds {name} encrypted; zip it without a password", f"zip 中的 {name} 已加密，请勿设置密码"
        )
    if info.compress_type not in METHODS:
        raise _refusal(
            f"the zip holds {name} packed by method {info.compress_type}; zip it with 'deflate'",
            f"zip 中的 {name} 使用了压缩方式 {info.compress_type}，请使用 deflate 方式压缩",
        )
    if info.file_size > RATIO_COUNTS_FROM and info.file_size > LARGEST_RATIO * max(info.compress_size, 1):
        raise _refusal(
            f"the zip holds {name}, {info.file_size:,} bytes packed into {info.compress_size:,}; "
            "that is a zip bomb, not data",
            f"zip 中的 {name} 将 {info.file_size:,} 字节压缩为 {info.compress_size:,} 字节，属于压缩炸弹而非数据",
        )


def _unpack(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], target: Path, limits: Limits) -> None:
    left = limits.unpacked_bytes
    for name, info in entries.items():
        path = target / name
        _make_room(path.parent, target, name)
        with archive.open(info) as packed, path.open("xb") as file:
            while block := packed.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise _too_large(limits.unpacked_bytes - left, limits)
                file.write(block)


def _make_room(folder: Path, target: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        clash = folder.relative_to(target).as_posix()
        raise _refusal(
            f"the zip holds {clash} as a file and, for {name}, as a folder", f"zip 中的 {clash} 既是文件又是文件夹"
        ) from error


def _submission_in(target: Path) -> Path:
    if (target / DECLARATION).is_file():
        return target
    inside = [path for path in target.iterdir() if path.is_dir()]
    if len(inside) == 1 and (inside[0] / DECLARATION).is_file():
        return inside[0]
    raise _refusal(
        f"the zip holds no {DECLARATION}, neither at its top nor in its only folder",
        f"zip 中没有 {DECLARATION}（应位于顶层或唯一的文件夹内）",
    )
