"""``funding_carry``: what its gate lets in, and that a flicker of the rate does not trade."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import perpkit

Write = Callable[..., Path]
MONDAY = datetime(2026, 8, 10, 4, tzinfo=UTC)


def flat(hour: datetime) -> float:
    return 100.0


@pytest.mark.parametrize(
    ("apr", "params", "entered"),
    [
        # 0.2% in 30 days are 2.43% a year.
        (0.025, {}, True),
        (0.024, {}, False),
        (0.024, {"hold_hours": 1440}, True),
        (0.024, {"cost_frac": 0.0019}, True),
        (-0.5, {}, False),
        (-0.5, {"cost_frac": 0.0}, True),
    ],
)
def test_funding_must_pay_for_the_round_trip(
    week: Write, apr: float, params: dict[str, Any], entered: bool
) -> None:
    data = week(MONDAY, 20, flat, rate=apr / 8760)
    told = {"enter_apr": -1.0, "exit_apr": -2.0, "lookback_hours": 8, **params}
    made = perpkit.backtest("funding_carry", data, params=told, pure_python=True)
    assert (made.frames["fills"].height == 2) == entered


def test_the_gate_is_below_the_rate_that_enters(week: Write) -> None:
    data = week(MONDAY, 100, flat, rate=0.081 / 8760)
    assert perpkit.backtest("funding_carry", data, pure_python=True).frames["fills"].height == 2
