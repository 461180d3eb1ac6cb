"""The labels behind LightGBM's category codes."""

from __future__ import annotations

import pytest

from model_registry.lightgbm_labels import labels_in

TEXT = (
    b'tree\nfeature_infos=[0:1] 2:0:1 none [3:4] 1:0\n\ntree_sizes=1\n\npandas_categorical:[["a", "b", "c"], [7, 9]]\n'
)


class TestLabelsIn:
    """The last line, where it fits the columns."""

    def test_by_column(self) -> None:
        assert labels_in(TEXT) == ((1, ("a", "b", "c")), (4, (7, 9)))

    @pytest.mark.parametrize(
        "text",
        [
            b"tree\n",
            TEXT.replace(b"pandas_categorical", b"other"),
            TEXT.replace(b"feature_infos", b"other"),
            TEXT.replace(b", [7, 9]]", b"]"),
            TEXT.replace(b"[7, 9]", b"{}"),
            TEXT.replace(b"[7, 9]", b"[[7]]"),
            TEXT.replace(b"[7, 9]]", b"[7, 9]"),
            TEXT[: TEXT.index(b"pandas")] + b"pandas_categorical:null\n",
            TEXT[: TEXT.index(b"pandas")] + b"pandas_categorical:" + b"[" * 100_000,
        ],
    )
    def test_nothing_that_fits(self, text: bytes) -> None:
        assert labels_in(text) == ()
