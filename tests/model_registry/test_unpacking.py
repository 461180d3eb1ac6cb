"""Zips from strangers: a submission directory, or nothing at all."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_registry.limits import Limits
from model_registry.submission import read_submission, unpack_submission
from policies.errors import Malformed
from tests.model_registry.makers import a_directory


def a_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def fault_of(raw: bytes, target: Path, limits: Limits | None = None) -> str:
    """Return the sentence of the refusal; nothing is left behind."""
    with pytest.raises(Malformed) as refusal:
        unpack_submission(raw, target, limits or Limits())
    assert not target.exists()
    (fault,) = refusal.value.faults
    assert fault.zh.strip()
    return fault.en


class TestUnpackSubmission:
    """What is unpacked."""

    def test_declaration_at_the_top(self, tmp_path: Path) -> None:
        files = files_of(a_directory(tmp_path / "in"))
        place = unpack_submission(a_zip(files), tmp_path / "out")
        assert place == tmp_path / "out"
        assert files_of(place) == files
        assert read_submission(place).declaration.model.name == "gas-leak"

    def test_declaration_in_the_only_folder(self, tmp_path: Path) -> None:
        files = files_of(a_directory(tmp_path / "in"))
        more = {"__MACOSX/gas/._model.ubj": b"?", "gas/.DS_Store": b"?"}
        raw = a_zip({f"gas/{name}": content for name, content in files.items()} | more)
        place = unpack_submission(raw, tmp_path / "out")
        assert (place, files_of(place)) == (tmp_path / "out" / "gas", files)

    def test_subfolders(self, tmp_path: Path) -> None:
        raw = a_zip({"submission.toml": b"", "model/data/model.ubj": b"1", "model/MLmodel": b"2"})
        place = unpack_submission(raw, tmp_path / "out")
        assert (place / "model" / "data" / "model.ubj").read_bytes() == b"1"

    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
    def test_chinese_names_without_the_flag(self, tmp_path: Path, encoding: str) -> None:
        raw = a_zip({"submission.toml": b"", "AAAAAA.csv": b"1"})
        name = "评估".encode(encoding)
        old = b"AAAAAA.csv"
        new = name.ljust(6, b"_") + b".csv"
        place = unpack_submission(raw.replace(old, new), tmp_path / "out")
        assert sorted(path.name[:2] for path in place.iterdir()) == ["su", "评估"]


def a_link(name: str, to: str) -> bytes:
    """A zip that holds a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("submission.toml", b"")
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, to)
    return buffer.getvalue()


def a_bomb() -> bytes:
    """50 MB of zeros in a few kilobytes."""
    return a_zip({"submission.toml": b"", "evaluation.csv": bytes(50_000_000)})


def encrypted() -> bytes:
    """A zip whose first entry claims to be encrypted."""
    raw = bytearray(a_zip({"submission.toml": b""}, zipfile.ZIP_STORED))
    at = raw.index(b"PK\x01\x02")
    struct.pack_into("<H", raw, at + 8, 1)
    struct.pack_into("<H", raw, 6, 1)
    return bytes(raw)


def twice() -> bytes:
    """A zip with two entries of one name."""
    return a_zip({"submission.toml": b"1", "submission.tomL": b"2"})


def liar() -> bytes:
    """A zip that claims to hold 10 bytes and unpacks to more."""
    raw = bytearray(a_zip({"submission.toml": b"x" * 4000}))
    for at in (raw.index(b"PK\x01\x02") + 24, 22):
        struct.pack_into("<I", raw, at, 10)
    return bytes(raw)


class TestRefused:
    """One sentence each, and nothing on the disk."""

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: b"", "the upload is not a readable zip: File is not a zip file"),
            (lambda: b"PK\x03\x04 and so on", "the upload is not a readable zip: File is not a zip file"),
            (
                lambda: a_zip({"a.csv": b"1"}),
                "the zip holds no submission.toml, neither at its top nor in its only folder",
            ),
            (
                lambda: a_zip({"../evil.csv": b"1"}),
                "the zip names '../evil.csv'; expected names inside the submission, with '/', without '..'",
            ),
            (
                lambda: a_zip({"a/../../evil.csv": b"1"}),
                "the zip names 'a/../../evil.csv'; expected names inside the submission, with '/', without '..'",
            ),
            (
                lambda: a_zip({"/etc/cron.d/evil": b"1"}),
                "the zip names '/etc/cron.d/evil'; expected names inside the submission, with '/', without '..'",
            ),
            (
                lambda: a_zip({"..\\evil.csv": b"1"}),
                "the zip names '..\\\\evil.csv'; expected names inside the submission, with '/', without '..'",
            ),
            (
                lambda: a_zip({"C:evil.csv": b"1"}),
                "the zip names 'C:evil.csv'; expected names inside the submission, with '/', without '..'",
            ),
            (
                lambda: a_link("model.ubj", "/etc/passwd"),
                "the zip holds model.ubj, which is a link or a device; expected plain files",
            ),
            (encrypted, "the zip holds submission.toml encrypted; zip it without a password"),
            (twice, "the zip holds submission.tomL twice"),
            (
                lambda: a_zip({"submission.toml": b"x"}, zipfile.ZIP_BZIP2),
                "the zip holds submission.toml packed by method 12; zip it with 'deflate'",
            ),
            (
                lambda: a_zip({"submission.toml": b"", "a": b"1", "a/b": b"2"}),
                "the zip holds a as a file and, for a/b, as a folder",
            ),
        ],
    )
    def test_sentence(self, tmp_path: Path, make: Callable[[], bytes], said: str) -> None:
        assert fault_of(make(), tmp_path / "out") == said
        assert list(tmp_path.iterdir()) == []

    def test_bomb(self, tmp_path: Path) -> None:
        fault = fault_of(a_bomb(), tmp_path / "out")
        assert fault.startswith("the zip holds evaluation.csv, 50,000,000 bytes packed into ")
        assert fault.endswith("that is a zip bomb, not data")

    def test_more_than_the_limit(self, tmp_path: Path) -> None:
        raw = a_zip({"submission.toml": b"", "a": os.urandom(600), "b": os.urandom(600)})
        assert fault_of(raw, tmp_path / "out", Limits(unpacked_bytes=1000)) == (
            "the zip holds 1,200 bytes once unpacked; at most 1,000 are accepted"
        )

    def test_size_is_counted_not_believed(self, tmp_path: Path) -> None:
        assert fault_of(liar(), tmp_path / "out", Limits(unpacked_bytes=1000)).startswith(
            "the upload is not a readable zip: Bad CRC-32"
        )

    def test_too_many_entries(self, tmp_path: Path) -> None:
        raw = a_zip({str(i): b"" for i in range(11)})
        assert fault_of(raw, tmp_path / "out", Limits(files=10)) == (
            "the zip holds 11 entries; at most 10 are unpacked"
        )

    def test_damaged_in_the_middle(self, tmp_path: Path) -> None:
        raw = bytearray(a_zip({"submission.toml": os.urandom(5000)}))
        raw[2000:2100] = bytes(100)
        assert fault_of(bytes(raw), tmp_path / "out").startswith("the upload is not a readable zip: ")

    @settings(max_examples=150)
    @given(st.data())
    def test_changed_bytes_are_a_folder_or_one_sentence(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        raw = bytearray(a_zip({"submission.toml": b"[model]\n" * 20, "d/evaluation.csv": b"a,b\n1,2\n" * 30}))
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        around = tmp_path_factory.mktemp("zip")
        try:
            place = unpack_submission(bytes(raw), around / "out")
        except Malformed as fault:
            said = len(fault.faults)
            assert said == 1 and list(around.iterdir()) == []
        else:
            assert (place / "submission.toml").is_file() and list(around.iterdir()) == [around / "out"]
