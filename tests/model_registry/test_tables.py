"""Data files: what is read, bit by bit, and what is refused in one sentence."""

from __future__ import annotations

import decimal
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.limits import Limits
from model_registry.tables import read_table
from policies.errors import Malformed


def fault_of(path: Path, limits: Limits | None = None) -> str:
    """Return the one English sentence of the refusal."""
    with pytest.raises(Malformed) as refusal:
        read_table(path, limits or Limits())
    (fault,) = refusal.value.faults
    assert fault.zh.startswith(path.name)
    return fault.en


def a_file(folder: Path, content: bytes, name: str = "rows.csv") -> Path:
    """A file of these bytes."""
    path = folder / name
    path.write_bytes(content)
    return path


class TestCsv:
    """Comma, UTF-8, names in the first line."""

    def test_digest_is_that_of_the_file(self, tmp_path: Path) -> None:
        content = b"a,b\n1,x\n"
        assert read_table(a_file(tmp_path, content)).digest == hashlib.sha256(content).hexdigest()

    @given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
    def test_numbers_keep_every_bit(self, tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
        text = "x\n" + "".join(f"{value!r}\n" for value in values)
        frame = read_table(a_file(tmp_path_factory.mktemp("csv"), text.encode())).frame
        assert frame["x"].to_numpy(np.float64).tobytes() == (np.array(values) + 0.0).tobytes() or (
            frame["x"].tolist() == values
        )

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        assert list(read_table(a_file(tmp_path, "\ufeff温度,b\n1,2\n".encode())).frame) == ["温度", "b"]

    def test_windows_line_ends_and_quoted_commas(self, tmp_path: Path) -> None:
        frame = read_table(a_file(tmp_path, b'a,b\r\n"x, y",1\r\n')).frame
        assert frame.to_dict("list") == {"a": ["x, y"], "b": [1]}

    def test_missing_cells(self, tmp_path: Path) -> None:
        frame = read_table(a_file(tmp_path, b"a,b\n,NA\n1,x\n")).frame
        assert frame.isna().to_numpy().tolist() == [[True, True], [False, False]]

    def test_empty_file(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"")) == "rows.csv is empty; expected a line of column names and rows"

    def test_header_only(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a,b\n")) == "rows.csv has column names and no rows"

    def test_blank_lines_only(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"\n\n\n")) == "rows.csv holds no table"

    @pytest.mark.parametrize("before", [0, 1 << 20, (1 << 20) - 1])
    def test_not_utf8_names_the_byte(self, tmp_path: Path, before: int) -> None:
        start = b"a\n" + b"x" * before
        path = a_file(tmp_path, start + "温度".encode("gb18030") + b"\n")
        assert fault_of(path) == (
            f"rows.csv is not UTF-8: byte 0xCE at position {len(start):,} (line 2); save it as CSV UTF-8"
        )

    def test_cut_in_the_middle_of_a_character(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a\n" + "温".encode()[:2])) == (
            "rows.csv is not UTF-8: byte 0xE6 at position 2 (line 2); save it as CSV UTF-8"
        )

    def test_utf16(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, "a,b\n1,2\n".encode("utf-16"))).startswith(
            "rows.csv is not UTF-8: byte 0xFF at position 0 (line 1)"
        )

    def test_zero_byte(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a\n1\x00\n")) == (
            "rows.csv is not a text file: byte 0x00 at position 3; save it as CSV UTF-8"
        )

    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_table_or_one_sentence(
        self, tmp_path_factory: pytest.TempPathFactory, content: bytes
    ) -> None:
        path = a_file(tmp_path_factory.mktemp("any"), content)
        said = 0
        try:
            read_rows = len(read_table(path).frame)
        except Malformed as fault:
            read_rows, said = 0, len(fault.faults)
        assert (read_rows > 0) != (said == 1)

    def test_row_wider_than_the_header(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a,b\n1,2\n1,2,3\n")) == (
            "rows.csv has 3 cells in line 3; the header has 2: quote texts that hold a comma"
        )

    def test_all_rows_wider_than_the_header(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a,b\n1,2,3\n4,5,6\n")) == (
            "rows.csv has rows wider than its 2 column names: quote texts that hold a comma"
        )

    def test_quotation_mark_never_closed(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b'a,b\n"1,2\n3,4\n')) == "rows.csv has a quotation mark that is never closed"

    def test_two_columns_of_one_name(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a,b,a\n1,2,3\n")) == "rows.csv has several columns of one name: 'a'"

    @pytest.mark.parametrize(
        ("first", "what"),
        [(b"PK\x03\x04", "a zip or an Excel workbook"), (b"\x1f\x8b", "compressed with gzip"), (b"%PDF-1.7", "a PDF")],
    )
    def test_something_else(self, tmp_path: Path, first: bytes, what: str) -> None:
        assert fault_of(a_file(tmp_path, first + b"....")) == (
            f"rows.csv is {what}; save the table as CSV UTF-8 or Parquet"
        )

    def test_larger_than_the_limit_is_not_read(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, b"\xff")
        with path.open("r+b") as file:
            file.truncate(500_000_001)  # a hole on the disk; its first byte would be refused if it were read
        assert fault_of(path) == (
            "rows.csv has 500,000,001 bytes; at most 500,000,000 are read: draw a sample of the rows"
        )

    def test_many_short_lines(self, tmp_path: Path) -> None:
        assert fault_of(a_file(tmp_path, b"a,b\n" + b",\n" * 1000), Limits(data_bytes=10_000)) == (
            "rows.csv holds 1,001 rows of 2 columns, 16,016 bytes once unpacked; "
            "at most 10,000 are read: draw a sample of the rows"
        )


class TestParquet:
    """The same rules for a format with types."""

    def test_same_cells(self, tmp_path: Path) -> None:
        frame = pd.DataFrame(
            {
                "数": [1.5, np.nan],
                "text": ["a", None],
                "yes": [True, False],
                "when": pd.to_datetime(["2024-01-01", "2024-01-02"]),
                "kind": pd.Categorical(["u", "v"]),
            }
        )
        frame.to_parquet(tmp_path / "rows.parquet")
        read = read_table(tmp_path / "rows.parquet")
        assert list(read.frame) == list(frame)
        assert read.frame["数"].tolist()[0] == 1.5 and np.isnan(read.frame["数"].tolist()[1])
        assert read.frame["kind"].tolist() == ["u", "v"]
        assert read.digest == hashlib.sha256((tmp_path / "rows.parquet").read_bytes()).hexdigest()

    def test_index_of_pandas_is_no_secret_column(self, tmp_path: Path) -> None:
        pd.DataFrame({"a": [1, 2]}, index=pd.Index([7, 8], name="id")).to_parquet(tmp_path / "rows.parquet")
        assert sorted(read_table(tmp_path / "rows.parquet").frame) == ["a", "id"]

    def test_decimals_and_dates(self, tmp_path: Path) -> None:
        table = pa.table(
            {
                "price": pa.array([decimal.Decimal("1.25")], pa.decimal128(10, 2)),
                "day": pa.array([19_000], pa.int32()).cast(pa.date32()),
            }
        )
        pq.write_table(table, tmp_path / "rows.parquet")
        frame = read_table(tmp_path / "rows.parquet").frame
        assert frame["price"].tolist() == [1.25]
        assert frame["day"].dt.year.tolist() == [2022]

    def test_found_by_content(self, tmp_path: Path) -> None:
        pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "rows.parquet")
        (tmp_path / "rows.parquet").rename(tmp_path / "rows.csv")
        assert read_table(tmp_path / "rows.csv").frame["a"].tolist() == [1]

    def test_no_rows(self, tmp_path: Path) -> None:
        pd.DataFrame({"a": []}).to_parquet(tmp_path / "rows.parquet")
        assert fault_of(tmp_path / "rows.parquet") == "rows.parquet has column names and no rows"

    def test_cut_off(self, tmp_path: Path) -> None:
        pd.DataFrame({"a": range(100)}).to_parquet(tmp_path / "whole.parquet")
        path = a_file(tmp_path, (tmp_path / "whole.parquet").read_bytes()[:-20], "rows.parquet")
        assert fault_of(path).startswith("rows.parquet is not a readable Parquet file: ")

    def test_lists_are_no_cells(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"a": [[1, 2]], "b": [1]}), tmp_path / "rows.parquet")
        assert fault_of(tmp_path / "rows.parquet").startswith(
            "rows.parquet has columns that hold no plain cells: 'a' (list<"
        )

    def test_two_columns_of_one_name(self, tmp_path: Path) -> None:
        pq.write_table(
            pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "rows.parquet"
        )
        assert fault_of(tmp_path / "rows.parquet") == "rows.parquet has several columns of one name: 'a'"

    def test_one_number_a_hundred_million_times(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"a": np.zeros(2_000_000)}), tmp_path / "rows.parquet")
        assert (tmp_path / "rows.parquet").stat().st_size < 100_000
        assert fault_of(tmp_path / "rows.parquet", Limits(data_bytes=10_000_000)) == (
            "rows.parquet holds 2,000,000 rows of 1 columns, 16,000,000 bytes once unpacked; "
            "at most 10,000,000 are read: draw a sample of the rows"
        )

    def test_one_long_text_many_times(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"a": pa.array(["x" * 100_000] * 1000).dictionary_encode()}), tmp_path / "rows.parquet")
        assert (tmp_path / "rows.parquet").stat().st_size < 200_000
        assert fault_of(tmp_path / "rows.parquet", Limits(data_bytes=10_000_000)) == (
            "rows.parquet holds 100,000,000 bytes of text once unpacked; "
            "at most 10,000,000 are read: draw a sample of the rows"
        )
