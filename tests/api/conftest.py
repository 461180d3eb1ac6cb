"""The doors of one house, opened once; tests that change it open their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.doors import Doors, open_doors
from tests.governance.factories import House, a_house


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A house that tests only ask."""
    with a_house(tmp_path_factory.mktemp("doors") / "house") as house:
        yield open_doors(house)


@pytest.fixture
def own_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A house that a test may change."""
    with a_house(tmp_path_factory.mktemp("own-doors") / "house") as house:
        yield open_doors(house)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A real service with nothing in it."""
    with a_house(tmp_path / "house") as made:
        yield made
