"""A dataset of a few hours for tests of strategies: flat prices, told rates, one or two venues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

START = datetime(2026, 8, 10, tzinfo=UTC)  # a Monday, an hour of settlement for every interval
HEAD = """\
schema = 1
name = "small"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"
"""
PERP = """
[perps."{coin}"]
venue = "{venue}"
underlying = "ABC"
sz_decimals = 2
max_leverage = 10
"""
TOKEN = """
[tokens.ABCx]
underlying = "ABC"
kind = "equity"
issuer = "simulated"
multiplier = 0.5
"""
VENUES = {"sim": "baseline", "xyz": "xyz"}


def write_small(
    folder: Path,
    rates: Mapping[str, Sequence[float | None]],
    marks: Mapping[str, Sequence[float]],
    token: bool = False,
    shocks: pl.DataFrame | None = None,
) -> Path:
    """Write rates and marks by coin, and a token of half a share where one is asked for."""
    folder.mkdir()
    about = HEAD + "".join(PERP.format(coin=c, venue=VENUES[c.partition(":")[0]]) for c in rates)
    (folder / "dataset.toml").write_text(about + (TOKEN if token else ""), encoding="utf-8")
    frames = []
    for coin, rate in rates.items():
        px = pl.Series(marks[coin], dtype=pl.Float64)
        frames.append(
            pl.DataFrame({"time": hours(len(rate)), "coin": coin}).with_columns(
                *(px.alias(f"{name}_px") for name in ("oracle", "mark", "mid")),
                pl.Series("funding", rate, dtype=pl.Float64),
            )
        )
    pl.concat(frames).write_parquet(folder / "perps.parquet")
    if token:
        share = pl.Series(next(iter(marks.values())), dtype=pl.Float64) / 2
        moved = pl.Series(
            [0.001 * (n % 2) for n in range(len(share))]
        )  # a frozen quote is no price
        pl.DataFrame({"time": hours(len(share)), "token": "ABCx"}).with_columns(
            (share - 0.01 - moved).alias("bid_px"), (share + 0.01 + moved).alias("ask_px")
        ).write_parquet(folder / "tokens.parquet")
    if shocks is not None:
        shocks.write_parquet(folder / "shocks.parquet")
    return folder


def hours(number: int) -> pl.Series:
    """The hours from the start, as a dataset has them."""
    told = [START + timedelta(hours=n) for n in range(number)]
    return pl.Series("time", told, pl.Datetime("ms", "UTC"))
