"""Carry on T-bill margin, by hand: when it enters, how much, and the rise that it survives."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit.cli import main
from perpkit.errors import DataError
from perpkit.run import demo

from .small import START, write_small

COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")
BILLS: dict[str, Any] = {
    "margin_share": 0.2,
    "collateral": {"USTB": {"share": 0.9, "apr": 0.0375}},
    "terms": {"collateral": "USDC, USTB"},
}
PARAMS = {"lookback_hours": 4}
ENTERED = 7  # rates of four hours average 8.76% a year at row 6, the fill is an hour later


def play(folder: Path, **params: Any) -> perpkit.Result:
    return perpkit.backtest(
        "collateral_carry", folder, params={**PARAMS, **params}, config=BILLS, pure_python=True
    )


def small(folder: Path, rise: float = 0.0, late_rate: float = 1e-5) -> Path:
    """Flat at 100 USD, then a rise within one hour; the rate begins in row 3."""
    rates = [0.0] * 3 + [1e-5] * 9 + [late_rate] * 8
    marks = [100.0] * 10 + [100.0 * (1.0 + rise)] * 10
    return write_small(folder / "small", {"sim:ABC": rates}, {"sim:ABC": marks}, token=True)


def position(result: perpkit.Result, instrument: str, row: int) -> float:
    own = result.frames["positions"].filter(
        pl.col("instrument") == instrument,
        pl.col("time") == START + pl.duration(hours=row),
    )
    return float(own["position"].sum())


def test_an_entry_by_hand(tmp_path: Path) -> None:
    result = play(small(tmp_path))
    fills = result.frames["fills"]
    assert fills["instrument"].to_list() == ["ABCx", "sim:ABC"]
    assert fills["side"].to_list() == ["buy", "sell"]
    assert set(fills["time"]) == {START.replace(hour=ENTERED)}
    # A fifth of 100,000 is margin. 18,000 of it are bills that have earned for six hours.
    margin = 20_000.0 + 18_000.0 * 0.0375 * 6 / 8_760
    carried = margin * 0.95 / (0.25 + 0.05 * 1.25)  # a haircut of 5%; 10x has a maintenance of 5%
    units = round(carried / 100.0, 2)
    assert units == 608.01
    assert position(result, "sim:ABC", ENTERED) == -units
    assert position(result, "ABCx", ENTERED) == pytest.approx(units / 0.5, rel=1e-12)


@pytest.mark.parametrize(("rise", "died"), [(0.25, 0), (0.27, 1)])
def test_it_survives_the_rise_that_was_asked_for(tmp_path: Path, rise: float, died: int) -> None:
    result = play(small(tmp_path, rise))
    assert result.summary["liquidations"] == died
    if died:  # the tokens are sold with the next quote, and the coin is not entered again
        assert position(result, "ABCx", 10) > 0.0
        assert (position(result, "ABCx", 11), position(result, "sim:ABC", 19)) == (0.0, 0.0)
    else:
        # 2,000 cash, 18,000 bills less 5%; sold at 99.96, 27.35 of fees; maintenance 5%.
        value = 2_000 + 17_100 - 608.01 * (125.0 - 99.96) - 27.35
        value += 608.01 * (100 + 100 + 125) * 1e-5  # funding of rows 8 to 10
        value += 18_000 * 0.0375 * 10 / 8_760 * 0.95
        ratio = 0.05 * 608.01 * 125.0 / value
        assert result.summary["worst_margin_ratio"] == pytest.approx(ratio, abs=1e-6)
        assert 0.98 < ratio < 1.0


def test_what_is_left_is_cut_to_what_survives_again(tmp_path: Path) -> None:
    result = play(small(tmp_path, 0.25))
    equity = 20_000 - 608.01 * (125.0 - 99.96) - 27.35 + 608.01 * 325 * 1e-5
    equity += 18_000 * 0.0375 * 10 / 8_760
    left = equity * 0.95 / 0.3125 / 125.0
    assert position(result, "sim:ABC", 11) == pytest.approx(-left, abs=0.005)
    assert position(result, "ABCx", 11) == pytest.approx(-2 * position(result, "sim:ABC", 11))


def test_it_leaves_below_the_rate_and_not_before(tmp_path: Path) -> None:
    # Rows 12 on charge 3e-5: over four hours the sum is 0 at row 12 and below it from row 13.
    result = play(small(tmp_path, late_rate=-3e-5))
    assert position(result, "sim:ABC", 13) < 0.0
    assert (position(result, "sim:ABC", 14), position(result, "ABCx", 14)) == (0.0, 0.0)


def week_apr(perp: pl.DataFrame, row: int) -> float:
    """Average funding of `baseline` over the week up to a row, from raw prices and books.

    Its oracle is the external price within 1% of the hour before; one update an hour.
    """
    oracle = perp["external_px"][:1].to_list()
    for px in perp["external_px"][1 : row + 1]:
        oracle.append(min(max(px, oracle[-1] * 0.99), oracle[-1] * 1.01))
    week = perp[row - 167 : row + 1]
    bid, ask = week["impact_bid_px"].to_numpy(), week["impact_ask_px"].to_numpy()
    fair = np.array(oracle[-168:])
    premium = (np.maximum(bid - fair, 0) - np.maximum(fair - ask, 0)) / fair
    rate = (premium + np.clip(1e-4 - premium, -5e-4, 5e-4)) / 8
    return float(rate.sum()) * 8_760 / 168


def test_the_demos_first_entry_against_its_files() -> None:
    """From the raw books: which coin pays 7.5% over the first week, when, and how many units."""
    config = BILLS | {
        "margin_share": 0.25,
        "coins": list(COINS),
        "end": datetime(2025, 10, 20, 3, tzinfo=UTC),
    }
    result = perpkit.backtest("collateral_carry", config=config, pure_python=True)
    quotes = pl.read_parquet(demo() / "tokens.parquet").filter(pl.col("token") == "FALCx")
    quotes = quotes.sort("time")[:172]
    moved = quotes.filter(pl.col("bid_px") != pl.col("bid_px").shift())["time"]
    # A week has passed at midnight; the quote is Friday's until it moves at one.
    decided = next(time for time in moved if time >= datetime(2025, 10, 20, tzinfo=UTC))
    filled = decided.replace(hour=2)
    assert decided.hour == 1
    perps = pl.read_parquet(demo() / "perps.parquet").sort("time")
    paying = {coin: week_apr(perps.filter(pl.col("coin") == coin), 169) for coin in COINS}
    assert [coin for coin, apr in paying.items() if apr > 0.075] == ["sim:FALC"]
    mid = dict(perps.filter(pl.col("coin") == "sim:FALC").select("time", "mid_px").iter_rows())
    # The margin carries 25,000 · 0.95 / 0.3125 / 4, the wallet pays 75,000 · 0.98 / 4: the lesser.
    units = round(min(25_000 * 0.95 / 0.3125, 75_000 * 0.98) / 4 / mid[decided], 3)
    first = {row["instrument"]: row for row in result.frames["fills"].iter_rows(named=True)}
    assert sorted(first) == ["FALCx", "sim:FALC"]
    perp, token = first["sim:FALC"], first["FALCx"]
    assert (perp["time"], perp["decided_at"], perp["side"]) == (filled, decided, "sell")
    assert (perp["size"], token["size"], token["side"]) == (units, units, "buy")
    assert perp["px"] == pytest.approx(mid[filled] * (1 - 0.0004), rel=1e-12)
    assert token["px"] == quotes.filter(pl.col("time") == filled)["ask_px"][0]


@pytest.mark.shared
def test_refused_where_there_is_no_bill(
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["backtest", "collateral_carry", "--data", str(shared_data / "xyz-2026-08")]) == 3
    out, err = capfd.readouterr()
    assert (out, list(tmp_path.iterdir())) == ("", [])
    assert err.startswith("perpkit: xyz-2026-08: collateral_carry needs a Treasury token as margin")
    assert err.count("\n") == 1
    # What it says to do is enough.
    remedy = shlex.split(err.partition("pledge one: ")[2])
    asked = ["backtest", "collateral_carry", "--to", "2025-10-15", "--pure-python", *remedy]
    assert main(asked) == 0


def test_refused_without_a_hedge(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "bare", {"sim:ABC": [0.0] * 6}, {"sim:ABC": [100.0] * 6})
    with pytest.raises(DataError, match="needs a perp that is paired with a tokenized stock"):
        play(folder)
