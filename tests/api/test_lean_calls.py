"""Common calls are read in one step, and mean what the ordinary readers make of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.invocations import read_invocation
from api.lean_calls import Call, is_common, read_call
from explainers.matrix import as_matrix
from governance.callers_rows import NamedRows
from policies.errors import Malformed
from tests.governance.factories import SENSORS

PATH = "/v1/models/gas-leak/invocations"


def read(body: Any, path: str = PATH, **headers: str) -> Any:
    """Read a body as the lean road does."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    heard = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return read_call(Call(path, b"", heard, sent))


def matrix_or_refusal(rows: Any) -> str:
    """What the model would see of rows, or why it does not, in comparable words."""
    try:
        return repr(as_matrix(rows, SENSORS).tolist())
    except Malformed as refused:
        return repr(refused.says)


CELLS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-(2**53), 2**53))
STRANGE = st.one_of(CELLS, st.booleans(), st.text(max_size=2), st.lists(CELLS, max_size=2))
NAMES = st.lists(st.sampled_from([*SENSORS, "humidity"]), min_size=1, max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A body of any form, now and then with a fault in it."""
    cells = draw(st.sampled_from([CELLS, CELLS, STRANGE]))
    rows = st.lists(st.lists(cells, min_size=1, max_size=3), max_size=3)
    records = st.lists(st.dictionaries(st.sampled_from([*SENSORS, "humidity"]), cells, max_size=3), max_size=3)
    named = st.dictionaries(st.sampled_from([*SENSORS, "humidity"]), st.lists(cells, max_size=3), max_size=3)
    split = st.fixed_dictionaries({"columns": NAMES, "data": rows})
    forms = {"dataframe_split": split, "dataframe_records": records, "instances": rows | records}
    form = draw(st.sampled_from([*forms, "inputs"]))
    return {form: draw(forms.get(form, rows | records | named))}


class TestReading:
    @given(bodies())
    def test_means_what_the_ordinary_reader_makes_of_it(self, body: dict[str, Any]) -> None:
        asked = read(body)
        if asked is None:
            return
        ordinary = read_invocation(orjson.loads(json.dumps(body))).rows
        assert matrix_or_refusal(asked.rows.for_model(SENSORS)) == matrix_or_refusal(ordinary)

    @pytest.mark.parametrize(
        "body",
        [
            {"dataframe_split": {"columns": list(SENSORS[::-1]), "data": [[100.0, 20.0], [None, 21]]}},
            {"dataframe_records": [{"pressure": 100, "temperature": 20}, {"pressure": None, "temperature": 21}]},
            {"instances": [{"temperature": 20, "pressure": 100}, {"temperature": 21, "pressure": None}]},
            {"instances": [[20, 100], [21, None]]},
            {"inputs": [[20, 100], [21, None]]},
            {"inputs": {"pressure": [100, None], "temperature": [20, 21]}},
        ],
        ids=["split", "records", "named instances", "instances", "inputs", "named inputs"],
    )
    def test_takes_every_form(self, body: dict[str, Any]) -> None:
        asked = read(body)
        np.testing.assert_array_equal(asked.rows.for_model(SENSORS), [[20.0, 100.0], [21.0, np.nan]])

    def test_takes_no_encoded_body(self) -> None:
        body = {"inputs": [[20, 100]]}
        assert read(body, content_encoding="identity") is not None
        assert read(body, content_encoding="gzip") is None

    def test_leaves_tensors_of_text_to_the_ordinary_reader(self) -> None:
        texts = {"name": "shift", "shape": [1], "datatype": "BYTES", "data": ["night"]}
        number = {"name": "temperature", "shape": [1], "datatype": "FP64", "data": [20.0]}
        assert read({"inputs": [number]}, "/v2/models/gas-leak/infer") is not None
        assert read({"inputs": [texts, number]}, "/v2/models/gas-leak/infer") is None


class TestAddress:
    @pytest.mark.parametrize(
        ("path", "common"),
        [
            (PATH, True),
            ("/endpoints/gas-leak/invocations", True),
            ("/v2/models/gas-leak/infer", True),
            ("/v2/models/gas-leak/versions/1/infer", False),
            ("/v1/models//invocations", False),
            ("/v1/models/invocations", False),
            ("/v1/models/gas-leak/suspend", False),
        ],
    )
    def test_of_a_common_call(self, path: str, *, common: bool) -> None:
        assert is_common(path) is common


class TestOrder:
    def test_of_columns_does_not_matter(self) -> None:
        turned = NamedRows(("b", "a"), np.array([[2.0, 1.0]]))
        assert np.asarray(turned.for_model(("a", "b"))).tolist() == [[1.0, 2.0]]

    def test_other_columns_keep_their_names(self) -> None:
        frame = NamedRows(("a", "label"), np.array([[1.0, 0.0]])).for_model(("a",))
        assert list(getattr(frame, "columns", ())) == ["a", "label"]
