"""What a draft of the quarterly report still lacks, said before it is released."""

from __future__ import annotations

from api.console.wording import say
from api.wiring import Service
from governance.disclosures import DisclosureDraft
from policies.quarters import Quarter
from reports.disclosure_figures import DisclosureFigures
from reports.disclosure_words import quarter_words
from reports.wording import Language


def gap_words(
    service: Service, quarter: Quarter, draft: DisclosureDraft, figures: DisclosureFigures, language: Language
) -> list[str]:
    """Return one sentence for each thing a reader will miss; none of them forbids a release."""
    following = quarter_words(str(quarter.following), language)
    found = []
    known, decided = figures.group.rates["known_share"], figures.group.counts["decisions"]
    if decided == 0:
        found.append(say(language, "quarter.gap_decisions"))
    elif known is not None and known.value < 1:
        found.append(say(language, "quarter.gap_outcomes", share=1 - known.value))
    if not figures.measures:
        found.append(say(language, "quarter.gap_measures"))
    late = [*service.measures.of(quarter)[len(figures.measures) :]]
    late += service.measures.of(quarter.following)[len(figures.next_measures) :]
    if late:
        found.append(say(language, "quarter.gap_late", n=len(late)))
    elif not figures.next_measures:
        found.append(say(language, "quarter.gap_next", quarter=following))
    since = service.log.size() - draft.size
    if since > 0:
        found.append(say(language, "quarter.gap_since", size=draft.size, n=since))
    return found
