"""The transparency report of one model version, as a PDF a company can publish."""

from __future__ import annotations

from reports.known_failures import known_failures
from reports.measured_sections import groups, importance, performance, robustness, tradeoff, weight_caps
from reports.model_figures import ModelFigures
from reports.model_summary import cover, summary
from reports.pdf import Pages
from reports.standing_sections import (
    approval,
    data_sources,
    findings,
    how_to_object,
    in_use,
    log_proof,
    personal_data,
    purpose,
    tier,
    what_it_does_not_prove,
)
from reports.wording import Language, say

SECTIONS = (
    purpose,
    tier,
    data_sources,
    performance,
    tradeoff,
    groups,
    weight_caps,
    robustness,
    known_failures,
    personal_data,
    importance,
    approval,
    in_use,
    findings,
    what_it_does_not_prove,
    how_to_object,
    log_proof,
)
"""The order of the report."""


def transparency_report(figures: ModelFigures, language: Language) -> bytes:
    """Return the report as PDF bytes; the same figures give the same bytes.

    Parameters
    ----------
    figures : ModelFigures
        Every number the report shows; nothing is computed here but how it is written.
    language : "zh" or "en"

    Raises
    ------
    FontMissing
        When a font file of the package is away.
    """
    pages = Pages(
        language,
        cover(figures, language),
        subject=say(language, "report.subject"),
        notice=say(language, "report.notice"),
    )
    summary(pages, figures)
    for section in SECTIONS:
        section(pages, figures)
    return pages.finish()
