"""The shipped strategies on recorded data; one weekend of NVDA worked out from the files alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

import perpkit

pytestmark = pytest.mark.shared

COIN = "xyz:NVDA"
START = datetime(2026, 8, 12, 5, tzinfo=UTC)
CLOSE = datetime(2026, 8, 15, tzinfo=UTC)  # Friday 20:00 in New York
REOPEN = datetime(2026, 8, 17, tzinfo=UTC)  # Sunday 20:00 in New York
CASH_OPEN = datetime(2026, 8, 17, 14, tzinfo=UTC)  # the first full hour after 09:30 in New York
END = datetime(2026, 8, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENTER_FRAC, NOTIONAL_USD, LOOKBACK_HOURS, LEAST_HOURS = 0.001, 10_000.0, 8, 3
COST_FRAC = 0.0002 + 0.0002  # half-spread and impact, the defaults
# 0.045% taker, twice that on a market that others run, a tenth of it in growth mode.
FEE_FRAC = 0.00045 * 2 * 0.1


class Raw(NamedTuple):
    """The files, hour by hour; an hour that was not recorded has the prices of the one before."""

    oracle: dict[datetime, float]
    mark: dict[datetime, float]
    rate: dict[datetime, float]
    recorded: set[datetime]


@pytest.fixture(scope="module")
def data(shared_data: Path) -> Path:
    return shared_data / "xyz-2026-08"


@pytest.fixture(scope="module")
def raw(data: Path) -> Raw:
    prices = {
        row["time"]: row
        for row in pl.read_parquet(data / "perps.parquet").filter(coin=COIN).iter_rows(named=True)
    }
    settled = pl.read_parquet(data / "funding.parquet").filter(coin=COIN)
    rate = dict(settled.select(pl.col("time").dt.truncate("1h"), "funding").iter_rows())
    oracle, mark = {}, {}
    hour, last = START, START
    while hour <= END:
        last = hour if hour in prices else last
        oracle[hour], mark[hour] = prices[last]["oracle_px"], prices[last]["mark_px"]
        hour += HOUR
    return Raw(oracle, mark, rate, set(prices))


def hours(first: datetime, last: datetime) -> list[datetime]:
    return [first + n * HOUR for n in range(int((last - first) / HOUR) + 1)]


def entry(raw: Raw, until: datetime) -> tuple[datetime, int]:
    """The hour that decides and the side: the first in which the basis is worth its funding."""
    for hour in hours(CLOSE, REOPEN - LEAST_HOURS * HOUR):
        basis = raw.mark[hour] / raw.oracle[CLOSE] - 1
        paid = sum(raw.rate[h] for h in hours(hour - (LOOKBACK_HOURS - 1) * HOUR, hour))
        side = -1 if basis > 0 else 1
        expected = paid / LOOKBACK_HOURS * ((until - hour) / HOUR)
        if abs(basis) - side * expected > ENTER_FRAC:
            return hour, side
    raise AssertionError("the weekend has no entry")


def filled(raw: Raw, decided: datetime) -> datetime:
    """A fill is in the next hour that was recorded."""
    return next(h for h in hours(decided + HOUR, END) if h in raw.recorded)


@pytest.mark.parametrize("at_cash_open", [False, True])
def test_the_weekend_of_nvda_by_hand(data: Path, raw: Raw, at_cash_open: bool) -> None:
    until = datetime(2026, 8, 17, 13, 30, tzinfo=UTC) if at_cash_open else REOPEN
    decided, side = entry(raw, until)
    opened = filled(raw, decided)
    closed = filled(raw, CASH_OPEN if at_cash_open else REOPEN)
    units = side * round(NOTIONAL_USD / raw.mark[decided], 3)
    entry_px = raw.mark[opened] * (1 + side * COST_FRAC)
    exit_px = raw.mark[closed] * (1 - side * COST_FRAC)
    payments = {h: -units * raw.oracle[h] * raw.rate[h] for h in hours(opened + HOUR, closed)}
    fees = abs(units) * (entry_px + exit_px) * FEE_FRAC
    profit = units * (exit_px - entry_px) + sum(payments.values()) - fees

    run = perpkit.backtest(
        "weekend_basis",
        data,
        params={"enter_frac": ENTER_FRAC, "exit_at_cash_open": at_cash_open},
        config={"coins": [COIN], "end": END},
        pure_python=True,
    )
    bought, sold = run.frames["fills"].iter_rows(named=True)
    assert (bought["time"], sold["time"]) == (opened, closed)
    assert bought["side"] == ("buy" if side > 0 else "sell")
    assert bought["size"] == sold["size"] == pytest.approx(abs(units))
    assert (bought["px"], sold["px"]) == (pytest.approx(entry_px), pytest.approx(exit_px))
    paid = dict(run.frames["funding"].select("time", "payment_usd").iter_rows())
    assert paid == pytest.approx(payments, abs=1e-9)
    assert bought["fee_usd"] + sold["fee_usd"] == pytest.approx(fees, abs=1e-6)
    equity = run.frames["equity"]["equity_usd"]
    assert equity[-1] - equity[0] == pytest.approx(profit, abs=0.005)


def test_the_weekend_that_was_worked_out_is_this_one(raw: Raw) -> None:
    # By eye: 224.73 at the close, 224.45 at Saturday 05:00 UTC, so it is bought, at 06:00.
    assert (raw.oracle[CLOSE], entry(raw, REOPEN)) == (224.73, (CLOSE + 5 * HOUR, 1))
    assert raw.mark[CLOSE + 5 * HOUR] / 224.73 - 1 == pytest.approx(-0.00125, abs=5e-6)
    assert (raw.mark[CLOSE + 6 * HOUR], raw.mark[REOPEN + HOUR]) == (224.43, 225.56)
    assert CLOSE + 2 * HOUR not in raw.recorded  # an hour that was not polled lies on the way


@pytest.mark.parametrize("strategy", ["funding_carry", "weekend_basis", "spot_hold"])
def test_it_trades_on_recorded_data_as_it_is(data: Path, strategy: str) -> None:
    run = perpkit.backtest(strategy, data, pure_python=True)
    assert run.frames["fills"].height >= 6
    assert run.summary["identity_error_frac"] < 1e-9


def test_cash_does_not(data: Path) -> None:
    assert perpkit.backtest("cash", data, pure_python=True).frames["fills"].height == 0
