"""Bundles: what is packed comes back, and nothing else is believed."""

from __future__ import annotations

import json

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.bundle import FORMAT, TYPES, NotPortable, pack, unpack

ARRAYS = st.dictionaries(
    st.text(max_size=5),
    st.sampled_from(TYPES).flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))),
    max_size=4,
)


class TestPack:
    """Arrays and words to bytes."""

    @given(ARRAYS)
    def test_comes_back_bit_by_bit(self, arrays: dict[str, np.ndarray]) -> None:
        again, said = unpack(pack(arrays, {"kind": "scores", "n": 3}))
        assert said == {"kind": "scores", "n": 3}
        assert list(again) == list(arrays)
        for name, array in arrays.items():
            assert (again[name].dtype, again[name].shape) == (array.dtype, array.shape)
            assert again[name].tobytes() == array.tobytes()

    def test_objects_are_not_packed(self) -> None:
        with pytest.raises(TypeError, match="names is object; bundles hold <f8, <i4, <u4"):
            pack({"names": np.array(["a", None], dtype=object)}, {})


def a_bundle(arrays: object, body: bytes = b"", said: object = None) -> bytes:
    """A bundle whose header says whatever it likes."""
    header = json.dumps({"arrays": arrays, "said": said or {}}).encode()
    return FORMAT + len(header).to_bytes(8, "little") + header + body


class TestUnpack:
    """What a hostile worker could send."""

    @pytest.mark.parametrize(
        ("raw", "because"),
        [
            (b"", "it does not start like one"),
            (b"\x80\x04.", "it does not start like one"),
            (FORMAT + (1 << 60).to_bytes(8, "little"), "it does not start like one"),
            (FORMAT + (5).to_bytes(8, "little") + b"hello", "its header cannot be read"),
            (a_bundle(7), "its header cannot be read"),
            (a_bundle([["a", "|O", [1]]], bytes(8)), "a has no array type"),
            (a_bundle([["a", "<f8", [-1]]], bytes(8)), "a has no array type"),
            (a_bundle([["a", "<f8", [True]]], bytes(8)), "a has no array type"),
            (a_bundle([["a", "<f8", [1, 1, 1, 1]]], bytes(8)), "a has no array type"),
            (a_bundle([["a", "<f8", [1 << 40, 1 << 40]]], bytes(8)), "a is cut off"),
            (a_bundle([["a", "<f8", [2]]], bytes(15)), "a is cut off"),
        ],
    )
    def test_refused(self, raw: bytes, because: str) -> None:
        with pytest.raises(NotPortable, match=f"the worker handed back no readable model: {because}"):
            unpack(raw)

    @given(st.binary(max_size=100), st.booleans())
    def test_any_bytes(self, raw: bytes, start: bool) -> None:
        with pytest.raises(NotPortable):
            unpack((FORMAT if start else b"") + raw)
