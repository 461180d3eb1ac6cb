"""The form that writes a `submission.toml`: what was typed, as it was typed, and the declaration it stands for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from model_registry.addresses import read_address, read_file_address
from model_registry.named_files import DECLARATION
from policies.declaration import RECORD_FIELDS, Flavour
from policies.errors import Fault, FieldSentence, Malformed, Sentence, field_of
from policies.impact_matrix import ImpactMatrix

KEYS = {"artifact": "model.artifact", "evaluation": "data.evaluation", "training": "data.training"}
"""What a file beside the form is for, and the key that names it."""

ROLES = tuple(KEYS)

PLAIN = {
    "model": ("name", "flavour", "task", "threshold", "protective"),
    "use": ("purpose", "description", "site", "owner"),
    "data": ("label", "prediction", "time", "subject", "groups"),
    "endpoint": ("url", "protocol", "columns", "answer", "timeout_seconds", "rows_per_call"),
    "record": RECORD_FIELDS,
}
FEATURE = ("name", "unit", "low", "high", "cap", "sensor", "immutable", "label_en", "label_zh")
SOURCE = ("name", "period", "licence")
TRACK = ("name", "column")
ROWS = {"feature": FEATURE, "source": SOURCE, "track": TRACK}
MOST_ROWS = {"feature": 200, "source": 20, "track": 20}
ROW = re.compile(r"(feature|source|track)\.(\d{1,3})\.([a-z_]+)")
NUMBERS = ("model.threshold", "endpoint.timeout_seconds", "endpoint.rows_per_call")
LONGEST = 4000
LONGEST_NAME = 50

Fields = Mapping[str, str]
Row = dict[str, str]


def typed_in(form: Iterable[tuple[str, object]], matrix: ImpactMatrix) -> dict[str, str]:
    """Return the fields of a form that are ours, rows numbered without gaps; empty ones are left out."""
    given = {name: value for name, value in form if isinstance(value, str) and value.strip()}
    fields = {name: given[name].strip() for name in _plain_names(matrix) if name in given}
    for kind in ROWS:
        for number, row in enumerate(_rows(kind, given)):
            fields |= {f"{kind}.{number}.{key}": value.strip() for key, value in row.items()}
    return fields


def over_limits(fields: Fields) -> tuple[Sentence, ...]:
    """Return what is longer, or more, than a form keeps."""
    return (*_too_long(fields), *_too_many(fields))


def _too_long(fields: Fields) -> Iterator[Sentence]:
    for name, text in fields.items():
        if len(text) > LONGEST:
            yield FieldSentence(
                en=f"{name} holds {len(text):,} characters; at most {LONGEST:,} are kept",
                zh=f"{name} 共 {len(text):,} 个字符，最多保存 {LONGEST:,} 个",
                field=name,
            )


def _too_many(fields: Fields) -> Iterator[Sentence]:
    for kind, most in MOST_ROWS.items():
        found = len(rows_of(kind, fields))
        if found > most:
            yield FieldSentence(
                en=f"there are {found:,} rows, and the form keeps at most {most}; hand the submission in as a zip",
                zh=f"共 {found:,} 行，表单最多保存 {most} 行；请改用 zip 提交",
                field=f"{kind}.{most}.name",
            )


def _plain_names(matrix: ImpactMatrix) -> list[str]:
    names = [f"{table}.{key}" for table, keys in PLAIN.items() for key in keys]
    return [*names, *KEYS.values()] + [f"impact.{question.name}" for question in matrix.questions]


def _rows(kind: str, fields: Fields) -> list[Row]:
    found: dict[int, Row] = {}
    for name, value in fields.items():
        match = ROW.fullmatch(name)
        if match and match[1] == kind and match[3] in ROWS[kind]:
            found.setdefault(int(match[2]), {})[match[3]] = value
    return [found[number] for number in sorted(found)]


def rows_of(kind: str, fields: Fields) -> list[Row]:
    """Return the rows of "feature", "source" or "track", each with every key; what was not typed is empty."""
    return [{key: row.get(key, "") for key in ROWS[kind]} for row in _rows(kind, fields)]


def proposed(fields: Fields, columns: Iterable[str]) -> dict[str, str]:
    """Return the fields with a feature row for every column that has neither a row nor another part to play."""
    known = {row["name"] for row in rows_of("feature", fields)}
    known |= {fields.get(f"data.{key}", "") for key in ("label", "prediction", "time", "subject")}
    known |= {*_names(fields.get("data.groups", "")), *(row["column"] for row in rows_of("track", fields))}
    fresh = [column for column in columns if column.strip() and column not in known]
    first = len(rows_of("feature", fields))
    most = MOST_ROWS["feature"]
    if first + len(fresh) > most:
        raise Malformed(
            FieldSentence(
                en=f"the file has {len(fresh):,} columns that could be features, and the form keeps at most {most}; "
                "hand the submission in as a zip",
                zh=f"文件中有 {len(fresh):,} 列可作为特征，表单最多保存 {most} 行；请改用 zip 提交",
                field="data.evaluation",
            )
        )
    return {**fields, **{f"feature.{first + place}.name": name for place, name in enumerate(fresh)}}


def document_of(fields: Fields, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the tables of the declaration. What is empty is left out; numbers that are none stay as they were typed.

    Parameters
    ----------
    fields : mapping
        As `typed_in` returns them.
    files : mapping
        From role to the name of the file that was uploaded for it.
    """
    plain = {table: {key: _given(fields, f"{table}.{key}") for key in keys} for table, keys in PLAIN.items()}
    artifact = files.get("artifact") or fields.get("model.artifact")
    model = {"name": plain["model"].pop("name"), "artifact": artifact, **plain["model"]}
    flavour = fields.get("model.flavour", "")
    said = {
        "model": model,
        "use": plain["use"],
        "data": _data(fields, files),
        "features": {row["name"]: _feature(row) for row in rows_of("feature", fields) if row["name"]},
        "impact": {name.removeprefix("impact."): value for name, value in fields.items() if name.startswith("impact.")},
        "record": plain["record"],
        "endpoint": _endpoint(fields) if flavour == Flavour.ENDPOINT else {},
    }
    kept = {
        table: {key: value for key, value in keys.items() if value not in (None, "", [])}
        for table, keys in said.items()
    }
    return {table: keys for table, keys in kept.items() if keys or table in ("model", "use", "data")}


def _given(fields: Fields, name: str) -> object:
    text = fields.get(name)
    return _number(text) if text is not None and name in NUMBERS else text


def _data(fields: Fields, files: Mapping[str, str]) -> dict[str, Any]:
    tracks = {row["name"]: row["column"] for row in rows_of("track", fields)}
    return {
        "evaluation": files.get("evaluation") or fields.get("data.evaluation"),
        "training": files.get("training") or fields.get("data.training"),
        **{key: fields.get(f"data.{key}") for key in ("label", "prediction", "time", "subject")},
        "groups": _names(fields.get("data.groups", "")),
        "labels_by": tracks or None,
        "sources": rows_of("source", fields),
    }


def _endpoint(fields: Fields) -> dict[str, Any]:
    said = {key: _given(fields, f"endpoint.{key}") for key in PLAIN["endpoint"]}
    return {**said, "columns": _names(fields.get("endpoint.columns", ""))}


def _feature(row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {"unit": row["unit"] or None}
    if row["low"] or row["high"]:
        said["range"] = [_number(row["low"]), _number(row["high"])]
    for flag in ("sensor", "immutable"):
        if row[flag]:
            said[flag] = True
    if row["cap"]:
        said["cap"] = _number(row["cap"])
    if row["label_en"] or row["label_zh"]:
        said["label"] = {key: row[f"label_{key}"] for key in ("en", "zh") if row[f"label_{key}"]}
    return said


def _number(text: str) -> int | float | str:
    """Return the number that was typed, or the text where it is none."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _names(text: str) -> list[str]:
    return [name.strip() for name in re.split(r"[,，、\n]", text) if name.strip()]


def form_faults(fields: Fields, files: Mapping[str, str]) -> tuple[Sentence, ...]:
    """Return what is wrong with the form that its declaration cannot show: things named twice, and no addresses."""
    return (*_twice_named(fields, files), *_no_addresses(fields), *_row_faults(fields))


def _twice_named(fields: Fields, files: Mapping[str, str]) -> Iterator[Sentence]:
    for role, key in KEYS.items():
        if role in files and key in fields:
            yield FieldSentence(
                en=f"{key} is both a file ({files[role]}) and an address ({fields[key]}); remove one of them",
                zh=f"{key} 既有文件（{files[role]}）又有地址（{fields[key]}），请去掉其一",
                field=key,
            )


def _no_addresses(fields: Fields) -> Iterator[Sentence]:
    for role, key in KEYS.items():
        text = fields.get(key)
        if text is None:
            continue
        try:
            (read_address if role == "artifact" else read_file_address)(text)
        except Fault as fault:
            yield from (said.about(key) for said in fault.faults)


def _row_faults(fields: Fields) -> Iterator[Sentence]:
    count = Counter(row["name"] for row in rows_of("feature", fields))
    for place, row in enumerate(rows_of("feature", fields)):
        if not row["name"]:
            yield FieldSentence(
                en="this row says something of a feature without a name; name its column, or empty the row",
                zh="该行描述了未命名的特征；请填写列名，或清空该行",
                field=f"feature.{place}.name",
            )
        elif count[row["name"]] > 1:
            yield FieldSentence(
                en=f"the feature '{row['name']}' has {count[row['name']]} rows; keep one",
                zh=f"特征“{row['name']}”有 {count[row['name']]} 行，请保留一行",
                field=f"feature.{place}.name",
            )
    for place, row in enumerate(rows_of("track", fields)):
        if not row["name"] or not row["column"]:
            yield FieldSentence(
                en="a second judgement needs who gave it and the column it stands in",
                zh="其他标签需同时填写判定方和所在列",
                field=f"track.{place}.{'column' if row['name'] else 'name'}",
            )


def placed(faults: Iterable[Sentence], fields: Fields) -> dict[str, list[Sentence]]:
    """Return the faults by the field of the form beside which they belong; "" for those that belong to none."""
    found: dict[str, list[Sentence]] = {}
    for fault in faults:
        field = _input_of(field_of(fault), fields)
        plain = Sentence(en=fault.en.removeprefix(IN_FILE.en), zh=fault.zh.removeprefix(IN_FILE.zh))
        if plain not in found.setdefault(field, []):
            found[field].append(plain)
    return found


IN_FILE = Sentence(en="submission.toml: ", zh="submission.toml：")
"""How faults of a declaration begin; who fills in a form sees no such file."""

ENDS = {"range": "low", "label": "label_en"}


def _input_of(at: str, fields: Fields) -> str:
    table, _, rest = at.partition(".")
    if table == "features":
        for place, row in enumerate(rows_of("feature", fields)):
            if row["name"] and (rest == row["name"] or rest.startswith(f"{row['name']}.")):
                key = rest.removeprefix(row["name"]).lstrip(".") or "name"
                return f"feature.{place}.{ENDS.get(key, key)}"
    if at.startswith("data.labels_by."):
        tracks = [row["name"] for row in rows_of("track", fields)]
        name = at.removeprefix("data.labels_by.")
        return f"track.{tracks.index(name)}.column" if name in tracks else ""
    if at.startswith("data.sources"):
        return "source.0.name"
    known = at.startswith(("feature.", "source.", "track.", "impact."))
    return at if known or at in {*KEYS.values(), *_all_plain()} else ""


def _all_plain() -> set[str]:
    return {f"{table}.{key}" for table, keys in PLAIN.items() for key in keys}


def name_of_file(given: str, role: str, taken: Iterable[str]) -> str:
    """Return the name under which an uploaded file lies beside the declaration: its own, made harmless.

    Examples
    --------
    >>> name_of_file("C:\\\\data\\\\evaluation.csv", "evaluation", ())
    'evaluation.csv'
    >>> name_of_file("../..", "artifact", ()), name_of_file("rows.csv", "training", ["rows.csv"])
    ('artifact', 'training-rows.csv')
    """
    last = re.split(r"[/\\]", given)[-1]
    name = "".join(character for character in last if character.isprintable() and character != ":").strip(". ")
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix[:16]
    name = f"{stem[: LONGEST_NAME - len(suffix)]}{suffix}" if name else role
    if name.casefold() in {DECLARATION, *(other.casefold() for other in taken)}:
        name = f"{role}-{name}"
    return name
