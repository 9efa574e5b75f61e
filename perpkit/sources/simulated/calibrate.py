"""Measure recorded data as the simulator's numbers were measured, and print both beside each other.

``python -m perpkit.sources.simulated.calibrate DATA`` with a folder that holds
``equities/us_equities_1h.parquet`` and the dataset ``xyz-2026-08``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from perpkit.errors import DataError, PerpkitError
from perpkit.sources.simulated.figures import funding_figures, premium_figures, session_figures
from perpkit.sources.simulated.hours import NEW_YORK
from perpkit.sources.simulated.parameters import bands, parameters, sources

_XYZ_BASELINE_1H = 0.5 * 0.0001 / 8.0
_STOCKS = ("NVDA", "TSLA", "AAPL", "GOOGL", "MSFT", "META", "AMZN")


def equities(file: Path) -> dict[str, float]:
    """Figures of the shares' hourly bars."""
    bars = pl.read_parquet(file).with_columns(local=pl.col("time").dt.convert_time_zone(NEW_YORK))
    days = (
        bars.sort("time")
        .group_by("symbol", pl.col("local").dt.date().alias("day"), maintain_order=True)
        .agg(open=pl.col("open").first(), close=pl.col("close").last(), at=pl.col("time").first())
    )
    symbols = sorted(days["symbol"].unique().to_list())
    whole = days.filter(pl.len().over("day") == len(symbols)).sort("day", "symbol")
    shape = (-1, len(symbols))
    opens, closes = (whole[name].to_numpy().reshape(shape) for name in ("open", "close"))
    at = whole["at"].dt.epoch("ms").to_numpy().reshape(shape)[:, 0]
    rests = np.diff(at, prepend=at[0]) / 3.6e6 - 6.5
    made = session_figures(opens, closes, rests)
    own = [symbols.index(name) for name in _STOCKS]
    cash = np.log(closes / opens)
    gaps = np.sort(np.abs(np.log(opens[1:] / closes[:-1])), axis=0)[::-1]
    years = len(opens) / 252.0
    pairs = np.corrcoef(cash[:, own].T)[np.triu_indices(len(own), 1)]
    made["scale_log"] = float(np.log(cash[:, own].std(axis=0)).std())
    made["earnings_frac"] = float(np.sqrt(np.square(gaps[: round(4 * years), own]).mean()))
    made["market_share"] = float(np.median(pairs))
    return made


def perps(folder: Path) -> dict[str, float]:
    """Figures of settled funding, and of tokens' quotes."""
    rows = pl.read_parquet(folder / "funding.parquet")
    made = {**funding_figures(rows, _XYZ_BASELINE_1H), **premium_figures(rows)}
    day = pl.col("time").dt.weekday()
    coins = rows.filter(day < 6).group_by("coin").agg(pl.col("premium").mean()).sort("coin")
    means = coins["premium"].to_numpy() * 1e4
    made |= {"premium_bp": float(means.mean()), "premium_spread_bp": float(means.std())}
    prices = pl.read_parquet(folder / "perps.parquet")
    usd = (prices["open_interest"] * prices["mark_px"]).to_numpy()
    made["open_interest_usd"] = float(np.nanmedian(usd))
    weekdays = prices.filter(day < 6)["day_ntl_vlm"].to_numpy()
    return made | {"day_volume_usd": float(np.nanmedian(weekdays)), **_tokens(folder)}


def _tokens(folder: Path) -> dict[str, float]:
    local = pl.col("time").dt.convert_time_zone(NEW_YORK)
    day, hour = local.dt.weekday(), local.dt.hour()
    quotes = pl.read_parquet(folder / "tokens.parquet").filter(pl.col("token").str.ends_with(".RH"))
    quotes = quotes.with_columns(
        width=(pl.col("ask_px") / pl.col("bid_px") - 1.0) * 1e4,
        shut=(day == 6) | ((day == 7) & (hour < 20)) | ((day == 5) & (hour >= 20)),
        cash=(day < 6) & hour.is_between(10, 16),
    )
    own = quotes.filter("shut").group_by("token").agg(pl.col("width").median())["width"]
    widths = {
        "token_spread_bp": quotes.filter("cash")["width"].median(),
        "token_night_spread_bp": quotes.filter(~pl.col("cash") & ~pl.col("shut"))["width"].median(),
        "token_weekend_spread_bp": own.median(),
    }
    return {name: float(str(value)) for name, value in widths.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every parameter and band with its source and what the data say of it."""
    parser = argparse.ArgumentParser(prog="python -m perpkit.sources.simulated.calibrate")
    parser.add_argument("data", type=Path, help="folder with equities/ and xyz-2026-08/")
    folder: Path = parser.parse_args(arguments).data
    try:
        found = measured(folder)
    except PerpkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for title, told in (("parameters", parameters()), ("bands", bands())):
        sys.stdout.write(f"\n{title:<26}{'value':>14}{'measured':>14}  source\n")
        for name, one in told.items():
            here = f"{found[name]:.4g}" if name in found else "-"
            sys.stdout.write(f"{name:<26}{one.value:>14.4g}{here:>14}  {one.source}\n")
    sys.stdout.write("\n" + "\n".join(f"{k}: {v}" for k, v in sources().items()) + "\n")
    return 0


def measured(folder: Path) -> dict[str, float]:
    """Every figure of the data of a folder.

    Raises
    ------
    DataError
        If a file is missing.
    """
    bars, recorded = folder / "equities" / "us_equities_1h.parquet", folder / "xyz-2026-08"
    for path in (bars, recorded / "funding.parquet"):
        if not path.is_file():
            raise DataError(f"{path} is missing; name a folder that holds it")
    return equities(bars) | perps(recorded)


if __name__ == "__main__":
    raise SystemExit(main())
