"""How long a transparency report of about twenty pages takes, and how large it is.

Usage: `python -m benchmarks.report_pdf`. Prints one line per language: pages, bytes, seconds (best and median of
five, and the first one, which also reads the fonts). Target on two cores: under 3 s and under 1 MB.
"""

from __future__ import annotations

import statistics
import time
from io import BytesIO

from pypdf import PdfReader

from reports.figures import ModelFigures
from reports.transparency import transparency_report
from reports.wording import LANGUAGES, Language
from tests.reports.factories import a_group, a_group_bias, some_findings, some_model_figures

COLUMNS = ("sex", "industry", "shift", "age band", "enterprise size")
GROUPS_EACH = 44
RUNS = 5


def long_figures() -> ModelFigures:
    """Return figures whose report runs to about twenty pages with ten vector charts and more."""
    groups = [a_group(column, f"{column} {at:02d}", 60 + 7 * at) for column in COLUMNS for at in range(GROUPS_EACH)]
    return some_model_figures(findings=some_findings(group_bias=a_group_bias(groups)))


def timed(language: Language) -> str:
    """Return the line printed for one language."""
    figures = long_figures()
    taken, made = [], b""
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        made = transparency_report(figures, language)
        taken.append(time.perf_counter() - start)
    pages = len(PdfReader(BytesIO(made)).pages)
    first, rest = taken[0], taken[1:]
    return (
        f"{language}: {pages} pages, {len(made):,} bytes, first {first:.2f} s, "
        f"best {min(rest):.2f} s, median {statistics.median(rest):.2f} s"
    )


def main() -> None:
    """Print the figures of both languages."""
    for language in LANGUAGES:
        print(timed(language))


if __name__ == "__main__":
    main()
