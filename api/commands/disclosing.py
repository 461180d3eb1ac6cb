"""What is disclosed every quarter: outcomes handed in, measures recorded, the report prepared and released."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.shared import Acting, Data, Json, acting, moment, opened, out, show_json
from governance.disclosures import require_discloser
from policies.errors import Malformed, Sentence
from policies.quarters import Quarter, read_quarter
from policies.roles import Person, Role

if TYPE_CHECKING:
    from api.wiring import Service

COLUMNS = ("decision", "harmed", "source", "observed")
YES, NO = ("1", "true", "yes", "是"), ("0", "false", "no", "否")


def disclose(
    quarter: Annotated[str, typer.Argument(help="The quarter, as in 2026Q3.")],
    file: Annotated[Path | None, typer.Option("--out", help="Where the PDF goes.")] = None,
    language: Annotated[str, typer.Option("--lang", help="zh or en.")] = "en",
    revise: Annotated[
        bool, typer.Option("--revise", help="Prepare a further number although one has been released.")
    ] = False,
    release: Annotated[bool, typer.Option("--release", help="Release the draft: it is frozen and numbered.")] = False,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Write the quarterly report as PDF: the released number, else a draft counted from what is known now.

    Example: mingjing disclose 2026Q3 --lang zh --out 2026Q3.pdf
    """
    from reports.disclosure import disclosure_report
    from reports.wording import LANGUAGES

    read = read_quarter(quarter)
    if language not in LANGUAGES:
        raise Malformed(
            Sentence(
                en=f"there is no language '{language}'; expected zh or en", zh=f"没有语言“{language}”，应为 zh 或 en"
            )
        )
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        if release:
            _release(service, read, person)
        if release or (service.disclosing.disclosures.numbers(read) and not revise):
            figures = service.disclosing.figures(read)
            body = service.disclosing.document(read, f"disclosure.{'zh' if language == 'zh' else 'en'}.pdf")
        else:
            service.disclosing.prepare(read, by=person)
            _, figures = service.disclosing.draft_figures(read, person)
            body = disclosure_report(figures, "zh" if language == "zh" else "en")
    if as_json:
        show_json(figures.as_json())
    if file is not None or not as_json:
        target = file or Path(f"{figures.number or f'{quarter}-draft'}.{language}.pdf")
        target.write_bytes(body)
        if not as_json:
            standing = f"number {figures.number}" if figures.number else "draft, not released"
            out.print(
                f"{target} written: {quarter}, {standing}, SHA-256 {hashlib.sha256(body).hexdigest()}", markup=False
            )


def outcomes(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or JSON with decision, harmed, source, observed.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Hand in what really happened, for decisions of the log. All rows are kept, or none.

    Example: mingjing outcomes inspections.csv --as scada-07
    """
    from api.tables import read_rows
    from governance.outcomes import AT_ONCE, Outcome

    rows = read_rows(file)
    missing = [name for name in COLUMNS[:3] if name not in rows.columns]
    if missing:
        raise Malformed(
            Sentence(
                en=f"{file.name} lacks the column {', '.join(missing)}; expected {', '.join(COLUMNS)}",
                zh=f"{file.name} 缺少列 {'、'.join(missing)}，应有 {'、'.join(COLUMNS)}",
            )
        )
    faults: list[Sentence] = []
    read: list[Outcome] = []
    for at, row in enumerate(rows.to_dict("records"), start=2):
        try:
            read.append(
                Outcome(
                    decision=str(row["decision"]),
                    harmed=_yes_or_no(row["harmed"], at),
                    source=str(row["source"]),
                    observed=_day(row.get("observed"), at),
                )
            )
        except Malformed as fault:
            faults += fault.faults
    if faults:
        raise Malformed(*faults)
    kept = 0
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        for first in range(0, len(read), AT_ONCE) if len(read) > AT_ONCE else (0,):
            kept += len(service.outcomes.hand_in(read[first : first + AT_ONCE], by=person))
    if as_json:
        show_json({"kept": kept})
        return
    out.print(f"{kept} outcomes kept")


measuring = typer.Typer(no_args_is_help=True, help="Improvement measures that the next report is held against.")


@measuring.command("add")
def add_measure(
    quarter: Annotated[str, typer.Argument(help="The quarter whose figures will show it, as in 2026Q4.")],
    says: Annotated[str, typer.Option("--says", help="What will be done.")],
    indicator: Annotated[str, typer.Option("--indicator", help="accuracy, false_alarm_rate, miss_rate, …")],
    target: Annotated[float, typer.Option("--target", help="The share to reach, from 0 to 1.")],
    owner: Annotated[str, typer.Option("--owner", help="Who sees to it.")],
    says_zh: Annotated[str | None, typer.Option("--says-zh", help="The same in Chinese.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this site; without it the group.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Record a measure for a quarter that is not over.

    Example: mingjing measure add 2026Q4 --says "Move the sensors" --indicator miss_rate --target 0.1 --owner safety
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        measure = service.measures.record(
            read_quarter(quarter),
            by=person,
            says=Sentence(en=says, zh=says_zh or says),
            indicator=indicator,
            target=target,
            owner=owner,
            site=site,
        )
    if as_json:
        show_json(measure.as_json())
        return
    out.print(f"{measure.id} recorded for {quarter}", markup=False)


@measuring.command("list")
def list_measures(
    quarter: Annotated[str, typer.Argument(help="The quarter, as in 2026Q4.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """List the measures recorded for a quarter.

    Example: mingjing measure list 2026Q4
    """
    with opened(data) as service:
        require_discloser(acting(service, as_user, Role.DSO))
        found = service.measures.of(read_quarter(quarter))
    if as_json:
        show_json({"measures": [measure.as_json() for measure in found]})
        return
    for measure in found:
        where = measure.site or "group"
        out.print(f"{measure.id}  {measure.indicator} {measure.target:g}  {where}  {measure.says.en}", markup=False)


def _release(service: Service, quarter: Quarter, person: Person) -> None:
    draft = service.disclosing.disclosures.draft(quarter)
    if draft is None:
        draft = service.disclosing.prepare(quarter, by=person)
    service.disclosing.release(quarter, by=person, digest=draft.digest)


def _yes_or_no(value: Any, row: int) -> bool:
    text = str(value).strip().lower().removesuffix(".0")
    if text in YES:
        return True
    if text in NO:
        return False
    raise Malformed(
        Sentence(
            en=f"row {row}: harmed is {value!r}; write yes or no", zh=f"第 {row} 行：harmed 为 {value!r}，请写是或否"
        )
    )


def _day(value: Any, row: int) -> date | None:
    if value is None or value != value or str(value).strip() in ("", "NaT"):
        return None
    try:
        found = moment(str(value).strip())
    except Malformed as fault:
        raise Malformed(
            *(Sentence(en=f"row {row}: {said.en}", zh=f"第 {row} 行：{said.zh}") for said in fault.faults)
        ) from fault
    return None if found is None else found.date()
