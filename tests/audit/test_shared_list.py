"""A group's list travels signed: read only with its key, altered not at all, older never."""

from __future__ import annotations

import pytest

from audit.shared_list import ListRefused, SharedList, named_key, open_list, require_newer, sign_list
from audit.signed_note import NotASignedNote, SigningKey, sign_note
from policies.errors import Malformed
from policies.negative_list import Loosened, Origin
from policies.scenario_files import built_in_list
from tests.policies.test_negative_list import TIGHTER, WHOLE

KEY, OTHER = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)
SHARED = SharedList(group="Example Group", edition=3, files={"hum.toml": WHOLE, "tighter.toml": TIGHTER})


def note() -> str:
    return sign_list(SHARED, "group", KEY)


class TestSharedList:
    def test_comes_back_as_it_was_signed(self) -> None:
        opened = open_list(note(), named_key("group", KEY))
        assert opened == SHARED
        known = opened.laid_over(built_in_list())
        hum = known.scenario("boiler_hum")
        assert hum is not None and hum.origin is Origin.GROUP

    def test_can_be_read_by_people(self) -> None:
        assert '"group": "Example Group"' in note() and "锅炉嗡鸣" in note()

    def test_another_key_is_refused(self) -> None:
        with pytest.raises(ListRefused, match="the list is not signed by 'group' with the key given"):
            open_list(note(), named_key("group", OTHER))

    def test_another_name_is_refused(self) -> None:
        with pytest.raises(ListRefused):
            open_list(note(), named_key("grupo", KEY))

    @pytest.mark.parametrize(
        ("old", "new"), [("0.05", "0.95"), ('"edition": 3', '"edition": 9'), ("boiler", "toaster")]
    )
    def test_an_altered_list_is_refused(self, old: str, new: str) -> None:
        assert old in note()
        with pytest.raises(ListRefused):
            open_list(note().replace(old, new, 1), named_key("group", KEY))

    @pytest.mark.parametrize("text", ["", "no signature", "a\n\nb\n"])
    def test_what_is_no_note(self, text: str) -> None:
        with pytest.raises(NotASignedNote):
            open_list(text, named_key("group", KEY))

    @pytest.mark.parametrize("text", ["{}", "[1]", '{"format": 2, "files": {}}', "x", '{"format": 1, "files": 3}'])
    def test_a_signed_text_that_is_no_list(self, text: str) -> None:
        with pytest.raises(NotASignedNote, match="its text is no negative list"):
            open_list(sign_note(text + "\n", "group", KEY), named_key("group", KEY))

    def test_a_giant_is_not_read(self) -> None:
        with pytest.raises(Malformed, match="has more than 4,000,000 bytes"):
            open_list("x" * 4_000_001, named_key("group", KEY))

    def test_nobody_signs_what_nobody_can_adopt(self) -> None:
        with pytest.raises(Loosened):
            sign_list(SharedList(group="g", edition=1, files={"a.toml": TIGHTER.replace("0.2", "0.9")}), "group", KEY)

    @pytest.mark.parametrize("edition", [2, 3])
    def test_an_older_edition_does_not_come_back(self, edition: int) -> None:
        with pytest.raises(ListRefused, match=f"edition {edition} is not newer than edition 3, which is in force"):
            require_newer(SharedList(group="g", edition=edition, files={}), SHARED)
        require_newer(SHARED, None)
