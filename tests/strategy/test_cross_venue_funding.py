"""One underlying on two venues, by hand: which side, when, how much, and what ends a pair."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import perpkit
from perpkit.cli import main
from perpkit.errors import DataError
from perpkit.run import demo

from .small import START, write_small

ONE, TWO = "sim:ABC", "xyz:ABC"
HOURS = 60
DAY = {"lookback_hours": 24, "enter_apr": 0.04, "exit_apr": -0.04}
CONFIG: dict[str, Any] = {
    "margin_share": 0.9,
    "leverage": 4,
    "terms": {
        TWO: {"interval_hours": 8}
    },  # one venue settles each hour, the other three times a day
}


def every_eight(rate: float, late: float | None = None) -> list[float | None]:
    """Rates of a venue that settles at 00:00, 08:00 and 16:00; from row 32 on perhaps another."""
    told = [rate if late is None or n < 32 else late for n in range(HOURS)]
    return [x if n % 8 == 0 else None for n, x in enumerate(told)]


def small(folder: Path, two: list[float | None], marks: Any = None, **more: Any) -> Path:
    flat = [100.0] * HOURS
    told = {ONE: [1e-5] * HOURS, TWO: two}
    return write_small(folder / "small", told, {ONE: flat, TWO: marks or flat}, **more)


def play(folder: Path, config: Any = None, **params: Any) -> perpkit.Result:
    return perpkit.backtest(
        "cross_venue_funding",
        folder,
        params={**DAY, **params},
        config={**CONFIG, **(config or {})},
        pure_python=True,
    )


def positions(result: perpkit.Result, row: int) -> tuple[float, float]:
    now = result.frames["positions"].filter(pl.col("time") == START + timedelta(hours=row))
    held = dict(now.select("instrument", "position").iter_rows())
    return held.get(ONE, 0.0), held.get(TWO, 0.0)


# A day of 1e-5 an hour is 24e-5, 8.76% a year; a day of 4e-5 every eight hours is 12e-5.
@pytest.mark.parametrize(
    ("rate", "units"),
    [
        (4e-5, (-150.0, 150.0)),  # 4.38% apart: short where an hour charges less than a settlement
        (12e-5, (150.0, -150.0)),  # 36e-5 a day against 24e-5
        (5e-5, (0.0, 0.0)),  # 3.29% apart: not worth it
    ],
)
def test_an_entry_by_hand(tmp_path: Path, rate: float, units: tuple[float, float]) -> None:
    result = play(small(tmp_path, every_eight(rate)))
    # The first day is over at row 24, the fill is an hour later: 15% of 100,000 USD at 100.
    assert positions(result, 24) == (0.0, 0.0)
    assert positions(result, 25) == units
    if any(units):
        fills = result.frames["fills"]
        assert set(fills["time"]) == {START + timedelta(hours=25)}
        assert [a.partition("/")[0] for a in fills["account"]] == ["baseline", "xyz"]


def test_it_turns_with_the_difference_and_not_before(tmp_path: Path) -> None:
    # Settlements of 4e-5 become 14e-5 from row 32 on. The day's sum: 22e-5 at row 32, 32e-5 at 40:
    # 0.73% and then -2.92% in favour; 42e-5 at 48 is -6.57%, which closes it and opens the other.
    result = play(small(tmp_path, every_eight(4e-5, 14e-5)))
    assert positions(result, 48) == (-150.0, 150.0)
    assert positions(result, 49) == (0.0, 0.0)
    one, two = positions(result, 50)
    assert one == -two > 0.0


def test_marks_apart_are_waited_out(tmp_path: Path) -> None:
    apart = [102.0 if n < 30 else 100.0 for n in range(HOURS)]
    result = play(small(tmp_path, every_eight(4e-5), apart))
    assert positions(result, 30) == (0.0, 0.0)
    assert positions(result, 31) == (-150.0, 150.0)
    at_once = play(tmp_path / "small", max_gap_frac=0.05)
    assert positions(at_once, 25) == (-150.0, 150.0)


@pytest.mark.parametrize(
    ("margin_share", "units"),
    [(0.12, 90.0), (0.08, 0.0)],  # 1.5 times the 6,000 that is free in each; half of 15,000 or none
)
def test_an_account_bounds_the_pair(tmp_path: Path, margin_share: float, units: float) -> None:
    result = play(small(tmp_path, every_eight(4e-5)), {"margin_share": margin_share})
    assert positions(result, 25) == (-units, units)


def test_both_legs_are_cut_where_an_account_runs_out(tmp_path: Path) -> None:
    """A rise of 12% takes 1,800 of 10,000 from the short; a quarter of 16,800 is initial margin."""
    up = [100.0 if n < 40 else 112.0 for n in range(HOURS)]
    told = {ONE: [1e-5] * HOURS, TWO: every_eight(4e-5)}
    folder = write_small(tmp_path / "up", told, {ONE: up, TWO: up})
    result = play(folder, {"margin_share": 0.2})
    assert positions(result, 40) == (-150.0, 150.0)
    # Sold at 99.96, a fee of 6.75; funding of rows 26 to 40.
    free = 10_000 - 150 * (112 - 99.96) - 14_994 * 0.00045 + 150 * (14 * 100 + 112) * 1e-5
    free -= 16_800 / 4
    assert 4 * free < 16_800
    one, two = positions(result, 41)
    assert two == -one == round(1.5 * free / 112.0, 2)


def test_legs_that_stay_uneven_are_made_equal(tmp_path: Path) -> None:
    shocks = pl.DataFrame(
        {
            "time": [START + timedelta(hours=30)],
            "kind": ["adl"],
            "instrument": [ONE],
            "value": [0.5],
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    )
    fall = [100.0 if n < 29 else 99.0 for n in range(HOURS)]  # only a profit is auto-deleveraged
    told = {ONE: [1e-5] * HOURS, TWO: every_eight(4e-5)}
    folder = write_small(tmp_path / "adl", told, {ONE: fall, TWO: fall}, shocks=shocks)
    result = play(folder)
    assert positions(result, 30) == (-75.0, 150.0)
    assert positions(result, 32) == (-75.0, 150.0)  # seen uneven at 30, 31 and 32
    assert positions(result, 33) == (-75.0, 75.0)


def test_the_demos_first_entry_against_its_files() -> None:
    config = {"margin_share": 0.9, "leverage": 4, "coins": ["sim:FALC", "xyz:FALC"]}
    config["end"] = datetime(2025, 10, 20, 3, tzinfo=UTC)
    result = perpkit.backtest("cross_venue_funding", config=config, pure_python=True)
    perps = pl.read_parquet(demo() / "perps.parquet").sort("time")
    books = {
        coin: perps.filter(pl.col("coin") == coin)[: 24 * 7 + 2]
        for coin in ("sim:FALC", "xyz:FALC")
    }
    # The book of the first venue stood above the stock, that of the second below it.
    rich = {
        coin: float((book["mid_px"] / book["external_px"] - 1).mean())
        for coin, book in books.items()
    }
    assert rich["sim:FALC"] > 3e-4 > -1e-4 > rich["xyz:FALC"]
    units = round(0.15 * 100_000 / books["sim:FALC"]["mid_px"][168], 3)
    sold, bought = result.frames["fills"].iter_rows(named=True)
    for fill, coin, side, worse in ((sold, "sim:FALC", "sell", -1), (bought, "xyz:FALC", "buy", 1)):
        assert (fill["instrument"], fill["side"], fill["size"]) == (coin, side, units)
        assert fill["time"] == datetime(2025, 10, 20, 1, tzinfo=UTC)
        mid = books[coin]["mid_px"][169]
        assert fill["px"] == pytest.approx(mid * (1 + worse * 0.0004), rel=1e-12)


@pytest.mark.shared
def test_refused_where_there_is_one_venue(
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    data = str(shared_data / "xyz-2026-08")
    assert main(["backtest", "cross_venue_funding", "--data", data]) == 3
    out, err = capfd.readouterr()
    assert (out, list(tmp_path.iterdir())) == ("", [])
    assert err == (
        "perpkit: xyz-2026-08: cross_venue_funding needs one underlying with perps on two venues, "
        "and all are on xyz; add the coins of a second venue\n"
    )


def test_refused_where_venues_share_nothing() -> None:
    with pytest.raises(DataError, match="on two venues, and none is on two; add"):
        perpkit.backtest("cross_venue_funding", config={"coins": ["sim:ORCA", "xyz:HAWK"]})
