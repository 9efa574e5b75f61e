"""Bugs that backtesters of perpetuals keep having: margin, costs, look-ahead, gaps and calendars.

Each test is named by the bug, with a public thread where somebody met it, and fails on a book that
has it. Funding is in the other room.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import nan

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from perpkit.arrays import Phase
from perpkit.errors import DataError
from perpkit.ledger import CAUSES
from perpkit.sessions import us_equity_hours
from perpkit.units import to_ns

# 400 USD, half of it on the venue: a short of 10 at 200 is liquidated above 214.6341.
THIN = {"capital": 400.0, "margin_share": 0.5, "leverage": 10.0}


def equity(result) -> list[float]:
    return result.frames["equity"]["equity_usd"].to_list()


def total(result, cause: str) -> float:
    return result.frames["equity"][f"{cause}_usd"].sum()


def liquidation_px(result, row: int) -> float:
    at = result.frames["equity"]["time"][row]
    return result.frames["positions"].filter(pl.col("time") == at)["liquidation_px"][0]


# --------------------------------------------------------------------------- liquidation


@pytest.mark.parametrize(("units", "wick"), [(-10.0, 216.0), (10.0, 184.0)])
def test_wick_within_the_bar_is_missed(bench, units, wick):
    # TorchTrade PR #180: liquidation was tested on the close alone.
    high, low = [max(200.0, wick)] * 4, [min(200.0, wick)] * 4
    perp = {"mark_px": [200.0] * 4, "mark_high_px": high, "mark_low_px": low}
    fills = bench.run(bench.data({"NVDA": perp}), {0: [units]}, **THIN).frames["fills"]
    assert fills["reason"].to_list() == ["target", "liquidation"]
    assert fills["px"].to_list() == [200.0, wick]


def test_short_loses_without_end_and_recovers(bench):
    # vectorbt#187 (-256%), TorchTrade PR #359: an account far below zero lives on and comes back.
    perp = {"mark_px": [200.0, 200.0, 500.0, 200.0, 200.0]}
    terms = {"backstop_frac": "none"}
    data = bench.data({"NVDA": perp})
    result = bench.run(data, {0: [-10.0], 3: [-10.0]}, terms=terms, **THIN)
    assert equity(result)[2:] == pytest.approx([200.0] * 3)  # the wallet
    assert result.frames["positions"].height == 1
    assert total(result, "perp_price") + total(result, "liquidation") == pytest.approx(-3000.0)
    assert total(result, "bad_debt") == pytest.approx(2800.0)
    assert "bad_debt" in result.frames["events"]["kind"].to_list()


def test_liquidation_price_stands_while_funding_erodes_the_margin(bench):
    # mirror29/inalpha#115. A short of 10: (200 + 2,000 - funding) / (10 x 1.025).
    perp = {"mark_px": [200.0] * 5, "funding": [-0.005] * 5}
    result = bench.run(bench.data({"NVDA": perp}), {0: [-10.0]}, **THIN)
    found = [liquidation_px(result, row) for row in range(1, 5)]
    assert found == pytest.approx([(2200.0 - 10.0 * n) / 10.25 for n in range(4)])


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_liquidation_price_beyond_the_entry(bench, side):
    # freqtrade#7294: at high leverage it lay beyond the entry, which closed the position at once.
    data = bench.data({"NVDA": {"mark_px": [200.0] * 4}})
    result = bench.run(data, {0: [19.999 * side]}, **THIN | {"leverage": 20.0})
    assert result.frames["fills"]["reason"].to_list() == ["target"]
    assert side * (200.0 - liquidation_px(result, 1)) > 4.0


def test_liquidation_price_after_adding_to_a_position(bench):
    # freqtrade#9205: after a second buy. 4 at 200 and 6 at 190 enter at 194 on average.
    data = bench.data({"NVDA": {"mark_px": [200.0, 200.0, 190.0, 190.0]}})
    result = bench.run(data, {0: [4.0], 1: [10.0]}, **THIN | {"leverage": 20.0})
    assert liquidation_px(result, 1) == pytest.approx((800.0 - 200.0) / (4.0 * 0.975))
    assert liquidation_px(result, 2) == pytest.approx((1940.0 - 200.0) / (10.0 * 0.975))


def test_run_stops_at_a_liquidation(bench):
    # backtesting.py#938: the backtest just ends there; here the rest of the account lives on.
    perps = {"NVDA": {"mark_px": [200.0, 200.0, 260.0, 260.0, 260.0]}}
    perps["AAPL"] = {"mark_px": [100.0] * 5}
    plan = {0: [-10.0, nan], 2: [-10.0, nan], 3: [nan, 0.0]}
    result = bench.run(bench.data(perps), plan, **THIN)
    assert result.frames["equity"].height == 5
    assert "reentry_refused" in result.frames["events"]["kind"].to_list()
    assert equity(result)[-1] == pytest.approx(200.0)


# --------------------------------------------------------------------------- margin


def test_leverage_has_no_effect(bench):
    # QuantConnect/Lean#7589. 200 USD of margin carry 1,000 USD at 5x and 3,000 at 15x.
    data = bench.data({"NVDA": {"mark_px": [100.0] * 3}})
    for leverage in (5.0, 15.0):
        result = bench.run(data, {0: [-100.0]}, **THIN | {"leverage": leverage})
        assert result.frames["fills"]["size"].to_list() == [2.0 * leverage]
        assert "trimmed" in result.frames["events"]["kind"].to_list()


def test_maintenance_is_taken_for_the_margin_in_use(bench):
    # QuantConnect/Lean#9242: two requirements that are not the same number.
    result = bench.run(bench.data({"NVDA": {"mark_px": [200.0] * 3}}), {0: [-10.0]}, **THIN)
    venue = result.frames["accounts"].filter(pl.col("account") == "baseline")[-1]
    assert venue["initial_usd"].to_list() == pytest.approx([200.0])
    assert venue["maintenance_usd"].to_list() == pytest.approx([50.0])
    assert venue["margin_ratio"].to_list() == pytest.approx([0.25])


def test_portfolio_vanishes_in_a_fill(bench):
    # nautilus_trader#2632: 30% of the portfolio gone in one fill. Every hour is explained.
    rng = np.random.default_rng(5)
    mark = (200.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 40)))).tolist()
    perp = {"mark_px": mark, "funding": rng.normal(0.0, 1e-3, 40).tolist()}
    quotes = {"bid_px": [p * 0.999 for p in mark], "ask_px": [p * 1.001 for p in mark]}
    plan = {n: [-float(s), float(s)] for n, s in enumerate(rng.uniform(0.0, 60.0, 40))}
    data = bench.data({"NVDA": perp}, tokens={"NVDA": quotes})
    costs = {"half_spread_frac": 0.001, "terms": {"taker_frac": 0.0009}, "capital": 5_000.0}
    frame = bench.run(data, plan, **costs).frames["equity"]
    change = np.diff(frame["equity_usd"].to_numpy(), prepend=5_000.0)
    causes = sum(frame[f"{cause}_usd"].to_numpy() for cause in CAUSES)
    assert np.abs(change - causes).max() < 1e-9 * 5_000.0
    assert np.abs(change).max() < 0.05 * 5_000.0


# --------------------------------------------------------------------------- costs


def test_fee_is_computed_and_not_charged(bench):
    # WayfinderFoundation/wayfinder-paths-sdk PR #625, richkuo/go-trader#303: told, never deducted;
    # or one number fixed in the code.
    data = bench.data({"NVDA": {"mark_px": [100.0] * 5}})
    for rate in (0.0009, 0.0002):
        result = bench.run(data, {0: [-10.0], 2: [0.0]}, terms={"taker_frac": rate})
        assert result.frames["fills"]["fee_usd"].to_list() == pytest.approx([1000.0 * rate] * 2)
        assert equity(result)[-1] == pytest.approx(100_000.0 - 2000.0 * rate, abs=1e-9)
        assert total(result, "fees") == pytest.approx(-2000.0 * rate)


def test_nothing_costs_unless_asked(bench):
    # backtesting.py#767: "infinite profit" with the commission left at zero.
    data = bench.data({"NVDA": {"mark_px": [100.0] * 5}})
    usual = {"half_spread_frac": 0.0002, "slippage_frac": 0.0002, "terms": {"taker_frac": 0.00045}}
    result = bench.run(data, {0: [-10.0], 2: [0.0]}, **usual)
    assert equity(result)[-1] == pytest.approx(100_000.0 - 2000.0 * (0.0004 + 0.00045), abs=0.01)


def test_churn_of_leaving_at_each_change_of_sign_is_not_seen(bench):
    # hummingbot/condor PR #182: leaving whenever funding flips turned +46 bp into -371 bp.
    rates = [0.0003 if n % 3 else -0.0001 for n in range(60)]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 60, "funding": rates}})
    usual = {"half_spread_frac": 0.0002, "slippage_frac": 0.0002, "terms": {"taker_frac": 0.00045}}
    held = bench.run(data, {0: [-10.0]}, **usual)
    flips = {n: [-10.0 if rate > 0.0 else 0.0] for n, rate in enumerate(rates)}
    churned = bench.run(data, flips, **usual)
    assert equity(held)[-1] > 100_000.0 > equity(churned)[-1]
    assert total(churned, "funding") > 0.0
    assert total(churned, "fees") + total(churned, "slippage") < -8.0 * total(churned, "funding")
    assert total(churned, "fees") < 15.0 * total(held, "fees") < 0.0


# --------------------------------------------------------------------------- look-ahead


def test_fill_at_the_price_the_decision_was_made_on(bench):
    # shobhit727/trade#31, nautilus_trader#1580: the price of the bar that the decision looked at.
    mark = [100.0, 101.0, 103.0, 106.0]
    fills = bench.run(bench.data({"NVDA": {"mark_px": mark}}), {1: [1.0]}).frames["fills"]
    assert fills["px"].to_list() == [103.0]
    assert (fills["time"] - fills["decided_at"]).to_list() == [timedelta(hours=1)]


FOLLOW = """\
def decide(t, past, book, p, mine, target):
    if t > 0:
        target.perps[0] = 1.0 if past.mark_px[-1, 0] > past.mark_px[-2, 0] else -1.0
"""


@pytest.mark.parametrize("rows", [2, 9, 15])
def test_decisions_know_the_future(bench, rows):
    # freqtrade PR #5391, freqtrade#11346: a cache, or one bar of peeking that no tool could see.
    rng = np.random.default_rng(2)
    past = np.exp(np.cumsum(rng.normal(0.0, 0.01, 20)))
    frames = []
    for seed in (0, 1):
        future = np.random.default_rng(seed).uniform(0.8, 1.2, 20 - rows)
        mark = 100.0 * np.concatenate([past[:rows], past[rows - 1] * future])
        data = bench.data({"NVDA": {"mark_px": mark.tolist()}})
        frames.append(bench.run(data, FOLLOW).frames)
    for name in ("equity", "fills", "positions"):
        own = [f[name].filter(pl.col("time") < frames[0]["equity"]["time"][rows]) for f in frames]
        assert_frame_equal(
            own[0].drop("strategy", strict=False), own[1].drop("strategy", strict=False)
        )
    assert frames[0]["equity"]["equity_usd"][-1] != frames[1]["equity"]["equity_usd"][-1]


def test_asset_that_is_not_used_changes_the_result(bench):
    # hftbacktest#315.
    rng = np.random.default_rng(3)
    perp = {"mark_px": (100.0 * np.exp(np.cumsum(rng.normal(0, 0.03, 30)))).tolist()}
    other = {"mark_px": (50.0 * np.exp(np.cumsum(rng.normal(0, 0.3, 30)))).tolist()}
    alone = bench.run(bench.data({"NVDA": perp}), {0: [-5.0], 9: [3.0], 20: [-8.0]})
    plan = {0: [-5.0, nan], 9: [3.0, nan], 20: [-8.0, nan]}
    beside = bench.run(bench.data({"NVDA": perp, "AAPL": other}), plan)
    for name in ("equity", "accounts"):
        assert_frame_equal(alone.frames[name], beside.frames[name])
    assert_frame_equal(*(x.frames["fills"].drop("strategy") for x in (alone, beside)))


# --------------------------------------------------------------------------- gaps and bad prints


def test_missing_candles_are_filled_and_traded(bench):
    # freqtrade#9633, nautilus_trader#5054: filled in silence, or an order filled at a stale price.
    mark = [100.0, 101.0, 107.0, 108.0]
    data = bench.data({"NVDA": {"mark_px": mark, "row": [0, 1, 4, 5], "funding": [0.0] * 4}})
    with pytest.raises(DataError, match="funding"):
        bench.run(data, {0: [1.0]})
    result = bench.run(data, {1: [1.0]}, funding="formula")
    assert result.frames["fills"]["px"].to_list() == [107.0]
    assert result.facts["stale_perp_hours"] == 2
    assert any("carry an older price" in told for told in result.warnings)
    with pytest.raises(DataError, match="missing for 2 hours from 2026-08-12 02:00Z"):
        bench.run(data, {1: [1.0]}, funding="formula", max_stale_hours=1)


@pytest.mark.parametrize(
    ("column", "value"),
    [("mark_px", 0.0), ("mark_px", -100.0), ("oracle_px", nan), ("mark_high_px", 90.0)],
)
def test_insane_print_is_accepted(bench, column, value):
    # backtesting.py#82: orders filled at odd prices, because the odd price was in the data.
    perp = {"mark_px": [100.0] * 5, "mark_low_px": [99.0] * 5, "mark_high_px": [101.0] * 5}
    perp[column] = [*perp.get(column, [100.0] * 5)[:4], value]
    with pytest.raises(DataError, match=r"perps\.parquet: .*NVDA"):
        bench.run(bench.data({"NVDA": perp}), {0: [1.0]})


# --------------------------------------------------------------------------- calendars

FRIDAY = datetime(2026, 8, 14, 18, tzinfo=UTC)  # six hours before the pricing week ends


def weekend(bench, plan):
    """A pair over a weekend: the perp goes on and gaps, the token's quote stands still."""
    px = [100.0 + 0.01 * n for n in range(6)] + [100.05 - 0.1 * n for n in range(48)] + [95.3] * 6
    last, ask = 0.0, []
    for n, p in enumerate(px):
        last = p + 0.001 * (n % 2) if n < 6 or n >= 54 else last
        ask.append(last * 1.0005)
    quotes = {"bid_px": [p * 0.999 for p in ask], "ask_px": ask}
    perp = {"mark_px": px, "funding": [0.0001] * 60}
    return bench.run(bench.data({"NVDA": perp}, tokens={"NVDA": quotes}, start=FRIDAY), plan)


def test_equity_jumps_over_the_weekend(bench):
    # The token's quote freezes on Friday while the perp moves: marked at that quote, a hedge of
    # 10,000 USD would gain 480 USD by Sunday and lose them when the quotes come back.
    frame = weekend(bench, {0: [-100.0, 100.0]}).frames["equity"]
    moved = frame["perp_price_usd"] + frame["token_price_usd"]
    assert abs(frame["perp_price_usd"].sum()) > 450.0
    assert moved.abs().max() < 15.0


def test_weekend_is_taken_for_a_closed_market(bench):
    # Senpi-skills PR #498, PR #500: perps labelled 23/5 print and settle all weekend. What does not
    # trade is the token.
    result = weekend(bench, {20: [-100.0, nan], 30: [nan, 100.0]})
    fills = result.frames["fills"].sort("instrument")
    assert result.frames["funding"].height == 60 - 22
    week = [(x - FRIDAY) // timedelta(hours=1) for x in fills["time"]]
    assert week[0] == 21
    assert week[1] >= 54


@pytest.mark.parametrize(
    ("day", "opens"), [((2026, 3, 6), 14.5), ((2026, 3, 9), 13.5), ((2026, 10, 30), 13.5),
                       ((2026, 11, 2), 14.5)],
)  # fmt: skip
def test_daylight_saving_is_forgotten(day, opens):
    # FLOX-Foundation/flox PR #355, claude-trading-skills#331: New York's hours at one distance from
    # UTC the whole year.
    midnight = to_ns(datetime(*day, tzinfo=UTC))
    half_hours = midnight + 1_800_000_000_000 * np.arange(48)
    cash = us_equity_hours(half_hours).phase == Phase.CASH
    assert 0.5 * np.flatnonzero(cash)[0] == opens
    assert cash.sum() == 13
