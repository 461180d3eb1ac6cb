"""Valid policies in a word; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from policies.declaration import DataPart, Declaration, Feature, Flavour, ModelPart, Protective, Task, UsePart
from policies.errors import Sentence
from policies.impact_matrix import Floor, ImpactMatrix, Option, Question
from policies.tiers import Tier


def a_sentence(text: str = "so it is") -> Sentence:
    """Return a sentence whose Chinese half differs from its English one."""
    return Sentence(en=text, zh=f"（{text}）")


def a_declaration(*, features: Mapping[str, Feature] | None = None) -> Declaration:
    """Return what a team would declare about a model of gas leaks."""
    return Declaration(
        model=ModelPart(
            name="gas-leak",
            artifact="model.ubj",
            flavour=Flavour.XGBOOST,
            task=Task.CLASSIFICATION,
            threshold=0.5,
            protective=Protective.AT_OR_ABOVE,
        ),
        use=UsePart(purpose="risk_intervention", description="leaks", site="plant-07", owner="process-safety"),
        data=DataPart(
            evaluation="evaluation.csv",
            training=None,
            label="leaked",
            prediction=None,
            time=None,
            subject=None,
            groups=(),
            labels_by={},
            sources=(),
        ),
        features=dict(features or {}),
    )


def a_question(name: str, points: Mapping[str, int], unanswered: str) -> Question:
    """Return a question whose options are the keys of `points`, mild to grave."""
    return Question(
        name=name,
        asks=a_sentence(f"{name}?"),
        options=tuple(Option(answer=key, points=value, says=a_sentence(key)) for key, value in points.items()),
        unanswered=unanswered,
    )


def a_matrix(*, floors: tuple[Floor, ...] = ()) -> ImpactMatrix:
    """Return two questions of three answers; L2 begins at 2 points, L3 at 4, L4 at 6."""
    return ImpactMatrix(
        questions=(
            a_question("harm", {"none": 0, "injury": 2, "death": 4}, "death"),
            a_question("speed", {"days": 0, "hours": 1, "minutes": 3}, "hours"),
        ),
        floors=floors,
        tier_from={Tier.L1: 0, Tier.L2: 2, Tier.L3: 4, Tier.L4: 6},
    )


@st.composite
def matrices(draw: st.DrawFn) -> ImpactMatrix:
    """Draw any valid impact matrix: points that never fall, tiers that never begin earlier, any floors."""
    questions = tuple(
        a_question(
            f"q{number}",
            {f"a{rank}": points for rank, points in enumerate(draw(_RISING))},
            "a0",
        )
        for number in range(draw(st.integers(1, 4)))
    )
    starts = sorted(draw(st.lists(st.integers(0, 20), min_size=3, max_size=3)))
    floors = draw(st.lists(_floors(questions), max_size=3))
    return ImpactMatrix(questions=questions, floors=tuple(floors), tier_from=dict(zip(Tier, [0, *starts], strict=True)))


_RISING = st.lists(st.integers(0, 6), min_size=1, max_size=5).map(sorted)


@st.composite
def _floors(draw: st.DrawFn, questions: tuple[Question, ...]) -> Floor:
    named = draw(st.lists(st.sampled_from(questions), min_size=1, max_size=2, unique_by=lambda question: question.name))
    when = {question.name: draw(st.sampled_from(question.options)).answer for question in named}
    return Floor(when=when, tier=draw(st.sampled_from(Tier)), says=a_sentence())


def answers_to(matrix: ImpactMatrix) -> st.SearchStrategy[dict[str, str]]:
    """Draw an answer to every question of `matrix`."""
    return st.fixed_dictionaries(
        {
            question.name: st.sampled_from([option.answer for option in question.options])
            for question in matrix.questions
        }
    )
