"""A compliance snapshot as PDF and as workbook: every clause, whether the house answers it, and because of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from policies.coverage import GRAVEST, State
from policies.regulations import Means
from reports.cells import said, table_of_lines
from reports.flowables import Card
from reports.pdf import Cover, Pages
from reports.spreadsheet import Sheet, workbook
from reports.styles import Tone
from reports.wording import Language, name_of, say

SHOWN_ROWS = 5
"""Answers printed for one clause, the gravest first; the workbook and the JSON hold all of them."""

SIGNS = {State.HOLDS: "●", State.FAILS: "▲", State.NO_EVIDENCE: "○", State.NOT_IN_SCOPE: "–"}
TONES: dict[State, Tone] = {State.HOLDS: "holds", State.FAILS: "fails", State.NO_EVIDENCE: "open"}


@dataclass(frozen=True, kw_only=True)
class SnapshotFacts:
    """A sealed snapshot as governance hands it over. `body` is what was sealed, or the part one site may see."""

    number: int
    entry: str
    index: int
    at: datetime
    by: str
    digest: str
    body: Mapping[str, Any]


def snapshot_pdf(facts: SnapshotFacts, language: Language) -> bytes:
    """Return a snapshot as PDF bytes; the same snapshot gives the same bytes."""
    pages = Pages(
        language,
        _cover(facts, language),
        subject=say(language, "snapshot.subject"),
        notice=say(language, "snapshot.notice", number=facts.number),
    )
    _summary(pages, facts)
    for pack in facts.body["packs"]:
        _pack(pages, pack, facts.body)
    _proof(pages, facts)
    return pages.finish()


def snapshot_workbook(facts: SnapshotFacts, language: Language) -> bytes:
    """Return a snapshot as a workbook: one sheet of clauses, one of every answer."""
    titles = {pack["id"]: said(pack["title"], language) for pack in facts.body["packs"]}
    clauses = [
        (titles[c["pack"]], said(c["article"], language), said(c["says"], language), _state(c["state"], language))
        for c in facts.body["clauses"]
    ]
    articles = {(c["pack"], c["clause"]): said(c["article"], language) for c in facts.body["clauses"]}
    rows = [
        (
            titles[row["pack"]],
            articles[row["pack"], row["clause"]],
            said(row["asked"], language),
            row["model"] or say(language, "snapshot.house"),
            _state(row["state"], language),
            said(row["because"], language),
            f"{row['means']}: {row['name']}",
            row["link"],
        )
        for row in facts.body["rows"]
    ]
    clause_head = [say(language, f"snapshot.{key}") for key in ("pack", "clause", "asks", "state")]
    keys = ("pack", "clause", "measure", "whom", "state", "because", "control", "link")
    return workbook(
        [
            Sheet(
                title=say(language, "snapshot.clauses"), head=tuple(clause_head), rows=clauses, widths=(30, 16, 70, 16)
            ),
            Sheet(
                title=say(language, "snapshot.answers"),
                head=tuple(say(language, f"snapshot.{key}") for key in keys),
                rows=rows,
                widths=(30, 16, 44, 20, 14, 60, 34, 34),
            ),
        ],
        title=f"{say(language, 'snapshot.kind')} {facts.number}",
        made=facts.at,
    )


def _cover(facts: SnapshotFacts, language: Language) -> Cover:
    title = say(language, "snapshot.title", number=facts.number)
    lines = [
        say(language, "snapshot.taken", by=facts.by, at=facts.at),
        say(language, "snapshot.stands_on", rulebook=facts.body["rulebook"]["version"], n=len(facts.body["packs"])),
    ]
    if "only_site" in facts.body:
        lines.append(say(language, "snapshot.only_site", site=facts.body["only_site"]))
    return Cover(
        kind=say(language, "snapshot.kind"),
        title=title,
        lines=tuple(lines),
        running=say(language, "snapshot.running", number=facts.number, at=facts.at),
    )


def _summary(pages: Pages, facts: SnapshotFacts) -> None:
    language = pages.language
    states = [State(clause["state"]) for clause in facts.body["clauses"]]
    pages.cards(
        [
            Card(
                figure=say(language, "number.count", value=states.count(state)),
                words=say(language, f"coverage.counted_{state.value}"),
                tone=TONES.get(state, "plain"),
            )
            for state in (State.HOLDS, State.FAILS, State.NO_EVIDENCE, State.NOT_IN_SCOPE)
        ]
    )
    pages.write(say(language, "snapshot.lead"))
    pages.bullets([say(language, f"snapshot.reading_{key}") for key in ("evidence", "scope", "law")])
    if facts.body["reason"]:
        pages.write(say(language, "snapshot.reason", reason=facts.body["reason"]))
    _open_points(pages, facts)


def _open_points(pages: Pages, facts: SnapshotFacts) -> None:
    """List the clauses that do not hold, so that nobody has to look for them."""
    language = pages.language
    failing = [clause for clause in facts.body["clauses"] if clause["state"] == State.FAILS.value]
    pages.section(say(language, "snapshot.failing"))
    if not failing:
        pages.write(say(language, "snapshot.none_failing"))
        return
    titles = {pack["id"]: said(pack["title"], language) for pack in facts.body["packs"]}
    rows = [
        [
            titles[c["pack"]],
            said(c["article"], language),
            "\n".join(_because(_rows_of(facts.body, c), language, State.FAILS)),
        ]
        for c in failing
    ]
    table_of_lines(pages, _heads(language, "pack", "clause", "because"), rows, (24, 14, 62))


def _pack(pages: Pages, pack: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    language = pages.language
    pages.section(said(pack["title"], language))
    pages.write(said(pack["citation"], language), "small")
    if pack["source"] == "supplied":
        pages.note(say(language, "snapshot.supplied"), tone="open")
    if pack["note"] is not None:
        pages.write(said(pack["note"], language))
    rows = []
    for clause in body["clauses"]:
        if clause["pack"] != pack["id"]:
            continue
        rows.append(
            [
                said(clause["article"], language),
                said(clause["says"], language),
                f"{SIGNS[State(clause['state'])]} {_state(clause['state'], language)}",
                "\n".join(_because(_rows_of(body, clause), language)),
            ]
        )
    table_of_lines(pages, _heads(language, "clause", "asks", "state", "because"), rows, (14, 28, 14, 44))
    pages.write(say(language, "snapshot.pack_version", version=pack["version"], digest=pack["digest"]), "small")


def _proof(pages: Pages, facts: SnapshotFacts) -> None:
    language = pages.language
    pages.section(say(language, "snapshot.proof"))
    pages.write(say(language, "snapshot.proof_text"))
    log = facts.body["log"]
    shown = [
        (say(language, "snapshot.entry"), facts.entry),
        (say(language, "snapshot.place"), say(language, "number.count", value=facts.index)),
        (say(language, "snapshot.digest"), facts.digest),
        (say(language, "log.rulebook", version=facts.body["rulebook"]["version"]), facts.body["rulebook"]["digest"]),
    ]
    if log is not None:
        shown.append((say(language, "snapshot.root_before", n=log["size"]), log["root"]))
    pages.facts(shown)


def _rows_of(body: Mapping[str, Any], clause: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in body["rows"] if (row["pack"], row["clause"]) == (clause["pack"], clause["clause"])]


def _because(rows: Sequence[Mapping[str, Any]], language: Language, only: State | None = None) -> list[str]:
    """Return what answers and why, the gravest first, for whom where it is a model; the rest is counted."""
    ranked = sorted(rows, key=lambda row: GRAVEST.index(State(row["state"])))
    told = [row for row in ranked if only is None or row["state"] == only.value]
    lines = [_line(row, language) for row in told[:SHOWN_ROWS]]
    if len(told) > SHOWN_ROWS:
        lines.append(say(language, "snapshot.more", n=len(told) - SHOWN_ROWS))
    return lines


def _line(row: Mapping[str, Any], language: Language) -> str:
    sign, asked, because = SIGNS[State(row["state"])], said(row["asked"], language), said(row["because"], language)
    if row["model"]:
        return say(language, "list.because_of_model", sign=sign, asked=asked, model=row["model"], because=because)
    if row["state"] == State.HOLDS.value and row["means"] in (Means.ROUTE.value, Means.DOCUMENT.value):
        return say(language, "list.because_there", sign=sign, asked=asked)
    return say(language, "list.because_of_house", sign=sign, asked=asked, because=because)


def _state(state: str, language: Language) -> str:
    return name_of(language, "coverage", state)


def _heads(language: Language, *keys: str) -> list[str]:
    return [say(language, f"snapshot.{key}") for key in keys]
