"""Figures for Prometheus: decisions, refusals, time, log, spools, permits, monitors. Nothing about persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from api.wiring import Service
from governance.permits import PermitState
from governance.tallies import BOUNDS
from policies.errors import Sentence, Unavailable

if TYPE_CHECKING:
    from prometheus_client.core import Metric

COUNTERS = {
    "decisions": ("Rows that were answered.", ("model", "version", "answer")),
    "refused_rows": ("Rows that were refused beside others.", ("model",)),
    "flags": ("Flags of answered rows.", ("model", "flag")),
    "refusals": ("Calls that were refused whole.", ("reason",)),
}


class NoPrometheus(Unavailable):
    """The library that writes Prometheus' format is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="prometheus-client is not installed; install mingjing with its extra 'metrics'",
                zh="未安装 prometheus-client，请安装 mingjing 的 metrics 附加项",
            )
        )


def exposition(service: Service) -> tuple[bytes, str]:
    """Return all figures as Prometheus reads them, and the content type. Raises NoPrometheus."""
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    except ModuleNotFoundError as missing:
        raise NoPrometheus from missing

    class House:
        def collect(self) -> Iterator[Metric]:
            yield from _counted(service.standing.counts())
            yield from _gauges(service)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(House())
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _counted(counts: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    for name, (says, labels) in COUNTERS.items():
        family = CounterMetricFamily(f"mingjing_{name}", says, labels=labels)
        for found, *key, count in counts["counts"]:
            if found == name:
                family.add_metric(key, count)
        yield family
    calls = HistogramMetricFamily("mingjing_call_seconds", "Time of a call, trace included.", labels=["model"])
    for model, classes in counts["times"].items():
        seen, buckets = 0, []
        for bound, times in zip([*map(str, BOUNDS), "+Inf"], classes, strict=True):
            seen += times
            buckets.append((bound, seen))
        calls.add_metric([model], buckets, sum_value=counts["seconds"][model])
    yield calls


def _gauges(service: Service) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    now = service.clock()
    last = service.log.latest_checkpoint()
    age = (now - last.time).total_seconds() if last is not None and last.time is not None else 0.0
    for name, says, value in (
        ("log_entries", "Entries of the log.", service.log.size()),
        ("checkpoint_age_seconds", "Age of the newest signed head.", age),
        ("log_stopped", "Whether this process's log gave up.", service.log.stopped),
        ("spooled_traces", "Traces of this process that wait for the log.", _waiting(service)),
        ("ready", "Whether this process can decide.", not service.readiness.missing()),
    ):
        yield GaugeMetricFamily(f"mingjing_{name}", says, value=float(value))
    left = GaugeMetricFamily("mingjing_permit_seconds", "Until the live permit ends.", labels=["model"])
    for permit in service.permits.permits():
        if permit.state is PermitState.LIVE:
            left.add_metric([permit.model], (permit.until - now).total_seconds())
    yield left
    value = GaugeMetricFamily("mingjing_monitor", "What a monitor shows.", labels=["model", "monitor"])
    limit = GaugeMetricFamily("mingjing_monitor_limit", "What the rulebook allows.", labels=["model", "monitor"])
    for reading in service.standing.readings():
        value.add_metric([reading["model"], reading["monitor"]], reading["value"])
        limit.add_metric([reading["model"], reading["monitor"]], reading["limit"])
    yield from (value, limit)


def _waiting(service: Service) -> int:
    return service.spool.waiting() + service.side_spool.waiting()
