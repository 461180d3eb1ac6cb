"""Rows that many entries share: models, contexts, layouts. Written once, then remembered by number."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from audit.canonical import canonical
from audit.database import Writer
from audit.entries import Draft
from audit.seal import Context, HeaderForm


class Shared(NamedTuple):
    """Numbers of an entry's context and model, and the form of its header."""

    context: int
    model: int | None
    form: HeaderForm


class SharedRows:
    """Finds or writes shared rows within the transaction that is open on `writer`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._known: dict[tuple[str | None, ...], Shared] = {}
        self._layouts: dict[int, bytes] = {}

    def forget(self) -> None:
        """Believe nothing remembered: what was written may have been undone."""
        self._known.clear()
        self._layouts.clear()

    def of(self, draft: Draft, source: str) -> Shared:
        """Return the shared rows of a draft; its layout is kept too."""
        layout = draft.shared_layout
        if layout is not None:
            self.keep_layout(layout)
        key = (
            *(source, draft.model, draft.version, draft.artifact_digest),
            *(draft.rulebook_digest, draft.site, draft.kind),
        )
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._written(Context(source, *key[1:6]), draft.kind)
        return known

    def _written(self, context: Context, kind: str) -> Shared:
        digest = sha256(canonical(context.fields())).digest()
        form = HeaderForm(context, kind)
        found = self._writer.rows("SELECT number, model FROM log_contexts WHERE digest = ?", digest)
        if found:
            return Shared(found[0][0], found[0][1], form)
        model = None if context.model is None else self._model(context.model)
        number = self._next("log_contexts")
        columns = ("number", "digest", "source", "model", "version", "artifact", "rulebook", "site")
        row = (
            *(number, digest, context.source, model, context.version),
            *(_raw(context.artifact_digest), _raw(context.rulebook_digest), context.site),
        )
        self._writer.insert("log_contexts", columns, [row])
        return Shared(number, model, form)

    def _model(self, name: str) -> int:
        found = self._writer.rows("SELECT number FROM log_models WHERE name = ?", name)
        if found:
            return int(found[0][0])
        number = self._next("log_models")
        self._writer.insert("log_models", ("number", "name"), [(number, name)])
        return number

    def keep_layout(self, body: bytes) -> None:
        """Keep a layout, unless it is kept already."""
        if id(body) in self._layouts:
            return
        digest = sha256(body).digest()
        if not self._writer.rows("SELECT 1 FROM log_layouts WHERE digest = ?", digest):
            self._writer.insert("log_layouts", ("digest", "body"), [(digest, body)])
        if len(self._layouts) > 1000:
            self._layouts.clear()
        self._layouts[id(body)] = body  # holding the object keeps its id from being given to another

    def _next(self, table: str) -> int:
        return int(self._writer.rows(f"SELECT coalesce(max(number), 0) + 1 FROM {table}")[0][0])


def _raw(digest: str | None) -> bytes | None:
    return None if digest is None else bytes.fromhex(digest)
