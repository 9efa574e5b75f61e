"""Settlements as a venue publishes them: the formula in decimals, each number rounded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from perpkit.research.history import Settled
from perpkit.units import HOUR_NS

START_HOUR = 490_000  # an hour of November 2025
CORE = ("1", "0.0005", "0.0001")
XYZ = ("0.5", "0.0003", "0.0001")


class Told(NamedTuple):
    """Terms of a regime: multiplier, clamp and interest, per 8 hours."""

    multiplier: Decimal
    clamp: Decimal
    interest: Decimal

    @classmethod
    def of(cls, told: Sequence[str]) -> Told:
        return cls(*map(Decimal, told))


def rate_of(premium: Decimal, told: Told, hours: int = 1, cap: str = "1") -> Decimal:
    """Rate of one settlement, unrounded, from the venue's text and by no code of perpkit."""
    pull = told.interest - premium
    if pull > told.clamp:
        pull = told.clamp
    if pull < -told.clamp:
        pull = -told.clamp
    rate = told.multiplier * (premium + pull) / 8 * hours
    most = Decimal(cap)
    return max(-most, min(most, rate))


def publish(
    premiums: Sequence[Decimal],
    regimes: Sequence[tuple[int, Told]],
    hours: int = 1,
    cap: str = "1",
    decimals: int = 10,
) -> Settled:
    """Settlements every `hours`; each regime holds from its row on."""
    place = Decimal(1).scaleb(-decimals)
    rates, shown = [], []
    for row, premium in enumerate(premiums):
        told = [terms for first, terms in regimes if first <= row][-1]
        rates.append(float(rate_of(premium, told, hours, cap).quantize(place)))
        shown.append(float(premium.quantize(place)))
    count = len(premiums)
    time_ns = (START_HOUR // 24 * 24 + np.arange(count, dtype=np.int64) * hours) * HOUR_NS
    return Settled(time_ns, np.full(count, hours), np.array(rates), np.array(shown))


def wandering(count: int, seed: int = 0, wide: float = 6e-4) -> list[Decimal]:
    """Premiums of twelve decimals, two more than are published."""
    drawn = np.random.default_rng(seed).normal(0.0, wide, count)
    return [Decimal(f"{x:.12f}") for x in drawn]


def premiums(least: int, most: int) -> st.SearchStrategy[list[Decimal]]:
    """Lists of premiums within 30 bp, of twelve decimals."""
    one = st.integers(-3 * 10**9, 3 * 10**9).map(lambda n: Decimal(n).scaleb(-12))
    return st.lists(one, min_size=least, max_size=most)


def terms() -> st.SearchStrategy[Told]:
    """Terms on the grid that venues set them on: 0.001, and 0.000001 for clamp and interest."""
    return st.builds(
        Told,
        st.integers(5, 3_000).map(lambda n: Decimal(n).scaleb(-3)),
        st.integers(1, 900).map(lambda n: Decimal(n).scaleb(-6)),
        st.integers(-300, 300).map(lambda n: Decimal(n).scaleb(-6)),
    )
