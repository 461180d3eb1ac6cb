"""One registered version of a model, and what a store refuses to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from policies.errors import Conflict, Malformed, NotFound, Refused, Sentence
from policies.tiers import Tier

SUBMITTED = "submitted"
FIXED = frozenset({"name", "artifact_digest", "submission_id", "owner", "site", "flavour", "data_digests", "artifact"})
"""Tags that are said once, at registration; a changed model is a new version."""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """A version as the registry knows it at one moment.

    Parameters
    ----------
    name, version : str
        Together they name it; versions count from "1".
    artifact_digest : str
        SHA-256 the artifact had at registration.
    tier : Tier
    status : str
        Where it stands, as last written by the room of decisions; "submitted" at first. Nothing is served by
        this word: a live permit decides that.
    submission_id : str
    owner, site : str
        As declared, may be empty.
    tags : mapping of str to str
        Everything else that was said about it.
    created : datetime
        In UTC, by the clock of the store.
    flavour : str
        As declared.
    data_digests : mapping of role ("evaluation", "training") to SHA-256
    """

    name: str
    version: str
    artifact_digest: str
    tier: Tier
    status: str
    submission_id: str
    owner: str
    site: str
    tags: Mapping[str, str]
    created: datetime
    flavour: str = ""
    data_digests: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Pointers:
    """What points at versions of one model in a registry. It opens nothing here, but people read it.

    Parameters
    ----------
    aliases : mapping of alias to version
    stages : mapping of version to stage
        Versions that were given one of the stages of old, such as Production; this house gives none.
    """

    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class ArtifactAltered(Refused):
    """The artifact no longer has the digest it was registered under."""

    def __init__(self, what: str, registered: str, found: str) -> None:
        super().__init__(
            Sentence(
                en=f"the artifact of {what} was altered: registered with SHA-256 {registered}, found {found}; "
                "it does not run, hand it in as a new version",
                zh=f"{what} 的模型文件已被改动：登记时 SHA-256 为 {registered}，现为 {found}；"
                "该文件不予运行，请作为新版本重新提交",
            )
        )
        self.what, self.registered, self.found = what, registered, found


class VersionNotFound(NotFound):
    """No such version."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(Sentence(en=f"there is no model {name}:{version}", zh=f"不存在模型 {name}:{version}"))
        self.name, self.version = name, version


class DocumentNotFound(NotFound):
    """No such document beside this version."""

    def __init__(self, name: str, version: str, path: str) -> None:
        super().__init__(
            Sentence(en=f"{name}:{version} has no document {path}", zh=f"{name}:{version} 没有文档 {path}")
        )


class NoArtifact(Refused):
    """Predictions and endpoints were examined without a model file; there is nothing to run."""

    def __init__(self, name: str, version: str, flavour: str) -> None:
        super().__init__(
            Sentence(
                en=f"{name}:{version} was handed in as '{flavour}', without a model file; "
                "it can be reported on, not served",
                zh=f"{name}:{version} 以“{flavour}”方式提交，没有模型文件；可以出具报告，但不能上线服务",
            )
        )


class ArtifactGone(NotFound):
    """The registry knows the version and no longer holds its artifact."""

    def __init__(self, what: str) -> None:
        super().__init__(
            Sentence(
                en=f"the artifact of {what} is no longer in the registry; it does not run, hand it in again",
                zh=f"{what} 的模型文件已不在模型库中，无法运行，请重新提交",
            )
        )


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags that may be set on a version.

    Raises
    ------
    Conflict
        For a tag that is fixed at registration.
    Malformed
        For a tier that is none, an empty or overlong key.
    """
    for key, value in tags.items():
        if key in FIXED:
            raise Conflict(
                Sentence(
                    en=f"'{key}' is fixed at registration; register a new version instead",
                    zh=f"“{key}”在登记时即已固定，请登记新版本",
                )
            )
        if key == "tier" and value not in Tier.__members__:
            raise Malformed(
                Sentence(
                    en=f"the tier {value!r} is not known; expected one of {', '.join(Tier.__members__)}",
                    zh=f"未知等级 {value!r}，应为 {'、'.join(Tier.__members__)} 之一",
                )
            )
        if not 0 < len(key) <= 100 or not key.isprintable() or set(key) & set("/\\"):
            raise Malformed(
                Sentence(
                    en=f"a tag cannot be named {key!r}; expected 1 to 100 printable characters without slashes",
                    zh=f"标签名 {key!r} 不合要求，应为 1 到 100 个可打印字符且不含斜杠",
                )
            )
    return dict(tags)


def document_path(path: str) -> str:
    """Return the path of a document, checked to stay among the documents of its version.

    Examples
    --------
    >>> document_path("reports/zh.pdf")
    'reports/zh.pdf'
    """
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or ":" in path or any(part in ("", ".", "..") for part in parts):
        raise Malformed(
            Sentence(
                en=f"a document cannot be kept as {path!r}; expected a relative path with '/', without '..'",
                zh=f"文档路径 {path!r} 不合要求，应为以“/”分隔且不含“..”的相对路径",
            )
        )
    return path
