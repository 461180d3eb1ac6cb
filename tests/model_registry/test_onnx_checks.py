"""ONNX files are judged by our own reader: sound ones of every kind pass, and every fault is said at once."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from model_registry.loading import compare_with_library, load_predictor
from model_registry.onnx_checks import OnnxRefused, judge_onnx
from model_registry.onnx_graph import read_graph
from model_registry.onnx_wire import OnnxBroken, Reading, read_message
from policies.errors import Fault
from tests.model_registry.makers import FEATURES, rows
from tests.model_registry.onnx_makers import (
    attribute,
    changed,
    exported,
    network,
    node_of,
    onnx_line,
    onnx_network,
    onnx_trees,
)
from tests.model_registry.test_loading import a_file, declared

X = rows(300, seed=1)[list(FEATURES)].to_numpy(np.float32)
y = rows(300, seed=1)["harmed"].to_numpy()


def judged(raw: bytes) -> Any:
    """Judge a file under the declared names."""
    return judge_onnx("model.onnx", raw, FEATURES)


def refusal(raw: bytes) -> str:
    """The English sentences of a refusal."""
    with pytest.raises((OnnxRefused, OnnxBroken)) as refused:
        judged(raw)
    return refused.value.says.en


class TestSound:
    @pytest.mark.parametrize(
        "model",
        [
            LogisticRegression(),
            make_pipeline(MinMaxScaler(), LogisticRegression()),
            RandomForestClassifier(5, random_state=0),
            ExtraTreesClassifier(5, random_state=0),
            make_pipeline(SimpleImputer(), StandardScaler(), RandomForestClassifier(3, random_state=0)),
            make_pipeline(
                ColumnTransformer([("a", StandardScaler(), [0, 2]), ("b", "passthrough", [1])]),
                RandomForestClassifier(3, random_state=0),
            ),
            make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=30, random_state=0, tol=1.0)),
        ],
        ids=lambda model: "+".join(type(each).__name__ for each in getattr(model, "named_steps", {"": model}).values()),
    )
    @pytest.mark.parametrize("zipmap", [False, True], ids=["table", "mappings"])
    def test_classifiers(self, model: Any, zipmap: bool, tmp_path: Path) -> None:
        raw = exported(model.fit(X, y), zipmap=zipmap)
        assert (judged(raw).feature_names, judged(raw).unit) == (FEATURES, "probability")
        loaded = load_predictor(a_file(tmp_path, raw), declared("onnx"))
        scores = loaded.predictor.scores(X.astype(np.float64))
        np.testing.assert_allclose(scores, model.predict_proba(X)[:, 1], atol=1e-5)

    @pytest.mark.parametrize(
        "model",
        [
            LinearRegression(),
            GradientBoostingRegressor(n_estimators=5, random_state=0),
            make_pipeline(
                StandardScaler(), MLPRegressor(hidden_layer_sizes=(3,), max_iter=30, random_state=0, tol=9.0)
            ),
        ],
        ids=["line", "trees", "network"],
    )
    def test_regressions(self, model: Any, tmp_path: Path) -> None:
        raw = exported(model.fit(X, y.astype(np.float32)))
        assert judged(raw).unit == "value"
        loaded = load_predictor(a_file(tmp_path, raw), declared("onnx"))
        np.testing.assert_allclose(loaded.predictor.scores(X.astype(np.float64)), model.predict(X), atol=1e-5)

    def test_our_reader_and_protobuf_read_the_same(self) -> None:
        for raw in (onnx_trees(), onnx_line(), onnx_network()):
            graph, faults = read_graph(raw)
            theirs = onnx.load_from_string(raw).graph
            assert not faults
            assert [node.op for node in graph.nodes] == [node.op_type for node in theirs.node]
            for node, other in zip(graph.nodes, theirs.node, strict=True):
                assert list(node.attributes) == [each.name for each in other.attribute]
                for each in other.attribute:
                    value = node.attributes[each.name]
                    found = value.tolist() if isinstance(value, np.ndarray) else value
                    assert found == helper.get_attribute_value(each)
            for tensor in theirs.initializer:
                np.testing.assert_array_equal(graph.constants[tensor.name].values, numpy_helper.to_array(tensor))

    def test_every_way_to_keep_a_constant(self) -> None:
        kept = (
            (TensorProto.FLOAT, [0.5, -2.0]),
            (TensorProto.DOUBLE, [0.5, 1e300]),
            (TensorProto.INT64, [-1, 2**40]),
            (TensorProto.INT32, [-7, 7]),
            (TensorProto.BOOL, [True, False]),
        )
        for kind, values in kept:
            for raw in (False, True):
                content = np.array(values, helper.tensor_dtype_to_np_dtype(kind)).tobytes() if raw else values
                tensor = helper.make_tensor("c", kind, [2], content, raw=raw)
                model = network()
                model.graph.initializer.append(tensor)
                graph, faults = read_graph(model.SerializeToString())
                assert not faults
                found = graph.constants["c"].values
                assert found is not None
                assert found.tolist() == values

    def test_an_input_without_a_width_takes_the_declared_features(self) -> None:
        free = network(takes=[helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", "f"])])
        assert judged(free.SerializeToString()).feature_names == FEATURES

    def test_features_are_counted_where_others_were_declared(self) -> None:
        assert judge_onnx("m", onnx_network(), ("one",)).feature_names == ("f0", "f1", "f2")

    def test_what_tells_nothing_about_the_scores_is_passed_over(self) -> None:
        def add(model: Any) -> None:
            model.doc_string = "made at the plant"
            model.metadata_props.add(key="author", value="somebody")
            model.graph.value_info.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [None, 1]))

        assert judged(changed(onnx_network(), add)).nodes == 3


class TestRefused:
    def test_every_fault_at_once(self) -> None:
        def spoil(model: Any) -> None:
            model.graph.node.append(helper.make_node("Own", ["nothing"], ["score"], domain="evil"))
            model.graph.input.append(helper.make_tensor_value_info("Y", TensorProto.STRING, [None]))

        said = refusal(changed(onnx_network(), spoil))
        assert said == (
            "model.onnx: it uses operations of 'evil'; only those of ai.onnx and ai.onnx.ml are run; "
            "model.onnx: Own uses 'nothing' before it is made (a cycle, or a wrong order); "
            "model.onnx: Own makes 'score', which there is already; "
            "model.onnx: it takes X: float [?, 3]; Y: string [?]; expected one table of floats, any number of rows and "
            "a column per feature"
        )

    def test_many_faults_are_counted(self) -> None:
        def spoil(model: Any) -> None:
            model.graph.node.extend(helper.make_node("Identity", [f"no{at}"], [f"o{at}"]) for at in range(50))

        assert refusal(changed(onnx_network(), spoil)).endswith("model.onnx: and 30 more faults")

    def test_trees_behind_something_that_hides_their_columns(self) -> None:
        def hide(model: Any) -> None:
            model.graph.node.insert(0, helper.make_node("Transpose", ["X"], ["T"], perm=[0, 1]))
            node_of(model, "TreeEnsembleClassifier").input[0] = "T"

        assert "how many columns it sees cannot be told" in refusal(changed(onnx_trees(), hide))

    def test_labels_that_are_words(self) -> None:
        model = RandomForestClassifier(2, random_state=0).fit(X, np.where(y == 1, "harm", "none"))
        said = refusal(exported(model))
        assert "tells the classes ['harm', 'none'] apart; expected the labels 0 and 1, in this order" in said

    def test_three_classes(self) -> None:
        model = RandomForestClassifier(2, random_state=0).fit(X, y + (X[:, 2] > 50))
        assert "it answers label: int64 [?]; probabilities: float [?, 3]" in refusal(exported(model))

    def test_a_reading_that_is_not_the_same_twice(self) -> None:
        """One message twice is two models for two readers: the first for ours, both merged for others."""
        reading = Reading()
        with pytest.raises(OnnxBroken, match="OperatorSetIdProto says 'version' twice"):
            read_message("OperatorSetIdProto", memoryview(b"\x10\x01\x10\x02"), reading)

    def test_a_list_of_numbers_in_two_places(self) -> None:
        with pytest.raises(OnnxBroken, match="AttributeProto says 'ints' twice"):
            read_message("AttributeProto", memoryview(b"\x40\x01\x40\x02\x18\x05\x40\x03"), Reading())

    @pytest.mark.parametrize(
        ("raw", "values"),
        [
            (b"\x40\x01\x40\xac\x02", [1, 300]),
            (b"\x42\x03\x01\xac\x02", [1, 300]),
            (b"\x40" + b"\xff" * 9 + b"\x01", [-1]),
        ],
        ids=["one by one", "packed", "minus one"],
    )
    def test_lists_of_numbers(self, raw: bytes, values: list[int]) -> None:
        assert read_message("AttributeProto", memoryview(raw), Reading())["ints"].tolist() == values


class TestChangedFiles:
    """Broken at random: each is refused, or runs in its own process and answers or not. This process lives."""

    @pytest.mark.parametrize("make", [onnx_trees, onnx_line, onnx_network], ids=["trees", "line", "network"])
    def test_changed_bytes(self, make: Any, tmp_path: Path) -> None:
        raw, said, passed = make(), [], []
        for seed in range(400):
            rng = random.Random(seed)
            made = bytearray(raw)
            for _ in range(rng.choice([1, 1, 2, 8])):
                made[rng.randrange(len(made))] = rng.randrange(256)
            try:
                judged(bytes(made))
                passed.append(bytes(made))
            except Fault as fault:
                said += fault.faults
        assert len(said) > 100
        assert all(each.en.strip() and each.zh.strip() for each in said)
        for content in passed[:3]:  # what our check lets through is the runtime's to refuse, in a process of its own
            with suppress(Fault):
                loaded = load_predictor(a_file(tmp_path, content), declared("onnx"))
                compare_with_library(loaded, X[:5].astype(np.float64))

    def test_changed_numbers_of_trees(self) -> None:
        refused = 0
        for seed in range(200):
            rng = random.Random(seed)

            def spoil(model: Any, rng: random.Random = rng) -> None:
                node = node_of(model, "TreeEnsembleClassifier")
                name = rng.choice([each.name for each in node.attribute if len(each.ints) > 2])
                values = attribute(node, name).ints
                values[rng.randrange(len(values))] = rng.choice([-1, 2**40, 999, -(2**63), 2**31])

            try:
                judged(changed(onnx_trees(), spoil))
            except OnnxRefused:
                refused += 1
        assert refused > 120
