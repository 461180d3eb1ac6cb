"""Could a person be found in these data: named outright, or singled out by what describes him?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.checks.check import Finding, Group, Limits, limit_of
from audit.checks.columns import numbers
from audit.checks.examined import Examined
from audit.checks.identifiers import KINDS, count_identifiers
from audit.checks.wording import joined, named, percent
from policies.column_names import goes_by
from policies.deidentification import plan_for
from policies.errors import Sentence


@dataclass(frozen=True)
class Deidentification:
    """Direct identifiers by name and by content; then the risk of being singled out, after the policy's bands."""

    name: str = "deidentification"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding on direct identifiers and, where people are described, one on singling out."""
        lines = tuple(_named_outright(examined, limits))
        direct = Finding(
            check=self.name,
            holds=not lines,
            measured=float(len(lines)),
            limit=0.0,
            unit="columns",
            n=len(examined),
            groups=lines,
            says=_direct_said(lines),
        )
        quasi = describing_columns(examined, limits)
        return (direct,) if not quasi else (direct, self._singled_out(examined, quasi, limits))

    def _singled_out(self, examined: Examined, quasi: list[str], limits: Limits) -> Finding:
        most = limit_of(limits, self.name, "most_mean_risk")
        least_k = int(limit_of(limits, self.name, "report_groups_under"))
        sizes = class_sizes(_described(examined, quasi))
        mean_risk = len(sizes) / sizes.sum()
        rare = float(sizes[sizes < least_k].sum() / sizes.sum())
        names = named(quasi)
        holds = bool(mean_risk <= most)
        advice = Sentence(en="", zh="") if holds else Sentence(
            en="; use wider bands or leave columns out before these data leave the team",
            zh="；数据流出团队之前，请放宽分段或去除部分列",
        )  # fmt: skip
        return Finding(
            check=self.name,
            holds=holds,
            measured=float(mean_risk),
            limit=most,
            unit="risk",
            n=int(sizes.sum()),
            says=Sentence(
                en=f"described by {names.en}, a person is found with a mean risk of {percent(float(mean_risk))} "
                "(at most "
                f"{percent(most)} is allowed); the smallest group has {sizes.min()}, {percent(rare)} of the "
                "rows are in "
                f"groups under {least_k}{advice.en}",
                zh=f"根据{names.zh}，平均重标识风险为 {percent(float(mean_risk))}（上限 {percent(most)}），最小组为 "
                f"{sizes.min()} 人，{percent(rare)} 的行位于不足 {least_k} 人的组{advice.zh}",
            ),
            evidence={
                "k": int(sizes.min()),
                "max_risk": 1 / int(sizes.min()),
                "mean_risk": float(mean_risk),
                "share_under": {str(least_k): rare},
                "columns": quasi,
            },
        )


def _named_outright(examined: Examined, limits: Limits) -> Iterator[Group]:
    """Columns that identify by name, and columns whose values hold identifiers."""
    frames = [examined.evaluation] if examined.training is None else [examined.evaluation, examined.training]
    data = examined.declaration.data
    aside = {data.subject, data.label, data.prediction, data.time}
    columns = list(dict.fromkeys(str(name) for frame in frames for name in frame.columns if name not in aside))
    forbidden = set(plan_for(columns, examined.rulebook.deidentification).forbidden)
    least = limit_of(limits, "deidentification", "least_hits")
    for column in columns:
        if column in forbidden:
            yield _line(column, "name_of_column", 0, Sentence(en="a direct identifier", zh="直接标识符"))
            continue
        counts: dict[str, int] = {}
        for frame in frames:
            if column in frame.columns:
                for kind, n in count_identifiers(frame[column]).items():
                    counts[kind] = counts.get(kind, 0) + n
        for kind, n in sorted(counts.items()):
            if n >= least:
                yield _line(column, kind, n, KINDS[kind][2])


def _line(column: str, kind: str, hits: int, what: Sentence) -> Group:
    counted = Sentence(en=f" ({hits} different values)", zh=f"（{hits} 个不同值）") if hits else Sentence(en="", zh="")
    says = Sentence(
        en=f"'{column}' holds {what.en}{counted.en}" if hits else f"'{column}' is by its name {what.en}",
        zh=f"“{column}”含有{what.zh}{counted.zh}" if hits else f"“{column}”从列名看为{what.zh}",
    )
    return {"column": column, "kind": kind, "hits": hits, "holds": False, "says": says.as_json()}


def describing_columns(examined: Examined, limits: Limits) -> list[str]:
    """Columns that describe a person without naming him, by the patterns of the rulebook."""
    patterns = [str(pattern) for pattern in limits.get("describing", [])]
    data = examined.declaration.data
    aside = {data.subject, data.label, data.prediction, data.time}
    return [str(name) for name in examined.evaluation.columns if name not in aside and goes_by(str(name), patterns)]


def _described(examined: Examined, quasi: list[str]) -> pd.DataFrame:
    """The describing columns after the policy's bands, which is what leaves the team."""
    bands = plan_for(quasi, examined.rulebook.deidentification).bands
    described: dict[str, pd.Series] = {}
    for name in quasi:
        values = numbers(examined.evaluation[name])
        if values is None:
            described[name] = examined.evaluation[name].astype("string").fillna("")
        else:
            width = bands.get(name)
            described[name] = pd.Series(values if width is None else np.floor(values / width) * width)
    return pd.DataFrame(described)


def class_sizes(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the sizes of the groups of people who are described alike (k-anonymity: the smallest of them)."""
    return np.asarray(table.groupby(list(table.columns), dropna=False, sort=False).size().to_numpy(dtype=np.int64))


def _direct_said(lines: tuple[Group, ...]) -> Sentence:
    if not lines:
        return Sentence(
            en="no column names a person, neither by its name nor by what is written in it",
            zh="列名和内容中均未发现直接标识个人的信息",
        )
    said = [Sentence(**line["says"]) for line in lines if isinstance(line["says"], dict)]
    tail = Sentence(en="remove them, or pseudonymise them before handing data in", zh="请在提交前删除或假名化")
    return joined([*said, tail])
