"""A submission is complete, or refused with everything that is wrong at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.limits import Limits
from model_registry.submission import harm_in, is_address, read_submission
from policies.declaration import Declaration, Protective, Task, read_declaration
from policies.errors import Malformed, NotFound, Sentence
from tests.model_registry.makers import TOML, a_directory, a_submission, rows

XGBOOST = TOML.format(name="gas-leak", flavour="xgboost")
PREDICTIONS = (
    TOML.format(name="gas-leak", flavour="predictions")
    .replace('artifact = "model.ubj"\n', "")
    .replace('label = "harmed"', 'label = "harmed"\nprediction = "score"')
)


def faults_of(directory: Path, **more: object) -> list[str]:
    """Return every English sentence of the refusal; each has a Chinese one."""
    with pytest.raises(Malformed) as refusal:
        read_submission(directory, **more)  # type: ignore[arg-type]
    assert all(fault.zh.strip() for fault in refusal.value.faults)
    return [fault.en for fault in refusal.value.faults]


class TestReadSubmission:
    """The whole directory."""

    def test_complete(self, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        raw = {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()}
        assert submission.declaration.model.name == "gas-leak"
        assert submission.artifact == (tmp_path / "in" / "model.ubj").resolve()
        assert submission.artifact_digest == hashlib.sha256(raw["model.ubj"]).hexdigest()
        assert submission.data_digests["evaluation"] == hashlib.sha256(raw["evaluation.csv"]).hexdigest()
        assert submission.data_digests["training"] == hashlib.sha256(raw["training.csv"]).hexdigest()
        assert (len(submission.evaluation), submission.toml) == (120, raw["submission.toml"])
        assert submission.training is not None and len(submission.training) == 200

    def test_without_training_data(self, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in", toml=XGBOOST.replace('training = "training.csv"\n', ""))
        assert submission.training is None
        assert set(submission.data_digests) == {"evaluation"}

    def test_no_directory(self, tmp_path: Path) -> None:
        assert faults_of(tmp_path / "absent") == ["absent is not a directory; expected one that holds submission.toml"]

    def test_no_declaration(self, tmp_path: Path) -> None:
        assert faults_of(tmp_path) == [
            f"submission.toml is missing in {tmp_path.name}; it says what the model is for and which files belong to it"
        ]

    def test_declaration_larger_than_the_limit(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST + "# " + "x" * 2000)
        assert faults_of(directory, limits=Limits(declaration_bytes=2000))[0].endswith("at most 2,000 are read")

    def test_every_fault_at_once(self, tmp_path: Path) -> None:
        toml = XGBOOST.replace("harmed", "hurt").replace('"sex"', '"sex", "size"').replace("model.ubj", "other.ubj")
        directory = a_directory(tmp_path / "in", toml=toml.replace("[features.age]", "[features.humidity]"))
        (directory / "training.csv").write_bytes(b"")
        faults = faults_of(directory)
        assert [fault.split(";")[0] for fault in faults] == [
            "training.csv is empty",
            "model.artifact names other.ubj, which is not in the submission directory "
            "(there: evaluation.csv, model.ubj, training.csv)",
            "evaluation.csv: data.label names the column 'hurt', which is not there",
            "evaluation.csv: data.groups names the column 'size', which is not there",
            "evaluation.csv: features.humidity names the column 'humidity', which is not there",
        ]

    def test_missing_files(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in")
        for name in ("evaluation.csv", "training.csv", "model.ubj"):
            (directory / name).unlink()
        assert faults_of(directory) == [
            f"{key} names {name}, which is not in the submission directory"
            for key, name in (
                ("data.evaluation", "evaluation.csv"),
                ("data.training", "training.csv"),
                ("model.artifact", "model.ubj"),
            )
        ]

    def test_unknown_flavour_and_threshold(self, tmp_path: Path) -> None:
        toml = TOML.format(name="gas-leak", flavour="h2o").replace("threshold = 0.5", "threshold = 1.5")
        assert faults_of(a_directory(tmp_path / "in", toml=toml)) == [
            "submission.toml: model.flavour is 'h2o'; "
            "expected one of xgboost, lightgbm, sklearn, onnx, python, predictions, endpoint",
            "submission.toml: model.threshold is 1.5; a classification threshold lies in [0, 1]",
        ]

    def test_artifact_larger_than_the_limit(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", model=b"x" * 20_000)
        assert faults_of(directory, limits=Limits(artifact_bytes=19_999)) == [
            "the artifact model.ubj has 20,000 bytes; at most 19,999 are accepted"
        ]

    def test_chinese_columns_and_file_names(self, tmp_path: Path) -> None:
        names = {"temperature": "温度", "pressure": "压力（kPa）", "harmed": "是否伤人", "sex": "性别", "age": "年龄"}
        toml = XGBOOST.replace("evaluation.csv", "评估数据.csv").replace("features.temperature", 'features."温度"')
        toml = toml.replace("features.pressure", 'features."压力（kPa）"').replace("features.age", 'features."年龄"')
        toml = toml.replace('"harmed"', '"是否伤人"').replace('"sex"', '"性别"')
        directory = a_directory(tmp_path / "in", toml=toml)
        rows().rename(columns=names).to_csv(directory / "评估数据.csv", index=False, encoding="utf-8-sig")
        rows(200).rename(columns=names).to_csv(directory / "training.csv", index=False)
        submission = read_submission(directory)
        assert list(submission.evaluation.columns[:3]) == ["温度", "压力（kPa）", "年龄"]
        assert submission.truth.sum() == rows()["harmed"].sum()


class TestLabel:
    """Outcomes that cannot be judged."""

    def test_of_one_class(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", evaluation=rows().assign(harmed=0))
        assert faults_of(directory) == [
            "evaluation.csv: the label 'harmed' is 0 in all 120 rows; rows of both outcomes are needed"
        ]

    def test_missing_values_with_count_and_first_row(self, tmp_path: Path) -> None:
        frame = rows()
        frame["harmed"] = frame["harmed"].astype(float)
        frame.loc[[6, 17, 99], "harmed"] = np.nan
        assert faults_of(a_directory(tmp_path / "in", evaluation=frame)) == [
            "evaluation.csv: the label 'harmed' is missing in 3 of 120 rows, first in data row 7; "
            "leave out rows whose outcome is not known"
        ]

    def test_texts(self, tmp_path: Path) -> None:
        frame = rows()
        frame["harmed"] = np.where(frame["harmed"] == 1, "yes", "no")
        fault = faults_of(a_directory(tmp_path / "in", evaluation=frame))[0]
        assert fault.startswith("evaluation.csv: the label 'harmed' holds '") and fault.endswith("; expected 0 and 1")

    def test_many_values(self, tmp_path: Path) -> None:
        frame = rows().assign(harmed=np.arange(120) % 3)
        assert faults_of(a_directory(tmp_path / "in", evaluation=frame)) == [
            "evaluation.csv: the label 'harmed' holds 3 different values, such as 2; expected 0 and 1"
        ]

    def test_true_and_false_will_do(self, tmp_path: Path) -> None:
        frame = rows()
        submission = a_submission(tmp_path / "in", evaluation=frame.assign(harmed=frame["harmed"] == 1))
        assert submission.truth.tolist() == (frame["harmed"] == 1).tolist()

    def test_constant_quantity(self, tmp_path: Path) -> None:
        toml = XGBOOST.replace('flavour = "xgboost"', 'flavour = "xgboost"\ntask = "regression"')
        directory = a_directory(tmp_path / "in", toml=toml, evaluation=rows().assign(harmed=2.5))
        assert faults_of(directory) == [
            "evaluation.csv: the label 'harmed' is 2.5 in all 120 rows; a constant cannot be predicted"
        ]

    def test_infinite_quantity(self, tmp_path: Path) -> None:
        toml = XGBOOST.replace('flavour = "xgboost"', 'flavour = "xgboost"\ntask = "regression"')
        frame = rows().assign(harmed=np.arange(120.0))
        frame.loc[3, "harmed"] = np.inf
        assert faults_of(a_directory(tmp_path / "in", toml=toml, evaluation=frame)) == [
            "evaluation.csv: the label 'harmed' is infinite in 1 rows; expected numbers"
        ]

    def test_wrong_name_with_a_guess(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace('"harmed"', '"harm"'))
        assert faults_of(directory)[0] == (
            "evaluation.csv: data.label names the column 'harm', which is not there; did you mean 'harmed'?"
        )

    def test_also_in_the_training_data(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in")
        rows(200).assign(harmed=1).to_csv(directory / "training.csv", index=False)
        assert faults_of(directory) == [
            "training.csv: the label 'harmed' is 1 in all 200 rows; rows of both outcomes are needed"
        ]


class TestColumns:
    """Columns that are named and not there."""

    @pytest.mark.parametrize(
        ("key", "line"),
        [
            ("data.time", 'time = "when"'),
            ("data.subject", 'subject = "who"'),
            ("data.groups", 'groups = ["shift"]'),
            ("data.labels_by.safety", 'labels_by = { safety = "label_safety" }'),
        ],
    )
    def test_absent(self, tmp_path: Path, key: str, line: str) -> None:
        kept = [old for old in XGBOOST.splitlines() if not old.startswith(line.split(" ")[0] + " ")]
        at = kept.index('label = "harmed"')
        toml = "\n".join([*kept[: at + 1], line, *kept[at + 1 :]])
        (fault,) = faults_of(a_directory(tmp_path / "in", toml=toml))
        assert fault.startswith(f"evaluation.csv: {key} names the column ") and "which is not there" in fault

    def test_all_features_constant(self, tmp_path: Path) -> None:
        frame = rows().assign(temperature=20.0, pressure=100.0, age=40)
        assert faults_of(a_directory(tmp_path / "in", evaluation=frame)) == [
            "evaluation.csv: all 3 features are constant; there is nothing a model could decide by"
        ]

    def test_one_constant_feature_is_for_a_check(self, tmp_path: Path) -> None:
        assert len(a_submission(tmp_path / "in", evaluation=rows().assign(pressure=100.0)).evaluation) == 120

    def test_all_constant_where_no_feature_is_declared(self, tmp_path: Path) -> None:
        toml = XGBOOST[: XGBOOST.index("[features")]
        frame = rows()[["harmed", "worker_id", "occurred_at"]].assign(sex="f", temperature=1)
        (fault,) = faults_of(a_directory(tmp_path / "in", toml=toml, evaluation=frame))
        assert fault == "evaluation.csv: all 2 features are constant; there is nothing a model could decide by"


class TestPredictions:
    """No model, only its scores."""

    def test_digest_is_that_of_the_rows(self, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in", toml=PREDICTIONS, evaluation=rows().assign(score=0.5))
        assert submission.artifact is None
        assert submission.artifact_digest == submission.data_digests["evaluation"]

    @pytest.mark.parametrize("score", [1.5, -0.01, np.inf])
    def test_outside_zero_to_one(self, tmp_path: Path, score: float) -> None:
        frame = rows().assign(score=0.5)
        frame.loc[[4, 9], "score"] = score
        assert faults_of(a_directory(tmp_path / "in", toml=PREDICTIONS, evaluation=frame)) == [
            f"evaluation.csv: the prediction 'score' is {score:g} in data row 5, and in 2 rows altogether "
            "not a probability in [0, 1]"
        ]

    def test_missing(self, tmp_path: Path) -> None:
        frame = rows().assign(score=0.5)
        frame.loc[0, "score"] = np.nan
        (fault,) = faults_of(a_directory(tmp_path / "in", toml=PREDICTIONS, evaluation=frame))
        assert fault.startswith("evaluation.csv: the prediction 'score' is nan in data row 1, and in 1 rows")

    def test_texts(self, tmp_path: Path) -> None:
        frame = rows().assign(score="high")
        assert faults_of(a_directory(tmp_path / "in", toml=PREDICTIONS, evaluation=frame)) == [
            "evaluation.csv: the prediction 'score' holds 'high'; expected numbers"
        ]

    def test_quantities_may_be_any_number(self, tmp_path: Path) -> None:
        toml = PREDICTIONS.replace('flavour = "predictions"', 'flavour = "predictions"\ntask = "regression"')
        frame = rows().assign(score=np.arange(120) * 10.0)
        assert a_submission(tmp_path / "in", toml=toml, evaluation=frame).evaluation["score"].max() == 1190

    def test_artifact_named_besides(self, tmp_path: Path) -> None:
        toml = PREDICTIONS.replace('name = "gas-leak"', 'name = "gas-leak"\nartifact = "model.ubj"')
        (fault,) = faults_of(a_directory(tmp_path / "in", toml=toml, evaluation=rows().assign(score=0.5)))
        assert fault == (
            "model.artifact names model.ubj, and flavour 'predictions' hands over no model; drop one of them"
        )


class TestNames:
    """Names that would leave the directory."""

    @pytest.mark.parametrize("name", ["/etc/passwd", "../secret.csv", "a/../../b.csv", "a\\\\b.csv", "."])
    def test_path_that_leaves(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "secret.csv").write_text("a\n1\n")
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace("evaluation.csv", name))
        (fault,) = faults_of(directory)
        assert fault.startswith("data.evaluation names '") and fault.endswith(
            "expected a relative path inside the submission directory, with '/', without '..'"
        )

    def test_link_that_leads_out(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in")
        outside = tmp_path / "outside.csv"
        (directory / "evaluation.csv").rename(outside)
        (directory / "evaluation.csv").symlink_to(outside)
        assert faults_of(directory) == [
            "data.evaluation names evaluation.csv, a link that leads out of the submission directory; "
            "put the file itself there"
        ]

    def test_folder_link_that_leads_out(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace("evaluation.csv", "data/evaluation.csv"))
        (tmp_path / "outside").mkdir()
        (directory / "evaluation.csv").rename(tmp_path / "outside" / "evaluation.csv")
        (directory / "data").symlink_to(tmp_path / "outside")
        (fault,) = faults_of(directory)
        assert "a link that leads out of the submission directory" in fault

    def test_link_inside_will_do(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace("evaluation.csv", "latest.csv"))
        (directory / "latest.csv").symlink_to("evaluation.csv")
        assert len(read_submission(directory).evaluation) == 120

    def test_declaration_that_is_a_link_out(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in")
        (directory / "submission.toml").rename(tmp_path / "other.toml")
        (directory / "submission.toml").symlink_to(tmp_path / "other.toml")
        assert "a link that leads out" in faults_of(directory)[0]

    def test_pipe(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in")
        (directory / "evaluation.csv").unlink()
        os.mkfifo(directory / "evaluation.csv")
        assert faults_of(directory) == [
            "data.evaluation names evaluation.csv, which is a device or a pipe; expected a file"
        ]

    def test_folder_as_data(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in")
        (directory / "evaluation.csv").unlink()
        (directory / "evaluation.csv").mkdir()
        assert faults_of(directory) == ["data.evaluation names evaluation.csv, which is a folder; expected a file"]

    def test_link_inside_a_model_folder(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace("model.ubj", "model"))
        (directory / "model").mkdir()
        (directory / "model" / "passwd").symlink_to("/etc/passwd")
        assert faults_of(directory) == ["model/passwd is a link; a model folder holds plain files only"]


class TestAddress:
    """Artifacts that lie in a registry."""

    def test_no_registry_at_hand(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace("model.ubj", "models:/gas-leak/3"))
        assert faults_of(directory) == [
            "model.artifact is models:/gas-leak/3, an address in a registry, and no registry is at hand here; "
            "put the file beside submission.toml or submit to a server"
        ]

    def test_resolved(self, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "in", toml=XGBOOST.replace("model.ubj", "runs:/abc/model"))
        other = tmp_path / "fetched.ubj"
        other.write_bytes(b"{}")
        submission = read_submission(directory, resolve=lambda uri: {"runs:/abc/model": other}[uri])
        assert submission.artifact == other

    def test_nothing_there_is_one_fault_among_others(self, tmp_path: Path) -> None:
        toml = XGBOOST.replace("model.ubj", "models:/x/1").replace('"sex"', '"size"')

        def resolve(uri: str) -> Path:
            raise NotFound(Sentence(en=f"nothing at {uri}", zh=f"{uri} 不存在"))

        faults = faults_of(a_directory(tmp_path / "in", toml=toml), resolve=resolve)
        assert faults[0] == "nothing at models:/x/1" and "data.groups" in faults[1]

    def test_is_address(self) -> None:
        assert is_address("models:/a/1") and is_address("runs:/a/b") and not is_address("model.ubj")


def a_declaration(task: Task, protective: Protective, threshold: float) -> Declaration:
    """A declaration with a task, a side and a threshold."""
    toml = XGBOOST.replace('protective = "at_or_above"', f'protective = "{protective}"\ntask = "{task}"')
    return read_declaration(toml.replace("threshold = 0.5", f"threshold = {threshold}"))


class TestHarmIn:
    """In which rows harm happened."""

    def test_alarm_above(self) -> None:
        declared = a_declaration(Task.CLASSIFICATION, Protective.AT_OR_ABOVE, 0.9)
        assert harm_in(declared, pd.DataFrame({"harmed": [0, 1]})).tolist() == [False, True]

    def test_permit_models_score_safety(self) -> None:
        declared = a_declaration(Task.CLASSIFICATION, Protective.BELOW, 0.9)
        assert harm_in(declared, pd.DataFrame({"harmed": [0, 1]})).tolist() == [True, False]

    @given(st.lists(st.floats(-100, 100), min_size=1), st.floats(-100, 100))
    def test_quantities_follow_the_verdict(self, values: list[float], threshold: float) -> None:
        for side in Protective:
            declared = a_declaration(Task.REGRESSION, side, threshold)
            harm = harm_in(declared, pd.DataFrame({"harmed": values}))
            assert harm.tolist() == [declared.alarms(value) for value in values]
