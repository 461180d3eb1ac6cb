"""Moving artifacts and documents between folders without ever leaving half of one behind."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from model_registry.digests import artifact_digest, folder_files
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.submission import Submission
from model_registry.version import ArtifactAltered, document_path
from policies.errors import Malformed, Sentence, Unavailable

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NotKept(Unavailable):
    """The registry could not keep a version; nothing of it is left."""

    def __init__(self, name: str, because: str) -> None:
        super().__init__(
            Sentence(
                en=f"{name} could not be kept: {because}; nothing was registered, try again when there is room",
                zh=f"{name} 未能保存：{because}；未登记任何内容，请在空间或服务恢复后重试",
            )
        )


@contextmanager
def saying_why(name: str) -> Iterator[None]:
    """Turn what the file system says into one sentence; a full disk is named as such."""
    try:
        yield
    except OSError as error:
        because = "the disk is full" if error.errno in FULL else error.strerror or str(error)
        raise NotKept(name, because) from error


def copy_artifact(source: Path, target: Path) -> None:
    """Copy a file or a folder of plain files; `target` must not exist."""
    if source.is_dir():
        for relative, path in folder_files(source):
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / relative)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def stage_artifact(submission: Submission, target: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Copy a submission's artifact and make sure the copy is what was examined.

    Raises
    ------
    ArtifactAltered
        When the file changed between reading and registering.
    """
    assert submission.artifact is not None, "predictions and endpoints have no artifact to keep"
    copy_artifact(submission.artifact, target)
    verify_artifact(submission.declaration.model.name, target, submission.artifact_digest, limits)


def verify_artifact(what: str, path: Path, registered: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise `ArtifactAltered` unless a copy has the digest under which it was registered."""
    found = digest_or_reason(path, limits)
    if found != registered:
        raise ArtifactAltered(what, registered, found)


def digest_or_reason(path: Path, limits: Limits) -> str:
    """Return the digest; for a folder that someone put a link or a pipe into, what is wrong with it."""
    try:
        return artifact_digest(path, limits)
    except Malformed as fault:
        return fault.says.en


def write_documents(documents: Mapping[str, bytes], folder: Path) -> None:
    """Write documents under their paths; `Malformed` where a path would leave the folder."""
    for path, content in documents.items():
        target = folder / document_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def replace_folder(made: Path, place: Path) -> None:
    """Put a finished folder in its place; what was there goes. Readers see the old one or the new one."""
    if place.exists():
        aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=".old-"))
        place.rename(aside / "was")
        made.rename(place)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        made.rename(place)
