"""Many decisions of one model, sealed together: the bytes of `audit.trace`, written a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from audit.trace import FORMAT, SCALARS, layout_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceColumns:
    """What `DecisionTrace` says of one decision, said of many that share model, rules, caller and method.

    Parameters
    ----------
    subjects : sequence of str or None, or None
        One per row; None where no row has one.
    inputs : array of shape (n_rows, n_features)
        Kept as float32 in the rows where that loses nothing, so that replay starts from the same bits.
    contributions, standard_error : arrays of shape (n_rows, n_features)
        `contributions` is None while the explanations are pending, `standard_error` where they are exact.
    bases, margins, scores : arrays of shape (n_rows,)
    clipped : bool array of shape (n_rows,)
        Where the weight caps clipped: the rows of `capped_contributions` and `capped_scores` that are kept.
    cap_shares : array of shape (n_rows, n_caps)
        In the order of `cap_names`.
    """

    model: str
    version: str
    artifact_digest: str
    rulebook_digest: str
    purpose: str
    site: str
    caller: str
    subjects: Sequence[str | None] | None
    feature_names: tuple[str, ...]
    inputs: Floats
    unit: str
    method: str
    protective: str
    bases: Floats
    contributions: Floats | None
    standard_error: Floats | None
    margins: Floats
    scores: Floats
    threshold: float
    verdicts: Bools
    flags: Sequence[tuple[str, ...]]
    clipped: Bools
    capped_contributions: Floats | None
    capped_scores: Floats
    cap_names: tuple[str, ...]
    cap_shares: Floats


@dataclass(frozen=True, eq=False)
class _Form:
    """How rows of one layout begin, which is the same for all, and the layout that says how they go on."""

    layout: bytes
    head: bytes


def encode_columns(columns: TraceColumns) -> tuple[list[bytes], list[bytes]]:
    """Return the payload and the layout of every row: byte for byte what `audit.trace.encode_trace` gives for it."""
    with np.errstate(over="ignore"):
        return _in_kinds(columns)


def _in_kinds(columns: TraceColumns) -> tuple[list[bytes], list[bytes]]:
    """Seal rows of one kind together: those kept narrow or wide, clipped or not. Mostly all are of one."""
    narrow = columns.inputs.astype("<f4")
    lossless = ((narrow == columns.inputs) | np.isnan(columns.inputs)).all(axis=1)
    kinds = lossless + 2 * columns.clipped
    if (kinds == kinds[:1]).all():
        inputs = narrow if lossless[:1].any() else columns.inputs
        return _sealed(columns, slice(None), inputs, clipped=bool(columns.clipped[:1].any()))
    payloads, layouts = [b""] * len(kinds), [b""] * len(kinds)
    for kind in np.unique(kinds):
        at = np.flatnonzero(kinds == kind)
        inputs = narrow[at] if kind & 1 else columns.inputs[at]
        found = _sealed(columns, at, inputs, clipped=bool(kind & 2))
        for place, payload, layout in zip(at.tolist(), *found, strict=True):
            payloads[place], layouts[place] = payload, layout
    return payloads, layouts


def _sealed(
    columns: TraceColumns, at: slice | npt.NDArray[np.intp], inputs: npt.NDArray[Any], *, clipped: bool
) -> tuple[list[bytes], list[bytes]]:
    """Seal the rows `at`, which share a layout."""
    form = _form(
        (
            *(columns.model, columns.version, columns.artifact_digest, columns.rulebook_digest, columns.purpose),
            *(columns.site, columns.unit, columns.method, columns.protective, columns.feature_names),
        ),
        columns.cap_names,
        clipped,
        inputs.dtype.str[1:],
        columns.contributions is not None,
        columns.standard_error is not None,
    )
    # one part of every row after the other, in the order of the layout: scalars first, then its arrays
    scalars = np.empty((len(inputs), len(SCALARS) + clipped), "<f8")
    scalars[:, 0], scalars[:, 1] = columns.bases[at], columns.margins[at]
    scalars[:, 2], scalars[:, 3] = columns.scores[at], columns.threshold
    parts = [scalars, inputs]
    if columns.contributions is not None:
        parts.append(columns.contributions[at].astype("<f4"))
    if columns.standard_error is not None:
        parts.append(columns.standard_error[at].astype("<f4"))
    if clipped and columns.capped_contributions is not None:
        scalars[:, -1] = columns.capped_scores[at]
        parts.append(columns.capped_contributions[at].astype("<f4"))
    if columns.cap_names:
        parts.append(columns.cap_shares[at].astype("<f8"))
    raw = np.concatenate([np.ascontiguousarray(part).view(np.uint8) for part in parts], axis=1)
    rows, width, head = raw.tobytes(), raw.shape[1], form.head
    starts = range(0, len(rows), width)
    tails = _tails(columns, at)
    payloads = [head + rows[start : start + width] + tail for start, tail in zip(starts, tails, strict=True)]
    return payloads, [form.layout] * len(payloads)


def _tails(columns: TraceColumns, at: slice | npt.NDArray[np.intp]) -> list[bytes]:
    """The part of every payload that is text."""
    caller = b'{"caller":' + orjson.dumps(columns.caller) + b',"flags":'
    places = range(len(columns.margins))[at] if isinstance(at, slice) else at.tolist()
    verdicts = columns.verdicts.tolist()
    known: dict[tuple[str, ...], bytes] = {}
    tails = []
    for place in places:
        words = columns.flags[place]
        before = known.get(words)
        if before is None:
            before = known[words] = caller + orjson.dumps(words) + b',"subject":'
        subject = b"null" if columns.subjects is None else orjson.dumps(columns.subjects[place])
        tails.append(before + subject + (_ALARM if verdicts[place] else _QUIET))
    return tails


_ALARM, _QUIET = b',"texts":{},"verdict":true}', b',"texts":{},"verdict":false}'


@lru_cache(maxsize=1024)
def _form(
    shared: tuple[Any, ...],
    cap_names: tuple[str, ...],
    clipped: bool,
    width: str,
    explained: bool,
    with_error: bool,
) -> _Form:
    features = len(shared[-1])
    arrays = [("inputs", width, features), ("contributions", "f4", features if explained else 0)]
    if with_error:
        arrays.append(("standard_error", "f4", features))
    if clipped:
        arrays.append(("capped_contributions", "f4", features))
    if cap_names:
        arrays.append(("cap_shares", "f8", len(cap_names)))
    body, digest = layout_of(shared, cap_names, clipped, tuple(arrays))
    return _Form(body, bytes((FORMAT,)) + digest)
