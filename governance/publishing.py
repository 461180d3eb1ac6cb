"""The registry is told what governance decided; what binds is decided, whether or not the registry answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from governance.stages import Stage
from governance.submissions import SubmissionRecord
from policies.errors import Fault

logger = logging.getLogger("mingjing.registry")

Publish = Callable[[str, str, Stage], object]
"""Told model, version and new stage, so that the registry shows what governance decided."""


def tell_registry(publish: Publish, moved: Iterable[tuple[SubmissionRecord, Stage]]) -> None:
    """Pass new stages on to the registry; one that it does not take is written down."""
    for record, stage in moved:
        try:
            publish(record.model, record.version, stage)
        except Fault as fault:
            logger.error("the registry does not show %s:%s as %s: %s", record.model, record.version, stage, fault)
