"""Every refusal carries all its faults, in both languages."""

from __future__ import annotations

import pytest

from policies.errors import Conflict, Fault, Malformed, NotFound, Refused, Sentence, Unavailable, refuse_all

COLD = Sentence(en="it is too cold", zh="温度过低")
WET = Sentence(en="it is too wet", zh="湿度过高")


class TestSentence:
    @pytest.mark.parametrize("tag", ["zh", "zh-CN", "ZH-Hans", "zh_TW"])
    def test_any_chinese_tag_gives_chinese(self, tag: str) -> None:
        assert COLD.in_language(tag) == "温度过低"

    @pytest.mark.parametrize("tag", ["en", "en-GB", "fr", ""])
    def test_any_other_tag_gives_english(self, tag: str) -> None:
        assert COLD.in_language(tag) == "it is too cold"

    def test_json_holds_both(self) -> None:
        assert COLD.as_json() == {"en": "it is too cold", "zh": "温度过低"}


class TestFault:
    def test_without_a_sentence_there_is_no_fault(self) -> None:
        with pytest.raises(ValueError, match="a fault needs at least one sentence"):
            Fault()

    def test_keeps_every_sentence(self) -> None:
        assert Malformed(COLD, WET).faults == (COLD, WET)

    def test_says_them_all_in_each_language(self) -> None:
        assert Malformed(COLD, WET).says == Sentence(en="it is too cold; it is too wet", zh="温度过低；湿度过高")

    def test_as_text_it_is_english(self) -> None:
        assert str(Refused(COLD, WET)) == "it is too cold; it is too wet"

    @pytest.mark.parametrize("kind", [Refused, NotFound, Conflict, Malformed, Unavailable])
    def test_five_kinds_are_faults_and_none_is_another(self, kind: type[Fault]) -> None:
        others = {Refused, NotFound, Conflict, Malformed, Unavailable} - {kind}
        assert issubclass(kind, Fault)
        assert not any(issubclass(kind, other) for other in others)


class TestRefuseAll:
    def test_nothing_wrong_is_silent(self) -> None:
        refuse_all([])

    def test_takes_an_iterator_once(self) -> None:
        with pytest.raises(Malformed) as refused:
            refuse_all(iter([COLD, WET]))
        assert refused.value.faults == (COLD, WET)
