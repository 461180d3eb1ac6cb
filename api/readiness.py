"""Can this process make decisions now? Said honestly, with what is missing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from policies.errors import Sentence

logger = logging.getLogger("mingjing.readiness")

COLD = Sentence(en="the permitted models are being loaded", zh="正在加载获准运行的模型")
STOPPED = Sentence(en="the log has stopped in this process; start it again", zh="本进程的日志已停止，请重新启动")
NO_LOG = Sentence(en="the log does not answer", zh="日志没有响应")
NO_PERMITS = Sentence(en="the permits cannot be read", zh="无法读取许可")


class Readiness:
    """Warm, with a log that takes entries, and with permits that can be read.

    Parameters
    ----------
    log_stopped : callable
        Whether the log gave up for good.
    ask_log, ask_permits : callable
        Raise when they cannot answer.
    """

    def __init__(
        self, log_stopped: Callable[[], bool], ask_log: Callable[[], object], ask_permits: Callable[[], object]
    ) -> None:
        self._log_stopped = log_stopped
        self._asked = ((ask_log, NO_LOG), (ask_permits, NO_PERMITS))
        self._warm = threading.Event()
        self._warm.set()

    def warming(self) -> None:
        """From now on models are being loaded."""
        self._warm.clear()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Say that this process is not ready until what is done inside is done, well or not."""
        self.warming()
        try:
            yield
        finally:
            self._warm.set()

    def missing(self) -> tuple[Sentence, ...]:
        """Return what is missing; nothing when decisions can be made."""
        found = [] if self._warm.is_set() else [COLD]
        if self._log_stopped():
            found.append(STOPPED)
        for ask, said in self._asked:
            try:
                ask()
            except Exception as error:  # noqa: BLE001 - whatever is wrong, the honest answer is 'not ready'
                logger.warning("not ready, %s: %s", said.en, type(error).__name__)
                found.append(said)
        return tuple(found)
