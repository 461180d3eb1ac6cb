"""How much harm can this model do? Answers to the impact questions, made into a tier L1 to L4.

Points add up, but additive scores let one very grave answer drown among mild ones, so floors come on
top: a floor names answers and the tier below which the model cannot fall once every one of them is
reached or exceeded. Options are ordered from mild to grave and points never fall along them, so the
tier is monotone in every answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.errors import Sentence, refuse_all
from policies.tiers import Tier


@dataclass(frozen=True, kw_only=True)
class Option:
    """One possible answer, with its points (0 or more)."""

    answer: str
    points: int
    says: Sentence


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question. Options run from mild to grave; `unanswered` is the answer counted when none is given."""

    name: str
    asks: Sentence
    options: tuple[Option, ...]
    unanswered: str

    def rank(self, answer: str) -> int:
        """Return the position of `answer` among the options, 0 for the mildest. Raises KeyError if unknown."""
        for position, option in enumerate(self.options):
            if option.answer == answer:
                return position
        raise KeyError(answer)


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The tier a model cannot fall below when every named answer is reached or exceeded."""

    when: Mapping[str, str]
    tier: Tier
    says: Sentence


@dataclass(frozen=True, kw_only=True)
class ImpactMatrix:
    """Questions, floors, and the points from which each tier begins."""

    questions: tuple[Question, ...]
    floors: tuple[Floor, ...]
    tier_from: Mapping[Tier, int]

    def as_json(self) -> dict[str, object]:
        """Return questions, floors and beginnings of the tiers, as forms and `check --questions` show them."""
        return {
            "questions": [
                {
                    "question": question.name,
                    "asks": question.asks.as_json(),
                    "counted_when_unanswered": question.unanswered,
                    "answers": [
                        {"answer": option.answer, "points": option.points, "says": option.says.as_json()}
                        for option in question.options
                    ],
                }
                for question in self.questions
            ],
            "floors": [
                {"when": dict(floor.when), "tier": str(floor.tier), "says": floor.says.as_json()}
                for floor in self.floors
            ],
            "tier_from": {str(tier): points for tier, points in self.tier_from.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One reason for the tier: a counted answer or a floor."""

    question: str
    answer: str
    points: int
    decides: bool
    says: Sentence

    def as_json(self) -> dict[str, object]:
        """Return the cell as reports and findings carry it."""
        return {
            "question": self.question,
            "answer": self.answer,
            "points": self.points,
            "decides": self.decides,
            "says": self.says.as_json(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Cell:
        """Read back what `as_json` wrote."""
        return cls(
            question=said["question"],
            answer=said["answer"],
            points=said["points"],
            decides=said["decides"],
            says=Sentence(en=said["says"]["en"], zh=said["says"]["zh"]),
        )


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """A tier and every cell that was counted. `because` holds the cells that decided it."""

    tier: Tier
    points: int
    cells: tuple[Cell, ...]

    def as_json(self) -> dict[str, object]:
        """Return the assessment as it is kept."""
        return {"tier": str(self.tier), "points": self.points, "cells": [cell.as_json() for cell in self.cells]}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Assessment:
        """Read back what `as_json` wrote."""
        cells = tuple(Cell.from_json(cell) for cell in said["cells"])
        return cls(tier=Tier[said["tier"]], points=said["points"], cells=cells)

    @property
    def because(self) -> tuple[Cell, ...]:
        """The cells that decided the tier: the floors at its height, or the points that reached it."""
        return tuple(cell for cell in self.cells if cell.decides)


def assess(matrix: ImpactMatrix, answers: Mapping[str, str]) -> Assessment:
    """Return the tier that `answers` lead to.

    Raises
    ------
    Malformed
        For every question that does not exist and every answer that is not an option, all at once.
        A question without an answer counts as the matrix says, and its cell says so.
    """
    refuse_all(_faults(matrix, answers))
    given = {question.name: answers.get(question.name, question.unanswered) for question in matrix.questions}
    points = sum(_option(question, given[question.name]).points for question in matrix.questions)
    by_points = max(tier for tier in Tier if points >= matrix.tier_from[tier])
    reached = [floor for floor in matrix.floors if _reached(matrix, floor, given)]
    tier = max([by_points, *(floor.tier for floor in reached)])
    counted = [_answer_cell(q, given[q.name], q.name in answers, tier is by_points) for q in matrix.questions]
    floors = [_floor_cell(floor, given, tier) for floor in reached]
    return Assessment(tier=tier, points=points, cells=(*floors, *counted))


def lowest_tier(matrix: ImpactMatrix, answers: Mapping[str, str]) -> Tier:
    """Return the tier below which nobody may put these answers: the highest floor they reach, L1 where they reach none.

    Raises
    ------
    Malformed
        As `assess` does.
    """
    refuse_all(_faults(matrix, answers))
    given = {question.name: answers.get(question.name, question.unanswered) for question in matrix.questions}
    return max((floor.tier for floor in matrix.floors if _reached(matrix, floor, given)), default=Tier.L1)


def _faults(matrix: ImpactMatrix, answers: Mapping[str, str]) -> list[Sentence]:
    questions = {question.name: question for question in matrix.questions}
    faults = []
    for name, answer in answers.items():
        if name not in questions:
            known = list(questions)
            faults.append(
                Sentence(
                    en=f"impact: there is no question '{name}'; the questions are {', '.join(known)}",
                    zh=f"影响评估：没有“{name}”这个问题，可答的问题为 {'、'.join(known)}",
                )
            )
            continue
        options = [option.answer for option in questions[name].options]
        if answer not in options:
            faults.append(
                Sentence(
                    en=f"impact: '{name}' was answered '{answer}'; expected one of {', '.join(options)}",
                    zh=f"影响评估：“{name}”的回答为“{answer}”，应为 {'、'.join(options)} 之一",
                )
            )
    return faults


def _option(question: Question, answer: str) -> Option:
    return question.options[question.rank(answer)]


def _reached(matrix: ImpactMatrix, floor: Floor, given: Mapping[str, str]) -> bool:
    questions = {question.name: question for question in matrix.questions}
    return all(questions[name].rank(given[name]) >= questions[name].rank(least) for name, least in floor.when.items())


def _answer_cell(question: Question, answer: str, answered: bool, by_points: bool) -> Cell:
    option = _option(question, answer)
    note = ("", "") if answered else (" (not answered, counted as this)", "（未回答，按此计分）")
    return Cell(
        question=question.name,
        answer=answer,
        points=option.points,
        decides=by_points and option.points > 0,
        says=Sentence(
            en=f"{question.asks.en} {option.says.en}: {option.points} points{note[0]}",
            zh=f"{question.asks.zh}{option.says.zh}：{option.points} 分{note[1]}",
        ),
    )


def _floor_cell(floor: Floor, given: Mapping[str, str], tier: Tier) -> Cell:
    return Cell(
        question=" + ".join(floor.when),
        answer=" + ".join(given[name] for name in floor.when),
        points=0,
        decides=floor.tier is tier,
        says=floor.says,
    )
