"""The page on checks names every check, and its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from perpkit.research.quality import (
    CHECKS,
    cents,
    crossed,
    fix,
    frozen,
    lags,
    outliers,
    rates,
    rhythm,
    series,
    splits,
    telling,
)
from perpkit.research.quality.raw import NAMED, read_raw

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    table = PAGE.partition(head)[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in re.split(r"\s\|\s", row.strip("| "))]
        for row in table.strip().splitlines()[1:]
    ]


def test_every_check_is_told() -> None:
    told = [row[0].strip("`") for row in rows("| check | what | severity | `--fix` | limit |")]
    modules = {check.__module__.rpartition(".")[2] for check in CHECKS}
    names = {"cents": "units", "rates": "units", "percent": "units", "clock": "zone"}
    played = {names.get(name, name) for name in modules} | {"extremes", "types", "reader"}
    assert set(told) == played
    assert len(told) == len(set(told))


def test_columns_of_the_log_are_told() -> None:
    log = [row[0].strip("`") for row in rows("| column | meaning |")]
    assert log == list(fix._LOG_SCHEMA)
    for table in NAMED:
        assert f"`{table}`" in PAGE


def test_limits_are_those_of_the_code() -> None:
    said = " ".join(PAGE.split())
    for words in (
        f"{series.JUMP:g} times, {outliers.SMALL:g} where another price stays; {series.SHORT} rows",
        f"leaps {outliers.SMALL:g} times and comes back to within {outliers._BACK:g}",
        f"{telling.LATE_MS // 60_000} minutes",
        f"1 to {rhythm.FARTHEST} hours",
        f"{frozen.LEAST_HOURS} hours without a change",
        f"{crossed._SWAPPED:.0%} of the rows",
        f"must leap {outliers._SIZES['open_interest']:g} times",
        f"volume {outliers._SIZES['day_ntl_vlm']:g} times",
        f"within {100 * (pl.Series([splits._NEAR]).exp()[0] - 1):.0f}%",
        f"within {100 * (pl.Series([cents._ROOM]).exp()[0] - 1):.0f}% of it",
        f"the multiples of the baseline tell, {rates._RUN} of them",
        f"more than {rates._ABSURD_APR:,.0%} a year",
        f"must correlate by {lags._GOOD:g} and beat the stored one by {lags._MARGIN:g}",
    ):
        assert words in said, words
    assert {1.5, 2.0, 8.0, 10.0, 50.0} <= set(splits.RATIOS)


def steps(frame: pl.DataFrame, key: str, columns: tuple[str, ...]) -> float:
    """The furthest that any of the columns goes from one row of an instrument to the next."""
    frame = frame.sort(key, "time")
    far = [pl.col(c).log().diff().over(key).abs().max().exp().alias(c) for c in columns]
    return max(frame.select(far).row(0))


@pytest.mark.shared
def test_figures_of_real_data(shared_data: Path) -> None:
    bars = pl.read_parquet(shared_data / "equities" / "us_equities_1h.parquet")
    raw = read_raw(shared_data / "xyz-2026-08")
    perps, tokens = raw.tables["perps"], raw.tables["tokens"]
    assert f"{bars.height:,} bars" in PAGE
    assert f"most is {steps(bars, 'symbol', ('open', 'high', 'low', 'close')):.2f} times" in PAGE
    prices = ("oracle_px", "mark_px", "mark_high_px", "mark_low_px")
    assert f"move by {steps(perps, 'coin', prices):.2f} times" in PAGE
    assert f"by {steps(tokens, 'token', ('bid_px', 'ask_px')):.2f} times\n" in PAGE
    interest = steps(perps, "coin", ("open_interest",))
    volume = steps(perps, "coin", ("day_ntl_vlm",))
    assert f"where {interest:.2f}\n  and {volume:.1f} times are recorded" in PAGE
    settled = pl.read_parquet(shared_data / "funding" / "funding_core.parquet")
    assert f"{settled.height:,} settlements" in PAGE
    assert f"{256 - perps['time'].n_unique()} of 256 hours" in PAGE
