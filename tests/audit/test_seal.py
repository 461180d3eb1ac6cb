"""What is hashed, byte by byte."""

from __future__ import annotations

import json
import struct
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import canonical
from audit.entries import identifier_text, written_time
from audit.seal import Context, HeaderForm, commitment_of, details_of

NAMES = st.none() | st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=12)
DIGESTS = st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex)
FLAGS = st.lists(st.sampled_from(["capped", "spooled", "handed_over"]), max_size=3).map(tuple)


class TestHeader:
    @given(
        context=st.builds(Context, NAMES.map(lambda name: name or "s"), NAMES, NAMES, DIGESTS, DIGESTS, NAMES),
        number=st.binary(min_size=16, max_size=16),
        time=st.integers(0, 4_000_000_000_000_000),
        counter=st.integers(1, 2**53 - 1),
        commitment=st.binary(min_size=32, max_size=32),
        flags=FLAGS,
        about=st.none() | st.binary(min_size=16, max_size=16),
    )
    def test_the_quick_form_is_the_canonical_form(
        self,
        context: Context,
        number: bytes,
        time: int,
        counter: int,
        commitment: bytes,
        flags: tuple[str, ...],
        about: bytes | None,
    ) -> None:
        named, said = identifier_text(number), None if about is None else identifier_text(about)
        written = HeaderForm(context, "decision").write(named, time, counter, commitment, flags, said)
        fields: dict[str, object] = {
            **context.fields(),
            "format": 1,
            "kind": "decision",
            "id": named,
            "time": written_time(time),
            "counter": counter,
            "flags": flags,
            "commitment": commitment.hex(),
        }
        if said is not None:
            fields["about"] = said
        assert written == canonical(fields)

    def test_a_sample_that_must_never_change(self) -> None:
        """Entries of format 1 are hashed in these bytes for as long as the program lives."""
        context = Context("serve-1", "gas-leak", "3", "ab" * 32, "cd" * 32, "plant-07")
        header = HeaderForm(context, "decision").write(
            identifier_text(bytes(range(16))), 1_772_366_400_000_001, 7, b"\x11" * 32, ("capped",), None
        )
        assert header.decode() == (
            '{"artifact":"'
            + "ab" * 32
            + '","commitment":"'
            + "11" * 32
            + '","counter":7,"flags":["capped"],"format":1,'
            '"id":"00010203-0405-0607-0809-0a0b0c0d0e0f","kind":"decision","model":"gas-leak","rulebook":"'
            + "cd" * 32
            + '","site":"plant-07","source":"serve-1","time":"2026-03-01T12:00:00.000001Z","version":"3"}'
        )


class TestDetails:
    @given(NAMES, st.none() | st.floats(allow_nan=False, allow_infinity=False), NAMES, st.none() | st.booleans())
    def test_they_are_canonical_and_keep_every_bit(
        self, actor: str | None, score: float | None, subject: str | None, verdict: bool | None
    ) -> None:
        written = details_of(actor, score, subject, verdict)
        read = json.loads(written)
        assert canonical(read) == written
        assert (read["actor"], read["subject"], read["verdict"]) == (actor, subject, verdict)
        bits = None if read["score"] is None else bytes.fromhex(read["score"])
        assert bits == (None if score is None else struct.pack(">d", score))


class TestCommitment:
    def test_it_is_what_the_page_says(self) -> None:
        salt, details, payload = b"s" * 32, b'{"actor":null}', b"\x00\n\xff"
        by_hand = sha256(b"mingjing sealed record 1\x00" + salt + details + b"\x0a" + payload).digest()
        assert commitment_of(salt, details, payload) == by_hand

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_another_salt_is_another_commitment(self, one: bytes, other: bytes) -> None:
        salts = sha256(one).digest(), sha256(other).digest()
        assert (commitment_of(salts[0], b"{}", b"p") == commitment_of(salts[1], b"{}", b"p")) is (one == other)
