"""Signatures of webhooks: of those that leave here, and of those MLflow sends.

Ours: `Mingjing-Signature: v1=HEX`, an HMAC-SHA256 under the shared secret of `TIMESTAMP.DELIVERY.BODY`, where the first
two are the headers `Mingjing-Timestamp` (seconds since 1970) and `Mingjing-Delivery`. A receiver refuses what is older
than five minutes and what it has seen before.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

MOST_APART = 300.0
"""Seconds by which the clocks of sender and receiver may differ, and for which a webhook is fresh."""


def signed_headers(secret: str, delivery: str, body: bytes, now: float) -> dict[str, str]:
    """Return the headers under which a body is sent."""
    stamp = str(int(now))
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Mingjing",
        "Mingjing-Timestamp": stamp,
        "Mingjing-Delivery": delivery,
        "Mingjing-Signature": f"v1={_hmac(secret, f'{stamp}.{delivery}.'.encode() + body).hex()}",
    }


def is_ours(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a webhook was signed with this secret, and lately. What a receiver does, and how our tests do it."""
    stamp, delivery = headers.get("Mingjing-Timestamp", ""), headers.get("Mingjing-Delivery", "")
    good = f"v1={_hmac(secret, f'{stamp}.{delivery}.'.encode() + body).hex()}"
    return _is_fresh(stamp, now) and hmac.compare_digest(good.encode(), headers.get("Mingjing-Signature", "").encode())


def is_from_mlflow(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether MLflow signed this with the shared secret, and lately. Header names in lower case."""
    delivery, stamp = headers.get("x-mlflow-delivery-id", ""), headers.get("x-mlflow-timestamp", "")
    good = b"v1," + base64.b64encode(_hmac(secret, f"{delivery}.{stamp}.".encode() + body))
    given = headers.get("x-mlflow-signature", "").encode()
    return bool(delivery) and _is_fresh(stamp, now) and hmac.compare_digest(good, given)


def _is_fresh(stamp: str, now: float) -> bool:
    return stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and abs(now - int(stamp)) <= MOST_APART


def _hmac(secret: str, content: bytes) -> bytes:
    return hmac.new(secret.encode(), content, hashlib.sha256).digest()
