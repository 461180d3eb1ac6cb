"""A decision keeps every bit through its sealed form."""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audit.trace import DecisionTrace, TraceUnreadable, decode_trace, encode_trace
from tests.audit.logs import a_trace

FLOATS = st.floats(width=64)
WIDTHS = st.sampled_from([np.float32, np.float64])


@st.composite
def traces(draw: st.DrawFn) -> DecisionTrace:
    count = draw(st.integers(0, 6))
    kind = draw(WIDTHS)
    column = arrays(kind, count)
    names = draw(st.lists(st.text(min_size=1, max_size=5), min_size=count, max_size=count, unique=True))
    clipped = draw(st.booleans())
    return a_trace(
        feature_names=tuple(names),
        inputs=draw(column),
        contributions=draw(column | arrays(kind, 0)),
        standard_error=draw(st.none() | column),
        base=draw(FLOATS),
        margin=draw(FLOATS),
        score=draw(FLOATS),
        threshold=draw(FLOATS),
        verdict=draw(st.booleans()),
        subject=draw(st.none() | st.text()),
        texts=draw(st.dictionaries(st.text(), st.text(), max_size=2)),
        cap_shares={name: draw(FLOATS) for name in names[:2]},
        capped_contributions=draw(column) if clipped else None,
        capped_score=draw(FLOATS) if clipped else None,
        flags=draw(st.sampled_from([(), ("capped",)])),
    )


def the_same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, float) and isinstance(other, float):
        return np.float64(one).tobytes() == np.float64(other).tobytes()
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(the_same(one[key], other[key]) for key in one)
    return one == other


class TestTrace:
    @given(traces())
    def test_it_comes_back_to_the_bit(self, trace: DecisionTrace) -> None:
        encoded = encode_trace(trace)
        read = decode_trace(bytes(encoded), encoded.layout)
        differing = [field.name for field in fields(trace) if not _same_field(trace, read, field.name)]
        assert differing == []

    def test_names_are_kept_once(self) -> None:
        names = tuple(f"a rather long name of a sensor {number}" for number in range(60))
        many = np.linspace(0, 1, 60, dtype=np.float32)
        one, other = (
            encode_trace(a_trace(feature_names=names, inputs=many * factor, contributions=many))
            for factor in (np.float32(1), np.float32(2))
        )
        assert one.layout == other.layout
        assert len(one) < 480 + 160

    def test_another_layout_is_refused(self) -> None:
        encoded = encode_trace(a_trace())
        with pytest.raises(TraceUnreadable, match="it was written with another layout"):
            decode_trace(encoded, encoded.layout + b" ")

    @pytest.mark.parametrize("payload", [b"", b"\x01", b"\x02" + bytes(40)])
    def test_what_is_no_trace_is_refused(self, payload: bytes) -> None:
        with pytest.raises(TraceUnreadable, match="it is not of format 1"):
            decode_trace(payload, b"{}")

    def test_a_sample_that_must_stay_readable(self) -> None:
        """A payload of format 1, as the first release wrote it."""
        layout = (
            b'{"arrays":[["inputs","f4",1],["contributions","f4",1]],"artifact":"a","cap_names":[],'
            b'"feature_names":["x"],"format":1,"method":"linear","model":"m","protective":"at_or_above",'
            b'"purpose":"risk_intervention","rulebook":"b","scalars":["base","margin","score","threshold"],'
            b'"site":"s","unit":"log-odds","version":"1"}'
        )
        trace = a_trace(
            model="m",
            version="1",
            artifact_digest="a",
            rulebook_digest="b",
            site="s",
            subject=None,
            caller="c",
            feature_names=("x",),
            inputs=np.array([1.0], np.float32),
            contributions=np.array([2.0], np.float32),
            method="linear",
            base=0.5,
            margin=2.5,
            score=0.75,
            threshold=0.5,
        )
        encoded = encode_trace(trace)
        assert encoded.layout == layout
        assert encoded[:33] == b"\x01" + sha256(layout).digest()
        assert (
            encoded[33:].hex()
            == ("000000000000e03f0000000000000440000000000000e83f000000000000e03f0000803f00000040")
            + b'{"caller":"c","flags":[],"subject":null,"texts":{},"verdict":true}'.hex()
        )


def _same_field(one: DecisionTrace, other: DecisionTrace, name: str) -> bool:
    return the_same(getattr(one, name), getattr(other, name))
