"""Notes that are signed and stay readable, and the files their keys lie in."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoints import KeyLink, chain_holds, endorse, origin_of, read_checkpoint, sign_checkpoint, signer_of
from audit.signed_note import (
    KeyUnreadable,
    NotASignedNote,
    SigningKey,
    cosign_note,
    secret_of_file,
    sign_note,
    signed_by,
    split_note,
)

KEY, OTHER = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)


class TestNote:
    def test_its_form_is_that_of_c2sp(self) -> None:
        note = sign_note("text\n", "example.org/log", KEY)
        text, line = note.split("\n\n")
        dash, name, blob = line.removesuffix("\n").split(" ")
        raw = base64.b64decode(blob)
        assert (text, dash, name, len(raw)) == ("text", "\u2014", "example.org/log", 68)
        assert raw[:4] == sha256(b"example.org/log\n\x01" + KEY.public.raw).digest()[:4]
        assert KEY.public.verifies(b"text\n", raw[4:])

    def test_who_signed_it(self) -> None:
        note = sign_note("text\n", "log", KEY)
        assert signed_by(note, "log", KEY.public)
        assert not signed_by(note, "log", OTHER.public)
        assert not signed_by(note, "another", KEY.public)

    def test_a_witness_adds_a_line(self) -> None:
        note = cosign_note(sign_note("text\n", "log", KEY), "witness", OTHER)
        assert signed_by(note, "log", KEY.public) and signed_by(note, "witness", OTHER.public)

    @given(st.integers(0, 200), st.sampled_from("abc \n+"))
    def test_another_text_is_not_signed(self, place: int, letter: str) -> None:
        note = sign_note("a checkpoint\n17\nroot\n", "log", KEY)
        place %= len("a checkpoint\n17\nroot\n")
        changed = note[:place] + letter + note[place + 1 :]
        try:
            holds = signed_by(changed, "log", KEY.public)
        except NotASignedNote:
            holds = False
        assert holds is (changed == note)

    @pytest.mark.parametrize(
        ("note", "why"),
        [
            ("text\n", "no empty line parts the text from its signatures"),
            ("text\n\nsigned", "no empty line parts the text from its signatures"),
            ("text\n\n- log AAAA\n", "'- log AAAA' is no signature line"),
            ("text\n\n\u2014 log !\n", "a signature is not base64"),
        ],
    )
    def test_what_is_no_note(self, note: str, why: str) -> None:
        with pytest.raises(NotASignedNote) as refused:
            split_note(note)
        assert refused.value.says.en == f"this is not a signed note: {why}"


class TestCheckpoint:
    def test_it_is_read_as_it_was_signed(self) -> None:
        made = sign_checkpoint("mingjing.log/x", 10_000_000, b"r" * 32, KEY)
        assert read_checkpoint(made.note) == made
        assert made.note.startswith("mingjing.log/x\n10000000\n" + base64.b64encode(b"r" * 32).decode() + "\n\n")

    @pytest.mark.parametrize("text", ["log\n", "log\n-1\nAAAA\n", "log\n007\nAAAA\n", "log\n1\nAAAA\n", "\n1\nAAAA\n"])
    def test_what_is_no_checkpoint(self, text: str) -> None:
        with pytest.raises(NotASignedNote):
            read_checkpoint(sign_note(text, "log", KEY))


class TestChain:
    def test_the_old_key_names_the_new(self) -> None:
        chain = [KeyLink(KEY.public, None), KeyLink(OTHER.public, endorse(KEY, OTHER.public))]
        assert chain_holds(chain)
        made = sign_checkpoint(origin_of(KEY.public), 1, b"r" * 32, OTHER)
        assert signer_of(made, chain) == OTHER.public
        assert signer_of(made, chain[:1]) is None

    def test_without_its_word_the_chain_breaks(self) -> None:
        assert not chain_holds([KeyLink(KEY.public, None), KeyLink(OTHER.public, None)])
        assert not chain_holds([KeyLink(KEY.public, None), KeyLink(OTHER.public, endorse(OTHER, OTHER.public))])
        assert not chain_holds([KeyLink(KEY.public, b"x")])
        assert not chain_holds([])


class TestKeyFile:
    def test_a_key_is_drawn_once(self, tmp_path: Path) -> None:
        file = tmp_path / "keys" / "a.key"
        assert secret_of_file(file) == secret_of_file(file)
        assert file.stat().st_mode & 0o777 == 0o600
        assert [one.name for one in file.parent.iterdir()] == ["a.key"]

    def test_a_damaged_file_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "a.key"
        secret_of_file(file)
        file.write_text("not a key")
        with pytest.raises(KeyUnreadable, match=r"the key file a\.key does not hold 64 hexadecimal digits"):
            secret_of_file(file)
