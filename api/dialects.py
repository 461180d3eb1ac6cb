"""Problem documents that clients of MLflow and of the Open Inference Protocol read too: their fields beside ours."""

from __future__ import annotations

from typing import Any

MLFLOW_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}


def in_dialect(path: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return a problem document with what callers of this address look for.

    MLflow's clients read `error_code` and `message`, those of the Open Inference Protocol read `error`.

    Examples
    --------
    >>> in_dialect("/v2/models/a/infer", {"status": 422, "detail": "why"})["error"]
    'why'
    >>> in_dialect("/v1/models/a/invocations", {"status": 404, "detail": "why"})["error_code"]
    'RESOURCE_DOES_NOT_EXIST'
    >>> in_dialect("/v1/decisions", {"status": 404, "detail": "why"})
    {'status': 404, 'detail': 'why'}
    """
    if path.startswith("/v2/"):
        return {**document, "error": document["detail"]}
    if path.endswith("/invocations"):
        code = MLFLOW_CODES.get(document["status"], "INTERNAL_ERROR")
        return {**document, "error_code": code, "message": document["detail"]}
    return document
