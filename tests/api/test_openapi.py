"""Requests made up from the OpenAPI document, good and bad, about what is there and what is not: none breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from starlette.testclient import TestClient

from policies.roles import Role
from tests.api.doors import Doors, open_doors
from tests.api.test_roles_matrix import TABLE
from tests.governance.factories import a_house

ENDS_ITS_TOKEN = ("/v1/sessions", "/v1/me/password", "/v1/me/tokens/{token}", "/v1/people/{user}")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A house of its own: what is asked of it changes it."""
    with a_house(tmp_path_factory.mktemp("fuzzed") / "house") as house:
        yield open_doors(house)


def asker(method: str, path: str) -> Role | None:
    """Somebody who gets past the door: further in there is more to break."""
    expected = TABLE[method, path]
    return None if expected.public else min(expected.roles or {Role.DSO}, key=lambda role: role.value)


def request_of(doors: Doors, case: Any, role: Role | None) -> Any:
    """Send one made-up request."""
    headers = {str(name): str(value) for name, value in (case.headers or {}).items()}
    if role is not None:
        token = doors.tokens[role, "everywhere"]
        if case.path in ENDS_ITS_TOKEN:
            token = doors.house.service.people.new_token(doors.people[role, "everywhere"].name)
        headers["Authorization"] = f"Bearer {token}"
    made = case.as_transport_kwargs(base_url="http://testserver", headers=headers)
    client: TestClient = doors.client
    known = ("method", "url", "params", "headers", "json", "data", "files")
    made = {name: value for name, value in made.items() if name in known and value is not None}
    if "files" in made:  # a form's file is bytes, whatever else was made up for it
        made["files"] = [(name, _as_file(value)) for name, value in _pairs(made["files"])]
    if isinstance(made.get("data"), str | bytes):
        made["content"] = made.pop("data")
    return client.request(**made)


def _pairs(files: Any) -> list[tuple[str, Any]]:
    return list(files.items()) if isinstance(files, dict) else list(files)


def _as_file(value: Any) -> Any:
    named = isinstance(value, tuple)
    content = value[1] if named else value
    content = content if isinstance(content, str | bytes) else str(content)
    return (value[0] or "file", content, *value[2:]) if named else content


def hold(doors: Doors, method: str, path: str, examples: int) -> None:
    """Ask one address many times over."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", doors.client.app)
    operation = schema[path][method.upper()]
    role = asker(method, path)
    both = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=both, of_what_is_there=st.booleans())
    def ask(case: Any, of_what_is_there: bool) -> None:
        if of_what_is_there:  # a made-up id leads no further than to a 404
            known = doors.there()
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        answer = request_of(doors, case, role)
        assert answer.status_code < 500, (answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert answer.json()["status"] == answer.status_code

    ask()


@pytest.mark.parametrize(("method", "path"), sorted(TABLE), ids=lambda part: part)
def test_nothing_asked_breaks_the_service(fuzzed: Doors, method: str, path: str) -> None:
    hold(fuzzed, method, path, 4)


@pytest.mark.long
@pytest.mark.parametrize(("method", "path"), sorted(TABLE), ids=lambda part: part)
def test_nothing_asked_at_length_breaks_the_service(fuzzed: Doors, method: str, path: str) -> None:
    hold(fuzzed, method, path, 300)
