"""The common call, read in one step and answered in its caller's words: MLflow's forms, and tensors.

Only numbers under names or in the model's order are read here. Whatever else a body may hold, a fault included, is
left to the ordinary readers, so that there is one meaning and two speeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import orjson
from msgspec import UNSET, UnsetType

from api.invocations import PARAMS, answer_of, status_of_answer
from api.open_inference import answer_inference, read_inference, status_of_inference
from audit.decided import Decided
from audit.served_model import ServedModel
from governance.callers_rows import NamedRows
from policies.errors import Malformed

HEARD = frozenset(
    (
        *(b"authorization", b"x-mingjing-purpose", b"accept-language", b"content-length", b"content-encoding"),
        *(b"idempotency-key", b"inference-header-content-length"),
    )
)
"""Headers that mean something here."""

Cell = float | None


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came: where to, the headers of `HEARD`, and its whole body."""

    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered: a status, a body and its type, and what else its header says."""

    status: int
    body: bytes
    kind: bytes = b"application/json"
    more: tuple[tuple[bytes, bytes], ...] = ()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the answer."""
        found = [
            (b"content-type", self.kind),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *self.more,
        ]
        if self.status == 401:
            found.append((b"www-authenticate", b"Bearer"))
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was understood: its model and rows, the persons concerned, and how what was decided is said."""

    model: str
    rows: NamedRows
    subjects: Sequence[object] | None
    say: Callable[[ServedModel, Decided], Said]


def is_common(path: str) -> bool:
    """Return whether calls to an address may be common ones."""
    return _place_of(path) is not None


def read_call(call: Call) -> Asked | None:
    """Return what a call asks; None where the ordinary readers have to look at it."""
    place = _place_of(call.path)
    if place is None or call.headers.get(b"content-encoding", b"identity") != b"identity":
        return None
    model, read = place
    return read(model, call)


class _Split(msgspec.Struct):
    columns: tuple[str, ...]
    data: list[list[Cell]]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    dataframe_split: _Split | UnsetType = UNSET
    dataframe_records: list[dict[str, Cell]] | UnsetType = UNSET
    instances: list[list[Cell] | dict[str, Cell]] | UnsetType = UNSET
    inputs: list[list[Cell] | dict[str, Cell]] | dict[str, list[Cell]] | UnsetType = UNSET
    params: dict[str, Any] | None = None
    subjects: list[str | int | None] | None = None


_DECODER = msgspec.json.Decoder(_Body)


def _scoring(model: str, call: Call) -> Asked | None:
    """Read a body of MLflow's scoring protocol."""
    try:
        body = _DECODER.decode(call.body)
        rows = _rows(body)
    except (msgspec.MsgspecError, ValueError):
        return None
    params = body.params or {}
    if not params.keys() <= set(PARAMS):
        return None
    wanted = params.get("contributions") is True or b"contributions=true" in call.query

    def say(_served: ServedModel, decided: Decided) -> Said:
        document = answer_of(decided, contributions=wanted)
        return Said(status_of_answer(document), orjson.dumps(document))

    return Asked(model, rows, body.subjects, say)


def _tensors(model: str, call: Call) -> Asked | None:
    """Read a body of the Open Inference Protocol."""
    length = call.headers.get(b"inference-header-content-length")
    try:
        asked = read_inference(call.body, None if length is None else length.decode("latin-1"))
    except Malformed:
        return None
    if not isinstance(asked.rows, NamedRows):
        return None

    def say(served: ServedModel, decided: Decided) -> Said:
        body, head = answer_inference(asked, decided, served)
        status = status_of_inference(decided)
        if head is None:
            return Said(status, body)
        return Said(
            status,
            body,
            b"application/octet-stream",
            ((b"inference-header-content-length", str(head).encode()),),
        )

    return Asked(model, asked.rows, asked.subjects, say)


_PLACES = (
    ("/v1/models/", "/invocations", _scoring),
    ("/endpoints/", "/invocations", _scoring),
    ("/v2/models/", "/infer", _tensors),
)


def _place_of(path: str) -> tuple[str, Callable[[str, Call], Asked | None]] | None:
    """Return the model that an address names and who reads what comes there; None for any other address."""
    for prefix, suffix, read in _PLACES:
        if path.startswith(prefix) and path.endswith(suffix):
            model = path[len(prefix) : -len(suffix)]
            return None if "/" in model or not model else (model, read)
    return None


def _rows(body: _Body) -> NamedRows:
    """Return the rows of the one form there is. Raises ValueError for none, for two, and for what is no table."""
    forms = [
        form
        for form in (body.dataframe_split, body.dataframe_records, body.instances, body.inputs)
        if not isinstance(form, UnsetType)
    ]
    if len(forms) != 1:
        raise ValueError("not one form")
    (form,) = forms
    if isinstance(form, _Split):
        return _table(form.columns, form.data)
    if isinstance(form, dict):
        return _table(tuple(form), list(zip(*form.values(), strict=True)))
    if form and isinstance(form[0], dict):
        names = tuple(form[0])
        if any(tuple(row) != names for row in form):
            raise ValueError("not the same columns in every row")
        return _table(names, [list(row.values()) for row in form if isinstance(row, dict)])
    return _table(None, form)


def _table(names: tuple[str, ...] | None, data: Any) -> NamedRows:
    """Return rows as a matrix. Raises ValueError when they are ragged or columns repeat."""
    matrix = np.array(data, dtype=np.float64)
    if matrix.ndim != 2 or (names is not None and not matrix.shape[1] == len(names) == len(set(names))):
        raise ValueError("not a table")
    return NamedRows(names, matrix)
