"""Known failures of the negative list that fit a model: repeated or withstood, and how many do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.errors import Sentence
from reports import evidence
from reports.model_figures import KnownFailure


def failure_figures(found: Sequence[Mapping[str, object]]) -> tuple[tuple[KnownFailure, ...], int | None]:
    """Return the failures that fit, worst first, and how many do not; None when the list was not tried at all."""
    if not found:
        return (), None
    lines = [line for finding in found for line in evidence.rows(finding.get("groups")) if "scenario" in line]
    aside = {evidence.text(line.get("scenario")) for line in lines if line.get("applies") is False}
    told = {
        evidence.text(shown.get("scenario")): shown
        for finding in found
        if "scenario" in (shown := evidence.table(finding.get("evidence")))
    }
    by_scenario: dict[str, list[Mapping[str, object]]] = {}
    for line in lines:
        if line.get("applies") is not False:
            by_scenario.setdefault(evidence.text(line.get("scenario")), []).append(line)
    failures = [_failure(name, probes, told.get(name, {})) for name, probes in by_scenario.items()]
    order = {False: 0, None: 1, True: 2}
    return tuple(sorted(failures, key=lambda failure: (order[failure.holds], failure.scenario))), len(aside)


def _failure(name: str, probes: Sequence[Mapping[str, object]], told: Mapping[str, object]) -> KnownFailure:
    answers = [evidence.verdict(probe.get("holds")) for probe in probes]
    return KnownFailure(
        scenario=name,
        title=evidence.sentence(probes[0].get("title")),
        holds=False if False in answers else None if None in answers else True,
        says=tuple(evidence.sentence(probe.get("says")) for probe in probes),
        happened=_said(told.get("happened")),
        remedy=_said(told.get("remedy")),
    )


def _said(value: object) -> Sentence | None:
    return evidence.sentence(value) if evidence.table(value) else None
