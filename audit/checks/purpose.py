"""Is the model for seeing risk and stepping in, and not for rewarding, punishing or ranking people?"""

from __future__ import annotations

from dataclasses import dataclass

from audit.checks.check import Finding, Limits
from audit.checks.examined import Examined
from audit.checks.wording import named
from policies.errors import Sentence
from policies.permitted_use import PurposeRefused, require_permitted


@dataclass(frozen=True)
class Purpose:
    """Compares the stated purpose with the rulebook, and its description with words of refused purposes."""

    name: str = "purpose"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding: refused, allowed, or open where the description speaks of something else."""
        use = examined.declaration.use
        try:
            require_permitted(use.purpose, examined.rulebook.purposes)
        except PurposeRefused as refused:
            return (Finding(check=self.name, holds=False, says=refused.says),)
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
