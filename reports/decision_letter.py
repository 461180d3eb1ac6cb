"""The letter about one decision: what was decided, what mattered, what would have changed it, how to contest it."""

from __future__ import annotations

from reports.charts import Drawing, Flip, Plane, ShareStep, Step, decision_plane, flip_lines, share_bars, waterfall
from reports.decision_figures import CapShare, ContributionFigure, DecisionFigures, PlaneFigure, View
from reports.facts import ReviewFacts
from reports.pdf import Cover, Pages
from reports.readings import Reading
from reports.wording import Language, as_number, as_percent, name_of, say

LEADING = 5
"""How many contributions a letter names; the others are drawn as one."""

NOTED = ("review_required", "permit_lapsed", "replay_clock")
"""Marks of a decision that its reader must know before all else."""

SAMPLED = ("permutation", "kernel", "shap_fallback")


def decision_letter(figures: DecisionFigures, language: Language, view: View) -> bytes:
    """Return the letter as PDF bytes; the same figures give the same bytes.

    Parameters
    ----------
    figures : DecisionFigures
        Everything that is known; `view` decides how much of it the letter shows.
    language : "zh" or "en"
    view : "employee", "reviewer" or "regulator"
        An employee reads bands, no exact scores and no names; the others read exact values.

    Raises
    ------
    FontMissing
        When a font file of the package is away.
    """
    seen = figures.for_view(view)
    notice = say(language, "letter.notice", view=say(language, f"letter.view_{view}"))
    pages = Pages(language, _cover(seen, language), subject=say(language, "letter.subject"), notice=notice)
    for section in (_decided, _because, _clip, _boundary, _change, _reviewed, _contest, _proof):
        section(pages, seen)
    return pages.finish()


def boundary_drawings(figures: DecisionFigures, language: Language) -> tuple[Drawing, ...]:
    """Return the boundary pictures of a decision as this reader may see them: flip lines, then the plane."""
    drawings = []
    if figures.flips:
        drawings.append(flip_lines(flips_of(figures, language), language=language))
    if figures.plane is not None:
        drawings.append(decision_plane(plane_of(figures.plane, figures.alarms_above, language), language=language))
    return tuple(drawings)


def contribution_drawing(figures: DecisionFigures, language: Language) -> Drawing:
    """Return what moved the decision: exact steps where this reader may see them, shares otherwise."""
    leading = figures.contributions[:LEADING]
    if figures.base is None or figures.margin is None:
        return share_bars([_share_step(each, language) for each in leading], language=language)
    steps = [Step(name=_name(c, language), value=c.contribution.low) for c in leading if c.contribution is not None]
    return waterfall(
        steps,
        base=figures.base.low,
        score=figures.margin.low,
        unit=name_of(language, "unit", figures.unit),
        language=language,
        threshold=figures.threshold_margin,
        alarms_above=figures.alarms_above,
    )


def flips_of(figures: DecisionFigures, language: Language) -> list[Flip]:
    """Return the flip lines of the leading features."""
    return [
        Flip(
            name=flip.label.in_language(language),
            unit=name_of(language, "measure", flip.unit),
            low=flip.low,
            high=flip.high,
            value=None if flip.value is None else flip.value.ends,
            flips_at=None if flip.flips_at is None else flip.flips_at.ends,
            alarms_now=figures.model_alarms,
        )
        for flip in figures.flips[:LEADING]
    ]


def _cover(figures: DecisionFigures, language: Language) -> Cover:
    site = figures.site or say(language, "report.no_site")
    return Cover(
        kind=say(language, "letter.kind"),
        title=say(language, f"letter.title_{_answer(figures)}"),
        lines=(
            say(language, "letter.line", model=figures.model, version=figures.version, site=site),
            say(language, "letter.decided", time=figures.entry.time),
        ),
        running=say(language, "letter.running", id=figures.entry.id),
    )


def _answer(figures: DecisionFigures) -> str:
    if figures.alarms_above:
        return "alarm" if figures.alarmed else "quiet"
    return "refused" if figures.alarmed else "cleared"


def _decided(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "decided.title"))
    pages.write(say(language, f"decided.{_answer(figures)}", time=figures.entry.time), "lead")
    if figures.description:
        pages.write(say(language, "decided.question", question=figures.description))
    pages.write(say(language, "decided.purpose", purpose=figures.purpose_says))
    if figures.score is not None:
        pages.write(
            say(language, "decided.score", score=reading_words(figures.score, language), threshold=figures.threshold)
        )
    for flag in NOTED:
        if flag in figures.flags:
            pages.note(say(language, f"decided.{flag}"), tone="open")
    overrides = [review for review in figures.reviews if review.kind == "override"]
    if overrides:
        pages.note(say(language, "decided.overridden", time=overrides[-1].time), tone="fails")
    if figures.outcome is not None:
        pages.write(outcome_words(figures, language))
    missing = [c.label.in_language(language) for c in figures.contributions if c.value is None and not c.text]
    if missing:
        pages.note(
            say(language, "decided.missing_values", names=say(language, "list.comma").join(missing)), tone="open"
        )


def outcome_words(figures: DecisionFigures, language: Language) -> str:
    """Return what became known of what really happened; empty while nothing is."""
    known = figures.outcome
    if known is None:
        return ""
    said = say(language, "decided.harmed" if known.harmed else "decided.unharmed", time=known.time)
    if not known.source:
        return said
    return said + say(language, "list.after") + say(language, "decided.known_by", source=known.source)


def _because(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "because.title"))
    if not figures.explained:
        pages.note(say(language, "decided.pending"), tone="open")
        return
    leading = figures.contributions[:LEADING]
    if figures.view == "employee":
        pages.write(say(language, "because.text_plain", n=len(leading)))
    else:
        together = as_percent(sum(each.share.low for each in leading))
        pages.write(say(language, "because.text", n=len(leading), share=together))
    pages.picture(contribution_drawing(figures, language))
    head = [say(language, f"because.{key}") for key in ("feature", "value", "direction", "share")]
    rows = [
        [_name(c, language), _value(c, language), _direction(c, language), share_words(c.share, language)]
        for c in leading
    ]
    if figures.view != "employee":
        head.append(say(language, "because.contribution"))
        for row, each in zip(rows, leading, strict=True):
            exact = 0.0 if each.contribution is None else each.contribution.low
            row.append(say(language, "number.signed", value=exact))
    pages.table(head, rows, [30, 17, 24, 15, 14], right="lllrr")
    if figures.method.startswith(SAMPLED):
        pages.write(say(language, "because.error", method=figures.method), "small")


def _clip(pages: Pages, figures: DecisionFigures) -> None:
    if not figures.cap_shares:
        return
    language = pages.language
    exceeded = [each for each in figures.cap_shares if each.above] or list(figures.cap_shares)
    shares = say(language, "list.comma").join(_cap_words(each, language) for each in exceeded)
    if "clip_kept_alarm" in figures.flags:
        pages.note(say(language, "clip.kept_alarm", shares=shares), tone="fails")
    elif "handed_over" in figures.flags:
        pages.note(say(language, "clip.handed_over"), say(language, "clip.shares_were", shares=shares), tone="fails")
    elif not figures.clipped:
        pages.write(say(language, "clip.measured", shares=shares), "small")
    elif figures.view == "employee" or figures.score is None or figures.score_before_clip is None:
        pages.note(say(language, "clip.text_hidden", shares=shares), tone="fails")
    else:
        before, after = (reading_words(each, language) for each in (figures.score_before_clip, figures.score))
        pages.note(say(language, "clip.text", shares=shares, before=before, after=after), tone="fails")


def _cap_words(cap: CapShare, language: Language) -> str:
    share = share_words(cap.share, language)
    if cap.cap is None:
        return say(language, "clip.share", name=cap.label, share=share)
    return say(language, "clip.share_and_cap", name=cap.label, share=share, cap=cap.cap)


def _boundary(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "boundary.title"), room=40 + 14 * min(len(figures.flips), LEADING))
    drawings = boundary_drawings(figures, language)
    if not drawings:
        pages.note(say(language, "boundary.none"), tone="open")
        return
    if figures.clipped or figures.alarmed != figures.model_alarms:
        pages.write(say(language, "boundary.before_caps"))
    if figures.flips:
        pages.write(say(language, "boundary.text"))
        pages.picture(drawings[0])
    if figures.plane is not None:
        pages.write(say(language, "boundary.plane"))
        pages.picture(drawings[-1])


def _change(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "change.title"))
    if figures.changes:
        pages.write(say(language, "change.text"))
        pages.bullets([_change_words(figures, place, language) for place in range(len(figures.changes))])
    else:
        pages.write(say(language, "change.none" if figures.searched else "change.not_computed"))


def _change_words(figures: DecisionFigures, place: int, language: Language) -> str:
    change = figures.changes[place]
    name = change.label.in_language(language)
    before, after = (_with_unit(each, change.unit, language) for each in (change.before, change.after))
    if change.before == change.after:
        return say(language, "change.row_rises" if change.rises else "change.row_falls", feature=name, before=before)
    return say(language, "change.row", feature=name, before=before, after=after)


def _reviewed(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "reviewed.title"))
    if not figures.reviews:
        pages.write(say(language, "reviewed.none"))
        return
    rows = [
        [
            say(language, "approval.moment", time=review.time),
            act_words(review, language),
            review.actor or say(language, "reviewed.person"),
            review.says,
        ]
        for review in figures.reviews
    ]
    pages.table([say(language, f"reviewed.{key}") for key in ("when", "kind", "who", "says")], rows, [27, 18, 14, 41])


def act_words(review: ReviewFacts, language: Language) -> str:
    """Return what a person did, with what an answer came to."""
    act = name_of(language, "reviewed", review.kind)
    if review.kind != "answer" or not review.outcome:
        return act
    return say(language, "reviewed.came_to", act=act, outcome=name_of(language, "counted", review.outcome))


def _contest(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "contest.title"))
    pages.write(say(language, "contest.by", by=figures.contest_by), "lead")
    pages.write(say(language, "contest.how", answer=figures.answer_appeal_days))
    pages.write(say(language, "contest.rights", explain=figures.explain_within_days))


def _proof(pages: Pages, figures: DecisionFigures) -> None:
    language = pages.language
    pages.section(say(language, "proof.title"))
    pages.write(say(language, "proof.text"))
    facts = [
        ("decision", figures.entry.id),
        ("index", say(language, "number.count", value=figures.entry.index)),
        ("leaf", figures.entry.leaf),
        ("model", figures.artifact_digest),
        ("rulebook", figures.rulebook_digest),
        ("root", _root(figures, language)),
    ]
    if figures.view != "employee":
        facts += [("caller", figures.caller), ("method", figures.method)]
        flags = [name_of(language, "flag", flag) for flag in figures.flags]
        facts += [("flags", say(language, "list.comma").join(flags))] if flags else []
    if figures.view == "regulator" and figures.subject:
        facts.append(("subject", figures.subject))
    pages.facts([(say(language, f"proof.{key}"), value) for key, value in facts])
    pages.write(say(language, "log.verify"))
    pages.code("mingjing verify bundle.json")


def _root(figures: DecisionFigures, language: Language) -> str:
    if figures.log is None:
        return say(language, "proof.no_root")
    size = say(language, "proof.size", n=figures.log.size, time=figures.log.time)
    return f"{figures.log.root} ({size})"


def reading_words(reading: Reading | None, language: Language) -> str:
    """Return an exact value, a band, or that it was not there."""
    if reading is None:
        return say(language, "because.not_measured")
    return as_number(reading.low) if reading.exact else say(language, "number.band", low=reading.low, high=reading.high)


def share_words(share: Reading, language: Language) -> str:
    """Return a share as a percentage, or as a band of whole per cents."""
    return as_percent(share.low) if share.exact else say(language, "number.whole_band", low=share.low, high=share.high)


def _with_unit(reading: Reading | None, unit: str, language: Language) -> str:
    words = reading_words(reading, language)
    unit = name_of(language, "measure", unit)
    return say(language, "number.with_unit", value=words, unit=unit) if unit and reading is not None else words


def _name(contribution: ContributionFigure, language: Language) -> str:
    name = contribution.label.in_language(language)
    return say(language, "because.capped_mark", name=name) if contribution.capped else name


def _value(contribution: ContributionFigure, language: Language) -> str:
    value = contribution.value
    if value is not None and not value.exact and value.ends == contribution.range:
        return say(language, "because.kept_back")
    return contribution.text or _with_unit(contribution.value, contribution.unit, language)


def _direction(contribution: ContributionFigure, language: Language) -> str:
    return say(language, "because.towards" if contribution.towards_alarm else "because.away")


def _share_step(contribution: ContributionFigure, language: Language) -> ShareStep:
    return ShareStep(
        name=_name(contribution, language),
        share=(contribution.share.low + contribution.share.high) / 2,
        towards_alarm=contribution.towards_alarm,
        written=share_words(contribution.share, language),
    )


def plane_of(plane: PlaneFigure, alarms_above: bool, language: Language) -> Plane:
    """Return the plane of two leading features as a drawing takes it."""
    return Plane(
        name_x=_axis(plane.label_x.in_language(language), plane.unit_x, language),
        name_y=_axis(plane.label_y.in_language(language), plane.unit_y, language),
        x=plane.x,
        y=plane.y,
        scores=plane.scores,
        supported=plane.supported,
        threshold=plane.threshold,
        alarms_at_or_above=alarms_above,
        case_x=None if plane.case_x is None else plane.case_x.ends,
        case_y=None if plane.case_y is None else plane.case_y.ends,
        boundary=plane.boundary,
    )


def _axis(label: str, unit: str, language: Language) -> str:
    unit = name_of(language, "measure", unit)
    return f"{label} ({unit})" if unit else label
