"""What each kind of error means over HTTP (RFC 9457) and as an exit code. Nothing else knows."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DataError, SQLAlchemyError

from api.media_types import UnsupportedType
from api.shares import ShareExceeded
from api.sign_in_limits import TooManyTries
from api.tokens import NotSignedIn
from governance.permits import MayNotRun
from governance.serving import NoTime
from policies.errors import Conflict, Fault, Malformed, NotFound, Refused, Sentence, Unavailable
from policies.roles import NotAllowed

STATUS: tuple[tuple[type[Fault], int, str], ...] = (
    (TooManyTries, 429, "too many tries"),
    (ShareExceeded, 429, "too many at once"),
    (NotSignedIn, 401, "sign in first"),
    (NotAllowed, 403, "not allowed"),
    (Refused, 403, "refused"),
    (NotFound, 404, "not found"),
    (Conflict, 409, "conflict"),
    (UnsupportedType, 415, "unsupported media type"),
    (Malformed, 422, "malformed"),
    (Unavailable, 503, "unavailable"),
)
"""Most specific first."""


def away(error: OSError | SQLAlchemyError) -> Fault:
    """Return what disk, network or database did as an error of the house; details stay in the logs."""
    if isinstance(error, DataError):
        return Malformed(
            Sentence(
                en="a value that was handed in cannot be stored or compared; leave out control characters",
                zh="提交的值无法存储或比较，请去掉控制字符",
            )
        )
    why = error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
    return Unavailable(
        Sentence(
            en=f"disk, network or database did not do what was asked ({why}); look at them and try again",
            zh=f"磁盘、网络或数据库未能完成操作（{why}），请检查后重试",
        )
    )


def status_of(fault: Fault) -> int:
    """Return the HTTP status of a fault."""
    return _entry(fault)[0]


def retry_after(fault: Fault) -> str | None:
    """Return after how many seconds trying again may help; None where it does not."""
    if isinstance(fault, NoTime | ShareExceeded):
        return "1"
    return {429: "600", 503: "5"}.get(status_of(fault))


def exit_code(fault: Fault) -> int:
    """Return the exit code of a fault: 3 when a part is unavailable, else 2."""
    return 3 if isinstance(fault, Unavailable) else 2


def problem(fault: Fault, language: str) -> dict[str, Any]:
    """Return the problem document: title, status, the sentence in the caller's language, and every fault in both."""
    status, title = _entry(fault)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": fault.says.in_language(language),
        "faults": [sentence.as_json() for sentence in fault.faults],
    }
    if isinstance(fault, MayNotRun):
        document |= {"fallback": fault.fallback, "reason": fault.reason}
    if isinstance(fault, NoTime):
        document |= {"fallback": fault.fallback, "reason": "overload"}
    if isinstance(fault, ShareExceeded):
        document |= {"fallback": fault.fallback, "reason": "share"}
    return document


MAY_NOT_RUN = {"unknown": 404, "unreachable": 503}
"""Statuses of refusals to run by their reason; every other reason is 403."""


def _entry(fault: Fault) -> tuple[int, str]:
    if isinstance(fault, MayNotRun):
        return MAY_NOT_RUN.get(fault.reason, 403), "may not run"
    for kind, status, title in STATUS:
        if isinstance(fault, kind):
            return status, title
    return 400, "fault"
