"""Takes a command into bubblewrap: limits first, then the filter, then waits with it; not for people.

Started by `model_registry.bubblewrap` as a file of its own, so it needs nothing of the house. It ends what it started
as soon as its standard input is closed, which is what the death of the service does to it.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import subprocess
import sys

GRACE_MS = 500
"""How long a command may take to end by itself once nobody speaks to it any more."""

UNHEARD = 126
"""Exit status of a command that was ended because its input was closed."""


def main(job: dict[str, str | int | list[str]]) -> int:
    """Run `job["command"]` within the limits of the job and return its exit status."""
    for name in ("AS", "FSIZE", "NOFILE", "CORE", "CPU"):
        _limit(getattr(resource, f"RLIMIT_{name}"), int(str(job[name])))
    with open(os.memfd_create("filter"), "w+b") as program:
        program.write(base64.b64decode(str(job["filter"])))
        program.flush()
        program.seek(0)
        command = job["command"]
        assert isinstance(command, list)
        at = command.index("--seccomp") + 1
        command[at] = str(program.fileno())
        # bubblewrap dies with the thread that started it, and this process has one thread alone
        started = subprocess.Popen(command, pass_fds=(program.fileno(),))  # noqa: S603 - the job is our own
    return _ended(started)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (bound, bound))


def _ended(started: subprocess.Popen[bytes]) -> int:
    watched = os.pidfd_open(started.pid)
    waiting = select.poll()
    waiting.register(watched, select.POLLIN)
    waiting.register(0, 0)  # nothing is read here; a closed pipe is told without being asked for
    events = waiting.poll()
    if watched not in dict(events):
        waiting.unregister(0)
        if not waiting.poll(GRACE_MS):
            started.kill()
            started.wait()
            return UNHEARD
    status = started.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
