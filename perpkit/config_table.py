"""The settings as tables of the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from perpkit.config import RunConfig


def document(model: type[BaseModel] = RunConfig) -> str:
    """Write a table of settings of docs/run-file.md: of the run, or of a table in it."""
    schema = model.model_json_schema()["properties"]
    lines = ["| setting | values | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        cells = (f"`{name}`", _values(schema[name]), _default(field.default), field.description)
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _values(told: Mapping[str, Any]) -> str:
    """What a setting may be, from its JSON schema."""
    if "anyOf" in told:
        return _values(next(one for one in told["anyOf"] if one.get("type") != "null"))
    if "enum" in told or "const" in told:
        return ", ".join(_code(one) for one in told.get("enum", [told.get("const")]))
    if told.get("type") == "array":
        return f"list of {_values(told['items'])}"
    if "$ref" in told or told.get("type", "object") == "object":
        return _table(told.get("additionalProperties"))
    if told["type"] == "string":
        return {"path": "path", "date-time": "date or time"}.get(str(told.get("format")), "text")
    return _number(told)


def _table(inner: object) -> str:
    if not isinstance(inner, Mapping):
        return "table"
    return "table of tables" if "$ref" in inner else f"table of {_values(inner)}"


def _number(told: Mapping[str, Any]) -> str:
    kind = {"number": "number", "integer": "whole number", "boolean": "`true`, `false`"}
    return kind[told["type"]] + _bounds(told)


def _bounds(told: Mapping[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    made = [f"{sign} {told[key]:,g}" for key, sign in words.items() if key in told]
    return f" {', '.join(made)}" if made else ""


def _default(value: object) -> str:
    """A default as TOML writes it; a dash for none, for what has to be told, and for a table."""
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return "–"
    if isinstance(value, float):
        return f"`{value:.6g}`"
    return _code(list(value) if isinstance(value, tuple) else value)


def _code(value: object) -> str:
    return f"`{json.dumps(value)}`"
