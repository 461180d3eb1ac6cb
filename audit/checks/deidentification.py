"""Could a person be found in these data: named outright, or singled out by what describes him?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.checks.check import Finding, Group, Limits, limit_of
from audit.checks.columns import numbers
from audit.checks.examined import Examined
from audit.checks.identifiers import KINDS, count_identifiers
from audit.checks.wording import joined, named, percent
from audit.deidentify import deidentified, pseudonym
from policies.column_names import goes_by
from policies.deidentification import plan_for
from policies.errors import Sentence


@dataclass(frozen=True)
class Deidentification:
    """Direct identifiers by name and by content; then the risk of being singled out, after the policy's bands."""

    name: str = "deidentification"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding on direct identifiers, one on singling out, and one on what the policy's transform leaves.

        The second is there where people are described, the third where the policy has anything to do.
        """
        frames = [examined.evaluation] if examined.training is None else [examined.evaluation, examined.training]
        lines = tuple(_named_outright(examined, frames, limits))
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
        described = (self._singled_out(examined, quasi, limits),) if quasi else ()
        return direct, *described, *self._transformed(examined, frames, quasi, limits)

    def _transformed(
        self, examined: Examined, frames: Sequence[pd.DataFrame], quasi: list[str], limits: Limits
    ) -> tuple[Finding, ...]:
        """Apply what the policy demands to every row handed in, and look again."""
        done = [transformed(frame, examined) for frame in frames]
        steps = done[0].steps
        if not steps:
            return ()
        left = tuple(_named_outright(examined, [one.frame for one in done], limits, made=(PSEUDONYM,)))
        kept = [name for name in quasi if name in done[0].frame.columns]
        risks = {
            "before": _risks(_as_handed_in(examined.evaluation, quasi)) if quasi else None,
            "after": _risks(_as_handed_in(done[0].frame, kept)) if kept else None,
        }
        return (
            Finding(
                check=self.name,
                holds=not left,
                measured=float(len(left)),
                limit=0.0,
                unit="columns",
                n=len(examined),
                groups=left,
                says=_transformed_said(steps, left, risks),
                evidence={"steps": [dict(step) for step in steps], "risk": risks},
            ),
        )

    def _singled_out(self, examined: Examined, quasi: list[str], limits: Limits) -> Finding:
        most = limit_of(limits, self.name, "most_mean_risk")
        least_k = int(limit_of(limits, self.name, "report_groups_under"))
        asked_k = int(limit_of(limits, self.name, "least_k"))
        sizes = class_sizes(_described(examined, quasi))
        mean_risk = len(sizes) / sizes.sum()
        rare = float(sizes[sizes < least_k].sum() / sizes.sum())
        names = named(quasi)
        holds = bool(mean_risk <= most and sizes.min() >= asked_k)
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
                f"{percent(most)} is allowed); the smallest group has {sizes.min()} (at least {asked_k} is asked), "
                f"{percent(rare)} of the rows are in groups under {least_k}{advice.en}",
                zh=f"根据{names.zh}，平均重标识风险为 {percent(float(mean_risk))}（上限 {percent(most)}），最小组为 "
                f"{sizes.min()} 人（要求不少于 {asked_k} 人），"
                f"{percent(rare)} 的行位于不足 {least_k} 人的组{advice.zh}",
            ),
            evidence={
                "k": int(sizes.min()),
                "max_risk": 1 / int(sizes.min()),
                "mean_risk": float(mean_risk),
                "share_under": {str(least_k): rare},
                "columns": quasi,
                "class_sizes": _spread_of(sizes),
            },
        )


def _named_outright(
    examined: Examined, frames: Sequence[pd.DataFrame], limits: Limits, *, made: Sequence[str] = ()
) -> Iterator[Group]:
    """Columns that identify by name, and columns whose values hold identifiers.

    `made` are columns of our own digests: among thousands of digits drawn at random some look like a phone number.
    """
    data = examined.declaration.data
    aside = {data.subject, data.label, data.prediction, data.time, *made}
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
    return _as_handed_in(_in_bands(examined.evaluation[quasi], examined), quasi)


def _as_handed_in(frame: pd.DataFrame, quasi: Sequence[str]) -> pd.DataFrame:
    """The describing columns, numbers as numbers and all else as text."""
    described: dict[str, pd.Series] = {}
    for name in quasi:
        values = numbers(frame[name])
        described[name] = frame[name].astype("string").fillna("") if values is None else pd.Series(values)
    return pd.DataFrame(described)


def _in_bands(frame: pd.DataFrame, examined: Examined) -> pd.DataFrame:
    """A copy whose banded columns are rounded down as the policy demands, by the transform that serving uses too."""
    names = [str(name) for name in frame.columns]
    plan = plan_for(names, examined.rulebook.deidentification)
    told = {name: values for name in plan.bands if (values := numbers(frame[name])) is not None}
    if not told:
        return frame
    banded = deidentified(np.column_stack(list(told.values())), list(told), plan)
    return frame.assign(**{name: banded[:, i] for i, name in enumerate(told)})


PSEUDONYM = "pseudonym"
"""The column that stands for the subject once the policy was applied."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Transformed:
    """Rows as the policy lets them go, and what was done to which column."""

    frame: pd.DataFrame
    steps: tuple[Group, ...]


def transformed(frame: pd.DataFrame, examined: Examined) -> Transformed:
    """Apply the policy: columns that name by their name go, ages and dates are banded, subjects become pseudonyms.

    The pseudonyms are made under a key that is thrown away, so this copy ties rows together and to nobody.
    """
    names = [str(name) for name in frame.columns]
    plan = plan_for(names, examined.rulebook.deidentification)
    subject = examined.declaration.data.subject
    steps: list[Group] = [{"column": name, "done": "dropped"} for name in plan.forbidden if name != subject]
    steps += [{"column": name, "done": "banded", "width": width} for name, width in plan.bands.items()]
    changed = _in_bands(frame.drop(columns=[name for name in plan.forbidden if name != subject]), examined)
    if subject is not None and subject in names:
        key = secrets.token_bytes(32)
        hidden = [pseudonym(said, key) if (said := str(value)).strip() else "" for value in frame[subject].fillna("")]
        changed = changed.drop(columns=subject).assign(**{PSEUDONYM: hidden})
        steps.append({"column": subject, "done": "pseudonym"})
    return Transformed(frame=changed, steps=tuple(steps))


def _risks(table: pd.DataFrame) -> dict[str, float]:
    """k, and the largest and mean risk of being singled out."""
    sizes = class_sizes(table)
    return {"k": int(sizes.min()), "max_risk": 1 / int(sizes.min()), "mean_risk": len(sizes) / int(sizes.sum())}


def _spread_of(sizes: npt.NDArray[np.int64]) -> list[dict[str, object]]:
    """How many rows lie in groups of which size: the picture of who stands out."""
    ends = (1, 4, 9, 49, None)
    starts = (1, 2, 5, 10, 50)
    return [
        {"from": low, "to": high, "rows": int(sizes[(sizes >= low) & (sizes <= (high or sizes.max()))].sum())}
        for low, high in zip(starts, ends, strict=True)
    ]


def class_sizes(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the sizes of the groups of people who are described alike (k-anonymity: the smallest of them)."""
    return np.asarray(table.groupby(list(table.columns), dropna=False, sort=False).size().to_numpy(dtype=np.int64))


DONE = {
    "dropped": Sentence(en="dropped", zh="删除"),
    "banded": Sentence(en="given in bands", zh="分段"),
    "pseudonym": Sentence(en="turned into a pseudonym", zh="假名化"),
}
"""What the policy's transformation does to a column."""


def _transformed_said(
    steps: Sequence[Group], left: Sequence[Group], risks: Mapping[str, Mapping[str, float] | None]
) -> Sentence:
    told = []
    for done, words in DONE.items():
        columns = [str(step["column"]) for step in steps if step["done"] == done]
        if columns:
            names = named(columns)
            told.append(Sentence(en=f"{names.en} {words.en}", zh=f"{names.zh}{words.zh}"))
    opening = joined(told)
    after = Sentence(en="nobody is named any more", zh="已无列直接标识个人")
    if left:
        names = named([str(line["column"]) for line in left])
        after = Sentence(
            en=f"{names.en} still name persons: the policy does not reach into what is written there, remove it "
            "yourself",
            zh=f"{names.zh}仍可标识个人：规则不处理其中的文字内容，请自行去除",
        )
    risk = Sentence(en="", zh="")
    old, new = risks["before"], risks["after"]
    if old is not None and new is not None:
        risk = Sentence(
            en=f"; the mean risk of being singled out goes from {percent(old['mean_risk'])} to "
            f"{percent(new['mean_risk'])}",
            zh=f"；平均重标识风险由 {percent(old['mean_risk'])} 变为 {percent(new['mean_risk'])}",
        )
    return Sentence(
        en=f"with the policy's transformation applied ({opening.en}) and looked at again, {after.en}{risk.en}",
        zh=f"按规则处理（{opening.zh}）后复查，{after.zh}{risk.zh}",
    )


def _direct_said(lines: tuple[Group, ...]) -> Sentence:
    if not lines:
        return Sentence(
            en="no column names a person, neither by its name nor by what is written in it",
            zh="列名和内容中均未发现直接标识个人的信息",
        )
    said = [Sentence(**line["says"]) for line in lines if isinstance(line["says"], dict)]
    tail = Sentence(en="remove them, or pseudonymise them before handing data in", zh="请在提交前删除或假名化")
    return joined([*said, tail])
