"""``cash`` and ``spot_hold``: what other strategies are set against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import perpkit

Write = Callable[..., Path]
SATURDAY = datetime(2026, 8, 15, 12, tzinfo=UTC)
REOPEN = datetime(2026, 8, 17, tzinfo=UTC)  # Sunday 20:00 in New York


def flat(hour: datetime) -> float:
    return 100.0


def test_cash_holds_nothing(week: Write) -> None:
    made = perpkit.backtest("cash", week(REOPEN, 24, flat), pure_python=True)
    assert made.frames["fills"].height == 0
    assert made.summary["net_pnl_usd"] == 0.0


def test_spot_hold_buys_equal_dollars_once_and_no_perp(week: Write) -> None:
    data = week(REOPEN, 48, flat, stocks=("ABC", "DEF"), venues=("sim", "xyz"), multiplier=2.0)
    made = perpkit.backtest("spot_hold", data, params={"gross_frac": 0.5}, pure_python=True)
    fills = made.frames["fills"]
    assert fills["instrument"].to_list() == ["ABCx", "DEFx"]  # once, though two perps have it
    for row in fills.iter_rows(named=True):
        assert row["size"] * row["px"] == pytest.approx(25_000, rel=1e-3)
    assert fills["time"].n_unique() == 1


def test_spot_hold_waits_for_a_live_quote(week: Write) -> None:
    data = week(SATURDAY, 48, flat)
    session = {"token_session": {"ABCx": "24/5"}}
    made = perpkit.backtest("spot_hold", data, config=session, pure_python=True)
    assert made.frames["fills"]["time"].to_list() > [REOPEN]
    assert made.frames["fills"].height == 1
