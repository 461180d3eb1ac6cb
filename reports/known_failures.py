"""The section on known failures: which a model would repeat, which it withstood, what would mend it."""

from __future__ import annotations

from reports.model_figures import KnownFailure, ModelFigures
from reports.pdf import Pages
from reports.states import SIGNS, word_of
from reports.wording import Language, say


def known_failures(pages: Pages, figures: ModelFigures) -> None:
    """Which known failures fit the model, and how it stood the probes of them."""
    language, failures = pages.language, figures.known_failures
    pages.section(say(language, "failures.title"))
    if figures.known_failures_aside is None:
        pages.note(say(language, "failures.none"), tone="open")
        return
    pages.write(failures_lead(figures, language))
    if not failures:
        return
    pages.table(
        [say(language, f"failures.{key}") for key in ("scenario", "result", "found")],
        [
            [
                failure.title.in_language(language),
                f"{SIGNS[failure.holds]} {word_of(failure.holds, language)}",
                failure_words(failure, language),
            ]
            for failure in failures
        ],
        [26, 16, 58],
    )


def failures_lead(figures: ModelFigures, language: Language) -> str:
    """Return how many known failures there are and how many of them fit the model."""
    fit = len(figures.known_failures)
    return say(language, "failures.text", n=fit + (figures.known_failures_aside or 0), fit=fit)


def failure_words(failure: KnownFailure, language: Language) -> str:
    """Return what the probes found and, where the model failed, where that happened before and what would mend it."""
    said = [says.in_language(language) for says in failure.says]
    if failure.holds is not True and failure.happened is not None:
        said.append(say(language, "failures.happened", words=failure.happened))
    if failure.holds is False and failure.remedy is not None:
        said.append(say(language, "failures.remedy", words=failure.remedy))
    return say(language, "list.semicolon").join(said)
