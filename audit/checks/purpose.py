"""Is the model for seeing risk and stepping in, and not for rewarding, punishing or ranking people?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.checks.check import Finding, Limits
from audit.checks.examined import Examined
from audit.checks.wording import named
from policies.errors import Sentence
from policies.permitted_use import PurposeRefused, require_permitted
from policies.protected_acts import protected_among


@dataclass(frozen=True)
class Purpose:
    """Compares the stated purpose with the rulebook, its description with words of refused purposes, and every column
    that is learned from or reported on with acts nobody may be judged by."""

    name: str = "purpose"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding: refused, allowed, or open where the description speaks of something else."""
        use = examined.declaration.use
        try:
            require_permitted(use.purpose, examined.rulebook.purposes)
        except PurposeRefused as refused:
            return (Finding(check=self.name, holds=False, says=refused.says),)
        if protected := protected_among(_columns_of(examined)):
            return (_against_people(self.name, protected),)
        told = use.description.casefold()
        words = [str(word) for word in limits.get("words_of_other_purposes", []) if str(word).casefold() in told]
        if words:
            return (self._open(use.purpose, words),)
        said = examined.rulebook.purposes.allowed[use.purpose]
        return (
            Finding(
                check=self.name,
                holds=True,
                says=Sentence(
                    en=f"the purpose '{use.purpose}' is allowed: {said.en}", zh=f"用途“{use.purpose}”获准：{said.zh}"
                ),
            ),
        )

    def _open(self, purpose: str, words: list[str]) -> Finding:
        names = named(words)
        return Finding(
            check=self.name,
            holds=None,
            says=Sentence(
                en=f"the purpose '{purpose}' is allowed, but the description speaks of {names.en}; the officer has to "
                "ask what the output is used for, and use.description has to say it in other words",
                zh=f"用途“{purpose}”本身获准，但用途说明中出现{names.zh}；安全官须核实输出的实际用途，并请改写 "
                "use.description",
            ),
            groups=tuple(
                {
                    "field": "use.description",
                    "word": word,
                    "holds": None,
                    "says": {"en": f"speaks of '{word}'", "zh": f"出现“{word}”"},
                }
                for word in words
            ),
        )


def _columns_of(examined: Examined) -> tuple[str, ...]:
    """Return every column that a model learns from, predicts, or is reported on by."""
    data, features = examined.declaration.data, tuple(examined.declaration.features)
    learned = examined.predictor.feature_names if examined.predictor is not None else ()
    named = (data.label, *data.groups, *data.labels_by.values(), *features, *learned)
    return tuple(dict.fromkeys(name for name in named if name))


def _against_people(check: str, protected: Mapping[str, Sentence]) -> Finding:
    names = named(list(protected))
    return Finding(
        check=check,
        holds=False,
        says=Sentence(
            en=f"{names.en} would hold acts against people that the law protects: stopping work, refusing an unlawful "
            "order, overriding a model, appealing; leave it out of features, label and groups",
            zh=f"{names.zh}将使依法受保护的行为（停止作业、拒绝违章指挥、推翻模型判断、申诉等）对当事人不利，"
            "不得用作特征、标签或分组",
        ),
        groups=tuple({"field": name, "holds": False, "says": says.as_json()} for name, says in protected.items()),
    )
