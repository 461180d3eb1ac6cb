"""A submission comes in whole or not at all, and every way to be wrong has its own sentence."""

from __future__ import annotations

import contextlib
import json
import resource
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from api.cli import run
from governance.intake import Examination, examine_directory
from governance.stages import Stage
from governance.submissions import InFlight, NameTaken
from model_registry.limits import DEFAULT_LIMITS
from model_registry.mlflow_store import embedded_store
from policies.errors import Conflict, Fault, Malformed, NotFound, Unavailable
from policies.permitted_use import PurposeRefused
from policies.roles import NotAllowed, Role
from policies.rulebook import read_rulebook
from tests.governance.factories import (
    ENGINEER,
    House,
    a_directory,
    a_house,
    an_examination,
    someone,
)

BOOK = read_rulebook()


def evaluation(folder: Path, **columns: Any) -> Path:
    """A submission whose evaluation data have other columns than the sound ones."""
    directory = a_directory(folder / "handed")
    frame = pd.read_csv(directory / "evaluation.csv").assign(**columns)
    frame.to_csv(directory / "evaluation.csv", index=False)
    return directory


def declared(folder: Path, old: str, new: str) -> Path:
    """A submission that declares something else."""
    return a_directory(folder / "handed", lines={old: new})


def with_file(folder: Path, name: str, content: bytes | None) -> Path:
    """A submission with one file replaced, or taken away."""
    directory = a_directory(folder / "handed")
    (directory / name).unlink()
    if content is not None:
        (directory / name).write_bytes(content)
    return directory


def gapped(values: int) -> list[float]:
    """A label with one gap."""
    return [float("nan"), *([0.0, 1.0] * 100)][:values]


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no folder": (lambda f: f / "nowhere", "nowhere"),
    "no declaration": (lambda f: with_file(f, "submission.toml", None), "submission.toml"),
    "declaration is no TOML": (lambda f: with_file(f, "submission.toml", b"[model"), "submission.toml"),
    "missing model file": (lambda f: with_file(f, "model.ubj", None), "model.ubj"),
    "missing data file": (lambda f: with_file(f, "evaluation.csv", None), "evaluation.csv"),
    "empty data file": (lambda f: with_file(f, "evaluation.csv", b""), "evaluation.csv"),
    "only a header": (
        lambda f: with_file(f, "evaluation.csv", b"temperature,pressure,harmed,sex,worker_id\n"),
        "evaluation.csv",
    ),
    "empty model file": (lambda f: with_file(f, "model.ubj", b""), "model.ubj"),
    "model is a picture": (lambda f: with_file(f, "model.ubj", b"\x89PNG\r\n\x1a\n" * 9), "model.ubj"),
    "model is a pickle": (lambda f: with_file(f, "model.ubj", b"\x80\x04\x95\x10\x00"), "model.ubj"),
    "wrong label column": (lambda f: declared(f, 'label = "harmed"', 'label = "hurt"'), "hurt"),
    "wrong group column": (lambda f: declared(f, 'groups = ["sex"]', 'groups = ["gender"]'), "gender"),
    "label of one class": (lambda f: evaluation(f, harmed=1), "harmed"),
    "label with a gap": (lambda f: evaluation(f, harmed=gapped(200)), "harmed"),
    "label of three classes": (lambda f: evaluation(f, harmed=np.arange(200) % 3), "harmed"),
    "text in a number column": (lambda f: evaluation(f, pressure="high"), "pressure"),
    "threshold above 1": (lambda f: declared(f, "threshold = 0.5", "threshold = 1.5"), "threshold"),
    "threshold below 0": (lambda f: declared(f, "threshold = 0.5", "threshold = -0.1"), "threshold"),
    "threshold is no number": (lambda f: declared(f, "threshold = 0.5", "threshold = nan"), "threshold"),
    "unknown flavour": (lambda f: declared(f, 'flavour = "xgboost"', 'flavour = "prophet"'), "prophet"),
    "another flavour than the file": (
        lambda f: declared(f, 'flavour = "xgboost"', 'flavour = "lightgbm"'),
        "lightgbm",
    ),
    "not UTF-8": (
        lambda f: with_file(f, "evaluation.csv", "temperature,pressure,harmed,sex,备注\n1,2,1,f,氯气\n".encode("gbk")),
        "UTF-8",
    ),
    "path out of the folder": (
        lambda f: declared(f, 'artifact = "model.ubj"', 'artifact = "../model.ubj"'),
        "../model.ubj",
    ),
}
"""Ways to be wrong, and what the sentence names."""


class TestBadInput:
    @pytest.mark.parametrize("name", BAD)
    def test_is_one_clear_sentence_and_nothing_is_registered(self, house: House, name: str) -> None:
        make, names = BAD[name]
        directory = make(house.folder)
        with pytest.raises(Fault) as examined:
            examine_directory(directory, BOOK)
        assert all(names in fault.en and names in fault.zh for fault in examined.value.faults)
        before = house.kinds()
        with pytest.raises(Fault) as refused:
            house.service.intake.submit(directory, by=ENGINEER)
        assert refused.value.faults == examined.value.faults
        _nothing_registered(house)
        assert house.kinds() == before

    @pytest.mark.parametrize("name", ["no folder", "label of one class", "not UTF-8", "unknown flavour"])
    def test_over_the_command_line_is_exit_code_2_and_no_traceback(
        self, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make, names = BAD[name]
        directory = make(tmp_path)
        assert run(["check", str(directory)]) == 2
        said = capsys.readouterr().err
        assert names in said
        assert "Traceback" not in said

    def test_all_faults_come_at_once(self, tmp_path: Path) -> None:
        directory = evaluation(tmp_path, harmed=1)
        (directory / "model.ubj").unlink()
        (directory / "training.csv").unlink()
        with pytest.raises(Malformed) as refused:
            examine_directory(directory, BOOK)
        assert len(refused.value.faults) == 3

    def test_constant_features_are_examined_and_named(self, tmp_path: Path) -> None:
        """They hide nothing and break nothing: a finding, no refusal."""
        examination = examine_directory(evaluation(tmp_path, pressure=100.0), BOOK)
        assert any("pressure" in json.dumps(f.as_json(), ensure_ascii=False) for f in examination.findings)

    def test_chinese_column_names_work(self, house: House) -> None:
        directory = house.folder / "handed"
        a_directory(directory)
        renamed = {"harmed": "有人受伤", "sex": "性别", "worker_id": "工号"}
        for table in ("evaluation.csv", "training.csv"):
            pd.read_csv(directory / table).rename(columns=renamed).to_csv(directory / table, index=False)
        text = (directory / "submission.toml").read_text(encoding="utf-8")
        for old, new in renamed.items():
            text = text.replace(f'"{old}"', f'"{new}"')
        (directory / "submission.toml").write_text(text, encoding="utf-8")
        record = house.service.intake.submit(directory, by=ENGINEER)
        assert record.declaration.data.label == "有人受伤"
        assert record.stage is Stage.EXAMINED

    def test_a_table_beyond_the_limit_is_refused_without_reading_it(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "handed")
        with (directory / "evaluation.csv").open("r+b") as file:
            file.truncate(DEFAULT_LIMITS.table_bytes + 1 if hasattr(DEFAULT_LIMITS, "table_bytes") else 2**40)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(Malformed, match=r"evaluation\.csv"):
            examine_directory(directory, BOOK)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "KiB"

    def test_an_artifact_swapped_after_it_was_read_is_refused(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from governance import intake

        directory = a_directory(house.folder / "handed")
        other = a_directory(house.folder / "other", seed=5) / "model.ubj"
        load = intake.load_predictor

        def swapped(artifact: Path, *args: Any, **options: Any) -> Any:
            artifact.write_bytes(other.read_bytes())
            return load(artifact, *args, **options)

        monkeypatch.setattr(intake, "load_predictor", swapped)
        with pytest.raises(Fault, match="was altered"):
            house.service.intake.submit(directory, by=ENGINEER)
        _nothing_registered(house)


class TestPurpose:
    @pytest.mark.parametrize("purpose", ["reward", "punishment", "ranking", "dismissal", "profit"])
    def test_that_is_refused_leaves_a_log_entry_and_nothing_registered(self, house: House, purpose: str) -> None:
        directory = a_directory(house.folder / "handed", purpose=purpose)
        with pytest.raises(PurposeRefused):
            house.service.intake.submit(directory, by=ENGINEER)
        _nothing_registered(house)
        (entry,) = house.service.log.search(kind="refuse").entries
        assert (entry.model, entry.actor, entry.site) == ("gas-leak", ENGINEER.name, "plant-07")

    def test_is_a_finding_where_nothing_is_registered_anyway(self, tmp_path: Path) -> None:
        examination = examine_directory(a_directory(tmp_path / "handed", purpose="reward"), BOOK)
        (finding,) = [f for f in examination.findings if f.check == "purpose" and f.holds is False]
        assert "reward" in finding.says.en


class TestWelcome:
    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.ML_ENGINEER])
    def test_is_for_engineers(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            house.service.intake.submit(house.folder / "nowhere", by=someone(role))

    def test_another_site_is_outside_the_scope(self, house: House) -> None:
        with pytest.raises(NotFound):
            house.submitted(by=someone(Role.ML_ENGINEER, site="plant-08"))

    def test_a_name_belongs_to_the_site_that_used_it_first(self, house: House) -> None:
        house.approved()
        with pytest.raises(NameTaken) as refused:
            house.submitted(site="plant-08", seed=1)
        assert refused.value.says.en == "the model name 'gas-leak' is not free for this site; choose another"
        house.decide()

    def test_two_of_one_name_in_flight_are_one_too_many(self, house: House) -> None:
        first = house.submitted()
        with pytest.raises(InFlight) as refused:
            house.submitted(seed=1)
        assert refused.value.says.en == (
            f"submission {first.id} of 'gas-leak' still waits for its verdict; "
            "hand the next one in once it has been decided"
        )
        assert len(house.service.store.versions("gas-leak")) == 1
        house.approve(first)
        assert house.submitted(seed=1).version == "2"

    def test_of_two_that_come_at_the_same_moment_one_is_taken(self, house: House) -> None:
        examinations = [an_examination(house.folder / f"racing-{seed}", seed=seed) for seed in range(4)]
        start = threading.Barrier(4)
        taken: list[Any] = []

        def submit(examination: Examination) -> None:
            start.wait()
            with contextlib.suppress(Conflict):
                taken.append(house.service.intake.take_in(examination, by=ENGINEER))

        threads = [threading.Thread(target=submit, args=(examination,)) for examination in examinations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 1
        assert len(house.service.store.versions()) == 1
        assert [record.id for record in house.service.book.search()[0]] == [taken[0].id]


class TestRegistered:
    def test_record_registry_and_log_say_the_same(self, house: House) -> None:
        record = house.submitted()
        version = house.service.store.version(record.model, record.version)
        assert (version.artifact_digest, version.tier, version.status) == (
            record.artifact_digest,
            record.tier,
            "examined",
        )
        assert version.submission_id == record.id
        assert set(version.data_digests) == {"evaluation", "training"}
        assert {"findings.json", "background.csv", "submission.toml"} <= set(
            house.service.store.documents(record.model, record.version)
        )
        assert house.kinds() == ["submit", "examine"]
        kept = json.loads(house.service.store.document(record.model, record.version, "findings.json"))
        assert len(kept["findings"]) == len(record.findings)

    def test_a_record_reads_back_whole(self, house: House) -> None:
        record = house.submitted()
        assert house.service.book.get(record.id) == record
        assert house.service.book.of_version(record.model, record.version) == record

    def test_nobody_sees_a_reserved_one(self, house: House) -> None:
        record = house.submitted()
        reserved = replace(record, id="r" * 8, version="", model="gas-leak-2")
        house.service.book.reserve(reserved)
        with pytest.raises(NotFound):
            house.service.book.get("r" * 8)
        assert [r.id for r in house.service.book.search()[0]] == [record.id]


class TestHalfWay:
    def test_a_registry_that_refuses_leaves_nothing(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any, **__: Any) -> Any:
            raise OSError("no space left on device")

        monkeypatch.setattr(house.service.store, "register", full)
        with pytest.raises(OSError, match="no space"):
            house.submitted()
        monkeypatch.undo()
        _nothing_registered(house)
        assert house.kinds() == ["submit", "examine", "refuse"]
        assert house.submitted().stage is Stage.EXAMINED, "the name is free again"

    def test_a_log_that_refuses_leaves_nothing(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        class Full:
            def append(self, drafts: Any) -> Any:
                raise OSError("no space left on device")

        monkeypatch.setattr(house.service.intake, "_log", Full())
        with pytest.raises(OSError, match="no space"):
            house.submitted()
        monkeypatch.undo()
        _nothing_registered(house)
        assert house.kinds() == []
        assert house.submitted().stage is Stage.EXAMINED

    @pytest.mark.parametrize("registered", [False, True])
    def test_what_a_dead_process_left_is_finished_or_taken_back(
        self, house: House, monkeypatch: pytest.MonkeyPatch, registered: bool
    ) -> None:
        class Killed(BaseException):
            pass

        def killed(*_: Any, **__: Any) -> Any:
            raise Killed

        monkeypatch.setattr(house.service.book, "drop", lambda _: None)
        if registered:
            monkeypatch.setattr(house.service.book, "complete", killed)
        else:
            monkeypatch.setattr(house.service.store, "register", killed)
        with pytest.raises(Killed):
            house.submitted()
        monkeypatch.undo()
        assert house.service.intake.finish_unfinished() == 0, "it may still be at work"
        house.clock.now += timedelta(minutes=11)
        assert house.service.intake.finish_unfinished() == 1
        assert len(house.service.book.search()[0]) == len(house.service.store.versions()) == int(registered)

    def test_a_disk_that_is_full_while_registering_leaves_nothing(self, tmp_path: Path) -> None:
        """A process that may write no file beyond 4 MiB stands in for a disk that fills up half-way."""
        store = embedded_store(tmp_path / "registry")
        assert store.versions() == ()
        with a_house(tmp_path / "house", store=store) as house:
            examination = replace(an_examination(house.folder / "handed"), background=b"0" * 8 * 2**20)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 2**20, before[1]))
            try:
                with pytest.raises(Unavailable) as refused:
                    house.service.intake.take_in(examination, by=ENGINEER)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert "gas-leak" in refused.value.says.en
            _nothing_registered(house)
            assert not list((tmp_path / "registry").rglob("model.ubj"))


def _nothing_registered(house: House) -> None:
    assert house.service.store.versions() == ()
    assert house.service.book.search()[0] == ()
