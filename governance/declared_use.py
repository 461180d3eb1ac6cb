"""What a model is used for now, where its team changed that after it handed the model in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from policies.declaration import Declaration
from policies.impact_matrix import Assessment, ImpactMatrix, Question


@dataclass(frozen=True, kw_only=True)
class Use:
    """The part of a declaration that can change without another artifact: what for, where, and the impact answers."""

    description: str
    site: str
    impact: Mapping[str, str]

    @classmethod
    def of(cls, declared: Declaration) -> Use:
        """Return the use a declaration states."""
        return cls(description=declared.use.description, site=declared.use.site, impact=dict(declared.impact))

    def over(self, declared: Declaration) -> Declaration:
        """Return a declaration with this use in place of its own."""
        use = replace(declared.use, description=self.description, site=self.site)
        return replace(declared, use=use, impact=MappingProxyType(dict(self.impact)))

    def as_json(self) -> dict[str, Any]:
        """Return the use as JSON values."""
        return {"description": self.description, "site": self.site, "impact": dict(self.impact)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Use:
        """Read back what `as_json` wrote."""
        return cls(description=said["description"], site=said["site"], impact=dict(said["impact"]))


@dataclass(frozen=True, kw_only=True)
class ChangedUse:
    """The use in force of a submission whose use was changed, its assessment, and everyone who changed it so far.

    Who changed the use handed it in as much as who submitted: neither decides on it.
    """

    use: Use
    assessment: Assessment
    by: tuple[str, ...]

    def as_text(self) -> str:
        """Return it as it is kept; the same value always gives the same text."""
        said = {"use": self.use.as_json(), "assessment": self.assessment.as_json(), "by": list(self.by)}
        return json.dumps(said, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> ChangedUse:
        """Read back what `as_text` wrote."""
        said = json.loads(text)
        return cls(
            use=Use.from_json(said["use"]),
            assessment=Assessment.from_json(said["assessment"]),
            by=tuple(said["by"]),
        )


def graver_answers(matrix: ImpactMatrix, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return the questions whose answer became graver; an answer these rules no longer know counts as the mildest."""
    return tuple(
        question.name
        for question in matrix.questions
        if _rank(question, after.get(question.name)) > _rank(question, before.get(question.name))
    )


def _rank(question: Question, answer: str | None) -> int:
    try:
        return question.rank(answer if answer is not None else question.unanswered)
    except KeyError:
        return 0
