"""Declared parameters and memory of a strategy, and the records they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_type_hints

import numpy as np
from pydantic import ConfigDict, Field, ValidationError, create_model

from perpkit.errors import RequestError, StrategyError, nearest

_CODES = {int: "i8", float: "f8", bool: "?"}


class Declared(NamedTuple):
    """What :func:`field` returns until the class is read."""

    default: float | bool
    ge: float | None
    le: float | None
    unit: str
    help: str


class Parameter(NamedTuple):
    """One parameter of a strategy."""

    name: str
    kind: type
    default: float | bool
    ge: float | None
    le: float | None
    unit: str
    help: str


def field(
    default: float | bool,
    *,
    ge: float | None = None,
    le: float | None = None,
    unit: str = "",
    help: str = "",  # noqa: A002 - the word authors expect, as in argparse and typer
) -> Any:
    """Declare a strategy parameter with its bounds, unit and one line of help.

    Parameters
    ----------
    default : value when the run sets none
    ge, le : lowest and highest value allowed
    unit : what the number counts, such as ``"h"`` or ``"USD"``
    help : one line for ``perpkit backtest STRATEGY --help``

    >>> field(72, ge=1, unit="h").default
    72
    """
    return Declared(default, ge, le, unit, help)


def parameters(cls: type | None, where: str) -> tuple[Parameter, ...]:
    """The parameters a ``Params`` class declares, in order.

    Raises
    ------
    StrategyError
        If one is not an int, float or bool, or has no default.
    """
    if cls is None:
        return ()
    made = []
    for name, kind in get_type_hints(cls).items():
        if kind not in _CODES:
            raise StrategyError(
                f"{where}: Params.{name} is {kind!r}; a parameter is an int, a float or a bool"
            )
        told = getattr(cls, name, None)
        if told is None:
            raise StrategyError(f"{where}: Params.{name} has no default; give it field(VALUE)")
        if not isinstance(told, Declared):
            told = Declared(told, None, None, "", "")
        made.append(Parameter(name, kind, *told))
    return tuple(made)


def bind(known: tuple[Parameter, ...], values: Mapping[str, object], where: str) -> dict[str, Any]:
    """Every parameter's value, checked against kind and bounds.

    Raises
    ------
    RequestError
        If a name is unknown or a value does not fit.
    """
    names = [p.name for p in known]
    for name in values:
        if name not in names:
            raise RequestError(f"{where} has no parameter {name}: {nearest(name, names)}")
    fields: dict[str, Any] = {
        p.name: (p.kind, Field(p.default, ge=p.ge, le=p.le, allow_inf_nan=False))
        if p.kind is float
        else (p.kind, Field(p.default, ge=p.ge, le=p.le))
        for p in known
    }
    model = create_model(
        "Params", __config__=ConfigDict(protected_namespaces=(), validate_default=True), **fields
    )
    try:
        bound: dict[str, Any] = model(**values).model_dump()
    except ValidationError as e:
        first = e.errors()[0]
        raise RequestError(
            f"{where}: parameter {first['loc'][0]} was {first['input']!r}: {first['msg'].lower()}"
        ) from None
    return bound


def params_dtype(known: tuple[Parameter, ...]) -> np.dtype[Any]:
    """Record layout of the parameters."""
    return _dtype([(p.name, _CODES[p.kind]) for p in known])


def memory_dtype(cls: type | None, where: str) -> np.dtype[Any]:
    """Record layout of a ``Memory`` class: one record a perp, zero at the start."""
    fields = []
    for name, kind in get_type_hints(cls).items() if cls is not None else ():
        if kind not in _CODES:
            raise StrategyError(
                f"{where}: Memory.{name} is {kind!r}; memory holds ints, floats and bools"
            )
        fields.append((name, _CODES[kind]))
    return _dtype(fields)


def _dtype(fields: list[tuple[str, str]]) -> np.dtype[Any]:
    # A record needs a field; a strategy without parameters gets one that it cannot name.
    return np.dtype(fields or [("_", "i8")], align=True)


def params_record(known: tuple[Parameter, ...], values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The bound values as one record, seen as bytes."""
    record = np.zeros(1, params_dtype(known))
    for p in known:
        record[p.name] = values[p.name]
    return record.view(np.uint8)
