"""A decision's figures as rows and sentences, in the words of the decision letter."""

from __future__ import annotations

from dataclasses import dataclass

from reports.decision_figures import CapShare, ChangeFigure, ContributionFigure, DecisionFigures, FlipFigure
from reports.decision_letter import reading_words, share_words
from reports.readings import Reading
from reports.wording import Language, as_number, name_of, say


@dataclass(frozen=True, kw_only=True)
class ContributionLine:
    """One row of the table behind the contributions; `contribution` is empty where it may not be seen."""

    name: str
    value: str
    towards_alarm: bool
    direction: str
    share: str
    contribution: str


@dataclass(frozen=True, kw_only=True)
class FlipLine:
    """One row of the table behind the flip lines."""

    name: str
    value: str
    range: str
    flips: str


def contribution_lines(figures: DecisionFigures, language: Language) -> tuple[ContributionLine, ...]:
    """Return every feature, the heaviest first."""
    return tuple(_contribution(each, language) for each in figures.contributions)


def change_lines(figures: DecisionFigures, language: Language) -> tuple[str, ...]:
    """Return the smallest change that would have led to the other answer, one sentence per feature."""
    return tuple(_change(each, language) for each in figures.changes)


def flip_rows(figures: DecisionFigures, language: Language) -> tuple[FlipLine, ...]:
    """Return where the verdict flips along each leading feature."""
    return tuple(_flip(each, language) for each in figures.flips)


def cap_words(figures: DecisionFigures, language: Language) -> str:
    """Return what the caps on personal features did to this decision; empty when there was none to hold."""
    if not figures.cap_shares:
        return ""
    exceeded = [each for each in figures.cap_shares if each.above] or figures.cap_shares
    shares = say(language, "list.comma").join(_cap(each, language) for each in exceeded)
    if "clip_kept_alarm" in figures.flags:
        return say(language, "clip.kept_alarm", shares=shares)
    if "handed_over" in figures.flags:
        return f"{say(language, 'clip.handed_over')} {say(language, 'clip.shares_were', shares=shares)}"
    return say(language, "clip.text_hidden" if figures.clipped else "clip.measured", shares=shares)


def in_words(reading: Reading | None, unit: str, language: Language) -> str:
    """Return a reading with its unit; a missing one says so."""
    words = reading_words(reading, language)
    unit = name_of(language, "measure", unit)
    return f"{words} {unit}" if unit and reading is not None else words


def _cap(each: CapShare, language: Language) -> str:
    share = share_words(each.share, language)
    if each.cap is None:
        return say(language, "clip.share", name=each.label, share=share)
    return say(language, "clip.share_and_cap", name=each.label, share=share, cap=each.cap)


def _contribution(each: ContributionFigure, language: Language) -> ContributionLine:
    name = each.label.in_language(language)
    exact = each.contribution
    kept_back = each.value is not None and not each.value.exact and each.value.ends == each.range
    value = each.text or in_words(each.value, each.unit, language)
    return ContributionLine(
        name=say(language, "because.capped_mark", name=name) if each.capped else name,
        value=say(language, "because.kept_back") if kept_back else value,
        towards_alarm=each.towards_alarm,
        direction=say(language, "because.towards" if each.towards_alarm else "because.away"),
        share=share_words(each.share, language),
        contribution="" if exact is None else ("+" if exact.low > 0 else "") + as_number(exact.low, 3),
    )


def _change(change: ChangeFigure, language: Language) -> str:
    name = change.label.in_language(language)
    before, after = (in_words(each, change.unit, language) for each in (change.before, change.after))
    if before == after:  # also when they differ by less than is written
        return say(language, "change.row_rises" if change.rises else "change.row_falls", feature=name, before=before)
    return say(language, "change.row", feature=name, before=before, after=after)


def _flip(flip: FlipFigure, language: Language) -> FlipLine:
    low_high = Reading(low=flip.low, high=flip.high)
    return FlipLine(
        name=flip.label.in_language(language),
        value=in_words(flip.value, flip.unit, language),
        range=in_words(low_high, flip.unit, language),
        flips=_flips_at(flip.flips_at, language),
    )


def _flips_at(at: Reading | None, language: Language) -> str:
    if at is None:
        return say(language, "chart.never_flips")
    if at.exact:
        return say(language, "chart.flips_at", value=at.low)
    return say(language, "chart.flips_in", low=at.low, high=at.high)
