"""One decision as it is sealed: every number of it in the model's own bits, the names that repeat kept once.

Format 1 of a payload:

    byte 0            1
    bytes 1-32        SHA-256 of the layout
    then              the layout's scalars, one little-endian double each
    then              the layout's arrays, little-endian, in the type the layout says
    to the end        JSON: caller, flags, subject, texts, verdict

The layout is RFC 8785 JSON: format, model, version, artifact, rulebook, purpose, site, unit, method, protective,
feature_names, cap_names, scalars `[name]` and arrays `[name, "f4" or "f8", length]`. It names no person, so it stays
when a trace is erased.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from audit.canonical import canonical
from policies.errors import Malformed, Sentence

FORMAT = 1
"""Format of a trace payload and its layout.

Raise it when the bytes above change. Before that, move the reader of the old format to
audit/formats/trace_v<N>.py with a stored sample and a test that opens it, and list it in `audit.verify`.
"""

DIGEST_END = 33

Array = npt.NDArray[np.float32] | npt.NDArray[np.float64]


class TraceUnreadable(Malformed):
    """Bytes that are no trace, or were written with another layout."""

    def __init__(self, why: str, why_zh: str) -> None:
        super().__init__(Sentence(en=f"this trace cannot be read: {why}", zh=f"无法读取该决策留痕：{why_zh}"))


class EncodedTrace(bytes):
    """The bytes of a trace, which also know the layout they were written with, so that the log can keep it."""

    layout: bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class DecisionTrace:
    """Everything needed to explain, judge and replay one decision.

    Parameters
    ----------
    model, version, artifact_digest, rulebook_digest, purpose, site : str
        What ran, under which rules, for what and where.
    subject : str or None
        Pseudonym of the person concerned.
    caller : str
        Who asked.
    feature_names : tuple of str
    inputs : array of shape (n_features,)
        As the model saw them, after de-identification; float32 or float64, NaN where missing.
    texts : mapping
        Inputs that are not numbers.
    unit, method : str
        Unit in which base and contributions add up to the margin, and how the contributions came about.
    base : float
    contributions : array of shape (n_features,) or (0,)
        Empty while the explanation is pending.
    standard_error : array or None
        None where the contributions are exact.
    margin, score, threshold : float
        The sum of base and contributions, the raw score, and what the score was compared with.
    verdict : bool
        The answer that was given; True is the protective side.
    capped_contributions, capped_score : array, float or None
        After the weight caps, where they clipped.
    cap_shares : mapping
        Share of each capped feature before clipping.
    protective : str
        Which side of the threshold protects: `at_or_above` or `below`.
    flags : tuple of str
    """

    model: str
    version: str
    artifact_digest: str
    rulebook_digest: str
    purpose: str
    site: str
    subject: str | None
    caller: str
    feature_names: tuple[str, ...]
    inputs: Array
    unit: str
    method: str
    base: float
    contributions: Array
    margin: float
    score: float
    threshold: float
    verdict: bool
    protective: str
    texts: Mapping[str, str] = field(default_factory=dict)
    standard_error: Array | None = None
    capped_contributions: Array | None = None
    capped_score: float | None = None
    cap_shares: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


_SHARED = (
    *("model", "version", "artifact_digest", "rulebook_digest", "purpose", "site"),
    *("unit", "method", "protective", "feature_names"),
)
_ARRAYS = ("inputs", "contributions", "standard_error", "capped_contributions")
SCALARS = ("base", "margin", "score", "threshold")
"""Numbers of every decision, in their order; after them the score that the caps left, where they clipped."""


def encode_trace(trace: DecisionTrace) -> EncodedTrace:
    """Return a trace as it is sealed; its `.layout` is the body that `decode_trace` needs again.

    Examples
    --------
    >>> trace = DecisionTrace(
    ...     model="m", version="1", artifact_digest="a", rulebook_digest="b", purpose="risk_intervention", site="s",
    ...     subject=None, caller="c", feature_names=("x",), inputs=np.ones(1, np.float32), unit="log-odds",
    ...     method="linear", base=0.5, contributions=np.ones(1, np.float32), margin=1.5, score=0.8, threshold=0.5,
    ...     verdict=True, protective="at_or_above")
    >>> sealed = encode_trace(trace)
    >>> decode_trace(sealed, sealed.layout).inputs.tolist()
    [1.0]
    """
    numbers = {name: getattr(trace, name) for name in _ARRAYS}
    arrays = [(name, _plain(value)) for name, value in numbers.items() if value is not None]
    if trace.cap_shares:
        arrays.append(("cap_shares", np.array(list(trace.cap_shares.values()), "<f8")))
    scalars = [getattr(trace, name) for name in SCALARS]
    if trace.capped_score is not None:
        scalars.append(trace.capped_score)
    body, digest = layout_of(
        tuple(getattr(trace, name) for name in _SHARED),
        tuple(trace.cap_shares),
        trace.capped_score is not None,
        tuple((name, array.dtype.str[1:], array.size) for name, array in arrays),
    )
    tail = {
        "caller": trace.caller,
        "flags": trace.flags,
        "subject": trace.subject,
        "texts": dict(trace.texts),
        "verdict": trace.verdict,
    }
    parts = [digest, struct.pack(f"<{len(scalars)}d", *scalars), *(array.tobytes() for _, array in arrays)]
    encoded = EncodedTrace(b"".join((bytes((FORMAT,)), *parts, orjson.dumps(tail, option=orjson.OPT_SORT_KEYS))))
    encoded.layout = body
    return encoded


def decode_trace(payload: bytes, layout: bytes) -> DecisionTrace:
    """Return the trace that `payload` holds.

    Raises
    ------
    TraceUnreadable
        When the format is unknown, the layout is not the one it was written with, or bytes are missing.
    """
    if layout_digest(payload) != sha256(layout).digest():
        raise TraceUnreadable("it was written with another layout", "它是按另一种布局写入的")
    shape = _shape(layout)
    place = DIGEST_END
    values: dict[str, Any] = {}
    for name in shape["scalars"]:
        values[name], place = struct.unpack_from("<d", payload, place)[0], place + 8
    for name, kind, length in shape["arrays"]:
        array = np.frombuffer(payload, f"<{kind}", length, place)
        values[name], place = array, place + array.nbytes
    tail = orjson.loads(payload[place:])
    shares = dict(zip(shape["cap_names"], values.pop("cap_shares", np.zeros(0)).tolist(), strict=True))
    return DecisionTrace(
        model=shape["model"],
        version=shape["version"],
        artifact_digest=shape["artifact"],
        rulebook_digest=shape["rulebook"],
        purpose=shape["purpose"],
        site=shape["site"],
        unit=shape["unit"],
        method=shape["method"],
        protective=shape["protective"],
        feature_names=tuple(shape["feature_names"]),
        cap_shares=shares,
        subject=tail["subject"],
        caller=tail["caller"],
        texts=tail["texts"],
        verdict=tail["verdict"],
        flags=tuple(tail["flags"]),
        **values,
    )


def layout_digest(payload: bytes) -> bytes:
    """Return the digest of the layout that a payload was written with.

    Raises
    ------
    TraceUnreadable
        When the payload is no trace of a known format.
    """
    if len(payload) < DIGEST_END or payload[0] != FORMAT:
        raise TraceUnreadable(f"it is not of format {FORMAT}", f"其格式不是 {FORMAT}")
    return payload[1:DIGEST_END]


def _plain(array: Array) -> Array:
    if array.dtype == np.float32:
        return np.ascontiguousarray(array, "<f4")
    return np.ascontiguousarray(array, "<f8")


@lru_cache(maxsize=1024)
def layout_of(
    shared: tuple[Any, ...], cap_names: tuple[str, ...], capped: bool, arrays: tuple[tuple[str, str, int], ...]
) -> tuple[bytes, bytes]:
    """Return a layout's body and its SHA-256.

    Parameters
    ----------
    shared : tuple
        Model, version, artifact, rulebook, purpose, site, unit, method, protective side, feature names.
    cap_names : tuple of str
    capped : bool
        Whether there is a score after the caps.
    arrays : tuple of (name, "f4" or "f8", length)
    """
    model, version, artifact, rulebook, purpose, site, unit, method, protective, names = shared
    body = canonical(
        {
            "format": FORMAT,
            "model": model,
            "version": version,
            "artifact": artifact,
            "rulebook": rulebook,
            "purpose": purpose,
            "site": site,
            "unit": unit,
            "method": method,
            "protective": protective,
            "feature_names": names,
            "cap_names": cap_names,
            "scalars": [*SCALARS, "capped_score"] if capped else list(SCALARS),
            "arrays": arrays,
        }
    )
    return body, sha256(body).digest()


@lru_cache(maxsize=1024)
def _shape(layout: bytes) -> dict[str, Any]:
    shape: dict[str, Any] = json.loads(layout)
    return shape
