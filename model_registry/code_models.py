"""A model that is code, asked through the wall of its box: opened there, scored there, never opened here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from explainers.predictor import ModelAway
from model_registry.bubblewrap import HOUSE, MODEL, ROOT, Bubblewrap, bubblewrap
from model_registry.bundle import pack
from model_registry.code_worker import PROBABILITY, VALUE
from model_registry.lasting_worker import LastingWorker, ModelSaid, WorkerHangs, WorkerLimits
from model_registry.limits import DEFAULT_LIMITS, Limits
from policies.errors import Malformed, Refused, Sentence
from policies.terms import CodeRules
from policies.tiers import Tier

Floats = npt.NDArray[np.float64]

SHOWN = (
    "policies/__init__.py",
    "policies/errors.py",
    "model_registry/__init__.py",
    "model_registry/answering.py",
    "model_registry/bundle.py",
    "model_registry/code_worker.py",
    "model_registry/digests.py",
    "model_registry/limits.py",
)
"""The files of ours that lie in the box. None of them knows where data, keys or settings are."""

IDLE_SECONDS = 600.0
LATER = 5.0
"""Seconds after which a call that nobody waits for any more ends by itself, inside."""

ANSWER_BYTES = 64_000_000
MOST_COLUMNS = 10_000


class CodeNotAdmitted(Refused):
    """The rulebook in force opens no code, or none for so grave a use. The artifact was not opened."""

    def __init__(self, name: str, rules: CodeRules, tier: Tier) -> None:
        if rules.allow_code:
            en, zh = (
                f"admits code up to {rules.highest_tier}, and this is {tier}",
                (f"仅允许 {rules.highest_tier} 及以下等级使用含代码的模型，而本次为 {tier}"),
            )
        else:
            en, zh = "admits none (code.allow_code is false)", "不接收此类模型（code.allow_code 为 false）"
        super().__init__(
            Sentence(
                en=f"{name} is handed in as code: opening it runs what its author wrote, and the rulebook in force {en}"
                "; it was not opened, save the model in a format that is data",
                zh=f"{name} 以代码形式提交，打开即会执行其作者编写的内容，而现行规则{zh}；"
                "该文件未被打开，请改用不含代码的格式保存模型",
            )
        )


class CodeFailed(Refused):
    """The model crashed, hung, or said that it cannot; nothing of it left its box."""

    def __init__(self, name: str, said: Sentence) -> None:
        super().__init__(
            Sentence(
                en=f"{name} was run in its box and gave no scores: {said.en}; nothing left the box",
                zh=f"{name} 已在隔离环境中运行，但未给出分数：{said.zh}；没有任何内容离开隔离环境",
            )
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxedModel:
    """A model in its box. Callers take turns.

    Parameters
    ----------
    name : str
        What sentences call it.
    worker : LastingWorker
    patience : float or None
        Seconds of waiting over its whole life before it is asked no more; None: without end, as in serving.
    """

    name: str
    worker: LastingWorker
    patience: float | None = None
    monotonic: Callable[[], float] = time.monotonic
    _waited: list[float] = field(default_factory=lambda: [0.0])

    def described(self) -> tuple[tuple[str, ...], int, str]:
        """Return the names of its columns (none where it keeps none), how many there are (0: it does not say), and the
        unit of its answer. What is no such thing is refused."""
        _, said = self._asked({}, {})
        names, width, unit = said.get("names"), said.get("width"), said.get("unit")
        sound = isinstance(names, list) and all(isinstance(name, str) and 0 < len(name) <= 200 for name in names)
        if not sound or not isinstance(names, list) or len(set(names)) != len(names) or len(names) > MOST_COLUMNS:
            raise CodeFailed(self.name, _strange("its columns"))
        if not isinstance(width, int) or not 0 <= width <= MOST_COLUMNS or unit not in (PROBABILITY, VALUE):
            raise CodeFailed(self.name, _strange("its columns"))
        return tuple(map(str, names)), width, str(unit)

    def scores(self, rows: Floats, columns: tuple[str, ...] = ()) -> Floats:
        """Return one finite number per row.

        Raises
        ------
        CodeFailed
            For whatever it does instead: crash, hang, refuse, or answer something else.
        ModelAway
            Instead of a crash or a hang where it serves (`patience` None), so that the caller falls back.
        """
        arrays, _ = self._asked({"rows": rows}, {"columns": list(columns)})
        answer = arrays.get("answer")
        if answer is None or answer.dtype != np.float64 or answer.shape != (len(rows),):
            raise CodeFailed(self.name, _strange("one score per row"))
        if not np.isfinite(answer).all():
            raise CodeFailed(self.name, _strange("finite scores"))
        return answer

    def _asked(
        self, arrays: dict[str, Floats], said: dict[str, object]
    ) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, object]]:
        if self.patience is not None and self._waited[0] > self.patience:
            raise CodeFailed(self.name, _impatient(self.patience))
        began = self.monotonic()
        try:
            return self.worker.ask(arrays, said)
        except ModelAway as away:
            if self.patience is None:
                raise
            raise CodeFailed(self.name, _fell(away)) from away
        except ModelSaid as refused:
            gaps = any(np.isnan(array).any() for array in arrays.values())
            raise CodeFailed(self.name, _with_gaps(refused.says) if gaps else refused.says) from refused
        finally:
            self._waited[0] += self.monotonic() - began


def require_admitted(name: str, rules: CodeRules, tier: Tier) -> None:
    """Raise `CodeNotAdmitted` unless the rules open a model that is code for a use of this tier."""
    if not rules.admits(tier):
        raise CodeNotAdmitted(name, rules, tier)


def boxed_model(
    artifact: Path,
    digest: str,
    *,
    serving: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    box: Bubblewrap | None = None,
) -> BoxedModel:
    """Return a model that is code in a box of its own. Nothing is started before it is asked.

    Parameters
    ----------
    artifact : Path
        A pickle in any wrapping, or an MLflow model folder with a `python_function`.
    digest : str
        What the artifact's bytes have to be, each time the box is made anew.
    serving : bool
        Whether it answers plants, one short call at a time, rather than an examination.
    box : Bubblewrap, optional
        None: that of this machine.

    Raises
    ------
    NoSandbox
        When this machine has none.
    """
    held = box or bubblewrap(limits)
    seconds = WorkerLimits().call_seconds if serving else limits.worker_seconds
    begin = f"sys.path[:0] = [{HOUSE!r}]\nfrom model_registry.code_worker import main\n"
    shown = {ROOT / name: f"{HOUSE}/{name}" for name in SHOWN} | {artifact: MODEL}
    command = held.python(f"{begin}main({MODEL!r}, {IDLE_SECONDS!r}, {seconds + LATER!r})", shown=shown)
    worker = LastingWorker(
        command,
        pack({}, {"digest": digest}),
        WorkerLimits(start_seconds=limits.worker_seconds, call_seconds=seconds, answer_bytes=ANSWER_BYTES),
        name=artifact.name,
    )
    return BoxedModel(name=artifact.name, worker=worker, patience=None if serving else limits.code_seconds)


def columns_of(name: str, told: tuple[str, ...], width: int, declared: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns a model takes: as it names them, else as declared where their number fits.

    Raises
    ------
    Malformed
        When neither says which columns are meant.
    """
    if told:
        return told
    if declared and width in (0, len(declared)):
        return declared
    raise Malformed(
        Sentence(
            en=f"{name} does not name its columns (it takes {width or 'an unknown number'}), and {len(declared)} are "
            "declared; declare one [features.NAME] table per column, in the order of training",
            zh=f"{name} 未注明所用列名（列数：{width or '未知'}），声明了 {len(declared)} 个特征；"
            "请按训练时的顺序为每列写一个 [features.名称] 表",
        )
    )


def _strange(wanted: str) -> Sentence:
    zh = {"its columns": "列名", "one score per row": "每行一个分数", "finite scores": "有限的分数"}[wanted]
    return Sentence(en=f"it was asked for {wanted} and answered something else", zh=f"未按要求返回{zh}")


def _fell(away: ModelAway) -> Sentence:
    if isinstance(away, WorkerHangs):
        return Sentence(en="it gave no answer in time and was stopped", zh="未在规定时间内给出结果，已被终止")
    return Sentence(
        en="it ended without an answer (crashed, killed, or out of memory), or said what is none",
        zh="进程已结束而未给出结果（崩溃、被终止或内存不足），或返回了无法读取的内容",
    )


def _with_gaps(said: Sentence) -> Sentence:
    return Sentence(
        en=f"{said.en} (rows with a missing reading are scored too: put an imputer before the model)",
        zh=f"{said.zh}（缺失读数的行也须给出分数：请在模型前加入缺失值处理步骤）",
    )


def _impatient(seconds: float) -> Sentence:
    return Sentence(
        en=f"it kept its examination waiting for more than {seconds:g} s in all",
        zh=f"检查累计等待其结果超过 {seconds:g} 秒",
    )
