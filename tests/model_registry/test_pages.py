"""The pages for ML teams say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model_registry.limits import Limits
from model_registry.mlflow_store import OWN_FIELDS, PREFIX
from model_registry.sniffing import NATIVE, NotItsFlavour, RunsCode
from policies.declaration import (
    DATA_KEYS,
    FEATURE_KEYS,
    MODEL_KEYS,
    SOURCE_KEYS,
    TABLES,
    USE_KEYS,
    Flavour,
    Protective,
    Task,
    read_declaration,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"
SUBMITTING = (DOCS / "submitting.md").read_text(encoding="utf-8")
MLFLOW = (DOCS / "mlflow.md").read_text(encoding="utf-8")


def rows_of(heading: str) -> set[str]:
    """The first cells of the table under a heading."""
    section = SUBMITTING.split(f"### `{heading}`", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `(\w+)` ", section, re.MULTILINE))


class TestSubmitting:
    """docs/submitting.md."""

    def test_the_example_is_understood_and_whole(self) -> None:
        example = re.search(r"```toml\n(.*?)```", SUBMITTING, re.DOTALL)
        assert example is not None
        declared = read_declaration(example[1])
        assert declared.model.name == "chemical-release-harm"
        named = set(re.findall(r"^(\w+) =", example[1], re.MULTILINE))
        assert named >= (MODEL_KEYS | USE_KEYS | FEATURE_KEYS | DATA_KEYS) - {"prediction"}

    @pytest.mark.parametrize(
        ("heading", "keys"),
        [("[model]", MODEL_KEYS), ("[use]", USE_KEYS), ("[data]", DATA_KEYS), ("[features.NAME]", FEATURE_KEYS)],
    )
    def test_every_key_has_its_line(self, heading: str, keys: set[str]) -> None:
        assert rows_of(heading) == keys

    def test_every_word_appears(self) -> None:
        for word in (*Flavour, *Task, *Protective, *SOURCE_KEYS):
            assert f"`{word}`" in SUBMITTING
        assert all(f"`[{table}" in SUBMITTING for table in TABLES)

    def test_limits(self) -> None:
        limits = Limits()
        said = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", SUBMITTING.split("## Limits")[1], re.MULTILINE))
        assert said["`submission.toml`"] == f"{limits.declaration_bytes // 10**6} MB"
        assert said["one data file, as it is and unpacked"] == f"{limits.data_bytes // 10**6} MB"
        assert said["the model"] == f"{limits.artifact_bytes // 10**9} GB"
        assert said["files in a model folder, entries in a zip"] == f"{limits.files:,}"
        assert said["a zip once unpacked"] == f"{limits.unpacked_bytes // 10**9} GB"
        memory, seconds = limits.worker_bytes // 10**9, limits.worker_seconds
        assert said["the training library"] == f"{memory} GB of memory, {seconds:g} s"

    def test_refusals_are_the_program_s(self) -> None:
        assert RunsCode("model.pkl", Flavour.XGBOOST).says.en in SUBMITTING
        assert NotItsFlavour("model.txt", Flavour.XGBOOST, "lightgbm-text").says.en in SUBMITTING

    def test_every_native_flavour_has_its_line(self) -> None:
        section = SUBMITTING.split("## Which files are read")[1]
        assert {str(flavour) for flavour in NATIVE} <= set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


class TestMlflow:
    """docs/mlflow.md."""

    def test_every_tag_is_described(self) -> None:
        assert set(re.findall(rf"^\| `{re.escape(PREFIX)}(\w+)`", MLFLOW, re.MULTILINE)) == OWN_FIELDS
