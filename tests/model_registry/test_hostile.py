"""Hostile artifacts: none is executed, none takes the process down, and each is refused with one sentence."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from pathlib import Path

import pytest

from model_registry.inputs import inputs_of
from model_registry.loading import compare_with_library, load_predictor
from model_registry.submission import read_submission
from model_registry.unpacking import unpack_submission
from policies.errors import Fault, Malformed, Refused
from tests.model_registry.hostile import CASES as OTHERS
from tests.model_registry.hostile import Case, booster, gadget, lightgbm_text, skops_file, submission, with_model
from tests.model_registry.hostile_onnx import ONNX_CASES
from tests.model_registry.onnx_makers import onnx_line, onnx_network, onnx_trees

CASES = (*OTHERS, *ONNX_CASES)

PAGE = Path(__file__).parent.parent.parent / "docs" / "hostile-files.md"


def hand_in(directory: Path) -> None:
    """Go the way of every submission until its model has scored the evaluation rows in its own library."""
    read = read_submission(directory)
    assert read.artifact is not None
    loaded = load_predictor(read.artifact, read.declaration)
    compare_with_library(loaded, inputs_of(read.evaluation, loaded.predictor))


@pytest.mark.parametrize("hostile", CASES, ids=lambda case: f"{case.family}: {case.tries}"[:90])
def test_is_refused_with_a_sentence_and_runs_nothing(hostile: Case, tmp_path: Path) -> None:
    canary, folder = tmp_path / "canary", tmp_path / "handed-in"
    zipped = hostile.build(folder, canary)
    assert not canary.exists(), "the corpus itself must not set it off"
    before = set(tmp_path.rglob("*"))
    with pytest.raises((Malformed, Refused)) as refused:
        hand_in(folder if zipped is None else unpack_submission(zipped, tmp_path / "unpacked"))
    assert not canary.exists()
    for said in refused.value.faults:
        assert 15 < len(said.en) < 1_000 and 8 < len(said.zh) < 1_000
        assert "\n" not in said.en and "Traceback" not in said.en
    strays = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "unpacked") for path in strays)


class TestCorpus:
    def test_is_large_and_wide(self) -> None:
        assert len(CASES) >= 60
        assert len({(case.family, case.tries) for case in CASES}) == len(CASES)

    @pytest.mark.parametrize(
        ("flavour", "content"),
        [
            ("xgboost", booster("ubj")),
            ("lightgbm", lightgbm_text().encode()),
            ("sklearn", skops_file("tree")),
            ("onnx", onnx_trees()),
            ("onnx", onnx_line()),
            ("onnx", onnx_network()),
        ],
        ids=["xgboost", "lightgbm", "sklearn", "onnx trees", "onnx line", "onnx network"],
    )
    def test_what_it_changes_was_sound(self, flavour: str, content: bytes, tmp_path: Path) -> None:
        with_model(flavour, content)(tmp_path / "sound", tmp_path / "canary")
        hand_in(tmp_path / "sound")

    def test_a_gadget_would_set_off_the_canary(self, tmp_path: Path) -> None:
        for how in ("system", "eval", "exec", "mknod"):
            canary = tmp_path / how
            pickle.loads(gadget(canary, how))  # noqa: TID251 - the one place where a gadget of ours may go off
            assert canary.exists()

    def test_the_page_counts_what_there_is(self) -> None:
        told = dict(re.findall(r"^\| ([^|]+?) \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
        found = Counter(case.family for case in CASES)
        assert {family: int(count) for family, count in told.items()} == {**found, "together": len(CASES)}


def test_the_frame_is_sound(tmp_path: Path) -> None:
    submission(tmp_path / "s", **{"model.ubj": booster("ubj")})
    hand_in(tmp_path / "s")
    assert issubclass(Malformed, Fault)
