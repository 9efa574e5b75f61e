"""Declared parameters and memory of a strategy, and the records they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from perpkit.errors import RequestError, StrategyError, nearest

_CODES = {int: "i8", float: "f8", bool: "?"}
_LARGEST = 2**63 - 1  # what an i8 holds


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
    help : one line for whoever sets it

    >>> field(72, ge=1, unit="h").default
    72
    """
    return Declared(default, ge, le, unit, help)


def parameters(cls: type | None, where: str) -> tuple[Parameter, ...]:
    """The parameters a ``Params`` class declares, in order.

    Raises
    ------
    StrategyError
        If one is not an int, float or bool, has no default, or one that does not fit.
    """
    if cls is None:
        return ()
    made = []
    hints = _hints(cls, where)
    for name in vars(cls):
        if not name.startswith("__") and name not in hints:
            raise StrategyError(
                f"{where}: Params.{name} has no kind; write {name}: float = field(VALUE)"
            )
    for name, kind in hints.items():
        if kind not in _CODES:
            raise StrategyError(
                f"{where}: Params.{name} is declared as {getattr(kind, '__name__', kind)}; a "
                "parameter is an int, a float or a bool"
            )
        told = getattr(cls, name, None)
        if told is None:
            raise StrategyError(f"{where}: Params.{name} has no default; give it field(VALUE)")
        if not isinstance(told, Declared):
            told = Declared(told, None, None, "", "")
        parameter = Parameter(name, kind, *told)
        try:
            _value(parameter, parameter.default)
        except ValidationError as e:
            raise StrategyError(f"{where}: default of Params.{name} {_in_words(e)}") from None
        made.append(parameter)
    return tuple(made)


def _hints(cls: type, where: str) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except Exception as e:
        raise StrategyError(
            f"{where}: {cls.__name__}: {e}; a field is an int, a float or a bool"
        ) from e


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted")  # noqa: TRY004 - pydantic knows this one
    return value


def _value(parameter: Parameter, value: object) -> Any:
    kind, ge, le = parameter.kind, parameter.ge, parameter.le
    if kind is bool:
        return TypeAdapter(bool).validate_python(value)
    if kind is int:
        ge, le = -_LARGEST if ge is None else ge, _LARGEST if le is None else le
    told: Any = Annotated[
        kind,
        Field(ge=ge, le=le, allow_inf_nan=False if kind is float else None),
        BeforeValidator(_no_bool),
    ]
    return TypeAdapter(told).validate_python(value)


def _in_words(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"was {first['input']!r}: {first['msg'].lower().removeprefix('value error, ')}"


def bind(known: tuple[Parameter, ...], values: Mapping[str, object], where: str) -> dict[str, Any]:
    """Every parameter's value, checked against kind and bounds.

    Raises
    ------
    RequestError
        If a name is unknown or a value does not fit.
    """
    names = [p.name for p in known]
    values = _flat(values, names)
    for name in values:
        if name not in names:
            raise RequestError(f"{where} has no parameter {name}: {nearest(name, names)}")
    bound: dict[str, Any] = {}
    for p in known:
        try:
            bound[p.name] = _value(p, values.get(p.name, p.default))
        except ValidationError as e:
            raise RequestError(f"{where}: parameter {p.name} {_in_words(e)}") from None
    return bound


def _flat(values: Mapping[str, object], names: list[str]) -> dict[str, object]:
    """Values of a portfolio's members, told in a table each, under the names of its parameters."""
    made: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and any(n.startswith(f"{name}.") for n in names):
            made |= {f"{name}.{own}": of for own, of in value.items()}
        else:
            made[name] = value
    return made


def params_dtype(known: tuple[Parameter, ...]) -> np.dtype[Any]:
    """Record layout of the parameters."""
    return _dtype([(p.name, _CODES[p.kind]) for p in known])


def memory_dtype(cls: type | None, where: str) -> np.dtype[Any]:
    """Record layout of a ``Memory`` class: one record a perp, zero at the start."""
    fields = []
    for name, kind in _hints(cls, where).items() if cls is not None else ():
        if name in vars(cls):
            raise StrategyError(
                f"{where}: Memory.{name} has a value; memory is zero at the start, write "
                f"{name}: {getattr(kind, '__name__', kind)} alone"
            )
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
