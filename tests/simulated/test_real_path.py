"""Recorded bars are the true price in cash sessions, by the rule for equity bars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from perpkit.errors import DataError
from perpkit.sources.simulated.world import Request, make_tables, make_world

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2025, 11, 3, tzinfo=UTC)


def bars_of(days: int, px: float, symbol: str) -> pl.DataFrame:
    """Bars of every weekday, 09:30 to 15:30, each with an open and a close of its own."""
    rng, rows = np.random.default_rng(3), []
    for n in range(days):
        day = datetime(2025, 11, 3, tzinfo=NEW_YORK) + timedelta(days=n)
        if day.weekday() > 4 or (day.month, day.day) == (11, 27):
            continue
        last = 13 if (day.month, day.day) == (11, 28) else 16
        for hour in range(9, last):
            px *= float(np.exp(0.01 * rng.standard_normal()))
            end = px * float(np.exp(0.01 * rng.standard_normal()))
            rows.append((day.replace(hour=hour, minute=30), symbol, round(px, 2), round(end, 2)))
            px = end
    return pl.DataFrame(
        rows, schema=["time", "symbol", "open", "close"], orient="row"
    ).with_columns(pl.col("time").dt.convert_time_zone("UTC").cast(pl.Datetime("ms", "UTC")))


def latest(bars: pl.DataFrame, moment: datetime) -> float | None:
    """The latest of closes of bars that have ended and opens of bars that have begun, by hand."""
    best: tuple[datetime, int, float] | None = None
    for row in bars.iter_rows(named=True):
        start = row["time"]
        local = start.astimezone(NEW_YORK)
        ends_day = (local.hour, local.minute) == (15, 30)
        ends_early = (local.month, local.day, local.hour) == (11, 28, 12)
        end = start + timedelta(minutes=30 if ends_day or ends_early else 60)
        for at, order, px in ((end, 0, row["close"]), (start, 1, row["open"])):
            if at <= moment and (best is None or (at, order) > best[:2]):
                best = (at, order, px)
    return None if best is None or moment - best[0] >= timedelta(hours=1) else best[2]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bars") / "equities.parquet"
    pl.concat([bars_of(40, 150.0, "NVDA"), bars_of(40, 300.0, "TSLA")]).write_parquet(path)
    return path


def test_prices_of_cash_sessions_are_those_of_the_bars(file: Path) -> None:
    request = Request(stocks=("NVDA", "TSLA"), days=30, start=START, real_path=file)
    world = make_world(request)
    bars = pl.read_parquet(file)
    for s, symbol in enumerate(request.stocks):
        own = bars.filter(pl.col("symbol") == symbol)
        compared = 0
        for t in np.flatnonzero(world.hours.cash).tolist():
            wanted = latest(own, START + timedelta(hours=t))
            if wanted is not None:
                assert world.prices.external_px[t, s] == pytest.approx(wanted, abs=0.006), t
                compared += 1
        assert compared > 120
        # Early closes and holidays are the calendar's.
        closing = START + timedelta(days=25, hours=18)  # 28 November, 13:00 New York
        row = int((closing - START) / timedelta(hours=1))
        assert world.prices.external_px[row, s] == pytest.approx(latest(own, closing), abs=0.006)


def test_the_rest_is_drawn_and_has_no_dividend_of_its_own(file: Path) -> None:
    request = Request(stocks=("NVDA",), days=30, start=START, real_path=file)
    world = make_world(request)
    external = world.prices.external_px[:, 0]
    night = ~world.hours.cash & ~world.hours.shut
    assert (np.diff(external)[night[1:]] != 0.0).mean() > 0.9
    assert not (np.diff(external)[world.hours.shut[1:]] != 0.0).any()
    assert len(make_tables(world).actions) == 0
    other = make_world(replace(request, seed=8)).prices.external_px[:, 0]
    cash = world.hours.cash
    assert external[cash] == pytest.approx(other[cash], abs=0.006)
    assert not np.allclose(external[night], other[night], rtol=1e-4)


def test_a_file_that_does_not_serve_is_refused(file: Path, tmp_path: Path) -> None:
    request = Request(stocks=("NVDA",), days=10, start=START, real_path=file)
    with pytest.raises(DataError, match="has no bars of AMD; choose --stocks of NVDA, TSLA"):
        make_world(replace(request, stocks=("AMD",)))
    with pytest.raises(DataError, match="NVDA has no bar from 2026-03-02"):
        make_world(replace(request, start=datetime(2026, 3, 2, tzinfo=UTC)))
    bars, wrong = pl.read_parquet(file), tmp_path / "wrong.parquet"
    for frame, says in (
        (bars.drop("open"), "column open is missing"),
        (bars.with_columns(pl.col("time").dt.replace_time_zone(None)), "time zone"),
        (bars.with_columns(close=pl.lit(0.0)), "no price above 0"),
        (bars.with_columns(pl.col("open").cast(pl.String)), "open is of type String; store num"),
        (bars.with_columns(symbol=pl.lit(3)), "symbol is of type Int32; store text"),
        (bars.head(0), "has no bars of NVDA; it is empty"),
    ):
        frame.write_parquet(wrong)
        with pytest.raises(DataError, match=says):
            make_world(replace(request, real_path=wrong))
    wrong.write_text("no parquet", encoding="utf-8")
    with pytest.raises(DataError, match="is not a Parquet file"):
        make_world(replace(request, real_path=wrong))


@pytest.mark.shared
def test_recorded_bars_of_real_stocks(shared_data: Path) -> None:
    file = shared_data / "equities" / "us_equities_1h.parquet"
    request = Request(stocks=("NVDA", "SPY"), days=20, start=START, real_path=file)
    world = make_world(request)
    since = pl.col("time").is_between(START, START + timedelta(days=20))
    bars = pl.read_parquet(file).filter(since)
    for s, symbol in enumerate(request.stocks):
        own = bars.filter(pl.col("symbol") == symbol)
        for t in np.flatnonzero(world.hours.cash).tolist()[::5]:
            wanted = latest(own, START + timedelta(hours=t))
            if wanted is not None:
                assert world.prices.external_px[t, s] == pytest.approx(wanted, abs=0.006)
