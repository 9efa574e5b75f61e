"""Metrics against numbers worked by hand, and what must hold whatever the frames say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpkit.errors import DataError
from perpkit.metrics import CAUSES, METRICS, Context, document, summarise
from perpkit.metrics.drawdown import drawdowns, spells
from perpkit.metrics.numbers import longest_run
from perpkit.metrics.returns import (
    against,
    cagr,
    daily_rows,
    monthly_rows,
    ratios,
    returns,
    straightness,
    tails,
)
from perpkit.metrics.trades import score

ROOT = Path(__file__).resolve().parents[1]
START = datetime(2026, 1, 2, 0, tzinfo=UTC)
NVDA, NVDAON, USDY = "xyz:NVDA", "NVDAon", "USDY"

Booking = tuple[int, str, str, float]  # row, instrument, cause, usd
Told = tuple[int, str, str]  # row, kind, account
Position = tuple[int, str, float, float, float | None]  # row, instrument, position, px, liquidation


def at(row: int) -> datetime:
    return START + timedelta(hours=row)


def table(rows: Sequence[Mapping[str, Any]], **dtypes: Any) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dtypes, orient="row")


TIME = pl.Datetime("ms", "UTC")


def make(
    rows: int | Sequence[int],
    booked: Sequence[Booking] = (),
    positions: Sequence[Position] = (),
    *,
    capital: float = 10_000.0,
    margin_ratio: Sequence[float] | None = None,
    margin_usd: Sequence[float] | None = None,  # margin value at the venue
    net_delta_usd: Sequence[float] | None = None,
    gross_usd: Sequence[float] | None = None,
    fills: Sequence[tuple[Any, ...]] = (),  # row, instrument, size, px; reason, slippage
    funding: Sequence[tuple[int, str, float]] = (),  # row, coin, payment
    events: Sequence[Told] = (),
    pledged: Sequence[tuple[int, str, float, float]] = (),  # row, token, units, px
    rates: Mapping[int, float] | None = None,
    oracle: Mapping[int, float] | None = None,
    closed: Sequence[int] = (),
    tokens: tuple[str, ...] = (NVDAON, USDY),
    risk_free_apr: float = 0.0,
) -> tuple[dict[str, pl.DataFrame], Context]:
    """Frames whose equity is the capital and the running sum of what is booked."""
    hours = list(range(rows)) if isinstance(rows, int) else list(rows)
    causes = {c: np.zeros(len(hours)) for c in CAUSES}
    for row, _, cause, usd in booked:
        causes[cause][hours.index(row)] += usd
    equity = capital + np.cumsum(np.sum(list(causes.values()), axis=0))
    zeros = [0.0] * len(hours)
    frames = {
        "equity": pl.DataFrame(
            {
                "time": pl.Series([at(h) for h in hours], dtype=TIME),
                "equity_usd": equity,
                "cash_usd": equity,
                "margin_ratio": list(margin_ratio or zeros),
                "gross_usd": list(gross_usd or zeros),
                "net_delta_usd": list(net_delta_usd or zeros),
                **{f"{c}_usd": usd for c, usd in causes.items()},
            }
        ),
        "attribution": table(
            [
                {
                    "time": at(row),
                    "strategy": "carry" if name else "",
                    "account": "xyz",
                    "instrument": name,
                    "cause": cause,
                    "usd": usd,
                }
                for row, name, cause, usd in booked
            ],
            time=TIME,
            strategy=pl.String,
            account=pl.String,
            instrument=pl.String,
            cause=pl.String,
            usd=pl.Float64,
        ),
        "positions": table(
            [
                {
                    "time": at(row),
                    "strategy": "carry",
                    "account": account,
                    "instrument": name,
                    "position": position,
                    "px": px,
                    "value_usd": position * px,
                    "liquidation_px": liquidation_px,
                }
                for account, row, name, position, px, liquidation_px in [
                    *(("xyz" if p[1] == NVDA else "wallet", *p) for p in positions),
                    *(("xyz", *p, None) for p in pledged),
                ]
            ],
            time=TIME,
            strategy=pl.String,
            account=pl.String,
            instrument=pl.String,
            position=pl.Float64,
            px=pl.Float64,
            value_usd=pl.Float64,
            liquidation_px=pl.Float64,
        ),
        "funding": table(
            [{"time": at(row), "coin": coin, "payment_usd": usd} for row, coin, usd in funding],
            time=TIME,
            coin=pl.String,
            payment_usd=pl.Float64,
        ),
        "fills": table(
            [
                {
                    "time": at(row),
                    "instrument": name,
                    "size": size,
                    "px": px,
                    "way": "book",
                    "reason": more[0] if more else "target",
                    "slippage_usd": more[1] if more else -0.5,
                }
                for row, name, size, px, *more in fills
            ],
            time=TIME,
            instrument=pl.String,
            size=pl.Float64,
            px=pl.Float64,
            way=pl.String,
            reason=pl.String,
            slippage_usd=pl.Float64,
        ),
        "accounts": pl.DataFrame(
            {
                "time": pl.Series([at(h) for h in hours for _ in range(2)], dtype=TIME),
                "account": ["wallet", "xyz"] * len(hours),
                "margin_value_usd": [x for own in margin_usd or zeros for x in (1e9, own)],
            }
        ),
        "events": table(
            [{"time": at(row), "kind": kind, "account": where} for row, kind, where in events],
            time=TIME,
            kind=pl.String,
            account=pl.String,
        ),
    }
    rates, oracle = rates or {}, oracle or {}
    settled = sorted({*rates, *oracle})
    context = Context(
        capital,
        risk_free_apr,
        (NVDA,),
        tokens,
        table(
            [
                {"time": at(r), "coin": NVDA, "funding": rates.get(r), "oracle_px": oracle.get(r)}
                for r in settled
            ],
            time=TIME,
            coin=pl.String,
            funding=pl.Float64,
            oracle_px=pl.Float64,
        ),
        table(
            [
                {"time": at(h), "underlying": "NVDA", "phase": 0 if h in closed else 2}
                for h in hours
            ],
            time=TIME,
            underlying=pl.String,
            phase=pl.Int8,
        ),
        {NVDA: "NVDA", NVDAON: "NVDA"},
    )
    return frames, context


def pair_trade() -> tuple[dict[str, pl.DataFrame], Context]:
    """One pair of 10 units, in at row 1 and out at row 4, beside 50 USDY at 100; five hours.

    equity: 10000 / -3 = 9997 / +1 -10 +10 = 9998 / -0.505 -10 +5 = 9992.495 /
            +1.02 +10 -3 = 10000.515 / +0.5 = 10001.015
    """
    return make(
        6,
        [
            (1, NVDA, "fees", -1.0),
            (1, NVDAON, "fees", -1.0),
            (1, NVDA, "slippage", -0.5),
            (1, NVDAON, "slippage", -0.5),
            (2, NVDA, "funding", 1.0),  # 10 * 100 * 0.001
            (2, NVDA, "perp_price", -10.0),
            (2, NVDAON, "token_price", 10.0),
            (3, NVDA, "funding", -0.505),  # 10 * 101 * -0.0005
            (3, NVDA, "perp_price", -10.0),
            (3, NVDAON, "token_price", 5.0),
            (4, NVDA, "funding", 1.02),  # 10 * 102 * 0.001
            (4, NVDAON, "token_price", 10.0),
            (4, NVDA, "fees", -1.0),
            (4, NVDAON, "fees", -1.0),
            (4, NVDA, "slippage", -0.5),
            (4, NVDAON, "slippage", -0.5),
            (5, USDY, "yield", 0.5),
        ],
        [
            (1, NVDA, -10.0, 100.0, 150.0),
            (1, NVDAON, 10.0, 100.0, None),
            (2, NVDA, -10.0, 101.0, 150.0),
            (2, NVDAON, 10.0, 101.0, None),
            (3, NVDA, -10.0, 102.0, 150.0),
            (3, NVDAON, 10.0, 101.5, None),
            *((row, USDY, 50.0, 100.0, None) for row in range(1, 6)),
        ],
        margin_ratio=[0.0, 0.4, 0.2, 0.3, 0.0, 0.0],
        gross_usd=[0.0, 2000.0, 2020.0, 2035.0, 0.0, 0.0],
        fills=[
            (1, NVDA, 10.0, 100.0),
            (1, NVDAON, 10.0, 100.0),
            (4, NVDA, 10.0, 102.0),
            (4, NVDAON, 10.0, 102.5),
        ],
        funding=[(2, NVDA, 1.0), (3, NVDA, -0.505), (4, NVDA, 1.02)],
        margin_usd=[3_000.0, 2_900.0, 2_800.0, 2_700.0, 2_600.0, 2_500.0],
        # 5% of the capital are 500: open in rows 1, 3 and 4, after a close that left it so in 3.
        net_delta_usd=[0.0, 600.0, -400.0, 501.0, -700.0, 500.0],
        events=[
            (2, "transfer_sent", "xyz"),
            (3, "transfer_arrived", "xyz"),
            (3, "adl", "xyz"),
            (3, "transfer_refused", "xyz"),
            (4, "redeem_refused", "wallet"),
            (4, "transfer_sent", "wallet"),
            (4, "transfer_refused", "wallet"),
            (5, "backstop", "xyz"),
        ],
        rates={0: 0.5, 1: 0.002, 2: 0.001, 3: -0.0005, 4: 0.001, 5: -0.0001},
        oracle={0: 100.0, 1: 100.0, 2: 101.0, 3: 102.0, 4: 104.0, 5: 104.0},
        closed=[2, 3],
        risk_free_apr=0.04,
    )


EXPECTED: dict[str, float | int | str | None] = {
    "start": "2026-01-02T00:00:00Z",
    "end": "2026-01-02T05:00:00Z",
    "period_hours": 5.0,
    "start_equity_usd": 10_000.0,
    "final_equity_usd": 10_001.015,
    "peak_equity_usd": 10_001.015,
    "net_pnl_usd": 1.015,
    "total_return_frac": 0.0001015,
    "excess_return_frac": 0.0001015 - 0.04 * 5 / 8760,
    "cagr_frac": 1.0001015**1752 - 1,
    "days": 0,  # only one row at 00:00
    "sharpe": None,
    "var_95_frac": None,
    "positive_days_frac": None,
    "positive_months_frac": 1.0,
    "max_drawdown_frac": -0.0007505,  # 9992.495 after 10000
    "mean_drawdown_frac": -0.0007505,
    "longest_drawdown_hours": 4.0,  # the peak at row 0 is regained at row 4
    "mean_drawdown_hours": 4.0,
    "ulcer_frac": sqrt((0.0003**2 + 0.0002**2 + 0.0007505**2) / 6),
    "return_over_drawdown": 0.0001015 / 0.0007505,
    "serenity": None,
    "beta": None,
    "trades": 1,
    "open_trades": 0,
    "win_rate_frac": 1.0,
    "profit_factor": None,  # no loss
    "expectancy_usd": 0.515,  # the net less the 0.5 of USDY, which is no trade
    "mean_loss_usd": None,
    "payoff_ratio": None,
    "mean_holding_hours": 3.0,
    "win_streak": 1,
    "loss_streak": 0,
    "sqn": None,
    "kelly_frac": None,
    "fills": 4,
    "volume_usd": 4045.0,  # 1000 + 1000 + 1020 + 1025
    "turnover": 4045.0 / 9997.602 * 1752,  # mean of the first five equities
    "return_on_volume_frac": 1.015 / 4045,
    "exposure_frac": 0.6,  # USDY does not count
    "max_gross_over_equity": 2035 / 9992.495,
    "perp_price_usd": -20.0,
    "token_price_usd": 25.0,
    "funding_usd": 1.515,
    "yield_usd": 0.5,
    "dividend_usd": 0.0,
    "fees_usd": -4.0,
    "slippage_usd": -2.0,
    "identity_error_frac": 0.0,
    "attribution_error_frac": 0.0,
    "net_apr": 1.015 / 10_000 * 1752,
    "excess_apr": 1.015 / 10_000 * 1752 - 0.04,
    "basis_usd": 5.0,
    "basis_closed_usd": 5.0,
    "basis_open_usd": 0.0,
    "collateral_price_usd": 0.0,
    "collateral_yield_usd": 0.5,
    "collateral_yield_apr": 0.5 / 20_000 * 8760,  # 5000 USD for four hours
    "hedge_slippage_usd": -2.0,
    "hedge_slippage_frac": -2.0 / 4045,
    "residual_delta_usd": (1015 - 1020) * 2 / 102,  # row 3 alone is off, oracle 102-104
    "dividend_net_usd": None,
    "cost_drag_frac": 6 / 2.02,
    # in and out of both legs costs 2 * (3/2020 + 3/2025), an hour earns 1.515/3030 = 0.0005
    "break_even_days": 2 * (3 / 2020 + 3 / 2025) / 0.0005 / 24,
    "funding_yield_apr": 4.38,  # 1.515 / 3030 * 8760
    "funding_capture_frac": 15 / 34,  # rates held 0.0015, of 0.0034 in rows 1 to 5
    "funding_capture_held_frac": 1.0,  # 1.515 of 1010 * 0.0015
    "time_in_market_frac": 0.6,
    "settlements_held": 3,
    "settlements_held_frac": 0.6,
    "funding_hit_frac": 2 / 3,
    "negative_funding_streak": 1,
    "min_liquidation_distance_frac": 150 / 102 - 1,
    "min_liquidation_distance_at": "2026-01-02T03:00:00Z",
    "min_liquidation_distance_coin": NVDA,
    "weekend_liquidation_distance_frac": 150 / 101 - 1,  # row 2: the weekend begins
    "worst_margin_ratio": 1.0,  # 0.4 at the rows' ends, and a liquidation between two of them
    "margin_strained_hours": 0.0,
    "margin_capital_frac": 14_000 / (9997.602 * 5),  # the last row has no hour of its own
    "pledged_yield_usd": None,
    "liquidations": 1,
    "partial_liquidations": 0,
    "adls": 1,
    "naked_after_close_hours": 2.0,
    "margin_calls": 2,
    "topups": 1,
    "redemptions_refused": 1,
    "closed_held_hours": 2.0,
    "closed_pnl_usd": 2.515,  # rows 3 and 4: -5.505 + 8.02
    "closed_funding_usd": 0.515,
    "closed_worst_margin_ratio": 0.3,
    "closed_worst_gap_frac": 0.04,  # 100 at row 1, 104 at row 4
}


@pytest.fixture(scope="module")
def pair() -> dict[str, Any]:
    return summarise(*pair_trade())


@pytest.mark.parametrize("name", EXPECTED)
def test_pair_trade_by_hand(pair: dict[str, Any], name: str) -> None:
    wanted = EXPECTED[name]
    if isinstance(wanted, float):
        assert pair[name] == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    else:
        assert pair[name] == wanted


def test_summary_is_the_table_and_plain(pair: dict[str, Any]) -> None:
    assert list(pair) == [m.name for m in METRICS]
    assert len({m.name for m in METRICS}) == len(METRICS)
    assert all(m.unit and m.group and m.definition for m in METRICS)
    assert all(v is None or type(v) in (int, float, str) for v in pair.values())
    assert json.loads(json.dumps(pair, allow_nan=False)) == pair


def test_page_is_current() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == document(), "write perpkit.metrics.document() to docs/metrics.md"


# --------------------------------------------------------------------------- what is undefined


def test_a_run_that_never_trades_has_no_carry() -> None:
    summary = summarise(*make(50, rates=dict.fromkeys(range(50), 1e-5)))
    numbers = {"trades", "fills", "settlements_held", "days", "open_trades", "closed_held_hours"}
    for metric in METRICS:
        if metric.group in {"trade", "funding", "carry", "weekend"} and metric.name not in numbers:
            sure = {
                "net_apr": 0.0,
                "excess_apr": 0.0,
                "time_in_market_frac": 0.0,
                "settlements_held_frac": 0.0,
            }
            assert summary[metric.name] == sure.get(metric.name), metric.name
    assert summary["sharpe"] is None
    assert summary["calmar"] is None
    assert summary["longest_drawdown_hours"] is None
    assert summary["max_drawdown_frac"] == 0.0
    assert summary["days"] == 2


def test_steady_growth_has_no_variance_to_divide_by() -> None:
    daily = returns(1e4 * 1.0003 ** np.arange(60.0))
    found = ratios(daily, 0.0)
    for name in ("sharpe", "sortino", "omega", "skew", "kurtosis"):
        assert found[name] is None, name
    assert found["positive_days_frac"] == 1.0


def test_ruin_ends_the_returns_and_stays_finite() -> None:
    assert returns(np.array([100.0, 50.0, 0.0, 0.0, 10.0])).tolist() == [-0.5, -1.0]
    summary = summarise(
        *make(73, [(30, NVDA, "liquidation", -10_000.0)], gross_usd=[0.0] * 30 + [5.0] + [0.0] * 42)
    )
    assert summary["cagr_frac"] == -1.0
    assert summary["total_return_frac"] == -1.0
    assert summary["max_drawdown_frac"] == -1.0
    assert summary["worst_day_frac"] == -1.0
    assert summary["days"] == 2
    assert summary["stability_r2"] is None
    assert summary["max_gross_over_equity"] == np.inf


def test_worst_margin_ratio_may_be_infinite() -> None:
    summary = summarise(*make(3, margin_ratio=[0.0, np.inf, 0.0]))
    assert summary["worst_margin_ratio"] == np.inf


@pytest.mark.parametrize("hours", [0.0, 1e-9])
def test_growth_of_no_time_is_undefined(hours: float) -> None:
    assert cagr(100.0, 200.0, hours) is None


# --------------------------------------------------------------------------- small parts by hand


def test_daily_ratios() -> None:
    found = ratios(np.array([0.01, -0.01, 0.02, 0.0]), 0.0)
    # mean 0.005; squares 25 + 225 + 225 + 25 = 500e-6; sd sqrt(500e-6 / 3) = 0.01290994
    assert found["sharpe"] == pytest.approx(0.005 / 0.012909944487 * 19.104973175)
    assert found["sortino"] == pytest.approx(19.104973175)  # downside sqrt(1e-4 / 4) = the mean
    assert found["omega"] == pytest.approx(3.0)  # 0.03 over 0.01
    assert found["skew"] == pytest.approx(0.0, abs=1e-9)
    assert found["kurtosis"] == pytest.approx(1.64 - 3)  # 2.5625e-8 / (1.25e-4)²
    assert found["positive_days_frac"] == 0.5


def test_daily_ratios_are_in_excess_of_the_risk_free_rate() -> None:
    # 0.365 a year is 0.001 a day: the four days of above, moved up by it
    moved = ratios(np.array([0.011, -0.009, 0.021, 0.001]), 0.365)
    assert moved["sharpe"] == pytest.approx(0.005 / 0.012909944487 * 19.104973175)
    assert moved["omega"] == pytest.approx(3.0)


def test_tails() -> None:
    daily = np.arange(-10, 11) / 100  # 21 days: the 5% quantile is the second
    found = tails(daily)
    assert found["var_95_frac"] == pytest.approx(-0.09)
    assert found["cvar_95_frac"] == pytest.approx(-0.095)
    assert found["tail_ratio"] == pytest.approx(1.0)
    assert set(tails(daily[:19]).values()) == {None}


def test_benchmark() -> None:
    other = np.array([0.01, -0.02, 0.03, np.nan])
    found = against(np.array([0.006, -0.009, 0.016, 9.0]), other, 0.0)  # half of it and 0.001
    assert found["beta"] == pytest.approx(0.5)
    assert found["alpha_apr"] == pytest.approx(0.365)
    assert found["treynor"] == pytest.approx(0.013 / 3 * 365 / 0.5)
    # active -0.004, 0.011, -0.014: mean -0.007 / 3, squares 333e-6, less 3 * mean² = 316.667e-6
    spread = sqrt(316.6666667e-6 / 2)
    assert found["tracking_error_frac"] == pytest.approx(spread * sqrt(365))
    assert found["information_ratio"] == pytest.approx(-0.007 / 3 / spread * sqrt(365))


def test_straightness() -> None:
    assert straightness(np.array([1.0, 2.0, 4.0, 8.0])) == pytest.approx(1.0)
    # log2 = 0, 2, 1: slope 0.5, explained 0.5 of a total of 2
    assert straightness(np.array([1.0, 4.0, 2.0])) == pytest.approx(0.25)
    assert straightness(np.array([1.0, 1.0, 1.0])) is None


def test_closes_are_at_midnight_utc_and_midnight_of_the_first_closes_a_month() -> None:
    rows = [datetime(2026, 1, 31, 22, tzinfo=UTC) + timedelta(hours=h) for h in range(5)]
    time_ms = np.array([int(r.timestamp() * 1000) for r in rows])
    assert daily_rows(time_ms).tolist() == [2]
    assert monthly_rows(time_ms).tolist() == [0, 2, 4]


def test_drawdown_spells() -> None:
    depth = drawdowns(np.array([100.0, 90.0, 100.0, 110.0, 99.0, 55.0, 88.0]))
    assert depth.tolist() == pytest.approx([0.0, -0.1, 0.0, 0.0, -0.1, -0.5, -0.2])
    lowest, hours = spells(depth, np.arange(7) * 3_600_000)
    assert lowest.tolist() == pytest.approx([-0.1, -0.5])
    assert hours.tolist() == [2.0, 3.0]  # the second never ends


def test_score_of_trades() -> None:
    found = score(np.array([3.0, -1.0, 2.0, -2.0]))
    assert found["win_rate_frac"] == 0.5
    assert found["profit_factor"] == pytest.approx(5 / 3)
    assert found["expectancy_usd"] == 0.5
    assert found["payoff_ratio"] == pytest.approx(2.5 / 1.5)
    assert found["sqn"] == pytest.approx(2 * 0.5 / sqrt(17 / 3))  # squares 6.25 2.25 2.25 6.25
    assert found["kelly_frac"] == pytest.approx(0.2)  # 0.5 - 0.5 / (5/3)
    assert found["win_streak"] == found["loss_streak"] == 1


@pytest.mark.parametrize(("mask", "wanted"), [("", 0), ("0", 0), ("1", 1), ("1101110", 3)])
def test_longest_run(mask: str, wanted: int) -> None:
    assert longest_run(np.array([c == "1" for c in mask], np.bool_)) == wanted


# --------------------------------------------------------------------------- trades and carry


def test_trades_open_and_closed() -> None:
    frames, context = make(
        8,
        [
            (1, NVDA, "fees", -1.0),  # before the first is held: the row of entry, so in it
            (2, NVDA, "funding", 4.0),
            (3, NVDA, "slippage", -1.0),  # exit at row 3: +2
            (4, NVDA, "settlement", -0.5),  # booked late, still the first: +1.5
            (5, NVDAON, "fees", -2.0),  # second begins with the token alone
            (6, NVDA, "perp_price", 1.0),
            (7, "", "interest", -7.0),  # no trade's
        ],
        [
            (1, NVDA, -1.0, 100.0, None),
            (2, NVDA, -1.0, 100.0, None),
            (5, NVDAON, 1.0, 100.0, None),
            (6, NVDA, -1.0, 100.0, None),
            (6, NVDAON, 1.0, 100.0, None),
            (7, NVDA, -1.0, 100.0, None),
        ],
    )
    summary = summarise(frames, context)
    assert (summary["trades"], summary["open_trades"]) == (1, 1)
    assert summary["expectancy_usd"] == pytest.approx(1.5)
    assert summary["longest_holding_hours"] == 2.0
    assert summary["basis_closed_usd"] == 0.0
    assert summary["basis_open_usd"] == 1.0


def test_residual_delta_between_sparse_settlements_runs_on_a_straight_line() -> None:
    # oracle 100 at row 0, 104 at row 4: 101, 102, 103 between; delta 50 held over rows 1 and 2
    frames, context = make(
        6,
        [(1, NVDA, "fees", -1.0)],
        [(1, NVDA, -1.0, 100.0, None), (1, NVDAON, 1.5, 100.0, None), (2, NVDA, 0.5, 100.0, None)],
        oracle={0: 100.0, 4: 104.0},
        rates={4: 1e-4},
    )
    wanted = 50 * (102 / 101 - 1) + 50 * (103 / 102 - 1)
    assert summarise(frames, context)["residual_delta_usd"] == pytest.approx(wanted)


def test_a_dividend_is_net_of_the_funding_of_its_hour() -> None:
    frames, context = make(
        4,
        [(1, NVDA, "funding", 1.0), (2, NVDAON, "dividend", 2.5), (2, NVDA, "funding", -2.0)],
        [(1, NVDA, -10.0, 100.0, None), (2, NVDA, -10.0, 100.0, None)],
    )
    assert summarise(frames, context)["dividend_net_usd"] == pytest.approx(0.5)


# Beside a trade of 1,000 USD in each leg: what is no trade, each of 1,000 USD too.
NO_TRADES: tuple[tuple[Any, ...], ...] = (
    (1, NVDA, 90.0, 11.1, "action", 0.0),  # units of a split
    (1, NVDAON, 10.0, 100.0, "settlement", -7.0),  # a trade undone
    (1, NVDAON, 10.0, 100.0, "shock", -1000.0),  # moved away by its issuer
    (2, NVDA, 10.0, 100.0, "shock", 0.0),  # settled by a venue that fails
)


def in_and_out(fills: Sequence[tuple[Any, ...]], *booked: Booking) -> dict[str, Any]:
    """One hour of funding on 1,000 USD, 1 USD of fees a leg."""
    frames, context = make(
        3,
        [(1, NVDA, "fees", -1.0), (1, NVDAON, "fees", -1.0), (2, NVDA, "funding", 1.0), *booked],
        [(1, NVDA, -10.0, 100.0, None), (1, NVDAON, 10.0, 100.0, None)],
        fills=[(1, NVDA, 10.0, 100.0), (1, NVDAON, 10.0, 100.0), *fills],
        funding=[(2, NVDA, 1.0)],
        rates={2: 0.001},
    )
    return summarise(frames, context)


def test_what_is_no_trade_is_no_volume() -> None:
    summary = in_and_out(NO_TRADES)
    assert summary["fills"] == 6
    assert summary["volume_usd"] == 2_000.0
    assert summary["turnover"] == pytest.approx(2_000.0 / 9_999.0 * 8760 / 2)
    assert summary["return_on_volume_frac"] == pytest.approx(-1.0 / 2_000.0)
    assert summary["hedge_slippage_frac"] == 0.0


@pytest.mark.parametrize("reason", ["liquidation", "backstop", "adl", "seized", "redeemed"])
def test_a_forced_trade_is_volume(reason: str) -> None:
    assert in_and_out([(2, NVDA, 10.0, 100.0, reason, 0.0)])["volume_usd"] == 3_000.0


def test_settling_is_friction_and_an_incident_is_not() -> None:
    hours = 2 * (1 / 1000 + 1 / 1000) / 0.001
    assert in_and_out(())["break_even_days"] == pytest.approx(hours / 24)
    # The cause is the cost of 2 USD, and what prices did to the trade undone and moved away.
    told = (1, NVDAON, "settlement", -2.0 - 7.0 - 1000.0)
    # Of two trades of 1,000 USD one was undone, and paid for.
    fills = (*NO_TRADES, (1, NVDAON, 10.0, 100.0))
    hours = 2 * (1 / 1000 + (1 + 2) / 1000) / 0.001
    assert in_and_out(fills, told)["break_even_days"] == pytest.approx(hours / 24)


def test_a_losing_carry_never_breaks_even() -> None:
    frames, context = make(
        3,
        [(1, NVDA, "fees", -1.0), (2, NVDA, "funding", -1.0)],
        [(1, NVDA, -10.0, 100.0, None), (2, NVDA, -10.0, 100.0, None)],
        fills=[(1, NVDA, 10.0, 100.0)],
        funding=[(2, NVDA, -1.0)],
        rates={2: -0.001},
    )
    summary = summarise(frames, context)
    assert summary["break_even_days"] is None
    assert summary["cost_drag_frac"] is None
    assert summary["funding_capture_frac"] is None
    assert summary["funding_yield_apr"] == pytest.approx(-1.0 / 1000 * 8760)
    assert summary["negative_funding_streak"] == 1


def test_a_long_perp_is_liquidated_from_below() -> None:
    frames, context = make(3, [], [(1, NVDA, 1.0, 100.0, 80.0)])
    assert summarise(frames, context)["min_liquidation_distance_frac"] == pytest.approx(0.2)


def test_the_first_and_the_nearest_of_several_coins_tells_the_distance() -> None:
    near = [(1, NVDA, 1.0, 64.0, 48.0), (2, NVDA, -1.0, 64.0, 72.0), (3, NVDA, 1.0, 64.0, 56.0)]
    summary = summarise(*make(5, [], near))
    assert summary["min_liquidation_distance_frac"] == 0.125
    assert summary["min_liquidation_distance_at"] == "2026-01-02T02:00:00Z"
    nothing = summarise(*make(3))
    assert nothing["min_liquidation_distance_at"] is None
    assert nothing["min_liquidation_distance_coin"] is None


def test_strained_hours_and_a_partial_liquidation() -> None:
    ratios = [0.0, 0.51, 0.5, 0.9, 0.9]
    frames, context = make(
        [0, 1, 2, 5, 6], margin_ratio=ratios, events=[(5, "partial", "xyz"), (5, "adl", "xyz")]
    )
    summary = summarise(frames, context)
    assert summary["margin_strained_hours"] == 2.0  # rows 1 and 5, an hour each
    assert summary["partial_liquidations"] == 1
    assert summary["liquidations"] == 0
    assert summary["worst_margin_ratio"] == 1.0


def test_yield_of_collateral_is_that_of_the_pledged_share() -> None:
    # 50 in the wallet and 150 pledged at row 0 and 1, all pledged at row 2.
    frames, context = make(
        4,
        [(0, USDY, "yield", 1.0), (1, USDY, "yield", 2.0), (3, USDY, "yield", 4.0)],
        [(0, USDY, 50.0, 1.0, None), (1, USDY, 50.0, 1.0, None)],
        pledged=[(0, USDY, 150.0, 1.0), (1, USDY, 150.0, 1.0), (2, USDY, 200.0, 1.0)],
    )
    assert summarise(frames, context)["pledged_yield_usd"] == pytest.approx(0.75 * 3 + 4)


NAKED = [
    # |net delta| above 500 by row, rows of forced closes, hours
    ([0, 600, 600, 600, 0, 0], [2], 2.0),
    ([0, 600, 600, 600, 0, 0], [0], 0.0),  # the close left nothing open
    ([0, -600, 0, 600, 600, 0], [1], 1.0),
    ([0, 600, 600, 0, 600, 0], [1, 2, 4], 3.0),
    ([600, 0, 600, 600, 600, 600], [0, 1, 3], 3.0),
    ([0, 0, 0, 0, 0, 0], [3], 0.0),
]


@pytest.mark.parametrize(("delta", "forced", "hours"), NAKED)
@pytest.mark.parametrize("kind", ["partial", "liquidation", "backstop", "adl", "venue_failed"])
def test_hours_naked_begin_with_a_forced_close(
    delta: list[float], forced: list[int], hours: float, kind: str
) -> None:
    told = [(row, kind, "xyz") for row in forced]
    summary = summarise(*make(6, net_delta_usd=delta, events=told))
    assert summary["naked_after_close_hours"] == hours
    summary = summarise(*make(6, net_delta_usd=delta, events=[(1, "trimmed", "xyz")]))
    assert summary["naked_after_close_hours"] == 0.0


def test_notional_is_in_usd_whatever_the_price_is_in() -> None:
    held = [(1, NVDA, -10.0, 100.0, None), (2, NVDA, -10.0, 100.0, None)]
    frames, context = make(4, [(2, NVDA, "funding", 1.0)], held, funding=[(2, NVDA, 1.0)])
    half = frames["positions"].with_columns(value_usd=pl.col("value_usd") / 2)
    told = summarise({**frames, "positions": half}, context)["funding_yield_apr"]
    assert told == pytest.approx(2 * summarise(frames, context)["funding_yield_apr"])


def test_the_errors_of_the_books_are_seen() -> None:
    frames, context = pair_trade()
    leak = pl.when(pl.col("time") == at(3)).then(pl.col("equity_usd") + 1.0)
    torn = frames["equity"].with_columns(equity_usd=leak.otherwise(pl.col("equity_usd")))
    summary = summarise({**frames, "equity": torn}, context)
    # 1 too much at row 3, on 9998, and 1 too little at row 4, on 9993.495
    assert summary["identity_error_frac"] == pytest.approx(1 / 9993.495)
    assert summary["attribution_error_frac"] == pytest.approx(0.0, abs=1e-15)
    cut = frames["attribution"].filter(pl.col("time") != at(5))
    summary = summarise({**frames, "attribution": cut}, context)
    assert summary["attribution_error_frac"] == pytest.approx(0.5 / 10_000.515)


@pytest.mark.parametrize(
    ("frame", "column", "value"),
    [
        ("attribution", "cause", "luck"),
        ("attribution", "instrument", "NVDAxx"),
        ("positions", "instrument", "NVDAxx"),
        ("accounts", "time", datetime(2020, 1, 1, tzinfo=UTC)),
        ("events", "time", datetime(2020, 1, 1, tzinfo=UTC)),
        ("funding", "coin", "xyz:NVDAxx"),
    ],
)
def test_frames_that_disagree_are_refused(frame: str, column: str, value: Any) -> None:
    frames, context = pair_trade()
    wrong = frames[frame].with_columns(pl.lit(value).alias(column))
    with pytest.raises(DataError, match=f"{frame}.{column}.*{re.escape(str(value))}"):
        summarise({**frames, frame: wrong}, context)


# --------------------------------------------------------------------------- what must hold


def test_encoded_names_and_finer_clocks_change_nothing(pair: dict[str, Any]) -> None:
    frames, context = pair_trade()
    text, time = pl.selectors.string(), pl.selectors.datetime()
    finer = pl.Datetime("ns", "UTC")
    coded = {
        k: f.with_columns(text.cast(pl.Categorical), time.cast(finer)) for k, f in frames.items()
    }
    assert summarise(coded, context) == pair


def test_an_unused_instrument_changes_nothing(pair: dict[str, Any]) -> None:
    frames, context = pair_trade()
    more = context._replace(
        perps=(*context.perps, "xyz:AAPL"),
        tokens=(*context.tokens, "AAPLon"),
        underlying_of={**context.underlying_of, "xyz:AAPL": "AAPL", "AAPLon": "AAPL"},
    )
    assert summarise(frames, more) == pair


def test_missing_hours_are_time_too() -> None:
    # rows 0, 1, 5: held from row 1 to row 5, four of five hours
    frames, context = make([0, 1, 5], [], [(1, NVDA, -1.0, 100.0, None)])
    summary = summarise(frames, context)
    assert summary["time_in_market_frac"] == pytest.approx(0.8)
    assert summary["longest_holding_hours"] == 4.0


def random_run(seed: int, hours: int) -> tuple[dict[str, pl.DataFrame], Context]:
    rng = np.random.default_rng(seed)
    on = rng.random(hours) < 0.7
    on[0] = False
    px = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, hours)))
    names = (NVDA, NVDAON, USDY, "")
    booked = [
        (int(r), names[int(rng.integers(4))], CAUSES[int(rng.integers(len(CAUSES)))], float(u))
        for r, u in zip(rng.integers(1, hours, hours), rng.normal(0, 5, hours), strict=True)
    ]
    booked = [b for b in booked if b[1] or b[2] in {"interest", "transfer", "bad_debt"}]
    rates = rng.normal(1e-5, 5e-5, hours)
    positions = [
        (int(t), name, side * float(rng.integers(1, 9)), float(px[t]), 2.0 * float(px[t]))
        for t in np.flatnonzero(on)
        for name, side in ((NVDA, -1.0), (NVDAON, 1.0))
    ]
    return make(
        hours,
        booked,
        positions,
        margin_ratio=rng.random(hours).tolist(),
        gross_usd=rng.uniform(0, 9000, hours).tolist(),
        fills=[(int(t), NVDA, 1.0, float(px[t])) for t in np.flatnonzero(on)],
        funding=[(int(t), NVDA, float(rng.normal(0.1, 1))) for t in np.flatnonzero(on)],
        rates=dict(enumerate(rates.tolist())),
        oracle=dict(enumerate(px.tolist())),
        closed=[h for h in range(hours) if h % 24 > 16],
        risk_free_apr=0.0375,
    )


def scaled(frame: pl.DataFrame, factor: float) -> pl.DataFrame:
    money = [c for c in frame.columns if c.endswith(("_usd", "_px")) or c in {"px", "usd"}]
    return frame.with_columns(pl.col(money) * factor)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from([3, 26, 200, 800]),
    st.sampled_from([2.0**-20, 0.5, 8.0, 1024.0]),
)
def test_money_scales_and_nothing_else_does(seed: int, hours: int, factor: float) -> None:
    frames, context = random_run(seed, hours)
    before = summarise(frames, context)
    after = summarise(
        {name: scaled(frame, factor) for name, frame in frames.items()},
        context._replace(
            capital_usd=context.capital_usd * factor, available=scaled(context.available, factor)
        ),
    )
    for metric in METRICS:  # a power of two: to the last bit
        value = before[metric.name]
        if metric.unit == "USD" and isinstance(value, float):
            value *= factor
        assert after[metric.name] == value, metric.name


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([3, 26, 200]))
def test_the_causes_and_the_net_agree(seed: int, hours: int) -> None:
    frames, context = random_run(seed, hours)
    summary: dict[str, Any] = summarise(frames, context)
    total = sum(summary[f"{cause}_usd"] for cause in CAUSES)
    assert summary["net_pnl_usd"] == pytest.approx(total, abs=1e-7)
    assert summary["identity_error_frac"] < 1e-12
    assert summary["attribution_error_frac"] < 1e-12
    assert all(v is None or v == v for v in summary.values())
