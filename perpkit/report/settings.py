"""Settings as a run's manifest has them, and which of them are the run's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from perpkit.config import RunConfig
from perpkit.delivery import Delivery
from perpkit.told import Holder, IssuerTerms, Pledge

_APART = frozenset({"data", "params", "rulebook"})  # not in the manifest's config
_TABLES: dict[str, type[BaseModel]] = {
    "collateral": Pledge,
    "ways": IssuerTerms,
    "token_settlement": Delivery,
    "holder": Holder,
}


def flat(told: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names, as ``--set`` writes them; an empty table stays one.

    >>> flat({"a": {"b": 1, "c": {}}, "d": None})
    {'a.b': 1, 'a.c': {}, 'd': None}
    """
    made: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, Mapping) and value:
            made |= flat(value, f"{prefix}{name}.")
        else:
            made[f"{prefix}{name}"] = value
    return made


@cache
def defaults() -> dict[str, Any]:
    """Every setting's default by its dotted name."""
    return _of(RunConfig)


@cache
def _of(model: type[BaseModel]) -> dict[str, Any]:
    """Defaults of a model's fields; a field that must be told has none."""
    told = {
        name: to_jsonable_python(field.get_default(call_default_factory=True))
        for name, field in model.model_fields.items()
        if name not in _APART and not field.is_required()
    }
    return flat(told)


def default_of(name: str) -> tuple[Any, ...]:
    """The default of a setting by its dotted name; empty where it has none.

    >>> default_of("capital"), default_of("collateral.USTB.share"), default_of("pairs.x")
    ((100000.0,), (0.0,), ())
    """
    known = defaults()
    if name in known:
        return (known[name],)
    table, _, rest = name.partition(".")
    if table not in _TABLES:
        return ()
    key = rest if table == "holder" else rest.rpartition(".")[2]
    within = _of(_TABLES[table])
    return (within[key],) if key in within else ()


def own(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that are not at their defaults, by dotted names."""
    return {name: value for name, value in flat(config).items() if default_of(name) != (value,)}


def in_words(value: Any) -> str:
    """A value as people read it.

    >>> in_words(0.0002), in_words(["a", "b"]), in_words(True)
    ('0.0002', 'a, b', 'true')
    """
    if value is None or value in ([], {}, ()):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(in_words(v) for v in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {in_words(v)}" for k, v in value.items())
    return str(value)
