"""The negative list in force: the product's own, on top of it what the group signed, and what the house added."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audit.cosignatures import NamedKey
from audit.entries import Draft, TraceSink
from audit.shared_list import ListRefused, SharedList, open_list, require_newer
from audit.signed_note import sync_folder
from governance.permits import PermitBook, PermitState
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from policies.errors import Sentence
from policies.negative_list import NegativeList
from policies.roles import Action, Person, require
from policies.scenario_files import built_in_list, read_negative_list

NOTE = "negative-list.note"
KEY = "negative-list.key"


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """What adopting a list changed: scenarios that came, and those of the edition before that are gone."""

    group: str
    edition: int
    digest: str
    added: tuple[str, ...]
    withdrawn: tuple[str, ...]


def list_in_force(data: Path, own: Path | None) -> NegativeList:
    """Return the list of a data folder, with a house's own folder of scenarios on top.

    Raises
    ------
    Malformed, Loosened, ListRefused
        When the adopted file was altered, or the house's own files are faulty or would take something back.
    """
    held = adopted_list(data)
    known = built_in_list() if held is None else held.laid_over(built_in_list())
    return known if own is None else read_negative_list(own, onto=known)


def adopted_list(data: Path) -> SharedList | None:
    """Return the group's list that was adopted here, its signature checked anew; None where there is none."""
    if not (data / NOTE).exists():
        return None
    return open_list((data / NOTE).read_text(encoding="utf-8"), pinned_key(data))


def pinned_key(data: Path) -> NamedKey:
    """Return the key that was given when a list was first adopted. Raises ListRefused where none was."""
    if not (data / KEY).exists():
        raise ListRefused(
            Sentence(
                en="no key of the group is known here; give it with --key, as `mingjing negative-list sign` printed it",
                zh="尚未登记集团公钥；请用 --key 给出（`mingjing negative-list sign` 输出的公钥）",
            )
        )
    return NamedKey.of_text((data / KEY).read_text(encoding="utf-8"))


def adopt(note: str, *, by: Person, data: Path, own: Path | None, log: TraceSink, key: NamedKey | None) -> Adopted:
    """Adopt a group's signed list. It is in the log before it is in force.

    Parameters
    ----------
    key : NamedKey or None
        The group's key; needed the first time, and then pinned.

    Raises
    ------
    NotAllowed
        For anyone but officer and committee.
    ListRefused
        When another key signed it, another key was pinned, or the edition is not newer.
    Malformed, Loosened
        When the list, or the house's own files on top of it, cannot stand.
    """
    require(by, Action.GIVE_VERDICT)
    trusted = key if key is not None and not (data / KEY).exists() else pinned_key(data)
    if key is not None and key != trusted:
        raise ListRefused(
            Sentence(
                en=f"'{trusted.name}' was pinned with another key; a change of the group's key is a new beginning: "
                f"move {KEY} and {NOTE} away after checking with the group",
                zh=f"已登记“{trusted.name}”的另一把公钥；集团更换密钥须先核实，再移走 {KEY} 与 {NOTE} 后重新采纳",
            )
        )
    shared, held = open_list(note, trusted), adopted_list(data)
    require_newer(shared, held)
    before = _names(list_in_force(data, own))
    known = shared.laid_over(built_in_list())
    after = known if own is None else read_negative_list(own, onto=known)
    done = Adopted(
        group=shared.group,
        edition=shared.edition,
        digest=after.digest,
        added=tuple(sorted(_names(after) - before)),
        withdrawn=tuple(sorted(before - _names(after))),
    )
    log.append([_statement(done, trusted, by)])
    _keep(data / KEY, trusted.text() + "\n")
    _keep(data / NOTE, note)
    sync_folder(data)
    return done


def met_another_list(permits: PermitBook, book: SubmissionBook, known: NegativeList) -> tuple[str, ...]:
    """Return the models at work whose submission was tried on another list than this one.

    Nothing is suspended by itself: the officer decides whether to have them handed in again or to stop them.
    """
    at_work = [permit for permit in permits.permits() if permit.state is PermitState.LIVE]
    return tuple(sorted({one.model for one in at_work if known.digest not in _lists_met(book.get(one.submission))}))


def _lists_met(record: SubmissionRecord) -> set[object]:
    return {
        finding["evidence"].get("list_digest") for finding in record.findings if finding["check"] == "negative_list"
    }


def _names(known: NegativeList) -> set[str]:
    return {one.name for one in known.scenarios}


def _statement(done: Adopted, key: NamedKey, by: Person) -> Draft:
    body = {
        "what": "negative_list",
        "group": done.group,
        "edition": done.edition,
        "digest": done.digest,
        "added": list(done.added),
        "withdrawn": list(done.withdrawn),
        "key": key.text(),
    }
    return statement("publish", by=by.name, body=body)


def _keep(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
