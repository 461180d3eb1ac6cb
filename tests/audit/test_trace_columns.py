"""Decisions that are sealed together have the bytes they would have alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audit.trace import DecisionTrace, decode_trace, encode_trace
from audit.trace_columns import TraceColumns, encode_columns
from tests.audit.logs import a_trace

FLOATS = st.floats(width=64)
SMALL = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def columns(draw: st.DrawFn) -> TraceColumns:
    rows, features = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    shape = (rows, features)
    caps = draw(st.integers(0, min(2, features)))
    capped = draw(st.booleans())
    names = tuple(f"sensor {number}" for number in range(features))
    given: dict[str, Any] = {
        name: getattr(a_trace(), name)
        for name in ("model", "version", "artifact_digest", "rulebook_digest", "purpose", "site", "unit", "method")
    }
    return TraceColumns(
        **given,
        caller=draw(st.text(min_size=1, max_size=4)),
        protective="below",
        threshold=draw(FLOATS),
        feature_names=names,
        subjects=draw(st.none() | st.lists(st.none() | st.text(max_size=4), min_size=rows, max_size=rows)),
        inputs=draw(arrays(np.float64, shape, elements=FLOATS | SMALL)),
        contributions=draw(st.none() | arrays(np.float64, shape, elements=SMALL)),
        standard_error=draw(st.none() | arrays(np.float64, shape, elements=SMALL)),
        bases=draw(arrays(np.float64, rows)),
        margins=draw(arrays(np.float64, rows)),
        scores=draw(arrays(np.float64, rows)),
        verdicts=draw(arrays(np.bool_, rows)),
        flags=draw(
            st.lists(st.sampled_from([(), ("capped",), ("capped", "handed_over")]), min_size=rows, max_size=rows)
        ),
        clipped=draw(arrays(np.bool_, rows)) if capped else np.zeros(rows, np.bool_),
        capped_contributions=draw(arrays(np.float64, shape, elements=SMALL)) if capped else None,
        capped_scores=draw(arrays(np.float64, rows)),
        cap_names=names[:caps],
        cap_shares=draw(arrays(np.float64, (rows, caps))),
    )


def the_one(told: TraceColumns, row: int) -> DecisionTrace:
    """One row of the columns as a trace of its own."""
    with np.errstate(over="ignore"):
        narrow = told.inputs[row].astype(np.float32)
    lossless = ((narrow == told.inputs[row]) | np.isnan(told.inputs[row])).all()
    clipped = bool(told.clipped[row]) and told.capped_contributions is not None
    return DecisionTrace(
        model=told.model,
        version=told.version,
        artifact_digest=told.artifact_digest,
        rulebook_digest=told.rulebook_digest,
        purpose=told.purpose,
        site=told.site,
        subject=None if told.subjects is None else told.subjects[row],
        caller=told.caller,
        feature_names=told.feature_names,
        inputs=narrow if lossless else told.inputs[row],
        unit=told.unit,
        method=told.method,
        base=float(told.bases[row]),
        contributions=_narrow(told.contributions, row) if told.contributions is not None else np.zeros(0, np.float32),
        standard_error=_narrow(told.standard_error, row) if told.standard_error is not None else None,
        margin=float(told.margins[row]),
        score=float(told.scores[row]),
        threshold=told.threshold,
        verdict=bool(told.verdicts[row]),
        protective=told.protective,
        capped_contributions=_narrow(told.capped_contributions, row) if clipped else None,
        capped_score=float(told.capped_scores[row]) if clipped else None,
        cap_shares=dict(zip(told.cap_names, told.cap_shares[row].tolist(), strict=True)),
        flags=told.flags[row],
    )


def _narrow(column: Any, row: int) -> Any:
    return column[row].astype(np.float32)


class TestColumns:
    @given(columns())
    def test_every_row_is_sealed_as_it_would_be_alone(self, told: TraceColumns) -> None:
        payloads, layouts = encode_columns(told)
        alone = [encode_trace(the_one(told, row)) for row in range(len(told.margins))]
        assert payloads == [bytes(one) for one in alone]
        assert layouts == [one.layout for one in alone]

    @given(columns())
    def test_what_the_model_saw_comes_back_to_the_bit(self, told: TraceColumns) -> None:
        for row, (payload, layout) in enumerate(zip(*encode_columns(told), strict=True)):
            read = decode_trace(payload, layout).inputs.astype(np.float64)
            assert np.array_equal(read, told.inputs[row], equal_nan=True)
