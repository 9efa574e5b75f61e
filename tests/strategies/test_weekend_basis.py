"""``weekend_basis`` on made-up weekends: when it enters, on which side, and when it leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import perpkit
from perpkit.strategy.load import load

Write = Callable[..., Path]
# Labor Day is 7 September 2026: no external price from Friday to Monday, 20:00 New York.
MONDAY = datetime(2026, 8, 31, tzinfo=UTC)
CLOSE = datetime(2026, 9, 5, tzinfo=UTC)
REOPEN = datetime(2026, 9, 8, tzinfo=UTC)
CASH_OPEN = datetime(2026, 9, 8, 13, 30, tzinfo=UTC)
HOURS = 24 * 9
AROUND_THE_CLOCK = {"token_session": {"ABCx": "24/7"}}
HOUR = timedelta(hours=1)


def ahead(frac: float, since: datetime = CLOSE) -> Callable[[datetime], float]:
    """A mark that stands so far from 100 from an hour on, and at 100 after the reopening."""
    return lambda hour: 100.0 * (1 + frac) if since < hour < REOPEN else 100.0


def fills(data: Path, config: dict[str, Any] | None = None, **params: Any) -> list[tuple[Any, ...]]:
    """Time, instrument and size of the fills."""
    made = perpkit.backtest("weekend_basis", data, params=params, config=config, pure_python=True)
    rows = made.frames["fills"].select("time", "instrument", "size", "side").iter_rows()
    return [(t, name, size if side == "buy" else -size) for t, name, size, side in rows]


# --------------------------------------------------------------------------- when


def test_it_leaves_at_the_first_external_price_of_a_long_weekend(week: Write) -> None:
    data = week(MONDAY, HOURS, ahead(0.01))
    # Decided at the first closed hour in which the mark stands off, filled in the next.
    assert fills(data) == [
        (CLOSE + 2 * HOUR, "sim:ABC", -99.01),
        (REOPEN + HOUR, "sim:ABC", 99.01),
    ]


def test_it_leaves_after_the_cash_open(week: Write) -> None:
    data = week(MONDAY, HOURS, ahead(0.01))
    left = fills(data, exit_at_cash_open=True)[-1][0]
    # The row of 14:00 UTC is the first in the cash session; what it decides fills at 15:00.
    assert left == CASH_OPEN + 1.5 * HOUR


def test_a_holiday_in_the_week_is_a_weekend(week: Write) -> None:
    # Thanksgiving: no price from Wednesday to Thursday 20:00 New York, 24 hours.
    close = datetime(2026, 11, 26, 1, tzinfo=UTC)
    mark = lambda hour: 101.0 if close < hour < close + 24 * HOUR else 100.0  # noqa: E731
    data = week(datetime(2026, 11, 24, tzinfo=UTC), 24 * 3 + 8, mark)
    assert [t for t, *_ in fills(data)] == [close + 2 * HOUR, close + 25 * HOUR]
    assert fills(data, closed_hours=25) == []


@pytest.mark.parametrize(("left", "entered"), [(3, True), (2, False)])
def test_it_does_not_enter_with_little_time_left(week: Write, left: int, entered: bool) -> None:
    data = week(MONDAY, HOURS, ahead(0.01, since=REOPEN - (left + 1) * HOUR))
    assert bool(fills(data)) == entered


def test_a_run_that_begins_in_a_weekend_knows_no_last_price(week: Write) -> None:
    assert fills(week(CLOSE + 5 * HOUR, 24 * 4, ahead(0.01))) == []


# --------------------------------------------------------------------------- which side, if any


@pytest.mark.parametrize(
    ("frac", "side"),
    [(0.004, 0), (-0.004, 0), (0.006, -1), (-0.006, 1), (0.044, -1), (0.046, 0), (-0.046, 0)],
)
def test_moves_between_the_two_limits_are_faded(week: Write, frac: float, side: int) -> None:
    found = fills(week(MONDAY, HOURS, ahead(frac)))
    assert [size > 0 for *_, size in found] == ([side > 0, side < 0] if side else [])


@pytest.mark.parametrize(
    ("frac", "rate", "entry"),
    [
        (0.004, 2.1e-5, CLOSE + 2 * HOUR),  # shorts receive 0.15% over the 71 hours that are left
        (-0.004, -2.1e-5, CLOSE + 2 * HOUR),  # and longs, when they do
        # What is paid must be less than 0.1%: 47 hours. The next hour fills.
        (0.006, -2.1e-5, REOPEN - 46 * HOUR),
        (-0.006, 2.1e-5, REOPEN - 46 * HOUR),
    ],
)
def test_funding_until_the_exit_counts(
    week: Write, frac: float, rate: float, entry: datetime
) -> None:
    assert fills(week(MONDAY, HOURS, ahead(frac), rate))[0][0] == entry


def test_the_gross_limit_counts_entries_that_wait(week: Write) -> None:
    stocks = ("ABC", "DEF", "GHI")
    data = week(MONDAY, HOURS, ahead(0.01), stocks=stocks)
    found = fills(data, max_gross_frac=0.25)
    assert [name for _, name, _ in found[:2]] == ["sim:ABC", "sim:DEF"]
    assert not [name for _, name, _ in found if name == "sim:GHI"]


# --------------------------------------------------------------------------- with the token


def test_a_rich_perp_is_shorted_against_its_token(week: Write) -> None:
    data = week(MONDAY, HOURS, ahead(0.01), multiplier=2.0)
    enter, leave = CLOSE + 2 * HOUR, REOPEN + HOUR
    assert fills(data, AROUND_THE_CLOCK) == [
        (enter, "ABCx", 99.01 / 2),
        (enter, "sim:ABC", -99.01),
        (leave, "ABCx", -99.01 / 2),
        (leave, "sim:ABC", 99.01),
    ]


def test_a_cheap_perp_has_no_hedge(week: Write) -> None:
    data = week(MONDAY, HOURS, ahead(-0.01))
    assert fills(data, AROUND_THE_CLOCK, fade=False) == []
    assert {name for _, name, _ in fills(data, AROUND_THE_CLOCK)} == {"sim:ABC"}


def test_without_a_quote_there_is_no_hedge(week: Write) -> None:
    data = week(MONDAY, HOURS, ahead(0.01))
    assert fills(data, {"token_session": {"ABCx": "24/5"}}, fade=False) == []


def test_a_token_that_is_as_rich_is_no_hedge(week: Write) -> None:
    # The token asks 100.05 or 100.04 a share: 0.5% below the perp is not enough.
    data = week(MONDAY, HOURS, ahead(0.0053))
    assert fills(data, AROUND_THE_CLOCK, fade=False) == []
    assert len(fills(data, AROUND_THE_CLOCK)) == 2


def test_a_token_hedges_one_perp(week: Write) -> None:
    data = week(MONDAY, HOURS, ahead(0.01), venues=("sim", "xyz"))
    found = fills(data, AROUND_THE_CLOCK, fade=False)
    assert [name for _, name, _ in found] == ["ABCx", "sim:ABC"] * 2


# --------------------------------------------------------------------------- the gate


def test_a_basis_must_pay_for_the_round_trip_that_is_shown(week: Write) -> None:
    """0.8% off the last price, and fills that cost 0.85% in and out."""
    data = week(MONDAY, HOURS, ahead(0.008))
    dear = {"slippage_frac": 0.0036, "half_spread_frac": 0.0, "terms": {"taker_frac": 0.00065}}
    assert len(fills(data)) == 2
    assert fills(data, dear) == []
    assert len(fills(data, dear, gate=False)) == 2
    assert len(fills(week(MONDAY, HOURS, ahead(0.01), name="far"), dear)) == 2


def test_the_depth_of_a_pool_is_in_what_a_hedge_costs(week: Write) -> None:
    """10,000 USD against a pool of 400,000 cost 5% each way, of 20 million 0.1%."""
    pool = AROUND_THE_CLOCK | {"token_way": {"ABCx": "dex"}, "token_fee_frac": 0.0}
    shallow = week(MONDAY, HOURS, ahead(0.01), liquidity=4e5)
    assert fills(shallow, pool, fade=False) == []
    assert len(fills(shallow, pool, fade=False, gate=False)) == 4
    deep = week(MONDAY, HOURS, ahead(0.01), liquidity=2e7, name="deep")
    assert len(fills(deep, pool, fade=False)) == 4


# --------------------------------------------------------------------------- what happens meanwhile


@pytest.mark.parametrize(("factor", "asked"), [(1.03, 0.0), (1.0, 1.0)])
def test_a_split_in_a_weekend_is_no_basis(factor: float, asked: float) -> None:
    """Of 3 new shares for 100 the mark is 2.9% lower, and so is the last price."""
    rule = load("weekend_basis")
    assert rule.decide is not None
    p = SimpleNamespace(**{parameter.name: parameter.default for parameter in rule.parameters})
    perp = SimpleNamespace(
        underlying=0, token=-1, barred=False, position=0.0, lots_per_unit=1000.0, cost_frac=0.0005
    )
    book = SimpleNamespace(perps=[perp], tokens=[], accounts=[SimpleNamespace(equity_usd=1e5)])
    perp.impact_coefficient = 0.0
    mine = [SimpleNamespace(close_px=0.0, on=False, paired=False)]
    target = SimpleNamespace(perps=[0.0], tokens=[])
    past = SimpleNamespace(
        phase=np.array([[2], [2]]),
        hours_to_reopen=np.array([[0.0], [48.0]]),
        hours_to_cash_open=np.array([[0.0], [60.0]]),
        oracle_px=np.array([[100.0], [100.0]]),
        funding_total=np.zeros((20, 1)),
        live=np.zeros((20, 0)),
    )
    for phase, mark, split in ((0, 100.0, 1.0), (0, 100.0 / 1.03, factor)):
        past.phase = np.array([past.phase[-1], [phase]])
        perp.mark_px, perp.split_factor = mark, split
        rule.decide(20, past, book, p, mine, target)
    assert np.sign(target.perps[0]) == asked
