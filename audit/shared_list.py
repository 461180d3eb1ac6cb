"""The negative list of a group as one signed file: who signed which edition, and the scenario files in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from audit.cosignatures import LOG_KEY, NamedKey
from audit.signed_note import NotASignedNote, SigningKey, sign_note, signed_by, split_note
from policies.errors import Malformed, Refused, Sentence
from policies.negative_list import FORMAT, NegativeList, Origin
from policies.scenario_files import built_in_list, list_from_files

LARGEST = 4_000_000
"""Bytes of a signed list at most; the product's own list has about 60,000."""


class ListRefused(Refused):
    """A signed list is not what may be adopted here."""


@dataclass(frozen=True, kw_only=True)
class SharedList:
    """One edition of a group's list: scenario files and tightenings by name."""

    group: str
    edition: int
    files: Mapping[str, str]

    def laid_over(self, known: NegativeList) -> NegativeList:
        """Return an inherited list with this one on top. Raises Malformed, Loosened."""
        raw = {name: text.encode() for name, text in self.files.items()}
        return list_from_files(raw, onto=known, origin=Origin.GROUP)


def sign_list(shared: SharedList, name: str, key: SigningKey) -> str:
    """Return the signed file of a list.

    Raises
    ------
    Malformed, Loosened
        When the list could not be adopted by anyone: a faulty file, or one that loosens the product's own list.
    """
    shared.laid_over(built_in_list())
    text = json.dumps(
        {
            "format": FORMAT,
            "group": shared.group,
            "edition": shared.edition,
            "files": dict(sorted(shared.files.items())),
        },
        ensure_ascii=False,
        indent=1,
    )
    return sign_note(f"{text}\n", name, key)


def named_key(name: str, key: SigningKey) -> NamedKey:
    """Return the public half of a signing key under a name, as subsidiaries are given it."""
    return NamedKey(name, LOG_KEY, key.public)


def open_list(note: str, key: NamedKey) -> SharedList:
    """Return a signed list after its signature was found good.

    Raises
    ------
    ListRefused
        When this key did not sign it.
    Malformed
        When it is no signed note, or its text is no list.
    """
    if len(note.encode()) > LARGEST:
        raise Malformed(
            Sentence(en=f"the signed list has more than {LARGEST:,} bytes", zh=f"签名清单超过 {LARGEST:,} 字节")
        )
    if not signed_by(note, key.name, key.key):
        raise ListRefused(
            Sentence(
                en=f"the list is not signed by '{key.name}' with the key given; ask the group for its key, and not by "
                "the way the list came",
                zh=f"该清单不是由“{key.name}”以所给密钥签名；请另行向集团核实密钥，勿用收到清单的同一渠道",
            )
        )
    return _read(split_note(note)[0])


def _read(text: str) -> SharedList:
    try:
        told = json.loads(text)
        files = told["files"]
        if told["format"] != FORMAT or not isinstance(files, dict):
            raise ValueError(f"format {told['format']!r}")
        return SharedList(
            group=str(told["group"]),
            edition=int(told["edition"]),
            files={str(name): str(content) for name, content in files.items()},
        )
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise NotASignedNote(f"its text is no negative list ({wrong})", f"正文不是负面清单（{wrong}）") from wrong


def require_newer(shared: SharedList, held: SharedList | None) -> None:
    """Raise `ListRefused` unless an edition is newer than the one held: an older, laxer list cannot come back."""
    if held is not None and shared.edition <= held.edition:
        raise ListRefused(
            Sentence(
                en=f"edition {shared.edition} is not newer than edition {held.edition}, which is in force; "
                "ask the group for its newest list",
                zh=f"第 {shared.edition} 版不比现行的第 {held.edition} 版新，请向集团索取最新清单",
            )
        )
