"""Data files become tables: CSV in UTF-8 or Parquet, judged before they are read, never larger than the limit."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model_registry.digests import BLOCK, file_digest
from model_registry.limits import DEFAULT_LIMITS, Limits
from policies.errors import Malformed, Sentence

PARQUET = b"PAR1"
HEADER_BYTES = 1_000_000
"""How much of a file is read for the names of its columns."""

FOREIGN = {
    b"PK\x03\x04": ("a zip or an Excel workbook", "压缩包或 Excel 工作簿"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "旧版 Excel 工作簿"),
    b"\x1f\x8b": ("compressed with gzip", "gzip 压缩文件"),
    b"%PDF": ("a PDF", "PDF 文件"),
}
"""What people hand over instead of a table, by its first bytes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One data file as read: every column under its own name, and the SHA-256 of the file."""

    frame: pd.DataFrame
    digest: str


def read_table(path: Path, limits: Limits = DEFAULT_LIMITS) -> Table:
    """Read a CSV or Parquet file, told apart by content.

    CSV is read with a comma between cells, the names of the columns in the first line, in UTF-8 with or without
    a byte order mark; an empty cell, `NA`, `NaN`, `null` and `None` are missing values. Numbers keep every bit
    that was written. Parquet columns hold numbers, texts, booleans, dates or times.

    Raises
    ------
    Malformed
        One sentence: larger than the limit, empty, header only, not UTF-8 (with the byte), not a table,
        rows of different length, columns of one name, or columns of a type that is no cell.
    """
    size = path.stat().st_size
    if size > limits.data_bytes:
        raise _refusal(
            path,
            f"has {size:,} bytes; at most {limits.data_bytes:,} are read: draw a sample of the rows",
            f"为 {size:,} 字节，最多读取 {limits.data_bytes:,} 字节，请抽样后再提交",
        )
    with path.open("rb") as file:
        first = file.read(8)
    if not first:
        raise _refusal(path, "is empty; expected a line of column names and rows", "是空文件，应包含列名行和数据行")
    _refuse_foreign(path, first)
    frame, digest = _read_parquet(path, limits) if first.startswith(PARQUET) else _read_csv(path, limits)
    if not len(frame):
        raise _refusal(path, "has column names and no rows", "只有列名，没有数据行")
    return Table(frame=frame, digest=digest)


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns, without reading its rows.

    Raises
    ------
    Malformed
        For what is no table, by its beginning, and for columns of one name.
    """
    with path.open("rb") as file:
        first = file.read(HEADER_BYTES)
    if not first:
        raise _refusal(path, "is empty; expected a line of column names and rows", "是空文件，应包含列名行和数据行")
    _refuse_foreign(path, first)
    names = _parquet_names(path) if first.startswith(PARQUET) else _text_names(path, first)
    _refuse_names(path, names)
    return names


def _text_names(path: Path, first: bytes) -> list[str]:
    # what is cut in the middle of a line, or of a character, is no line of names
    whole = first if len(first) < HEADER_BYTES else first[: first.rfind(b"\n") + 1]
    try:
        text = whole.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(
            path,
            f"is not UTF-8: byte 0x{error.object[error.start]:02X} at position {error.start:,}; save it as CSV UTF-8",
            f"不是 UTF-8 编码：第 {error.start:,} 字节为 0x{error.object[error.start]:02X}，请另存为“CSV UTF-8”",
        ) from error
    if not text.strip() or "\x00" in text:
        raise _refusal(path, "has no readable first line", "的首行无法读取")
    try:
        return next((row for row in csv.reader(io.StringIO(text, newline="")) if row), [])
    except csv.Error as error:
        raise _refusal(path, f"has no readable first line: {error}", f"的首行无法读取：{error}") from error


def _parquet_names(path: Path) -> list[str]:
    try:
        return [str(name) for name in pq.read_schema(path).names]
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _refusal(
            path,
            f"is not a readable Parquet file: {_one_line(error)}",
            f"不是可读取的 Parquet 文件：{_one_line(error)}",
        ) from error


def _refuse_foreign(path: Path, first: bytes) -> None:
    for magic, (en, zh) in FOREIGN.items():
        if first.startswith(magic):
            raise _refusal(
                path,
                f"is {en}; save the table as CSV UTF-8 or Parquet",
                f"是{zh}，请另存为 UTF-8 编码的 CSV 或 Parquet",
            )


def _refusal(path: Path, en: str, zh: str) -> Malformed:
    return Malformed(Sentence(en=f"{path.name} {en}", zh=f"{path.name} {zh}"))


# CSV


def _read_csv(path: Path, limits: Limits) -> tuple[pd.DataFrame, str]:
    digest = _scan_text(path)
    names = _header(path)
    _refuse_cells(path, _count_lines(path), len(names), limits)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(
                path,
                encoding="utf-8-sig",
                index_col=False,
                low_memory=False,
            )
        except pd.errors.EmptyDataError as error:
            raise _refusal(path, "holds no table", "中没有表格数据") from error
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            raise _ragged(path, str(error), len(names)) from error
    frame.columns = pd.Index([str(name) for name in frame.columns])
    return frame, digest


def _scan_text(path: Path) -> str:
    """Return the digest of a file of UTF-8 text; refuse any other at the byte where it stops being one."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    position, line = 0, 1
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = position - pending + error.start
                line += error.object[: error.start].count(b"\n")
                raise _refusal(
                    path,
                    f"is not UTF-8: byte 0x{error.object[error.start]:02X} at position {at:,} (line {line}); "
                    "save it as CSV UTF-8",
                    f"不是 UTF-8 编码：第 {at:,} 字节（第 {line} 行）为 0x{error.object[error.start]:02X}，"
                    "请另存为“CSV UTF-8”",
                ) from error
            if b"\x00" in block:
                at = position + block.index(b"\x00")
                raise _refusal(
                    path,
                    f"is not a text file: byte 0x00 at position {at:,}; save it as CSV UTF-8",
                    f"不是文本文件：第 {at:,} 字节为 0x00，请另存为“CSV UTF-8”",
                )
            if not block:
                return digest.hexdigest()
            digest.update(block)
            position += len(block)
            line += block.count(b"\n")


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))


def _header(path: Path) -> list[str]:
    """Return the column names of a CSV; pandas would rename the second of two equal ones without a word."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            names = next((row for row in csv.reader(file) if row), [])
        except csv.Error as error:
            raise _refusal(path, f"has no readable first line: {error}", f"的首行无法读取：{error}") from error
    _refuse_names(path, names)
    return names


def _refuse_names(path: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise _refusal(
            path,
            f"has several columns of one name: {', '.join(map(repr, twice))}",
            f"中有重名的列：{'、'.join(f'“{name}”' for name in twice)}",
        )


def _ragged(path: Path, said: str, width: int) -> Malformed:
    """Say which row is not as wide as the header, in the words of a person rather than of a parser."""
    place = re.search(r"Expected \d+ fields in line (\d+), saw (\d+)", said)
    if place:
        line, found = place.groups()
        return _refusal(
            path,
            f"has {found} cells in line {line}; the header has {width}: quote texts that hold a comma",
            f"第 {line} 行有 {found} 个单元格，而表头为 {width} 个；含逗号的文本请加引号",
        )
    if "EOF inside string" in said:
        return _refusal(path, "has a quotation mark that is never closed", "中有未闭合的引号")
    return _refusal(
        path,
        f"has rows wider than its {width} column names: quote texts that hold a comma",
        f"中有数据行的单元格多于表头的 {width} 列；含逗号的文本请加引号",
    )


def _refuse_cells(path: Path, rows: int, columns: int, limits: Limits) -> None:
    if rows * columns * 8 > limits.data_bytes:
        raise _refusal(
            path,
            f"holds {rows:,} rows of {columns:,} columns, {rows * columns * 8:,} bytes once unpacked; "
            f"at most {limits.data_bytes:,} are read: draw a sample of the rows",
            f"共 {rows:,} 行 {columns:,} 列，展开后为 {rows * columns * 8:,} 字节，"
            f"最多读取 {limits.data_bytes:,} 字节，请抽样后再提交",
        )


# Parquet


def _read_parquet(path: Path, limits: Limits) -> tuple[pd.DataFrame, str]:
    digest = file_digest(path)
    try:
        schema = pq.read_schema(path)
        rows = pq.read_metadata(path).num_rows
        _refuse_names(path, [str(name) for name in schema.names])
        _refuse_types(path, schema)
        _refuse_cells(path, rows, len(schema.names), limits)
        # texts stay dictionaries until their full size is known: a small file can name one long text a million times
        texts = [field.name for field in schema if _is_text(field.type) or pa.types.is_dictionary(field.type)]
        table = pq.read_table(path, read_dictionary=texts)
        _refuse_texts(path, table, texts, limits)
        frame = _plain(table).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _refusal(
            path,
            f"is not a readable Parquet file: {_one_line(error)}",
            f"不是可读取的 Parquet 文件：{_one_line(error)}",
        ) from error
    return frame, digest


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _refuse_types(path: Path, schema: pa.Schema) -> None:
    def is_cell(kind: pa.DataType) -> bool:
        if pa.types.is_dictionary(kind):
            return _is_text(kind.value_type)
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        return bool(
            number
            or _is_text(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_timestamp(kind)
            or pa.types.is_date(kind)
            or pa.types.is_null(kind)
        )

    wrong = [f"'{field.name}' ({field.type})" for field in schema if not is_cell(field.type)]
    if wrong:
        raise _refusal(
            path,
            f"has columns that hold no plain cells: {', '.join(wrong)}; "
            "expected numbers, texts, booleans, dates or times",
            f"中有非普通单元格的列：{'、'.join(wrong)}；应为数字、文本、布尔值、日期或时间",
        )


def _refuse_texts(path: Path, table: pa.Table, texts: list[str], limits: Limits) -> None:
    total = 0
    for name in texts:
        for chunk in table.column(name).chunks:
            lengths = pc.binary_length(chunk.dictionary)
            total += pc.sum(pc.take(lengths, chunk.indices.drop_null())).as_py() or 0
    if total > limits.data_bytes:
        raise _refusal(
            path,
            f"holds {total:,} bytes of text once unpacked; at most {limits.data_bytes:,} are read: "
            "draw a sample of the rows",
            f"展开后文本共 {total:,} 字节，最多读取 {limits.data_bytes:,} 字节，请抽样后再提交",
        )


def _plain(table: pa.Table) -> pa.Table:
    """Return the table with dictionaries as texts, decimals as floats and dates as times."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        elif pa.types.is_decimal(kind):
            kind = pa.float64()
        elif pa.types.is_date(kind):
            kind = pa.timestamp("ms")
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))
