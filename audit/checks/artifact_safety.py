"""Is the file what it says it is, in a format that cannot run code, and do we compute what its own library computes?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.checks.check import Finding, Group, Limits, all_hold, limit_of
from audit.checks.examined import Examined
from audit.checks.wording import joined
from policies.errors import Sentence

NATIVE_DIFFERENCE = "largest_native_difference"
RUNS_CODE = "runs_code"


@dataclass(frozen=True)
class ArtifactSafety:
    """Judges the facts handed down by whoever loaded the artifact; opens nothing itself."""

    name: str = "artifact_safety"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding; a group per fact that was judged."""
        facts = examined.artifact
        if examined.predictor is None:
            return (self._no_file(),)
        most = limit_of(limits, self.name, "most_native_difference")
        if facts.get(RUNS_CODE) is True:  # it was admitted, and its own library is what ran: nothing to compare
            groups: tuple[Group, ...] = (_code_line(facts),)
        else:
            groups = (_format_line(facts, limits), _difference_line(facts, most))
        answers = [_answer(line) for line in groups]
        difference = facts.get(NATIVE_DIFFERENCE)
        return (
            Finding(
                check=self.name,
                holds=all_hold(answers),
                measured=float(difference) if isinstance(difference, int | float) else None,
                limit=most,
                unit="score",
                n=rows if isinstance(rows := facts.get("native_rows"), int) else None,
                groups=groups,
                says=joined([_said(line) for line in groups]),
                evidence={str(key): value for key, value in facts.items()},
            ),
        )

    def _no_file(self) -> Finding:
        return Finding(
            check=self.name,
            holds=None,
            says=Sentence(
                en="cannot conclude: no model file was handed in; predictions and endpoints are reported on, "
                "never served",
                zh="无法得出结论：未提交模型文件；仅提交预测结果或接口的模型可出具报告，但不得上线",
            ),
        )


def _format_line(facts: Mapping[str, object], limits: Limits) -> Group:
    kind = facts.get("format", facts.get("flavour"))
    allowed = [str(one) for one in limits.get("formats", [])]
    if kind is None:
        says = Sentence(en="the format of the artifact was not recorded", zh="未记录模型文件格式")
        return {"fact": "format", "holds": None, "says": says.as_json()}
    holds = str(kind) in allowed
    if holds:
        says = Sentence(
            en=f"the artifact is {kind}, a format that describes a model and runs no code",
            zh=f"模型文件格式为 {kind}，只描述模型，不含可执行代码",
        )
    else:
        says = Sentence(
            en=f"the artifact is {kind}, which may run code when it is opened; hand it in as one of "
            f"{', '.join(allowed)}",
            zh=f"模型文件格式为 {kind}，打开时可能执行代码；请改用 {'、'.join(allowed)} 之一提交",
        )
    return {"fact": "format", "holds": holds, "says": says.as_json()}


def _code_line(facts: Mapping[str, object]) -> Group:
    kind, box = facts.get("format"), facts.get("held_by")
    says = Sentence(
        en=f"cannot conclude: the artifact is code ({kind}), which the rulebook admits at this tier; it was opened and "
        f"scored in a box alone ({box}: no network, no files, no way out), and no check can tell what else it would do",
        zh=f"无法得出结论：模型文件为代码（{kind}），现行规则允许该等级使用；仅在隔离环境中打开和评分"
        f"（{box}：无网络、无文件访问、无出口），但任何检查都无法断定它还会做什么",
    )
    return {"fact": "format", "holds": None, "says": says.as_json()}


def _difference_line(facts: Mapping[str, object], most: float) -> Group:
    difference = facts.get(NATIVE_DIFFERENCE)
    if not isinstance(difference, int | float):
        says = Sentence(
            en="the scores were not compared with those of the library that trained the model",
            zh="未与训练所用库的输出进行比对",
        )
        return {"fact": NATIVE_DIFFERENCE, "holds": None, "says": says.as_json()}
    holds = bool(difference <= most)
    rows = facts.get("native_rows", "all")
    theirs, theirs_zh = ("the training library's", "训练库")
    if facts.get("format") == "onnx":  # nothing of ours computes it: it is run twice
        theirs, theirs_zh = ("those of a second run in a process of its own", "另一进程再次运行")
    says = Sentence(
        en=f"on {rows} rows our scores differ from {theirs} by at most {difference:.2g} (allowed {most:.0e})",
        zh=f"在 {rows} 行上，本系统与{theirs_zh}的分数最大相差 {difference:.2g}（允许 {most:.0e}）",
    )
    if not holds:
        says = Sentence(
            en=f"{says.en}; what we would serve is not what was trained, re-export the model",
            zh=f"{says.zh}；上线模型与训练模型不一致，请重新导出模型",
        )
    return {"fact": NATIVE_DIFFERENCE, "holds": holds, "says": says.as_json()}


def _answer(line: Group) -> bool | None:
    holds = line["holds"]
    return holds if isinstance(holds, bool) else None


def _said(line: Group) -> Sentence:
    says = line["says"]
    return Sentence(**says) if isinstance(says, dict) else Sentence(en="", zh="")
