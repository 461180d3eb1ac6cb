"""What the company promises to improve: words, an indicator, a target, an owner, and the quarter that will show it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from audit.entries import Entry
from audit.trace_log import TraceLog
from governance.disclosures import require_discloser
from governance.statements import read_statement, statement
from policies.errors import Sentence, refuse_all
from policies.quarters import Quarter
from policies.roles import Person

INDICATORS: Mapping[str, bool] = MappingProxyType(
    {
        "accuracy": True,
        "false_alarm_rate": False,
        "miss_rate": False,
        "false_alarm_share": False,
        "override_share": False,
        "known_share": True,
    }
)
"""What a measure can be held against, and whether more of it is better."""

MOST_WORDS = 400


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure as it was recorded. `site` None is the group; `quarter` is the one whose figures will show it."""

    id: str
    quarter: str
    says: Sentence
    indicator: str
    target: float
    owner: str
    site: str | None
    recorded: datetime

    @property
    def more_is_better(self) -> bool:
        """Whether the target is a least or a most."""
        return INDICATORS[self.indicator]

    def as_json(self) -> dict[str, object]:
        """Return the measure as doors show it."""
        return {
            "id": self.id,
            "quarter": self.quarter,
            "says": self.says.as_json(),
            "indicator": self.indicator,
            "target": self.target,
            "owner": self.owner,
            "site": self.site,
            "recorded": self.recorded.isoformat(),
        }


class Measures:
    """Takes measures into the log and finds them again; a recorded measure is never edited."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log

    def record(
        self,
        quarter: Quarter,
        *,
        by: Person,
        says: Sentence,
        indicator: str,
        target: float,
        owner: str,
        site: str | None = None,
    ) -> Measure:
        """Record a measure that the figures of `quarter` will be held against.

        Raises
        ------
        NotAllowed, OneSiteOnly
        Malformed
            With every fault; a measure for a quarter that is over cannot be recorded any more.
        """
        self.consider(quarter, by=by, says=says, indicator=indicator, target=target, owner=owner)
        body = {
            "quarter": str(quarter),
            "says": says.as_json(),
            "indicator": indicator,
            "target": target,
            "owner": owner.strip(),
        }
        receipt = self._log.append([statement("measure", by=by.name, body=body, site=site)])[0]
        return _measure(receipt.id, receipt.time, site, body)

    def consider(
        self, quarter: Quarter, *, by: Person, says: Sentence, indicator: str, target: float, owner: str
    ) -> None:
        """Raise whatever stands against this measure now, as `record` would; record nothing."""
        require_discloser(by)
        refuse_all(_faults(quarter, self._log.clock(), says, indicator, target, owner))

    def of(self, quarter: Quarter, before_entry: int | None = None) -> tuple[Measure, ...]:
        """Return the measures recorded for a quarter, oldest first.

        Parameters
        ----------
        before_entry : int, optional
            Only those the log held at this size.
        """
        found, after = [], None
        while True:
            page = self._log.search(kind="measure", after=after, limit=1000)
            found += [entry for entry in page.entries if before_entry is None or entry.index < before_entry]
            if page.next is None:
                break
            after = page.next
        read = (self._read(entry) for entry in sorted(found, key=lambda entry: entry.index))
        return tuple(measure for measure in read if measure.quarter == str(quarter))

    def _read(self, entry: Entry) -> Measure:
        raw = self._log.payload(entry.id)
        return _measure(entry.id, entry.time, entry.site, read_statement(raw) if raw is not None else {})


def _measure(identifier: str, recorded: datetime, site: str | None, body: Mapping[str, Any]) -> Measure:
    says = body.get("says", {})
    return Measure(
        id=identifier,
        quarter=str(body.get("quarter", "")),
        says=Sentence(en=str(says.get("en", "")), zh=str(says.get("zh", ""))),
        indicator=str(body.get("indicator", "")),
        target=float(body.get("target", math.nan)),
        owner=str(body.get("owner", "")),
        site=site,
        recorded=recorded,
    )


def _faults(
    quarter: Quarter, now: datetime, says: Sentence, indicator: str, target: float, owner: str
) -> list[Sentence]:
    faults = []
    if now >= quarter.end:
        faults.append(
            Sentence(
                en=f"{quarter} is over; a measure is recorded before the figures that it is held against",
                zh=f"{quarter} 已经结束，措施须在用以衡量的数据产生之前登记",
            )
        )
    if not all(1 <= len(words.strip()) <= MOST_WORDS for words in (says.en, says.zh)):
        faults.append(
            Sentence(
                en=f"say in 1 to {MOST_WORDS} characters what will be done",
                zh=f"请用 1 至 {MOST_WORDS} 个字符说明将采取什么措施",
            )
        )
    if indicator not in INDICATORS:
        faults.append(
            Sentence(
                en=f"there is no indicator '{indicator}'; expected {', '.join(INDICATORS)}",
                zh=f"没有指标“{indicator}”，应为 {'、'.join(INDICATORS)} 之一",
            )
        )
    if not 0 <= target <= 1:
        faults.append(
            Sentence(
                en=f"the target is {target}; expected a share from 0 to 1", zh=f"目标为 {target}，应为 0 至 1 的份额"
            )
        )
    if not 1 <= len(owner.strip()) <= MOST_WORDS:
        faults.append(Sentence(en="say who sees to it", zh="请写明责任人"))
    return faults
