"""Declared parameters and memory: kinds, bounds, records."""

from __future__ import annotations

import numpy as np
import pytest

from perpkit.errors import RequestError, StrategyError
from perpkit.strategy import field
from perpkit.strategy.params import (
    Parameter,
    bind,
    memory_dtype,
    parameters,
    params_dtype,
    params_record,
)


class Params:
    hours: int = field(72, ge=1, le=500, unit="h", help="how far back")
    apr: float = field(0.1, ge=0)
    both: bool = field(default=True)
    plain: float = 2.5


KNOWN = parameters(Params, "s.py")


def test_declared_in_order() -> None:
    assert list(KNOWN) == [
        Parameter("hours", int, 72, 1, 500, "h", "how far back"),
        Parameter("apr", float, 0.1, 0, None, "", ""),
        Parameter("both", bool, True, None, None, "", ""),
        Parameter("plain", float, 2.5, None, None, "", ""),
    ]
    assert parameters(None, "s.py") == ()


def test_defaults_and_values() -> None:
    assert bind(KNOWN, {}, "s") == {"hours": 72, "apr": 0.1, "both": True, "plain": 2.5}
    told = bind(KNOWN, {"hours": 24.0, "apr": 1, "both": False}, "s")
    assert told == {"hours": 24, "apr": 1.0, "both": False, "plain": 2.5}
    assert [type(x) for x in told.values()] == [int, float, bool, float]
    assert bind((), {}, "s") == {}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"hour": 3}, "s has no parameter hour: did you mean hours?"),
        ({"zzz": 3}, "s has no parameter zzz: there is hours, apr, both, plain"),
        ({"hours": 0}, "parameter hours was 0: input should be greater than or equal to 1"),
        ({"hours": 501}, "parameter hours was 501: input should be less than or equal to 500"),
        ({"hours": 1.5}, "parameter hours was 1.5: input should be a valid integer"),
        ({"hours": True}, "parameter hours was True: a number is wanted"),
        ({"apr": False}, "parameter apr was False: a number is wanted"),
        ({"apr": float("nan")}, "parameter apr was nan: input should be a finite number"),
        ({"plain": float("inf")}, "parameter plain was inf: input should be a finite number"),
        ({"apr": "high"}, "parameter apr was 'high': input should be a valid number"),
        ({"apr": [1.0]}, "parameter apr was [1.0]"),
        ({"both": 7}, "parameter both was 7: input should be a valid boolean"),
    ],
)
def test_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(RequestError) as caught:
        bind(KNOWN, values, "s")
    assert says in str(caught.value)


def test_an_unbounded_int_still_fits_its_record() -> None:
    class Wide:
        n: int = 5

    known = parameters(Wide, "s.py")
    assert bind(known, {"n": 2**63 - 1}, "s") == {"n": 2**63 - 1}
    with pytest.raises(RequestError, match="parameter n was"):
        bind(known, {"n": 2**63}, "s")


def test_names_that_a_checking_library_would_claim() -> None:
    class Odd:
        json: int = 1
        schema: float = 2.0
        model_config: int = 3
        _hidden: float = 4.0

    told = bind(parameters(Odd, "s.py"), {"model_config": 5}, "s")
    assert told == {"json": 1, "schema": 2.0, "model_config": 5, "_hidden": 4.0}


def _cls(**fields: tuple[object, object]) -> type:
    hints = {name: kind for name, (kind, _) in fields.items() if kind is not None}
    values = {name: value for name, (_, value) in fields.items() if value is not None}
    return type("Params", (), {"__annotations__": hints, "__module__": __name__, **values})


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (_cls(a=(str, "x")), "Params.a is declared as str; a parameter is an int, a float or"),
        (_cls(a=(int, None)), "Params.a has no default; give it field(VALUE)"),
        (_cls(a=(None, 3)), "Params.a has no kind; write a: float = field(VALUE)"),
        (_cls(a=("Foo", 3)), "name 'Foo' is not defined"),
        (_cls(a=(int, 0.5)), "default of Params.a was 0.5: input should be a valid integer"),
        (_cls(a=(int, field(0, ge=1))), "default of Params.a was 0: input should be greater"),
        (_cls(a=(float, True)), "default of Params.a was True: a number is wanted"),
    ],
)
def test_wrong_declarations(cls: type, says: str) -> None:
    with pytest.raises(StrategyError) as caught:
        parameters(cls, "s.py")
    assert str(caught.value).startswith("s.py: ")
    assert says in str(caught.value)


def test_the_record_holds_the_values() -> None:
    values = bind(KNOWN, {"hours": 30, "apr": 0.25, "both": False}, "s")
    record = params_record(KNOWN, values).view(params_dtype(KNOWN))[0]
    assert [record[p.name].item() for p in KNOWN] == [30, 0.25, False, 2.5]
    assert params_dtype(()).itemsize == 8  # a record needs a field, named or not


def test_memory_kinds() -> None:
    class Memory:
        on: bool
        count: int
        level: float

    made = memory_dtype(Memory, "s.py")
    assert made.names == ("on", "count", "level")
    assert [made[n] for n in made.names] == [np.bool_, np.int64, np.float64]
    assert memory_dtype(None, "s.py").itemsize == 8


def test_memory_that_cannot_be() -> None:
    class Text:
        a: str

    class Preset:
        on: bool = True

    with pytest.raises(StrategyError, match="memory holds ints, floats and bools"):
        memory_dtype(Text, "s.py")
    with pytest.raises(StrategyError, match="zero at the start, write on: bool alone"):
        memory_dtype(Preset, "s.py")
