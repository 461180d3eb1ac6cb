"""Rows in and answers out as files: CSV, Parquet and JSON."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from policies.errors import Malformed, NotFound, Sentence

SUFFIXES = (".csv", ".parquet", ".json")


def read_rows(file: Path) -> pd.DataFrame:
    """Read rows by the file's suffix. Raises NotFound, Malformed."""
    _require_suffix(file)
    if not file.is_file():
        raise NotFound(Sentence(en=f"there is no file {file}", zh=f"没有文件 {file}"))
    try:
        if file.suffix == ".csv":
            return pd.read_csv(file, encoding="utf-8-sig")
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        return pd.read_json(file, orient="records")
    except UnicodeDecodeError as error:
        raise Malformed(
            Sentence(
                en=f"{file.name} is not UTF-8 (byte {error.start}); save it as UTF-8",
                zh=f"{file.name} 不是 UTF-8 编码（第 {error.start} 字节），请另存为 UTF-8",
            )
        ) from error
    except (ValueError, OSError) as error:
        raise Malformed(
            Sentence(en=f"{file.name} cannot be read as rows: {error}", zh=f"无法从 {file.name} 读取数据行：{error}")
        ) from error


def write_rows(table: pd.DataFrame, file: Path) -> None:
    """Write answers by the file's suffix."""
    _require_suffix(file)
    if file.suffix == ".csv":
        table.to_csv(file, index=False, quoting=csv.QUOTE_MINIMAL)
    elif file.suffix == ".parquet":
        table.to_parquet(file, index=False)
    else:
        table.to_json(file, orient="records", force_ascii=False, double_precision=15)


def _require_suffix(file: Path) -> None:
    if file.suffix not in SUFFIXES:
        raise Malformed(
            Sentence(
                en=f"{file.name}: expected a file ending in {', '.join(SUFFIXES)}",
                zh=f"{file.name}：文件后缀应为 {'、'.join(SUFFIXES)}",
            )
        )
