"""Holds a document against a JSON schema: the words of draft 2020-12 that ours uses, and no others in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}
ONLY_SAID = {"$schema", "$id", "$defs", "title", "description", "default", "format"}
HELD = {"$ref", "anyOf", "type", "properties", "required", "items", "additionalProperties"}


def faults(document: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, at: str = "$") -> list[str]:
    """Return where a document is not what the schema says. Raises ValueError for a word that is not known here."""
    root = schema if root is None else root
    if unknown := set(schema) - ONLY_SAID - HELD:
        raise ValueError(f"{at}: the schema uses {unknown}, which nothing here holds against")
    found: list[str] = []
    if "$ref" in schema:
        found += faults(document, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "anyOf" in schema and all(faults(document, each, root, at) for each in schema["anyOf"]):
        found.append(f"{at}: fits none of {schema['anyOf']}")
    kind = schema.get("type")
    if kind is not None and (not isinstance(document, TYPES[kind]) or (kind != "boolean" and document is True)):
        return [*found, f"{at}: {document!r} is no {kind}"]
    if isinstance(document, dict):
        found += [f"{at}: lacks {name}" for name in schema.get("required", ()) if name not in document]
        known = schema.get("properties", {})
        for name, value in document.items():
            rest = schema.get("additionalProperties", {})
            if name in known or isinstance(rest, Mapping):
                found += faults(value, known.get(name, rest), root, f"{at}.{name}")
            elif rest is False:
                found.append(f"{at}: {name} is not known")
    if isinstance(document, list) and isinstance(schema.get("items"), Mapping):
        for place, value in enumerate(document):
            found += faults(value, schema["items"], root, f"{at}[{place}]")
    return found
