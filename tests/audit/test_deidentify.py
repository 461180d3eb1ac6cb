"""One transform for check, scoring and replay; identifiers are refused, subjects become pseudonyms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from audit.deidentify import IdentifierPresent, deidentified, pseudonym, require_no_identifiers
from policies.deidentification import DeidentificationPlan
from policies.errors import Malformed

PLAN = DeidentificationPlan(forbidden=(), bands={"birth_year": 5.0})
NAMES = ("birth_year", "temperature")
ROWS = arrays.arrays(np.float64, (4, 2), elements=st.floats(-1e6, 1e6) | st.just(float("nan")))


class TestDeidentified:
    @given(ROWS)
    def test_twice_is_once(self, X: np.ndarray) -> None:
        once = deidentified(X, NAMES, PLAN)
        np.testing.assert_array_equal(deidentified(once, NAMES, PLAN), once)

    @given(ROWS)
    def test_moves_down_by_less_than_a_band_and_touches_nothing_else(self, X: np.ndarray) -> None:
        before = X.copy()
        after = deidentified(X, NAMES, PLAN)
        np.testing.assert_array_equal(X, before)
        np.testing.assert_array_equal(after[:, 1], X[:, 1])
        there = ~np.isnan(X[:, 0])
        assert (np.isnan(after[:, 0]) == ~there).all()
        down = X[there, 0] - after[there, 0]
        assert ((down >= 0) & (down < 5.0 + 1e-9)).all()

    def test_two_of_one_band_cannot_be_told_apart(self) -> None:
        after = deidentified(np.array([[1985.0, 1.0], [1989.0, 1.0], [1990.0, 1.0]]), NAMES, PLAN)
        assert after[:, 0].tolist() == [1985.0, 1985.0, 1990.0]

    def test_without_bands_is_the_same_matrix(self) -> None:
        X = np.ones((2, 2))
        assert deidentified(X, NAMES, DeidentificationPlan(forbidden=(), bands={})) is X


class TestRequireNoIdentifiers:
    def test_none_is_silent(self) -> None:
        require_no_identifiers(PLAN)

    def test_names_all_of_them_at_once(self) -> None:
        with pytest.raises(IdentifierPresent) as refused:
            require_no_identifiers(DeidentificationPlan(forbidden=("name", "手机号"), bands={}))
        assert [fault.en for fault in refused.value.faults] == [
            "column 'name' identifies a person directly; remove it or pseudonymise it before handing data in",
            "column '手机号' identifies a person directly; remove it or pseudonymise it before handing data in",
        ]
        assert refused.value.faults[1].zh == "“手机号”列可直接识别个人身份，请删除或假名化后再提交"


class TestPseudonym:
    @given(st.text(min_size=1).filter(lambda text: text.strip() and text.isprintable()), st.binary(min_size=32))
    def test_is_stable_and_32_hex_digits(self, subject: str, key: bytes) -> None:
        assert pseudonym(subject, key) == pseudonym(f" {subject} ", key)
        assert len(bytes.fromhex(pseudonym(subject, key))) == 16

    def test_another_key_gives_another_name(self) -> None:
        assert pseudonym("w-1", b"a" * 32) != pseudonym("w-1", b"b" * 32)

    def test_another_subject_gives_another_name(self) -> None:
        assert pseudonym("w-1", b"a" * 32) != pseudonym("w-2", b"a" * 32)

    def test_is_the_published_construction(self) -> None:
        import hashlib
        import hmac

        assert pseudonym("w-1", b"k" * 32) == hmac.new(b"k" * 32, b"w-1", hashlib.sha256).hexdigest()[:32]

    @pytest.mark.parametrize("empty", ["", "  ", "\t\n"])
    def test_nobody_has_none(self, empty: str) -> None:
        with pytest.raises(Malformed, match="the subject id is empty; leave it out instead"):
            pseudonym(empty, b"k" * 32)
