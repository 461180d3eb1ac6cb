"""The Quarterly Safety Prediction Transparency Report, as a PDF a company can publish."""

from __future__ import annotations

from reports.disclosure_figures import DisclosureFigures
from reports.disclosure_sections import (
    by_site,
    corrections,
    data_sources,
    drift,
    group_figures,
    how_to_object,
    limits,
    measures,
    models,
    next_measures,
    people,
    proof,
)
from reports.disclosure_summary import cover, summary
from reports.pdf import Pages
from reports.wording import Language, say

SECTIONS = (
    corrections,
    group_figures,
    by_site,
    people,
    drift,
    models,
    data_sources,
    measures,
    next_measures,
    limits,
    how_to_object,
    proof,
)
"""The order of the report."""


def disclosure_report(figures: DisclosureFigures, language: Language) -> bytes:
    """Return the report as PDF bytes; the same figures give the same bytes.

    Parameters
    ----------
    figures : DisclosureFigures
        Every number the report shows; nothing is computed here but how it is written.
    language : "zh" or "en"

    Raises
    ------
    FontMissing
        When a font file of the package is away.
    """
    notice = "disclosure.notice" if figures.number else "disclosure.notice_draft"
    pages = Pages(
        language,
        cover(figures, language),
        subject=say(language, "disclosure.subject"),
        notice=say(language, notice),
    )
    summary(pages, figures)
    for section in SECTIONS:
        section(pages, figures)
    return pages.finish()
