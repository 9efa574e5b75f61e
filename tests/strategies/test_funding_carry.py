"""``funding_carry``: what its gate lets in, what it waits for, and no trade at a flicker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import perpkit
from perpkit.run import Result

Write = Callable[..., Path]
MONDAY = datetime(2026, 8, 10, 4, tzinfo=UTC)
SHORT = {"enter_apr": -1.0, "exit_apr": -2.0, "lookback_hours": 8}
TIME = pl.Datetime("ms", "UTC")
FREE = {"half_spread_frac": 0.0, "slippage_frac": 0.0, "token_fee_frac": 0.0}


def flat(hour: datetime) -> float:
    return 100.0


def played(data: Path, config: dict[str, Any] | None = None, **params: Any) -> Result:
    return perpkit.backtest(
        "funding_carry", data, params={**SHORT, **params}, config=config or {}, pure_python=True
    )


def entered(result: Result) -> list[datetime]:
    """Hours in which pairs were opened."""
    fills = result.frames["fills"]
    return fills.filter((pl.col("side") == "sell") & (pl.col("instrument") == "sim:ABC"))[
        "time"
    ].to_list()


def left(result: Result) -> list[datetime]:
    fills = result.frames["fills"]
    return fills.filter((pl.col("side") == "buy") & (pl.col("instrument") == "sim:ABC"))[
        "time"
    ].to_list()


def with_actions(folder: Path, *rows: dict[str, Any]) -> Path:
    told = [{"underlying": "ABC", "amount": None, "withholding_frac": 0.3, **row} for row in rows]
    schema = {
        "time": TIME,
        "underlying": pl.String,
        "kind": pl.String,
        "amount": pl.Float64,
        "withholding_frac": pl.Float64,
        "announced": TIME,
    }
    pl.DataFrame(told, schema=schema).write_parquet(folder / "actions.parquet")
    return folder


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


# --------------------------------------------------------------------------- the gate


def shown_cost(data: Path, config: dict[str, Any]) -> float:
    """What a round trip of a pair is shown to cost in hours of the narrower quote."""
    file = data.parent / "seen.py"
    file.write_text(
        "import math\nfrom perpkit.strategy import pair_cost_frac\n"
        "def decide(t, past, book, p, mine, target):\n"
        "    if t == 9:\n"
        "        cost = 2.0 * pair_cost_frac(past, book, 0, 1e4)\n"
        "        target.perps[0] = -math.floor(cost * 1e8)\n"
    )
    told = {**config, "capital": 1e12}
    fills = perpkit.backtest(file, data, config=told, pure_python=True).frames["fills"]
    return float(fills["size"].abs()[0]) * 1e-8


@pytest.mark.parametrize("config", [{}, FREE, {"slippage_frac": 0.002}, {"token_fee_frac": 0.01}])
def test_funding_must_pay_for_the_round_trip_that_is_shown(
    week: Write, config: dict[str, Any]
) -> None:
    """The rate at which thirty days pay for it, a little below and a little above."""
    cost = shown_cost(week(MONDAY, 20, flat), config)
    for more, wanted in ((0.999, 0), (1.001, 1)):
        data = week(MONDAY, 20, flat, rate=cost * more / 720, name=f"w{more}")
        assert len(entered(played(data, config))) == wanted


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, 0),
        ({"hold_hours": 1440}, 1),
        ({"gate": False}, 1),
        ({"hold_hours": 1440, "extra_cost_frac": 0.004}, 0),
    ],
)
def test_what_the_gate_is_told(week: Write, params: dict[str, Any], wanted: int) -> None:
    """0.2% in 30 days, and a round trip of 0.27%."""
    assert 0.002 < shown_cost(week(MONDAY, 20, flat), {}) < 0.004
    data = week(MONDAY, 20, flat, rate=0.002 / 720, name="low")
    assert len(entered(played(data, **params))) == wanted


def test_a_size_that_moves_the_price_pays_for_that_too(week: Write) -> None:
    data = week(MONDAY, 20, flat, rate=0.01 / 720, volume=1e8)
    calm = {"impact_coefficient": 0.1}
    assert len(entered(played(data, calm))) == 1  # 0.1 sqrt(1e4 / 1e8) = 0.1% a fill
    assert not entered(played(data, {"impact_coefficient": 1.0}))


def test_the_gate_is_below_the_rate_that_enters(week: Write) -> None:
    data = week(MONDAY, 100, flat, rate=0.081 / 8760)
    assert perpkit.backtest("funding_carry", data, pure_python=True).frames["fills"].height == 2


# --------------------------------------------------------------------------- dividends, reports


def dividend(time: float, usd: float, announced: float | None) -> dict[str, Any]:
    known = None if announced is None else at(announced)
    return {"time": at(time), "kind": "dividend", "amount": usd, "announced": known}


DEBITED = {"terms": {"dividends": "debit_shorts"}}


def test_a_pair_is_opened_after_a_dividend_that_it_loses_on(week: Write) -> None:
    """1 USD of 100, 30% withheld, shorts debited: 0.3% lost, 16 times the funding until then."""
    data = week(MONDAY, 60, flat, rate=0.05 / 720)
    assert entered(played(data, DEBITED)) == [at(9)]
    with_actions(data, dividend(30, 1.0, 2))
    assert entered(played(data, DEBITED)) == [at(31)]
    with_actions(data, dividend(30, 1.0, 12))  # announced once the pair is there: see below
    assert entered(played(data, DEBITED))[0] == at(9)
    with_actions(data, dividend(30, 1.0, None))
    assert entered(played(data, DEBITED)) == [at(9)]
    with_actions(data, dividend(30, 1.0, 2))
    assert entered(played(data, {"terms": {"dividends": "none"}})) == [at(9)]
    assert entered(played(data, DEBITED, gate=False)) == [at(9)]


def test_a_dividend_that_funding_pays_for_is_not_waited_for(week: Write) -> None:
    data = week(MONDAY, 60, flat, rate=0.05 / 720)
    with_actions(data, dividend(30, 0.001, 2))
    assert entered(played(data, DEBITED)) == [at(9)]
    # Within the hours in which a pair must pay it counts, after them it is not this pair's.
    with_actions(data, dividend(55, 1.0, 2))
    assert entered(played(data, DEBITED, hold_hours=48)) == [at(56)]
    with_actions(data, dividend(59, 1.0, 2))
    assert entered(played(data, DEBITED, hold_hours=48)) == [at(9)]


def test_a_pair_leaves_before_a_dividend_that_costs_more_than_coming_back(week: Write) -> None:
    data = week(MONDAY, 60, flat, rate=0.05 / 720)
    with_actions(data, dividend(40, 5.0, 12))  # 1.5% lost, a round trip of 0.3%
    gone = played(data, DEBITED)
    assert (entered(gone), left(gone)) == ([at(9), at(41)], [at(13)])
    late = played(data, DEBITED, dividend_hours=6)
    assert (entered(late), left(late)) == ([at(9), at(41)], [at(35)])
    for params in ({"dividend_hours": 0}, {"gate": False}):
        assert not left(played(data, DEBITED, **params))
    assert (
        gone.summary["net_pnl_usd"] > played(data, DEBITED, dividend_hours=0).summary["net_pnl_usd"]
    )
    with_actions(data, dividend(40, 0.5, 12))  # 0.15%: less than leaving costs
    assert not left(played(data, DEBITED))


def test_no_pair_is_opened_before_a_report(week: Write) -> None:
    data = week(MONDAY, 60, flat, rate=0.05 / 720)
    report = {"time": at(30), "kind": "earnings", "announced": at(1)}
    with_actions(data, report)
    assert entered(played(data)) == [at(31)]  # known from the hour of the report on
    assert entered(played(data, earnings_hours=0)) == [at(9)]
    assert entered(played(data, earnings_hours=10)) == [at(9)]
    with_actions(data, report | {"announced": None})
    assert entered(played(data)) == [at(9)]


def test_a_pair_leaves_before_a_report_if_it_is_told_to(week: Write) -> None:
    data = week(MONDAY, 60, flat, rate=0.05 / 720)
    with_actions(data, {"time": at(40), "kind": "earnings", "announced": at(1)})
    assert not left(played(data))
    gone = played(data, leave_before_earnings=True)
    assert (entered(gone), left(gone)) == ([at(9), at(41)], [at(18)])


# --------------------------------------------------------------------------- capacity


def test_a_pair_is_no_larger_than_its_share_of_what_an_hour_takes(week: Write) -> None:
    data = week(MONDAY, 20, flat, rate=0.05 / 720, volume=2.4e6)
    units = played(data, {"max_volume_frac": 0.1}).frames["positions"]["position"].abs().max()
    assert units == pytest.approx(50.0)  # half of a tenth of 100,000 USD an hour
    assert not entered(played(data, {"max_volume_frac": 0.1}, capacity_frac=0.2))  # not a quarter


def test_a_pool_bounds_the_size_and_its_depth_is_in_the_gate(week: Write) -> None:
    pool = {"token_way": {"ABCx": "dex"}, "token_fee_frac": 0.0}
    deep = week(MONDAY, 20, flat, rate=0.05 / 720, liquidity=2e6, name="deep")
    run = played(deep, pool)  # 10,000 USD cost a hundredth of the pool's half each way
    assert len(entered(run)) == 1
    shallow = week(MONDAY, 20, flat, rate=0.05 / 720, liquidity=2e5, name="shallow")
    assert not entered(played(shallow, pool))
    assert len(entered(played(shallow, pool, gate=False))) == 1
    tiny = week(MONDAY, 20, flat, rate=0.05 / 720, liquidity=1e4, name="tiny")
    assert not entered(played(tiny, pool, gate=False))


# --------------------------------------------------------------------------- hysteresis


def test_between_the_two_rates_nothing_trades(week: Write) -> None:
    """Three days at 12% a year and three at 4%, in turns: in once, and never out."""
    data = week(MONDAY, 24 * 14, flat, rate=[(0.12, 0.04)[n // 72 % 2] / 8760 for n in range(336)])
    calm = perpkit.backtest("funding_carry", data, pure_python=True)
    assert calm.frames["fills"].height == 2
    flicker = perpkit.backtest("funding_carry", data, params={"exit_apr": 0.08}, pure_python=True)
    assert flicker.frames["fills"].height > 2


def test_a_rate_that_falls_through_both_costs_the_hours_between(week: Write) -> None:
    """From 12% to -100% a year: out after 3 hours at 8%, after 8 at 0, and 0.057% poorer."""
    rates = [(0.12 if n < 80 else -1.0) / 8760 for n in range(100)]
    data = week(MONDAY, 100, flat, rate=rates)
    two, one = (
        perpkit.backtest("funding_carry", data, params={"exit_apr": rate}, pure_python=True)
        for rate in (0.0, 0.08)
    )
    assert left(one) == [at(80 + 3)]
    assert left(two) == [at(80 + 8)]
    worse = one.summary["net_pnl_usd"] - two.summary["net_pnl_usd"]
    # and 100 tokens at a bid that is a cent lower in even hours
    assert worse == pytest.approx(10_000.0 * 5 / 8760 + 1.0, abs=0.01)
