"""Data and models that several checks are tried on, made once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from explainers.predictor import Predictor
from tests.audit.checks import real_data
from tests.audit.checks.factories import trained

Split = tuple[pd.DataFrame, pd.DataFrame, list[str]]


@pytest.fixture(scope="session")
def epa(shared_data: Path) -> Split:
    """Chemical releases, split at 2015."""
    return real_data.epa(shared_data)


@pytest.fixture(scope="session")
def epa_model(epa: Split) -> Predictor:
    """A sound model of the releases."""
    return trained(epa[0], epa[2], "harmed", n_estimators=200, max_depth=4, learning_rate=0.05)


@pytest.fixture(scope="session")
def seismic(shared_data: Path) -> Split:
    """Shifts in a coal mine."""
    return real_data.seismic(shared_data)


@pytest.fixture(scope="session")
def injury() -> Split:
    """Compensation claims."""
    return real_data.injury()


@pytest.fixture(scope="session")
def injury_model(injury: Split) -> Predictor:
    """A sound model of the claims, without age."""
    return trained(injury[0], injury[2], "off_long")
