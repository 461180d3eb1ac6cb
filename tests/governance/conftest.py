"""A fresh house for each test; the slow examination of its small submissions happens once in a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.governance.factories import House, a_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A real service with nothing in it."""
    with a_house(tmp_path / "house") as made:
        yield made
