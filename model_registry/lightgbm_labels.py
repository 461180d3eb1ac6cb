"""The labels behind LightGBM's category codes, kept in the last line of its text models."""

from __future__ import annotations

import json

Categories = tuple[tuple[int, tuple[object, ...]], ...]

LAST_LINE = b"pandas_categorical:"
INFOS = b"\nfeature_infos="


def labels_in(text: bytes) -> Categories:
    """Return (column, labels) of every column that was a pandas category at training; the k-th label has code k.

    Nothing is returned where the line is absent, or does not fit the columns that the model calls categorical: then
    the columns are read as codes.

    Examples
    --------
    >>> labels_in(b"tree\\nfeature_infos=[0:1] 0:1\\n\\npandas_categorical:[[\\"day\\", \\"night\\"]]\\n")
    ((1, ('day', 'night')),)
    """
    _, found, after = text.rpartition(LAST_LINE)
    _, infos_found, infos = text.partition(INFOS)
    if not found or not infos_found:
        return ()
    try:
        labels = json.loads(after)
    except (ValueError, RecursionError):
        return ()
    # a range in brackets is a number, whole numbers with colons between are codes
    kinds = infos.split(b"\n", 1)[0].split()
    columns = [column for column, kind in enumerate(kinds) if not kind.startswith(b"[") and kind != b"none"]
    if not isinstance(labels, list) or len(labels) != len(columns) or not all(map(_are_labels, labels)):
        return ()
    return tuple((column, tuple(known)) for column, known in zip(columns, labels, strict=True))


def _are_labels(known: object) -> bool:
    return isinstance(known, list) and all(isinstance(label, str | int | float | bool) for label in known)
