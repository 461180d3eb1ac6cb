"""A name in `submission.toml` becomes a path that cannot leave the submission directory."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

from policies.errors import Malformed, Sentence

DECLARATION = "submission.toml"


def named_path(directory: Path, key: str, name: str, *, folder_allowed: bool = False) -> Path:
    """Return the file that `key` names, resolved, inside `directory`.

    Parameters
    ----------
    directory : Path
        The submission directory.
    key : str
        Where the name stands, such as "data.evaluation"; goes into the sentence.
    name : str
        The name as written, relative to the directory, `/` between its parts.
    folder_allowed : bool
        Whether a folder will do as well as a file.

    Raises
    ------
    Malformed
        For absolute names, names with `..` or backslashes, links that lead out of the directory, absent files,
        and things that are neither file nor folder.
    """
    _refuse_name(key, name)
    root = directory.resolve()
    path = root / name
    if not path.exists():
        raise Malformed(
            Sentence(
                en=f"{key} names {name}, which is not in the submission directory{_what_is_there(root)}",
                zh=f"{key} 指定的 {name} 不在提交目录中{_what_is_there_zh(root)}",
            )
        )
    real = path.resolve()
    if not real.is_relative_to(root):
        raise Malformed(
            Sentence(
                en=f"{key} names {name}, a link that leads out of the submission directory; put the file itself there",
                zh=f"{key} 指定的 {name} 是指向提交目录之外的链接，请直接放入文件本身",
            )
        )
    mode = real.stat().st_mode
    if stat.S_ISREG(mode) or (folder_allowed and stat.S_ISDIR(mode)):
        return real
    kind = ("a folder", "文件夹") if stat.S_ISDIR(mode) else ("a device or a pipe", "设备或管道")
    raise Malformed(
        Sentence(
            en=f"{key} names {name}, which is {kind[0]}; expected a file",
            zh=f"{key} 指定的 {name} 是{kind[1]}，应为文件",
        )
    )


def _refuse_name(key: str, name: str) -> None:
    # a backslash is a separator on the machine of half of all submitters, and part of a name on ours
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or not name.isprintable() or pure == PurePosixPath():
        raise Malformed(
            Sentence(
                en=f"{key} names {name!r}; "
                "expected a relative path inside the submission directory, with '/', without '..'",
                zh=f"{key} 指定的 {name!r} 不合要求，应为提交目录内的相对路径，以“/”分隔且不含“..”",
            )
        )


def _what_is_there(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir() if path.name != "submission.toml")
    return f" (there: {', '.join(names[:8])}{', …' if len(names) > 8 else ''})" if names else ""


def _what_is_there_zh(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir() if path.name != "submission.toml")
    return f"（现有：{'、'.join(names[:8])}{'……' if len(names) > 8 else ''}）" if names else ""
