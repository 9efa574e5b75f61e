"""Recorded funding on its own hour, and what may stand in where none is recorded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.arrays import F64
from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.errors import DataError
from perpkit.tape import form
from perpkit.tape.grid import hours_between
from perpkit.tape.settlements import lay_settlements, settlements, snap
from perpkit.units import HOUR_NS, stamp, to_ns

START = datetime(2026, 8, 12, 5, tzinfo=UTC)
CORE_TOML = """\
schema = 1
name = "core"
source = "recorded settlements, prices made up by the tests"
licence = "none stated"
prices = "onchain"
[perps.BTC]
venue = "baseline"
underlying = "BTC"
[perps.ETH]
venue = "baseline"
underlying = "ETH"
"""


def recorded(stamps: list[datetime], coin: str = "BTC") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": stamps,
            "coin": coin,
            "funding": [0.0001 * (n + 1) for n in range(len(stamps))],
            "premium": [0.001 * (n + 1) for n in range(len(stamps))],
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    )


def laid(frame: pl.DataFrame, hours: int = 6, interval: float = 1.0) -> F64:
    time_ns = hours_between(to_ns(START), to_ns(START + timedelta(hours=hours - 1)))
    every = np.full((hours, 1), interval)
    return lay_settlements(frame, "funding.parquet", ("BTC",), time_ns, every)[0][:, 0]


# ------------------------------------------------------------------- stamps


@given(st.integers(0, 2_000_000_000_000), st.sampled_from([1, 2, 4, 8, 12, 24]))
def test_snap_is_to_the_boundary_at_or_before(at_ms: int, hours: int) -> None:
    at, interval = np.array([at_ms * 1_000_000]), np.array([hours * HOUR_NS])
    (boundary,), (late,) = snap(at, interval)
    assert boundary % (hours * HOUR_NS) == 0
    assert 0 <= late < hours * HOUR_NS
    assert boundary + late == at[0]


@given(st.integers(0, 400_000), st.integers(0, 118))
def test_usual_stamps_are_on_their_own_hour(hour: int, late_ms: int) -> None:
    # Hyperliquid's stamps come 1 to 118 ms after the hour.
    at = np.array([hour * HOUR_NS + late_ms * 1_000_000])
    assert snap(at, np.array([HOUR_NS]))[0][0] == hour * HOUR_NS


def test_late_stamps_are_booked_on_their_own_hour() -> None:
    late = [timedelta(0), timedelta(hours=2, seconds=111), timedelta(hours=4, minutes=10)]
    made = laid(recorded([START + x for x in late]))
    np.testing.assert_allclose(made, [0.0001, np.nan, 0.0002, np.nan, 0.0003, np.nan], rtol=1e-15)


@pytest.mark.parametrize("late", [timedelta(minutes=10, milliseconds=1), timedelta(minutes=59)])
def test_stamp_later_than_ten_minutes_is_refused(late: timedelta) -> None:
    frame = recorded([START, START + timedelta(hours=2) + late, START + timedelta(hours=3) + late])
    with pytest.raises(DataError) as error:
        laid(frame)
    assert str(error.value) == (
        f"funding.parquet: time of BTC is {late // timedelta(seconds=1)} s past its settlement in "
        f"2 rows, first 2026-08-12 07:{10 if late < timedelta(minutes=11) else 59}Z; ten minutes "
        "is the most: correct the stamps or set terms.interval_hours to the venue's interval"
    )


def test_two_settlements_on_one_boundary_are_refused() -> None:
    seven = START + timedelta(hours=2)
    frame = recorded([START, seven, seven + timedelta(seconds=30)])
    with pytest.raises(DataError) as error:
        laid(frame)
    assert str(error.value) == (
        "funding.parquet: funding of BTC settles twice at 2026-08-12 07:00Z (1 such hours); "
        "keep one row a settlement"
    )


def test_no_interval_is_known_for_settlements_before_or_after_the_run() -> None:
    # Rows 05 .. 16. The record begins with 4 hours, 00 and 04, and goes on with 8; after the rows
    # it is of 4 hours again. The one of 08 comes late, that of 16 too.
    late = timedelta(minutes=9)
    hours = [-1, 3, 11, 15, 19]
    stamps = [START + timedelta(hours=h) + (late if h in (3, 11) else timedelta(0)) for h in hours]
    made = laid(recorded(stamps), hours=12, interval=8.0)
    told = [np.nan] * 3 + [0.0002] + [np.nan] * 7 + [0.0003]
    np.testing.assert_allclose(made, told, rtol=1e-15)
    # What is due on the first row stays, to the millisecond and late.
    for after in (timedelta(0), late):
        made = laid(recorded([START - timedelta(hours=1), START + after]), hours=2)
        np.testing.assert_allclose(made, [0.0002, np.nan], rtol=1e-15)


def test_settlements_before_and_after_the_run_are_left_out() -> None:
    made = laid(recorded([START + timedelta(hours=h) for h in (-1, 0, 5, 6)]))
    np.testing.assert_allclose(made, [0.0002] + [np.nan] * 4 + [0.0003], rtol=1e-15)


@pytest.mark.shared
def test_real_stamps_each_land_on_the_hour_they_close(shared_data: Path) -> None:
    rows = pl.read_parquet(shared_data / "funding" / "funding_core.parquet")
    placed = 0
    for (_, coin), own in rows.group_by("series", "coin", maintain_order=True):
        hours = [ms // 3_600_000 for ms in own["time"].dt.epoch("ms").to_list()]
        time_ns = hours_between(hours[0] * HOUR_NS, hours[-1] * HOUR_NS)
        rates, premiums = lay_settlements(
            own, "funding.parquet", (str(coin),), time_ns, np.ones((len(time_ns), 1))
        )
        there = np.flatnonzero(~np.isnan(rates[:, 0]))
        assert (there + hours[0]).tolist() == hours
        assert rates[there, 0].tolist() == own["funding"].to_list()
        assert premiums[there, 0].tolist() == own["premium"].to_list()
        placed += len(there)
    assert placed == 30_720


@pytest.mark.shared
def test_stamp_111_seconds_late_in_a_dataset(shared_data: Path, tmp_path: Path) -> None:
    # 2025-07-27 12:01:50.963, BTC and ETH: the settlement of 12:00.
    first = datetime(2025, 7, 27, 6, tzinfo=UTC)
    last = first + timedelta(hours=12)
    rows = pl.read_parquet(shared_data / "funding" / "funding_core.parquet").filter(
        pl.col("series") == "btc-eth-2024-2025",
        pl.col("time").is_between(first, last + timedelta(minutes=10)),
    )
    late = rows["time"].dt.epoch("ms") % 3_600_000
    assert late.max() == 110_963
    grid = pl.DataFrame({"time": [first + timedelta(hours=h) for h in range(13)]})
    prices = grid.join(pl.DataFrame({"coin": ["BTC", "ETH"]}), how="cross").with_columns(
        pl.lit(100.0).alias("oracle_px"), pl.lit(100.0).alias("mark_px")
    )
    prices.write_parquet(tmp_path / "perps.parquet")
    rows.write_parquet(tmp_path / "funding.parquet")
    (tmp_path / "dataset.toml").write_text(CORE_TOML, encoding="utf-8")
    tape = form(read_dataset(tmp_path), RunConfig()).tape
    assert tape.funding.shape == (13, 2)
    assert not np.isnan(tape.funding).any()
    noon = 6
    assert stamp(int(tape.time_ns[noon])) == "2025-07-27 12:00Z"
    for m, coin in enumerate(("BTC", "ETH")):
        (row,) = rows.filter(pl.col("coin") == coin, late > 100_000).iter_rows(named=True)
        assert (tape.funding[noon, m], tape.premium[noon, m]) == (row["funding"], row["premium"])


# ------------------------------------------------------------------- which record


def edit(folder: Path, table: str, change: pl.Expr) -> None:
    path = folder / f"{table}.parquet"
    pl.read_parquet(path).filter(change).write_parquet(path)


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    """Six hours from 05:00Z without the dividend, which would need a recorded multiplier."""
    (tiny_dataset / "actions.parquet").unlink()
    return tiny_dataset


def test_own_table_is_the_record_else_the_column_of_perps(tiny: Path) -> None:
    assert settlements(read_dataset(tiny))[1] == "funding.parquet"
    assert form(read_dataset(tiny), RunConfig()).tape.premium[3, 0] == 0.0001
    (tiny / "funding.parquet").unlink()
    frame, file = settlements(read_dataset(tiny))
    assert (file, frame.height) == ("perps.parquet", 12)
    assert form(read_dataset(tiny), RunConfig()).tape.premium[3, 0] == 0.003


def test_run_ends_where_funding_of_a_traded_coin_ends(tiny: Path) -> None:
    edit(tiny, "funding", (pl.col("coin") != "xyz:AAPL") | (pl.col("time").dt.hour() <= 7))
    market = form(read_dataset(tiny), RunConfig())
    assert stamp(int(market.tape.time_ns[-1])) == "2026-08-12 07:00Z"
    assert market.notes == (
        "the run ends at 2026-08-12 07:00Z, where funding of xyz:AAPL ends; 3 h cut",
    )
    alone = form(read_dataset(tiny), RunConfig(coins=("xyz:NVDA",)))
    assert (len(alone.tape.time_ns), alone.notes) == (6, ())


def test_run_ends_where_prices_of_a_traded_coin_end(tiny: Path) -> None:
    edit(tiny, "perps", (pl.col("coin") != "xyz:AAPL") | (pl.col("time").dt.hour() <= 8))
    market = form(read_dataset(tiny), RunConfig())
    assert stamp(int(market.tape.time_ns[-1])) == "2026-08-12 08:00Z"
    assert "where prices of xyz:AAPL ends; 2 h cut" in market.notes[0]


def test_null_rates_at_the_end_are_no_funding(tiny: Path) -> None:
    path = tiny / "funding.parquet"
    late = (pl.col("coin") == "xyz:AAPL") & (pl.col("time").dt.hour() > 7)
    rate = pl.when(late).then(None).otherwise(pl.col("funding")).alias("funding")
    pl.read_parquet(path).with_columns(rate).write_parquet(path)
    market = form(read_dataset(tiny), RunConfig())
    assert stamp(int(market.tape.time_ns[-1])) == "2026-08-12 07:00Z"


def test_coin_without_funding_is_refused_with_the_remedy(tiny: Path) -> None:
    edit(tiny, "funding", pl.col("coin") != "xyz:AAPL")
    says = re.escape("xyz:AAPL has no funding in the run's span; leave it out with coins")
    with pytest.raises(DataError, match=says + ".*or set funding=formula"):
        form(read_dataset(tiny), RunConfig())
    assert len(form(read_dataset(tiny), RunConfig(funding="formula")).tape.time_ns) == 6


@pytest.mark.shared
def test_real_run_ends_at_the_last_settlement(shared_data: Path) -> None:
    market = form(read_dataset(shared_data / "xyz-2026-08"), RunConfig())
    assert stamp(int(market.tape.time_ns[-1])) == "2026-08-22 19:00Z"
    assert market.notes[-1].startswith("the run ends at 2026-08-22 19:00Z, where funding of xyz:")
    assert market.notes[-1].endswith("ends; 1 h cut")
    # 12 August 05:00Z to 22 August 19:00Z: 10 * 24 + 14 + 1 hours, every one with its settlement.
    assert market.tape.funding.shape == (255, 9)
    assert not np.isnan(market.tape.funding).any()
    assert market.tape.due.all()
    # 17 of the 256 hours were not polled; their funding is there.
    assert (market.tape.stale.sum(axis=0) == 17).all()


# ------------------------------------------------------------------- due, and the formula


def test_due_and_running_sum(tiny: Path) -> None:
    tape = form(read_dataset(tiny), RunConfig()).tape
    assert tape.due.all()
    total = [0.0000125 * (n + 1) for n in range(6)]
    assert tape.funding_total[:, 0].tolist() == pytest.approx(total, abs=1e-18)


def test_eight_hour_interval_is_due_at_0_8_16(tiny: Path) -> None:
    config = RunConfig(terms={"interval_hours": 8})
    with pytest.raises(DataError, match=r"time of xyz:NVDA is .* set terms\.interval_hours"):
        form(read_dataset(tiny), config)  # hourly settlements cannot be those of eight hours
    edit(tiny, "funding", pl.col("time").dt.hour() == 8)
    tape = form(read_dataset(tiny), config).tape
    # 05 .. 08: the run ends with its only settlement.
    assert tape.due[:, 0].tolist() == [False, False, False, True]
    np.testing.assert_array_equal(tape.funding[:, 0], [np.nan, np.nan, np.nan, 0.0000125])
    assert tape.funding_total[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0000125]


def test_eight_hour_interval_of_one_coin(tiny: Path) -> None:
    edit(tiny, "funding", (pl.col("coin") == "xyz:NVDA") | (pl.col("time").dt.hour() == 8))
    config = RunConfig(terms={"xyz:AAPL": {"interval_hours": 8}})
    tape = form(read_dataset(tiny), config).tape
    assert tape.due.sum(axis=0).tolist() == [4, 1]


def test_eight_hour_formula_averages_the_hours_there_are(tiny: Path) -> None:
    (tiny / "funding.parquet").unlink()
    path = tiny / "perps.parquet"
    pl.read_parquet(path).drop("funding").write_parquet(path)
    tape = form(read_dataset(tiny), RunConfig(funding="formula", terms={"interval_hours": 8})).tape
    assert tape.by_formula[:, 0].tolist() == [False, False, False, True, False, False]
    # Premiums 0, 0.001, 0.002, 0.003 at 05 .. 08: mean 0.0015. xyz: 0.5 (0.0015 - 0.0003) for 8 h.
    np.testing.assert_allclose(
        tape.funding[:, 0], [np.nan] * 3 + [0.0006] + [np.nan] * 2, atol=1e-17
    )


def test_first_interval_of_a_coin_listed_within_it(tiny: Path) -> None:
    (tiny / "funding.parquet").unlink()
    path = tiny / "perps.parquet"
    pl.read_parquet(path).drop("funding").write_parquet(path)
    edit(tiny, "perps", (pl.col("coin") != "xyz:AAPL") | (pl.col("time").dt.hour() >= 7))
    tape = form(read_dataset(tiny), RunConfig(funding="formula", terms={"interval_hours": 8})).tape
    assert tape.due[3, 1]
    # Premiums 0.002 and 0.003 at 07 and 08: mean 0.0025, 0.5 (0.0025 - 0.0003) = 0.0011.
    assert tape.funding[3, 1] == pytest.approx(0.0011, abs=1e-17)


def test_formula_fills_only_what_is_missing(tiny: Path) -> None:
    edit(tiny, "funding", (pl.col("coin") == "xyz:NVDA") | (pl.col("time").dt.hour() != 8))
    path = tiny / "perps.parquet"
    pl.read_parquet(path).with_columns(pl.col("premium") + 0.001).write_parquet(path)
    market = form(read_dataset(tiny), RunConfig(funding="formula"))
    assert np.argwhere(market.tape.by_formula).tolist() == [[3, 1]]
    assert market.facts["rates_by_formula"] == 1
    # The column of perps has a premium of 0.004 there, the book one of 0.003: recorded wins.
    # 0.5 (0.004 - 0.0003) / 8 = 0.00023125
    assert market.tape.funding[3, 1] == pytest.approx(0.00023125, abs=1e-17)
    others = np.delete(market.tape.funding.ravel(), 7)
    assert (others == 0.0000125).all(), "recorded rates win"


def test_missing_rate_without_the_formula_stays_missing(tiny: Path) -> None:
    edit(tiny, "funding", (pl.col("coin") == "xyz:NVDA") | (pl.col("time").dt.hour() != 8))
    tape = form(read_dataset(tiny), RunConfig()).tape
    assert tape.due[3, 1]
    assert np.isnan(tape.funding[3, 1])
    assert tape.by_formula.shape == (6, 0)
    assert tape.funding_total[3, 1] == tape.funding_total[2, 1]
