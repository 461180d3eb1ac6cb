"""The officer's quarterly report before anyone reads it: drafted, read in both languages, measures, released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.console.confirming import Step, second_step, was_confirmed
from api.console.desk_disclosures import figure_values
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.quarter_gaps import gap_words
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.console.wording import name_of, say
from api.routes.shared import Language as Asked
from api.routes.shared import service_of
from governance.disclosures import DraftReplaced, require_discloser
from governance.measures import INDICATORS
from policies.errors import Fault, Malformed, NotFound, Sentence
from policies.quarters import Quarter, quarter_of, read_quarter
from policies.roles import Person
from reports.disclosure import disclosure_report
from reports.disclosure_words import quarter_words, standing_words
from reports.wording import Language, as_percent

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

LISTED = 6
"""How many quarters the list goes back; older ones have their own address."""

MEASURE = ("en", "zh", "indicator", "target", "owner", "site")


@router.get("/quarters")
def quarters(request: Request, person: Visitor) -> Response:
    """List the quarters with their drafts and numbers, the running one first."""
    require_discloser(person)
    service, language = service_of(request), language_of(request)
    quarter, lines = quarter_of(service.clock()), []
    for _ in range(LISTED):
        lines.append(
            {
                "quarter": quarter,
                "name": quarter_words(str(quarter), language),
                "over": service.clock() >= quarter.end,
                "due": quarter.report_due(service.rulebook.disclosures.days_off),
                "draft": service.disclosing.disclosures.draft(quarter),
                "numbers": service.disclosing.disclosures.numbers(quarter),
                "measures": len(service.measures.of(quarter)),
            }
        )
        quarter = quarter.before
    return page(request, "quarters.html", lines=lines)


@router.get("/quarters/{quarter}")
def draft(request: Request, quarter: str, person: Visitor) -> Response:
    """Show the draft as it will be read, what is missing in it, and the measures."""
    require_discloser(person)
    return _shown(request, read_quarter(quarter), person)


@router.get("/quarters/{quarter}/preview.pdf")
def preview(request: Request, quarter: str, person: Visitor, lang: Asked = "en") -> Response:
    """Hand out the draft as the PDF it would become, marked as a draft."""
    read = read_quarter(quarter)
    _, figures = service_of(request).disclosing.draft_figures(read, person)
    headers = {"Content-Disposition": f'inline; filename="{read}-draft.{lang}.pdf"'}
    return Response(
        disclosure_report(figures, "zh" if lang == "zh" else "en"), media_type="application/pdf", headers=headers
    )


@router.post("/quarters/{quarter}")
def prepare(request: Request, quarter: str, person: Visitor) -> Response:
    """Count the quarter as it is known now; the draft takes the place of the one before and publishes nothing."""
    require_discloser(person)
    read = read_quarter(quarter)
    try:
        service_of(request).disclosing.prepare(read, by=person)
    except Fault as fault:
        return _shown(request, read, person, 422, fault.faults)
    return done(f"/quarters/{read}", "prepared")


@router.post("/quarters/{quarter}/release")
def release(request: Request, quarter: str, person: Visitor, form: Posted) -> Response:
    """First step: say what a release does and what is missing. Second step: freeze, number and publish the draft."""
    require_discloser(person)
    service, read, digest = service_of(request), read_quarter(quarter), text_of(form, "digest", 64)
    try:
        if not was_confirmed(form):
            return second_step(request, _release_step(request, read, person, digest))
        service.disclosing.release(read, by=person, digest=digest)
    except NotFound:
        raise
    except Fault as fault:
        return _shown(request, read, person, 422, fault.faults)
    return done(f"/disclosures/{read}", "released")


@router.post("/quarters/{quarter}/measures")
def record_measure(request: Request, quarter: str, person: Visitor, form: Posted) -> Response:
    """First step: show the measure, which is never edited. Second step: record it for the quarter."""
    require_discloser(person)
    service, language, read = service_of(request), language_of(request), read_quarter(quarter)
    given = {name: text_of(form, name) for name in MEASURE}
    says = Sentence(en=given["en"] or given["zh"], zh=given["zh"] or given["en"])
    try:
        wanted: dict[str, Any] = {
            "says": says,
            "indicator": given["indicator"],
            "target": _share(given["target"]),
            "owner": given["owner"],
        }
        if not was_confirmed(form):
            service.measures.consider(read, by=person, **wanted)
            return second_step(request, _measure_step(read, says, given, language))
        service.measures.record(read, by=person, site=given["site"] or None, **wanted)
    except Fault as fault:
        return _shown(request, read.before, person, 422, fault.faults, given)
    return done(f"/quarters/{read.before}", "measured")


def _share(text: str) -> float:
    """Return a share that was typed as percent."""
    try:
        return float(text.rstrip("%").strip()) / 100
    except ValueError as wrong:
        raise Malformed(
            Sentence(
                en=f"the target {text[:20]!r} is no number; write percent, as in 12.5",
                zh=f"目标值 {text[:20]!r} 不是数字，请填写百分数，如 12.5",
            )
        ) from wrong


def _measure_step(quarter: Quarter, says: Sentence, given: Mapping[str, str], language: Language) -> Step:
    return Step(
        title=say(language, "quarter.measure_title", quarter=quarter_words(str(quarter), language)),
        does=say(language, "quarter.measure_does"),
        give=say(language, "quarter.measure_give"),
        address=f"/quarters/{quarter}/measures",
        back=f"/quarters/{quarter.before}",
        fields=given,
        facts=[
            (say(language, "quarter.measure_zh"), says.zh),
            (say(language, "quarter.measure_en"), says.en),
            (name_of(language, "indicator", given["indicator"]), as_percent(_share(given["target"]))),
            (say(language, "quarter.owner"), given["owner"]),
            *([(say(language, "sub.site"), given["site"])] if given["site"] else []),
        ],
    )


def _release_step(request: Request, quarter: Quarter, person: Person, digest: str) -> Step:
    service, language = service_of(request), language_of(request)
    found, figures = service.disclosing.draft_figures(quarter, person)
    if found.digest != digest:
        raise DraftReplaced(quarter)
    numbers = service.disclosing.disclosures.numbers(quarter)
    number = f"{quarter}-{1 + max((one.revision for one in numbers), default=0)}"
    facts = [
        (say(language, "quarter.digest"), digest),
        (say(language, "quarter.gaps"), "\n".join(gap_words(service, quarter, found, figures, language)) or "–"),
    ]
    if numbers:
        facts.insert(0, (say(language, "quarter.replaces"), numbers[0].number))
    return Step(
        title=say(language, "quarter.release_title", quarter=quarter_words(str(quarter), language), number=number),
        does=say(language, "quarter.correct_does" if numbers else "quarter.release_does"),
        give=say(language, "quarter.release_give", number=number),
        address=f"/quarters/{quarter}/release",
        back=f"/quarters/{quarter}",
        fields={"digest": digest},
        facts=facts,
        danger=True,
    )


def _shown(
    request: Request,
    quarter: Quarter,
    person: Person,
    status: int = 200,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
) -> Response:
    service, language, now = service_of(request), language_of(request), service_of(request).clock()
    following = quarter.following
    values: dict[str, object] = {"draft": None}
    if service.disclosing.disclosures.draft(quarter) is not None:
        found, figures = service.disclosing.draft_figures(quarter, person)
        values = {
            "draft": found,
            "standing": standing_words(figures, language),
            "gaps": gap_words(service, quarter, found, figures, language),
            **figure_values(figures, language),
        }
    return page(
        request,
        "quarter.html",
        status,
        which=quarter,
        quarter=quarter_words(str(quarter), language),
        over=now >= quarter.end,
        numbers=service.disclosing.disclosures.numbers(quarter),
        following=following,
        following_name=quarter_words(str(following), language),
        may_measure=now < following.end,
        planned=service.measures.of(following),
        indicators=tuple(INDICATORS),
        faults=faults,
        given=given or {},
        **values,
    )
