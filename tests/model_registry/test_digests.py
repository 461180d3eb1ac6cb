"""What an artifact is known by."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.digests import artifact_digest, artifact_size, file_digest, folder_digest, folder_files
from model_registry.limits import Limits
from policies.errors import Malformed

NAMES = st.text(st.sampled_from("abz .-_温%\"'"), min_size=1, max_size=6).filter(lambda name: name.strip(" .") != "")
FOLDERS = st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder that holds these files."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


class TestFileDigest:
    """SHA-256, block by block."""

    @pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
    def test_same_as_at_once(self, tmp_path: Path, size: int) -> None:
        content = os.urandom(size)
        (tmp_path / "m").write_bytes(content)
        assert file_digest(tmp_path / "m") == artifact_digest(tmp_path / "m") == hashlib.sha256(content).hexdigest()


class TestFolderDigest:
    """The sorted lines `sha256  size  path`, each ended by a line feed."""

    def test_written_out(self, tmp_path: Path) -> None:
        written(tmp_path, {"b": b"1", "a/c": b"22"})
        lines = sorted(
            [f"{hashlib.sha256(b'1').hexdigest()}  1  b\n", f"{hashlib.sha256(b'22').hexdigest()}  2  a/c\n"]
        )
        assert folder_digest(tmp_path) == hashlib.sha256("".join(lines).encode()).hexdigest()

    def test_same_as_on_the_shell(self, tmp_path: Path) -> None:
        if shutil.which("sha256sum") is None:
            pytest.skip("no sha256sum on this machine")
        written(tmp_path, {"model.ubj": b"1", "d/é": b"22", "d/e f": b"333", "Z": b""})
        program = """cd "$1"; find . -type f -printf '%P\\n' | while read -r f; do
          printf '%s  %s  %s\\n' "$(sha256sum < "$f" | cut -c1-64)" "$(stat -c %s "$f")" "$f"
        done | LC_ALL=C sort | sha256sum"""
        shell = subprocess.run(["sh", "-c", program, "sh", tmp_path], capture_output=True, text=True, check=True)
        assert shell.stdout[:64] == folder_digest(tmp_path)

    @given(FOLDERS)
    def test_place_and_times_do_not_count(
        self, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
    ) -> None:
        first = written(tmp_path_factory.mktemp("a"), files)
        second = written(tmp_path_factory.mktemp("b"), dict(reversed(files.items())))
        os.utime(second / next(iter(files)), (0, 0))
        (second / "empty").mkdir(exist_ok=True)
        assert folder_digest(first) == folder_digest(second)

    @given(FOLDERS, st.data())
    def test_every_byte_and_every_name_counts(
        self, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], data: st.DataObject
    ) -> None:
        name = data.draw(st.sampled_from(sorted(files)))
        renamed = {("x" + key if key == name else key): value for key, value in files.items()}
        changed = {**files, name: files[name] + b"x"}
        folders = [written(tmp_path_factory.mktemp("c"), each) for each in (files, renamed, changed)]
        assert len({folder_digest(folder) for folder in folders}) == 3

    def test_size(self, tmp_path: Path) -> None:
        assert artifact_size(written(tmp_path, {"a": b"12", "b/c": b"345"})) == 5


class TestFolderFiles:
    """What a model folder may not hold."""

    def test_link(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "m", {"a": b""})
        (folder / "passwd").symlink_to("/etc/passwd")
        with pytest.raises(Malformed, match="m/passwd is a link; a model folder holds plain files only"):
            folder_files(folder)

    def test_link_to_a_folder_is_not_followed(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "m", {"a": b""})
        (folder / "etc").symlink_to("/etc")
        with pytest.raises(Malformed, match="m/etc is a link"):
            folder_files(folder)

    def test_pipe(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "m", {"a": b""})
        os.mkfifo(folder / "pipe")
        with pytest.raises(Malformed, match="m/pipe is a device or a pipe"):
            folder_files(folder)

    def test_control_character(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "m", {"a\nb": b""})
        with pytest.raises(Malformed, match="the folder m holds a file whose name has control characters"):
            folder_files(folder)

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "m").mkdir()
        with pytest.raises(Malformed, match="the folder m holds no file"):
            folder_files(tmp_path / "m")

    def test_too_many(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "m", {str(i): b"" for i in range(4)})
        with pytest.raises(Malformed, match="the folder m holds more than 3 files"):
            folder_files(folder, Limits(files=3))

    def test_too_large(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "m", {"a": b"123", "b": b"456"})
        with pytest.raises(Malformed, match="the artifact m has 6 bytes; at most 5 are accepted"):
            folder_files(folder, Limits(artifact_bytes=5))
