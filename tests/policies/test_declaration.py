"""What a team declares: understood as a whole, or refused with every fault at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.declaration import Declaration, Feature, Flavour, Protective, Task, read_declaration
from policies.errors import Malformed, Sentence

WHOLE = """
[model]
name = "chemical-release-harm"
artifact = "model.ubj"
flavour = "xgboost"
task = "classification"
threshold = 0.4
protective = "below"

[use]
purpose = "risk_intervention"
description = "Will people be harmed by this release?"
site = "plant-07"
owner = "process-safety-ml"

[data]
evaluation = "evaluation.csv"
training = "training.csv"
label = "harmed"
time = "occurred_at"
subject = "worker_id"
groups = ["enterprise_size", "sex"]
labels_by = { equipment = "label_equipment", safety = "label_safety" }
sources = [{ name = "EPA RMP", period = "1992-2025", licence = "CC BY-SA 4.0" }]

[features.temperature]
unit = "degC"
range = [-40, 60]
sensor = true
label = { en = "temperature", zh = "温度" }
[features.age]
unit = "a"
cap = 0.10
immutable = true

[impact]
severity = "fatality"
autonomy = "alarm"
"""

SMALL = """
[model]
name = "m"
artifact = "model.ubj"
flavour = "xgboost"
[use]
purpose = "risk_intervention"
[data]
evaluation = "e.csv"
label = "y"
"""


def faults_of(text: str | bytes) -> list[str]:
    """Return every English sentence of the refusal; each has a Chinese one of its own."""
    with pytest.raises(Malformed) as refusal:
        read_declaration(text)
    assert all(fault.zh.strip() and fault.zh != fault.en for fault in refusal.value.faults)
    return [fault.en for fault in refusal.value.faults]


def changed(old: str, new: str, text: str = SMALL) -> str:
    """The same declaration with one line changed."""
    assert old in text
    return text.replace(old, new, 1)


class TestReadDeclaration:
    """The whole document."""

    def test_whole(self) -> None:
        declared = read_declaration(WHOLE.encode())
        assert (declared.model.name, declared.model.artifact) == ("chemical-release-harm", "model.ubj")
        assert (declared.model.flavour, declared.model.task) == (Flavour.XGBOOST, Task.CLASSIFICATION)
        assert (declared.model.threshold, declared.model.protective) == (0.4, Protective.BELOW)
        assert declared.use.description == "Will people be harmed by this release?"
        assert (declared.data.time, declared.data.subject) == ("occurred_at", "worker_id")
        assert declared.data.groups == ("enterprise_size", "sex")
        assert dict(declared.data.labels_by) == {"equipment": "label_equipment", "safety": "label_safety"}
        assert [(source.name, source.period, source.licence) for source in declared.data.sources] == [
            ("EPA RMP", "1992-2025", "CC BY-SA 4.0")
        ]
        assert list(declared.features) == ["temperature", "age"]
        assert declared.features["temperature"] == Feature(
            name="temperature",
            unit="degC",
            range=(-40.0, 60.0),
            sensor=True,
            label=Sentence(en="temperature", zh="温度"),
        )
        assert declared.features["age"] == Feature(name="age", unit="a", cap=0.1, immutable=True)
        assert dict(declared.impact) == {"severity": "fatality", "autonomy": "alarm"}

    def test_what_may_be_left_out(self) -> None:
        declared = read_declaration(SMALL)
        assert (declared.model.task, declared.model.threshold) == (Task.CLASSIFICATION, 0.5)
        assert declared.model.protective is Protective.AT_OR_ABOVE
        assert (declared.use.description, declared.use.site, declared.use.owner) == ("", "", "")
        assert (declared.data.training, declared.data.time, declared.data.groups) == (None, None, ())
        assert (dict(declared.features), dict(declared.impact)) == ({}, {})

    def test_byte_order_mark(self) -> None:
        assert read_declaration(b"\xef\xbb\xbf" + SMALL.encode()).model.name == "m"

    def test_predictions_need_no_artifact(self) -> None:
        text = changed('artifact = "model.ubj"\n', "", changed("xgboost", "predictions"))
        declared = read_declaration(text + 'prediction = "score"\n')
        assert (declared.model.artifact, declared.data.prediction) == (None, "score")

    def test_every_fault_at_once(self) -> None:
        text = changed("xgboost", "h2o", changed('label = "y"', "label = 3\nshuffle = true")) + "[extra]\n"
        assert faults_of(changed('purpose = "risk_intervention"\n', "", text)) == [
            "submission.toml: 'extra' is not known; "
            "expected one of data, endpoint, features, impact, model, record, use",
            "submission.toml: model.flavour is 'h2o'; "
            "expected one of xgboost, lightgbm, sklearn, onnx, python, predictions, endpoint",
            "submission.toml: use.purpose must be a text that is not empty, found nothing",
            "submission.toml: 'data.shuffle' is not known; expected one of evaluation, groups, label, labels_by, "
            "prediction, sources, subject, time, training",
            "submission.toml: data.label must be a text that is not empty, found 3",
        ]

    def test_nothing(self) -> None:
        faults = faults_of("")
        assert [fault for fault in faults if "the table" in fault] == [
            "submission.toml: the table [model] is missing",
            "submission.toml: the table [use] is missing",
            "submission.toml: the table [data] is missing",
        ]
        assert len(faults) > 6

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('name = "m"', 'name = "a/b"', "model.name 'a/b' may hold letters, digits, '.', '_' and '-', at most 64"),
            (
                'name = "m"',
                f'name = "{"x" * 65}"',
                f"model.name '{'x' * 65}' may hold letters, digits, '.', '_' and '-', at most 64",
            ),
            ('name = "m"', 'name = "-m"', "model.name '-m' may hold letters, digits, '.', '_' and '-', at most 64"),
            ('name = "m"', 'name = ""', "model.name must be a text that is not empty, found ''"),
            ('artifact = "model.ubj"\n', "", "model.artifact must be a text that is not empty, found nothing"),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\ntask = "ranking"',
                "model.task is 'ranking'; expected one of classification, regression, anomaly, clustering",
            ),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\nprotective = "above"',
                "model.protective is 'above'; expected one of at_or_above, below",
            ),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\nthreshold = 1.5',
                "model.threshold is 1.5; a classification threshold lies in [0, 1]",
            ),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\nthreshold = -0.1',
                "model.threshold is -0.1; a classification threshold lies in [0, 1]",
            ),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\nthreshold = nan',
                "model.threshold must be a finite number, found nan",
            ),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\nthreshold = "0.5"',
                "model.threshold must be a finite number, found '0.5'",
            ),
            (
                'flavour = "xgboost"',
                'flavour = "xgboost"\nthreshold = true',
                "model.threshold must be a finite number, found True",
            ),
            ('label = "y"', 'label = "y"\ngroups = "sex"', "data.groups must be a list of column names, found 'sex'"),
            ('label = "y"', 'label = "y"\nlabels_by = ["a"]', "data.labels_by must map names to texts, found ['a']"),
            ('label = "y"', 'label = "y"\nsources = ["EPA"]', "data.sources must be a list of {name, period, licence}"),
            (
                'label = "y"',
                'label = "y"\nsources = [{ name = "EPA", url = "x" }]',
                "'data.sources[1].url' is not known; expected one of licence, name, period",
            ),
            ("[use]", "[use]\nsite = 7", "use.site must be a text that is not empty, found 7"),
        ],
    )
    def test_one_fault(self, old: str, new: str, said: str) -> None:
        assert faults_of(changed(old, new)) == [f"submission.toml: {said}"]

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("range = [60, -40]", "features.t.range must be [low, high] with low < high, found [60, -40]"),
            ("range = [1, 1]", "features.t.range must be [low, high] with low < high, found [1, 1]"),
            ("range = [0, inf]", "features.t.range must be [low, high] with low < high, found [0, inf]"),
            ("range = 5", "features.t.range must be [low, high] with low < high, found 5"),
            ("cap = 1.5", "features.t.cap must be a share in [0, 1], found 1.5"),
            ('cap = "10%"', "features.t.cap must be a share in [0, 1], found '10%'"),
            ('sensor = "yes"', "features.t.sensor must be true or false, found 'yes'"),
            ("immutable = 1", "features.t.immutable must be true or false, found 1"),
            ('label = "Temperatur"', "features.t.label must be {en = …, zh = …}, found 'Temperatur'"),
            (
                "color = 3",
                "'features.t.color' is not known; expected one of cap, immutable, label, range, sensor, unit",
            ),
        ],
    )
    def test_one_fault_of_a_feature(self, line: str, said: str) -> None:
        assert faults_of(SMALL + f"[features.t]\n{line}\n") == [f"submission.toml: {said}"]

    def test_feature_that_is_no_table(self) -> None:
        assert faults_of(SMALL + "[features]\nage = 3\n") == [
            "submission.toml: [features.age] must be a table, found 3"
        ]

    def test_quantities_have_any_threshold(self) -> None:
        text = changed('flavour = "xgboost"', 'flavour = "xgboost"\ntask = "regression"\nthreshold = 180')
        assert read_declaration(text).model.threshold == 180

    def test_the_evaluation_record(self) -> None:
        said = read_declaration(
            WHOLE + '\n[record]\nenvironment = "Python 3.11"\nground_truth = " two nurses "\n'
        ).record
        assert said == {"environment": "Python 3.11", "ground_truth": "two nurses"}

    def test_an_evaluation_record_of_unknown_or_empty_fields(self) -> None:
        with pytest.raises(Malformed) as refused:
            read_declaration(WHOLE + '\n[record]\nmood = "good"\nbaselines = ""\n')
        assert [fault.en for fault in refused.value.faults] == [
            "submission.toml: 'record.mood' is not known; expected one of baselines, channel_effects, environment, "
            "ground_truth, hyperparameters, leakage, preprocessing, representativeness, separation",
            "submission.toml: record.baselines must be a text that is not empty, found ''",
        ]

    def test_not_utf8(self) -> None:
        raw = SMALL.replace('"m"', '"温度"').encode("gb18030")
        assert faults_of(raw) == [
            f"submission.toml is not UTF-8 (byte {raw.index('温'.encode('gb18030'))}); save it as UTF-8"
        ]

    def test_not_toml(self) -> None:
        (fault,) = faults_of("[model\n")
        assert fault.startswith("submission.toml is not valid TOML: ")

    def test_nested_too_deeply(self) -> None:
        assert faults_of("a = " + "[" * 100_000) == ["submission.toml is nested too deeply to be a declaration"]

    @given(
        st.dictionaries(
            st.sampled_from(["model", "use", "data", "features", "impact", "x"]),
            st.recursive(
                st.one_of(st.booleans(), st.integers(-9, 9), st.text("ab", max_size=3)),
                lambda inner: (
                    st.lists(inner, max_size=2)
                    | st.dictionaries(
                        st.sampled_from(["name", "flavour", "label", "groups", "sources", "a"]), inner, max_size=3
                    )
                ),
                max_leaves=8,
            ),
        )
    )
    def test_any_document_is_a_declaration_or_sentences(self, document: Mapping[str, Any]) -> None:
        text = "\n".join(f"{key} = {_toml(value)}" for key, value in document.items())
        try:
            made = read_declaration(text)
        except Malformed:
            return
        assert isinstance(made, Declaration)


def _toml(value: Any) -> str:
    """Return a value in TOML, tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


class TestFeature:
    """Asking about one feature."""

    def test_declared(self) -> None:
        assert read_declaration(WHOLE).feature("age").cap == 0.1

    def test_nothing_was_said(self) -> None:
        assert read_declaration(WHOLE).feature("pressure") == Feature(name="pressure")


class TestAlarms:
    """On which side of the threshold a score lies."""

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_the_two_sides_are_opposites(self, score: float) -> None:
        above = read_declaration(changed('protective = "below"', 'protective = "at_or_above"', WHOLE))
        below = read_declaration(WHOLE)
        assert above.alarms(score) is not below.alarms(score)
        assert above.alarms(score) is (score >= 0.4)

    @pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
    def test_no_number_always_alarms(self, score: float) -> None:
        for side in ("below", "at_or_above"):
            assert read_declaration(changed('protective = "below"', f'protective = "{side}"', WHOLE)).alarms(score)


ASKED = changed('artifact = "model.ubj"\nflavour = "xgboost"', 'flavour = "endpoint"') + (
    '[endpoint]\nurl = "http://127.0.0.1:5001/invocations"\n'
)


class TestEndpoint:
    """The `[endpoint]` table."""

    def test_has_defaults(self) -> None:
        endpoint = read_declaration(ASKED).endpoint
        assert endpoint is not None
        assert (endpoint.protocol, endpoint.columns, endpoint.answer) == ("mlflow", (), None)
        assert (endpoint.timeout_seconds, endpoint.rows_per_call) == (30.0, 1000)

    def test_is_none_for_a_model_that_is_handed_over(self) -> None:
        assert read_declaration(SMALL).endpoint is None

    def test_without_one_the_address_is_missing(self) -> None:
        text = ASKED[: ASKED.index("[endpoint]")]
        assert faults_of(text) == ["submission.toml: endpoint.url must be a text that is not empty, found nothing"]

    def test_beside_a_model_file_is_refused(self) -> None:
        assert faults_of(SMALL + '[endpoint]\nurl = "http://a/"\n') == [
            "submission.toml: [endpoint] is for flavour 'endpoint', and the flavour is 'xgboost'; drop one"
        ]

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd", "ftp://a/b", "http://", "a.example/x", "http://user:secret@a.example/", "http://a:0/",
            "http://a:99999/", "http://a b/", "http://a/#x", "http://[::1", "javascript:alert(1)", "http://例.example/",
        ],
    )  # fmt: skip
    def test_an_address_that_cannot_be_asked(self, url: str) -> None:
        (said,) = faults_of(ASKED.replace("http://127.0.0.1:5001/invocations", url))
        assert said.startswith(f"submission.toml: endpoint.url {url!r} is no address that can be asked")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("rows_per_call = 0", "endpoint.rows_per_call must be a whole number from 1 to 100000, found 0"),
            ("rows_per_call = true", "endpoint.rows_per_call must be a whole number from 1 to 100000, found True"),
            ("timeout_seconds = 0", "endpoint.timeout_seconds must lie above 0 and be at most 600, found 0"),
            ("timeout_seconds = inf", "endpoint.timeout_seconds must lie above 0 and be at most 600, found inf"),
            ('protocol = "smtp"', "endpoint.protocol is 'smtp'; expected one of mlflow, oip"),
            ("columns = 3", "endpoint.columns must be a list of column names, found 3"),
            ("token = 'x'", "'endpoint.token' is not known; expected one of answer, columns, protocol"),
        ],
    )
    def test_every_fault_has_its_sentence(self, line: str, said: str) -> None:
        (found,) = faults_of(f"{ASKED}{line}\n")
        assert found.startswith(f"submission.toml: {said}")
