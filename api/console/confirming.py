"""The second step before what binds: it says what will happen, and only its button does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request, Response
from starlette.datastructures import FormData

from api.console.pages import page


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is asked once more, in the reader's language.

    `fields` are what was typed and goes along; `facts` what the reader should see before he goes on.
    """

    title: str
    does: str
    give: str
    address: str
    back: str
    fields: Mapping[str, str]
    facts: Sequence[tuple[str, str]] = ()
    danger: bool = False


def was_confirmed(form: FormData) -> bool:
    """Whether a form comes from the second step."""
    return form.get("step") == "give"


def second_step(request: Request, step: Step) -> Response:
    """Return the page that asks once more; nothing has happened yet."""
    return page(request, "confirm.html", step=step)
