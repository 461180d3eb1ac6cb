"""What an invocation's body is: JSON, CSV or Parquet, as MLflow's scoring server takes them."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from typing import Any

import orjson
import pandas as pd

from api.invocations import Invocation, read_invocation
from policies.errors import Malformed, Sentence

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
LARGEST_TABLE = 256 * 1024 * 1024
"""Bytes that a Parquet body may unfold to; a small file can hold a very large table."""


class UnsupportedType(Malformed):
    """The body is of a kind that is not read."""


def read_body(content_type: str, body: bytes, *, contributions: bool = False) -> Invocation:
    """Read an invocation by what its Content-Type says; what is neither CSV nor Parquet is read as JSON.

    Parameters
    ----------
    content_type : str
        As the caller sent it; empty when he said nothing.
    contributions : bool
        The address asked for contributions; CSV and Parquet have no `params` to ask in.

    Raises
    ------
    UnsupportedType
        For another character set than UTF-8, and for what is no JSON and does not claim to be.
    Malformed
    """
    kind, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charset = next((part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8"):
        raise UnsupportedType(
            Sentence(en=f"only UTF-8 is read, found charset {charset}", zh=f"仅支持 UTF-8，实际字符集为 {charset}")
        )
    if kind == CSV:
        return Invocation(rows=_csv(body), subjects=None, contributions=contributions)
    if kind == PARQUET:
        return Invocation(rows=_parquet(body), subjects=None, contributions=contributions)
    return read_invocation(_json(kind, body), contributions=contributions)


def _json(kind: str, body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if kind and not kind.endswith("json"):
            raise UnsupportedType(
                Sentence(
                    en=f"a body of type {kind} is not read; send application/json, {CSV} or {PARQUET}",
                    zh=f"不支持类型为 {kind} 的请求正文；请使用 application/json、{CSV} 或 {PARQUET}",
                )
            ) from error
        raise Malformed(
            Sentence(en=f"the body is not JSON: {error}", zh=f"请求正文不是合法的 JSON：{error}")
        ) from error


def _csv(body: bytes) -> pd.DataFrame:
    """Read lines under a header. pandas would fill up lines that are too short; here every line has every cell."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise Malformed(
            Sentence(
                en=f"the CSV is not UTF-8 (byte {error.start})", zh=f"CSV 不是 UTF-8 编码（第 {error.start} 字节）"
            )
        ) from error
    except csv.Error as error:
        raise Malformed(Sentence(en=f"the CSV cannot be read: {error}", zh=f"无法读取 CSV：{error}")) from error
    if not lines:
        raise Malformed(Sentence(en="the CSV is empty; expected a header", zh="CSV 为空，应有表头"))
    header, rows = lines[0], [line for line in lines[1:] if line]
    uneven = next((number for number, line in enumerate(rows) if len(line) != len(header)), None)
    if uneven is not None:
        raise Malformed(
            Sentence(
                en=f"row {uneven} of the CSV has {len(rows[uneven])} cells, its header has {len(header)}",
                zh=f"CSV 第 {uneven} 行有 {len(rows[uneven])} 个单元格，表头有 {len(header)} 个",
            )
        )
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    series = [pd.Series(_cells(column)) for column in columns]
    table = pd.concat(series, axis=1) if series else pd.DataFrame()
    table.columns = pd.Index(header)
    return table.iloc[:, 1:] if header[0] == "" else table  # DataFrame.to_csv() writes its index without a name


def _cells(column: Sequence[str]) -> list[float | None] | list[str | None]:
    """Return a column as numbers where all its cells are, else as text; an empty cell is missing."""
    try:
        return [float(cell) if _plain(cell) else None for cell in column]
    except ValueError:
        return [cell if cell.strip() else None for cell in column]


def _plain(cell: str) -> bool:
    """Whether a cell holds something. Raises ValueError for what only Python takes for a number, such as 1_000."""
    if "_" in cell:
        raise ValueError(cell)
    return bool(cell.strip())


def _parquet(body: bytes) -> pd.DataFrame:
    import pyarrow as pa  # takes a third of a second, and hardly anybody sends Parquet
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(body))
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        size = max(
            sum(group.total_byte_size for group in groups), 8 * file.metadata.num_rows * file.metadata.num_columns
        )
        if size <= LARGEST_TABLE:
            table: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
            return table
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        said = " ".join(itertools.islice(str(error).split(), 20))
        raise Malformed(Sentence(en=f"the Parquet cannot be read: {said}", zh=f"无法读取 Parquet：{said}")) from error
    raise Malformed(
        Sentence(
            en=f"the Parquet unfolds to {size:,} bytes, {LARGEST_TABLE:,} at most are read; send it in parts",
            zh=f"Parquet 展开后为 {size:,} 字节，最多读取 {LARGEST_TABLE:,} 字节，请分批发送",
        )
    )
