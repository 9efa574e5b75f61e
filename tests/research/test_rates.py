"""Funding as rates a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.errors import DataError
from perpkit.research.history import Settled, read_history
from perpkit.research.rates import FundingRates, funding_rates, funding_rates_of, rolling
from perpkit.rulebook import CoinTerms, open_rulebook
from perpkit.units import HOUR_NS, to_ns

BOOK = open_rulebook()
MONDAY = datetime(2026, 8, 10, 0, tzinfo=UTC)
BASELINE = CoinTerms("X", "baseline", {})
XYZ = CoinTerms("xyz:NVDA", "xyz", {})


def settled(rates: list[float] | np.ndarray, hours: int = 1, first: datetime = MONDAY) -> Settled:
    """Settlements that cover the hours from `first` on without a gap."""
    count = len(rates)
    time_ns = to_ns(first) + np.arange(1, count + 1, dtype=np.int64) * hours * HOUR_NS
    nothing = np.full(count, np.nan)
    return Settled(time_ns, np.full(count, hours), np.array(rates, dtype=float), nothing)


def of(own: Settled, coin: CoinTerms = BASELINE) -> FundingRates:
    return funding_rates_of(coin, own, BOOK)


def test_baselines_of_core_and_xyz() -> None:
    # 0.01% per 8 hours: 10.95% simple, 11.57% compounded; at half of it 5.475% and 5.63%.
    core, xyz = of(settled([0.0000125] * 24)), of(settled([0.00000625] * 24), XYZ)
    assert core.apr == pytest.approx(0.1095, rel=1e-12)
    assert core.apy == pytest.approx(0.1157, abs=5e-5)
    assert xyz.apr == pytest.approx(0.05475, rel=1e-12)
    assert xyz.apy == pytest.approx(0.05628, abs=5e-6)
    assert (core.baseline_frac, xyz.baseline_frac) == (1.0, 1.0)
    assert core.baseline_from == xyz.baseline_from == "rulebook"


def test_the_interval_is_part_of_the_rate() -> None:
    eight = of(settled([0.0001] * 6, hours=8), CoinTerms("X", "baseline", {"interval_hours": 8}))
    assert eight.hours == 48
    assert eight.apr == pytest.approx(0.1095)
    assert eight.apy == pytest.approx((1.0001) ** 1_095 - 1)
    assert eight.baseline_frac == 1.0


def test_share_at_the_baseline_is_of_hours() -> None:
    some = of(settled([0.0000125, 0.0000125, 0.00002, -0.00001]))
    assert some.baseline_frac == 0.5
    # The rulebook's baseline halves on 2025-12-19.
    before = datetime(2025, 12, 18, 12, tzinfo=UTC)
    change = of(settled([0.0000125] * 11 + [0.00000625] * 13, first=before), XYZ)
    assert change.baseline_frac == 1.0


def test_without_terms_the_commonest_rate_is_the_baseline_and_said_to_be() -> None:
    stranger = of(settled([0.00003, 0.00003, 0.00001]), CoinTerms("zzz:X", "zzz", {}))
    assert stranger.baseline_from == "the commonest rate"
    assert stranger.baseline_frac == pytest.approx(2 / 3)
    unknown = CoinTerms("X", "baseline", {"interest_8h": "unknown"})
    assert of(settled([0.00003, 0.00003, 0.00001]), unknown).baseline_frac == pytest.approx(2 / 3)


def test_rolling_windows_against_plain_sums() -> None:
    rates = np.random.default_rng(1).normal(1e-5, 1e-5, 400)
    own = settled(rates)
    week = rolling(own, 168)
    # From the hour on at which nine tenths of a week are there.
    first = int(np.ceil(0.9 * 168))
    sums = [rates[max(0, n - 168) : n].mean() * 8_760 for n in range(first, 401)]
    assert week.windows == len(sums)
    assert week.latest_apr == pytest.approx(sums[-1], rel=1e-9)
    assert week.lowest_apr == pytest.approx(min(sums), rel=1e-9)
    assert week.highest_apr == pytest.approx(max(sums), rel=1e-9)


def test_a_window_with_too_many_gaps_does_not_count() -> None:
    own = settled(np.full(400, 1e-5))
    gap = Settled(*(np.delete(column, np.arange(160, 250)) for column in own))
    whole = rolling(gap, 168)
    assert 0 < whole.windows < 300
    assert whole.latest_apr is None  # 150 of its 168 hours are there, and 151.2 are asked for
    none = rolling(gap, 720)
    assert (none.windows, none.latest_apr, none.lowest_apr) == (0, None, None)
    assert of(gap).gap_hours == 90
    assert of(gap).apr == pytest.approx(1e-5 * 8_760)  # hours of gaps count for nothing


def test_phases_split_the_week() -> None:
    # Monday to Monday: 5 cash sessions of 6.5 hours, 24/5 from Monday 00:00 to Saturday 00:00 UTC.
    hours = np.arange(1, 169)
    weekend = hours > 120
    hour_of_day = (hours - 1) % 24
    cash = ~weekend & (hour_of_day >= 13) & (hour_of_day < 20)  # the hour of 13:30 is cash by half
    rates = np.where(weekend, 1e-6, np.where(cash, 3e-5, 2e-5))
    told = {phase.phase: phase for phase in of(settled(rates), XYZ).phases}
    assert {name: phase.hours for name, phase in told.items()} == {
        "cash": 35.0,
        "extended": 85.0,
        "closed": 48.0,
    }
    for name, rate in (("cash", 3e-5), ("extended", 2e-5), ("closed", 1e-6)):
        assert told[name].apr == pytest.approx(rate * 8_760)


def test_a_long_interval_is_shared_out_over_its_hours() -> None:
    # Settled every 8 hours: Friday 16:00 to Saturday 00:00 UTC has 4 hours of cash, 4 after.
    own = settled([8e-5], hours=8, first=datetime(2026, 8, 14, 16, tzinfo=UTC))
    told = {phase.phase: phase for phase in of(own, XYZ).phases}
    assert {name: phase.hours for name, phase in told.items()} == {
        "cash": 4.0,
        "extended": 4.0,
        "closed": 0.0,
    }
    assert told["cash"].apr == pytest.approx(1e-5 * 8_760)
    assert told["closed"].apr is None


def test_a_holiday_is_no_cash_session() -> None:
    labor_day = of(settled([1e-5] * 24, first=datetime(2026, 9, 7, 0, tzinfo=UTC)), XYZ)
    assert {p.phase: p.hours for p in labor_day.phases}["cash"] == 0.0


def test_the_week_is_that_of_the_market() -> None:
    assert of(settled([1e-5] * 5), CoinTerms("xyz:XYZ100", "xyz", {})).session == "us_index_futures"
    assert of(settled([1e-5] * 5), CoinTerms("BTC", "hyperliquid", {})).session == "us_24_5"


@pytest.mark.shared
def test_august_2026_by_other_means(shared_data: Path) -> None:
    found = funding_rates(read_history(shared_data / "xyz-2026-08"))
    rows = pl.read_parquet(shared_data / "xyz-2026-08" / "funding.parquet")
    for coin, own in found.items():
        mine = rows.filter(pl.col("coin") == coin)
        assert own.apr == pytest.approx(mine["funding"].mean() * 8_760)
        last = mine.filter(pl.col("time") > pl.col("time").max() - timedelta(days=7))
        assert own.week.latest_apr == pytest.approx(last["funding"].mean() * 8_760)
        at = ((mine["funding"] - 0.00000625).abs() < 1e-12).mean()
        assert own.baseline_frac == pytest.approx(at)
        assert own.month.windows == 0
        assert [p.hours for p in own.phases] == [70.0, 170.0, 87.0]


def test_the_demo_as_it_is_shipped() -> None:
    found = funding_rates(read_history(Path(__file__).parents[2] / "data" / "demo"))
    found = {coin: own for coin, own in found.items() if coin.startswith("sim:")}
    told = {coin.split(":")[1]: f"{own.apr:.1%}" for coin, own in found.items()}
    assert told == {"ORCA": "12.1%", "FALC": "19.8%", "LYNX": "8.7%", "HAWK": "4.7%"}
    off = {coin.split(":")[1]: f"{1 - (own.baseline_frac or 0):.1%}" for coin, own in found.items()}
    assert off == {"ORCA": "30.3%", "FALC": "29.2%", "LYNX": "29.6%", "HAWK": "27.4%"}


def test_faulty_stamps_are_refused(tmp_path: Path) -> None:
    times = [MONDAY + timedelta(hours=h) for h in (0, 1, 2, 3.5)]
    frame = pl.DataFrame({"time": times, "coin": "xyz:A", "funding": 1e-5})
    path = tmp_path / "f.parquet"
    frame.with_columns(pl.col("time").dt.cast_time_unit("ms")).write_parquet(path)
    with pytest.raises(DataError, match="more than ten minutes past the hour"):
        funding_rates(read_history(path))
