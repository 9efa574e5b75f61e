"""A recorded price as the true price: hourly bars of shares, bridged between cash sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.errors import DataError, RequestError
from perpkit.sources.simulated.hours import Hours
from perpkit.sources.simulated.truth import Truth
from perpkit.units import HOUR_NS, stamp

NEEDS: Final = ("time", "symbol", "open", "close")
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)
_MINUTE_NS: Final = 60_000_000_000


def read_bars(file: Path, symbols: Sequence[str]) -> pl.DataFrame:
    """Read hourly bars of some symbols, sorted; `time` is a bar's start.

    Raises
    ------
    DataError
        If the file is not such a table, or lacks a symbol.
    """
    if not file.is_file():
        raise RequestError(f"--real-path: there is no file {file}; write its path")
    try:
        bars = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file} is not a Parquet file: {error}; store the bars as one") from error
    lacking = [name for name in NEEDS if name not in bars.columns]
    if lacking:
        raise DataError(f"{file}: column {lacking[0]} is missing; bars need {', '.join(NEEDS)}")
    kind = bars.schema["time"]
    if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
        raise DataError(f"{file}: time is {kind}; store instants with a time zone")
    kinds = (("symbol", pl.String, "text"), ("open", pl.Float64, "numbers"))
    for name, wanted, word in (*kinds, ("close", pl.Float64, "numbers")):
        have = bars.schema[name]
        fits = have.is_numeric() if word == "numbers" else isinstance(have, _TEXTS)
        if not fits:
            raise DataError(f"{file}: {name} is of type {have}; store {word}")
        bars = bars.with_columns(pl.col(name).cast(wanted))
    known = set(bars["symbol"].drop_nulls().unique().to_list())
    for symbol in symbols:
        if symbol not in known:
            raise DataError(
                f"{file} has no bars of {symbol}; "
                + (f"choose --stocks of {', '.join(sorted(known))}" if known else "it is empty")
            )
    bars = bars.filter(pl.col("symbol").is_in(list(symbols))).sort("symbol", "time")
    prices = pl.col("open", "close")
    sound = (prices.is_finite() & (prices > 0)).fill_null(value=False)
    bad = bars.filter(pl.any_horizontal(~sound))
    if len(bad):
        row = bad.row(0, named=True)
        raise DataError(f"{file}: {row['symbol']} has no price above 0 at {row['time']}; repair it")
    return bars.with_columns(pl.col("time").dt.epoch("ns").alias("ns"))


def follow(
    truth: Truth, hours: Hours, bars: pl.DataFrame, tickers: Sequence[str]
) -> tuple[Truth, list[float]]:
    """Put recorded prices in place of the true price, and the first of each stock.

    In an hour of the cash session the price is the latest of closes of bars that have ended and of
    opens of bars that have begun. Between sessions the drawn moves stay, each shifted so that they
    meet the next recorded price: by its share of their squares.

    Raises
    ------
    DataError
        If a stock has no bar in the hours.
    """
    seen, missed, learnt = truth.seen.copy(), truth.missed.copy(), truth.learnt.copy()
    first: list[float] = []
    for s, ticker in enumerate(tickers):
        own = bars.filter(pl.col("symbol") == ticker)
        px = known_px(own, hours.time_ns, hours.cash)
        rows = np.flatnonzero(~np.isnan(px))
        if not len(rows):
            raise DataError(
                f"--real-path: {ticker} has no bar from {stamp(int(hours.time_ns[0]))} to "
                f"{stamp(int(hours.time_ns[-1]))}; choose another --start"
            )
        log_px = np.log(px[rows])
        parts = (seen[:, s], learnt[:, s], missed[:, s])
        _bridge(parts, rows, np.diff(log_px))
        lead = float(sum(part[1 : rows[0] + 1].sum() for part in parts))
        first.append(float(np.exp(log_px[0] - lead)))
    return truth._replace(seen=seen, learnt=learnt, missed=missed), first


def known_px(bars: pl.DataFrame, time_ns: I64, cash: B8) -> F64:
    """The price known at each hour of a cash session, NaN in others. (T,) USD."""
    starts = bars["ns"].to_numpy()
    # A bar ends where the next begins, and at the latest after an hour: the last of a session is
    # cut by its end, which is on the hour or the half hour.
    ends = np.minimum(starts + HOUR_NS, np.append(starts[1:], starts[-1:] + HOUR_NS))
    whole = -(-starts // HOUR_NS) * HOUR_NS
    last = np.append(starts[1:] - starts[:-1] > 2 * HOUR_NS, True)
    ends = np.where(last & (whole > starts), whole, ends)
    at = np.concatenate([ends, starts])
    px = np.concatenate([bars["close"].to_numpy(), bars["open"].to_numpy()])
    order = np.argsort(at, kind="stable")  # of one moment, the open comes after the close
    at, px = at[order], px[order]
    last_known = np.searchsorted(at, time_ns, side="right") - 1
    fresh = (last_known >= 0) & (time_ns - at[np.maximum(last_known, 0)] < HOUR_NS) & cash
    made: F64 = np.where(fresh, px[np.maximum(last_known, 0)], np.nan)
    return made


def _bridge(parts: tuple[F64, F64, F64], rows: I64, moves: F64) -> None:
    """Shift the moves between recorded prices so that they meet."""
    for k, (begin, end) in enumerate(zip(rows[:-1] + 1, rows[1:] + 1, strict=True)):
        own = [part[begin:end] for part in parts]
        off = moves[k] - sum(float(part.sum()) for part in own)
        weight = [np.square(part) for part in own]
        total = sum(float(part.sum()) for part in weight)
        for n, share in enumerate(weight):
            if total > 0.0:
                own[n][:] += off * share / total
        if total == 0.0:
            own[0][-1] += off
