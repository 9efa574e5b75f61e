"""Tuples that rules receive by pointer: the same fields, compiled or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from perpkit.lend import lend
from perpkit.rule import rule


class Inner(NamedTuple):
    """A tuple within a tuple."""

    count: int
    units: Any


class Outer(NamedTuple):
    """What is lent."""

    px: Any
    inner: Inner
    share: float


def made() -> Outer:
    """Arrays of its own for each test."""
    return Outer(np.array([10.0, 20.0, 30.0]), Inner(2, np.zeros(3)), 0.5)


@rule
def spend(inner: Inner, px: float) -> None:
    """Write to an array of the tuple within."""
    for i in range(inner.count):
        inner.units[i] += px


@rule
def play(outer: Outer) -> float:
    """Read every kind of field, and hand a part on."""
    spend(outer.inner, outer.px[1])
    return float(outer.share * outer.px[2] + outer.inner.count)


def twice(outer: Outer) -> float:
    """Lend in each turn of a loop, and lend again what is lent."""
    total = 0.0
    for _ in range(2):
        total += play(lend(lend(outer)))
    return total


compiled_twice = numba.njit(_nrt=False)(twice)


def test_it_reads_and_writes_what_plain_python_does() -> None:
    plain, compiled = made(), made()
    assert twice(plain) == compiled_twice(compiled) == 2 * (0.5 * 30.0 + 2)
    assert list(compiled.inner.units) == list(plain.inner.units) == [40.0, 40.0, 0.0]


def test_uncompiled_it_is_the_tuple_itself() -> None:
    outer = made()
    assert lend(outer) is outer


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="only a compiler knows types")
def test_a_field_it_has_not_is_refused() -> None:
    def wrong(outer: Outer) -> float:
        return float(lend(outer).price)  # type: ignore[attr-defined]

    with pytest.raises(numba.TypingError, match="price"):
        numba.njit(_nrt=False)(wrong)(made())


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="only a compiler knows types")
def test_only_named_tuples_are_lent() -> None:
    def wrong(array: Any) -> Any:
        return lend(array)

    with pytest.raises(numba.TypingError, match="lend"):
        numba.njit(_nrt=False)(wrong)(np.zeros(2))
