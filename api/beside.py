"""Processes beside one that serves: started with it, started again where they died, ended with it however it ends."""

from __future__ import annotations

import subprocess
import sys
import threading


class ProcessBeside:
    """A program of ours that runs beside this process. It is told to end by the end of its standard input.

    Parameters
    ----------
    *words : str
        What follows `python -m`.
    """

    def __init__(self, *words: str) -> None:
        self._command = [sys.executable, "-m", *words]
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        """Start it where it does not run."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()
            self._process = None
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )

    def stop(self, patience: float = 10.0) -> None:
        """End it: it stops before its next step, or is killed when that takes longer."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def end_of_input() -> threading.Event:
    """Return what is set once standard input has ended: whoever started this process told it to end, or is gone."""
    ended = threading.Event()

    def read() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        ended.set()

    threading.Thread(target=read, name="mingjing-end-of-input", daemon=True).start()
    return ended
