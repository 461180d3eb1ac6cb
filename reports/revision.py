"""A revision table as PDF and as workbook: old, new, what it means for which rule, who acts by when, who signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from reports.cells import said, table_of_lines
from reports.flowables import Card
from reports.pdf import Cover, Pages
from reports.spreadsheet import Sheet, workbook
from reports.wording import Language, as_day, name_of, say


def revision_pdf(revision: Mapping[str, Any], language: Language) -> bytes:
    """Return a revision, as `Revision.as_json` tells it, as PDF bytes; the same revision gives the same bytes."""
    pages = Pages(
        language,
        _cover(revision, language),
        subject=say(language, "revision.subject"),
        notice=say(language, "revision.notice"),
    )
    _summary(pages, revision)
    _changes(pages, revision["changes"])
    _touched(pages, revision["touched"])
    _signature(pages, revision)
    return pages.finish()


def revision_workbook(revision: Mapping[str, Any], language: Language) -> bytes:
    """Return a revision as a workbook: one sheet of changes, one of permits to examine again."""
    keys = ("place", "kind_of", "old", "new", "means", "rules", "who", "by")
    changes = [
        (
            said(change["article"], language),
            name_of(language, "difference", change["kind"]),
            said(change["old"], language),
            said(change["new"], language),
            said(change["means"], language),
            "\n".join(change["rules"]),
            name_of(language, "role", change["who"]),
            change["by"],
        )
        for change in revision["changes"]
    ]
    touched = [
        (line["model"], line["permit"], (line["until"] or "")[:10], said(line["because"], language))
        for line in revision["touched"]
    ]
    return workbook(
        [
            Sheet(
                title=say(language, "revision.changes"),
                head=tuple(say(language, f"revision.{key}") for key in keys),
                rows=changes,
                widths=(18, 10, 44, 44, 50, 34, 18, 12),
            ),
            Sheet(
                title=say(language, "revision.touched"),
                head=tuple(say(language, f"revision.{key}") for key in ("model", "permit", "until", "because")),
                rows=touched,
                widths=(28, 38, 12, 80),
            ),
        ],
        title=f"{say(language, 'revision.kind')}: {said(revision['title'], language)}",
        made=_moment(revision),
    )


def _moment(revision: Mapping[str, Any]) -> datetime:
    """Return when a revision was signed, or the day it was computed for while it waits."""
    if revision["adopted"] is not None:
        return datetime.fromisoformat(revision["adopted"]["at"])
    return datetime.combine(date.fromisoformat(revision["day"]), time(), UTC)


def _cover(revision: Mapping[str, Any], language: Language) -> Cover:
    title = said(revision["title"], language)
    old, new = revision["old"]["version"], revision["new"]["version"]
    versions = (
        say(language, "revision.first", new=new)
        if old is None
        else say(language, "revision.versions", old=old, new=new)
    )
    adopted = revision["adopted"]
    state = (
        say(language, "revision.waits", day=date.fromisoformat(revision["day"]))
        if adopted is None
        else say(language, "revision.signed", by=adopted["by"], at=_moment(revision), number=adopted["number"])
    )
    return Cover(
        kind=say(language, "revision.kind"),
        title=title,
        lines=(versions, state),
        running=say(language, "revision.running", title=title, new=new),
    )


def _summary(pages: Pages, revision: Mapping[str, Any]) -> None:
    language = pages.language
    kinds = [change["kind"] for change in revision["changes"]]
    counted = (
        ("revision.counted_changes", len(kinds)),
        ("revision.counted_stricter", kinds.count("stricter") + kinds.count("added")),
        ("revision.counted_touched", len(revision["touched"])),
    )
    pages.cards([Card(figure=say(language, "number.count", value=n), words=say(language, key)) for key, n in counted])
    pages.write(say(language, "revision.lead"))


def _changes(pages: Pages, changes: Sequence[Mapping[str, Any]]) -> None:
    language = pages.language
    pages.section(say(language, "revision.changes"))
    if not changes:
        pages.write(say(language, "revision.none"))
        return
    rows = [
        [
            "\n".join([said(change["article"], language), name_of(language, "difference", change["kind"])]),
            said(change["old"], language),
            said(change["new"], language),
            "\n".join([said(change["means"], language), *change["rules"]]),
            f"{name_of(language, 'role', change['who'])}\n{as_day(date.fromisoformat(change['by']), language)}",
        ]
        for change in changes
    ]
    head = [say(language, f"revision.{key}") for key in ("place", "old", "new", "means", "who_by")]
    table_of_lines(pages, head, rows, (15, 23, 23, 26, 13))


def _touched(pages: Pages, touched: Sequence[Mapping[str, Any]]) -> None:
    language = pages.language
    pages.section(say(language, "revision.touched"))
    if not touched:
        pages.write(say(language, "revision.none_touched"))
        return
    pages.write(say(language, "revision.touched_text"))
    rows = [
        [
            line["model"],
            _day_of(line["until"], language),
            said(line["because"], language),
        ]
        for line in touched
    ]
    table_of_lines(
        pages, [say(language, f"revision.{key}") for key in ("model", "until", "because")], rows, (24, 16, 60)
    )


def _signer(adopted: Mapping[str, Any], language: Language) -> str:
    role = name_of(language, "role", adopted["role"])
    return say(language, "approval.decider", name=adopted["by"], role=role)


def _day_of(until: str | None, language: Language) -> str:
    return say(language, "number.none") if until is None else as_day(datetime.fromisoformat(until), language)


def _signature(pages: Pages, revision: Mapping[str, Any]) -> None:
    language = pages.language
    pages.section(say(language, "revision.signature"))
    facts = [
        (say(language, "revision.old_digest"), revision["old"]["digest"] or say(language, "number.none")),
        (say(language, "revision.new_digest"), revision["new"]["digest"]),
    ]
    adopted = revision["adopted"]
    if adopted is None:
        pages.note(say(language, "revision.not_signed"), tone="open")
    else:
        facts += [
            (say(language, "revision.signed_by"), _signer(adopted, language)),
            (say(language, "revision.signed_at"), say(language, "approval.moment", time=_moment(revision))),
            (say(language, "revision.reason"), adopted["reason"]),
            (say(language, "revision.entry"), adopted["entry"]),
            (say(language, "revision.seal"), adopted["digest"]),
        ]
    pages.facts(facts)
