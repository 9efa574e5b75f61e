"""A clean dataset of four coins and their tokens, and faults to plant in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

HOURS = 600
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
COINS = ("sim:A", "sim:B", "sim:C", "sim:D")
TOKENS = {"Ax": 1.0, "Bx": 1.0, "Cx": 0.1, "Dx": 1.0}
MS = pl.Datetime("ms", "UTC")
Tables = dict[str, pl.DataFrame]

TOML = (
    'schema = 1\nname = "planted"\nsource = "made up"\nlicence = "MIT"\nprices = "onchain"\n'
    + "".join(
        f'[perps."{coin}"]\nvenue = "baseline"\nunderlying = "{coin[-1]}"\n' for coin in COINS
    )
    + "".join(
        f'[tokens.{token}]\nunderlying = "{token[0]}"\nkind = "equity"\nissuer = "simulated"\n'
        f"multiplier = {multiplier}\n"
        for token, multiplier in TOKENS.items()
    )
)


def clean(seed: int = 1) -> Tables:
    """Twenty-five days that no check has anything to say of."""
    rng = np.random.default_rng(seed)
    hours = pl.Series("time", [START + timedelta(hours=n) for n in range(HOURS)], MS)
    perps, funding, tokens = [], [], []
    for coin, (token, multiplier) in zip(COINS, TOKENS.items(), strict=True):
        walk = np.clip(rng.normal(0, 0.003, HOURS), -0.008, 0.008).cumsum()
        oracle = np.round(rng.uniform(50, 300) * np.exp(walk), 4)
        drift = np.convolve(rng.normal(0, 8e-4, HOURS + 3), np.ones(4) / 2, "valid")
        mark = np.round(oracle * (1 + drift), 4)
        mid = np.round(oracle * (1 + drift + rng.normal(0, 5e-5, HOURS)), 4)
        perps.append(
            pl.DataFrame(
                {
                    "time": hours,
                    "coin": coin,
                    "oracle_px": oracle,
                    "mark_px": mark,
                    "mark_high_px": np.round(mark * 1.002, 4),
                    "mark_low_px": np.round(mark * 0.998, 4),
                    "impact_bid_px": np.round(mid * 0.9997, 4),
                    "impact_ask_px": np.round(mid * 1.0003, 4),
                    "open_interest": np.round(1e5 * np.exp(rng.normal(0, 0.01, HOURS).cumsum()), 1),
                }
            )
        )
        premium = np.round(mark / oracle - 1 + rng.normal(0, 1e-4, HOURS), 10)
        rate = np.round((premium + np.clip(0.0001 - premium, -0.0005, 0.0005)) / 8, 10)
        stamps = pl.Series(
            "time", [t + timedelta(milliseconds=int(rng.integers(1, 100))) for t in hours], MS
        )
        funding.append(
            pl.DataFrame({"time": stamps, "coin": coin, "funding": rate, "premium": premium})
        )
        fair = oracle * multiplier * (1 + rng.normal(0, 3e-4, HOURS))
        tokens.append(
            pl.DataFrame(
                {
                    "time": hours,
                    "token": token,
                    "bid_px": np.round(fair * 0.999, 4),
                    "ask_px": np.round(fair * 1.001, 4),
                    "halted": False,
                }
            )
        )
    return {"perps": pl.concat(perps), "funding": pl.concat(funding), "tokens": pl.concat(tokens)}


def save(folder: Path, tables: Tables) -> Path:
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(TOML, encoding="utf-8")
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


# --------------------------------------------------------------------------- faults


class Fault(NamedTuple):
    """A fault, the check that finds it, and whether --fix mends it."""

    check: str
    plant: Callable[[Tables, int, int], None]  # tables, number of the coin, a row
    fixable: bool = True


def _key(table: str) -> str:
    return "token" if table == "tokens" else "coin"


def name_of(table: str, n: int) -> str:
    return list(TOKENS)[n] if table == "tokens" else COINS[n]


def _rows(table: str, n: int, first: int, count: int = 1) -> pl.Expr:
    place = pl.int_range(pl.len()).over(_key(table))
    return (pl.col(_key(table)) == name_of(table, n)) & place.is_between(first, first + count - 1)


def _set(tables: Tables, table: str, where: pl.Expr, cells: dict[str, pl.Expr]) -> None:
    tables[table] = tables[table].with_columns(
        pl.when(where).then(value).otherwise(pl.col(column)).alias(column)
        for column, value in cells.items()
    )


def cells(
    table: str,
    columns: tuple[str, ...],
    change: Callable[[pl.Expr], pl.Expr],
    count: int = 1,
    at: int | None = None,
) -> Callable[[Tables, int, int], None]:
    """Change some cells of a coin, from a row on."""

    def plant(tables: Tables, n: int, row: int) -> None:
        where = _rows(table, n, row if at is None else at, count)
        _set(tables, table, where, {c: change(pl.col(c)) for c in columns})

    return plant


def to(value: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda _: pl.lit(value)


def by(factor: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda cell: cell * factor


def later(minutes: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda cell: cell.dt.offset_by(f"{int(minutes * 60)}s")


def repeated(table: str, column: str | None = None, factor: float = 1.0):
    def plant(tables: Tables, n: int, row: int) -> None:
        again = tables[table].filter(_rows(table, n, row, 2))
        if column:
            again = again.with_columns(pl.col(column) * factor)
        tables[table] = pl.concat([tables[table], again])

    return plant


def missing(table: str, count: int, *, everywhere: bool = False):
    def plant(tables: Tables, n: int, row: int) -> None:
        place = pl.int_range(pl.len()).over(_key(table))
        gone = place.is_between(row, row + count - 1) if everywhere else _rows(table, n, row, count)
        tables[table] = tables[table].filter(~gone)

    return plant


def stuck(table: str, columns: tuple[str, ...], count: int):
    def plant(tables: Tables, n: int, row: int) -> None:
        # From a Monday noon on, in which every market is open.
        first = 12 + 168 * (row % 3)
        own = tables[table].filter(_rows(table, n, first))
        where = _rows(table, n, first, count)
        _set(tables, table, where, {c: pl.lit(own[c][0]) for c in columns})

    return plant


def delisted(tables: Tables, n: int, row: int) -> None:
    for table in ("perps", "tokens"):
        tables[table] = tables[table].filter(~_rows(table, n, row, HOURS))


def carried(tables: Tables, n: int, row: int) -> None:
    """The last rate goes on after the prices have ended."""
    delisted(tables, n, row)
    own = tables["funding"].filter(_rows("funding", n, row - 1))
    where = _rows("funding", n, row, HOURS)
    _set(tables, "funding", where, {c: pl.lit(own[c][0]) for c in ("funding", "premium")})


PERP_PX = ("oracle_px", "mark_px", "mark_high_px", "mark_low_px", "impact_bid_px", "impact_ask_px")
TOKEN_PX = ("bid_px", "ask_px")


def split(ratio: float, *, recorded: bool = False):
    def plant(tables: Tables, n: int, row: int) -> None:
        for table, columns in (("perps", PERP_PX), ("tokens", TOKEN_PX)):
            _set(
                tables, table, _rows(table, n, row, HOURS), {c: pl.col(c) / ratio for c in columns}
            )
        if recorded:
            when = START + timedelta(hours=row - 1)
            one = pl.DataFrame(
                {
                    "time": [when],
                    "underlying": [COINS[n][-1]],
                    "kind": ["split"],
                    "amount": [float(ratio)],
                },
                schema_overrides={"time": MS},
            )
            tables["actions"] = pl.concat([tables["actions"], one]) if "actions" in tables else one

    return plant


def swapped(table: str, low: str, high: str):
    def plant(tables: Tables, n: int, row: int) -> None:
        del row
        where = _rows(table, n, 0, HOURS)
        _set(tables, table, where, {low: pl.col(high), high: pl.col(low)})

    return plant


def new_york(tables: Tables, n: int, row: int) -> None:
    """New York's wall clock written as UTC; March has the hour that is skipped alone."""
    del row
    wall = pl.col("time").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    where = _rows("perps", n, 0, HOURS)
    _set(tables, "perps", where, {"time": wall.dt.replace_time_zone("UTC")})


ALL = HOURS
FAULTS = {
    "nan_mark": Fault("nan", cells("perps", ("mark_px",), to(float("nan")), 3)),
    "nan_two_columns": Fault("nan", cells("perps", ("oracle_px", "mark_px"), to(float("nan")))),
    "nan_token": Fault("nan", cells("tokens", ("bid_px",), to(float("nan")))),
    "inf_rate": Fault("nan", cells("funding", ("funding",), to(float("inf")))),
    "twice_perps": Fault("duplicates", repeated("perps")),
    "twice_funding": Fault("duplicates", repeated("funding")),
    "twice_tokens": Fault("duplicates", repeated("tokens")),
    "contradicts": Fault("duplicates", repeated("perps", "mark_px", 1.001), False),
    "contradicts_funding": Fault("duplicates", repeated("funding", "funding", 3.0), False),
    "late_4_minutes": Fault("stamps", cells("perps", ("time",), later(4), 2)),
    "early_1_minute": Fault("stamps", cells("tokens", ("time",), later(-1), 2)),
    "late_whole_coin": Fault("stamps", cells("perps", ("time",), later(2), ALL, at=0)),
    "late_25_minutes": Fault("stamps", cells("perps", ("time",), later(25)), False),
    "half_past": Fault("stamps", cells("tokens", ("time",), later(30), ALL, at=0), False),
    "late_settlement": Fault("stamps", cells("funding", ("time",), later(25)), False),
    "seconds": Fault(
        "stamps",
        cells("tokens", ("time",), lambda t: (t.cast(pl.Int64) // 1000).cast(MS), ALL, at=0),
    ),
    "four_times": Fault("outliers", cells("perps", ("mark_px",), by(4))),
    "four_times_oracle": Fault("outliers", cells("perps", ("oracle_px",), by(4), 2)),
    "hundred_times": Fault("outliers", cells("perps", ("oracle_px",), by(100))),
    "hundredth": Fault("outliers", cells("tokens", ("bid_px",), by(0.01))),
    "whole_row": Fault("outliers", cells("perps", PERP_PX, by(4))),
    "print_ask": Fault("outliers", cells("tokens", ("ask_px",), by(4), 3)),
    "print_high": Fault("outliers", cells("perps", ("mark_high_px",), by(4))),
    "print_impact": Fault("outliers", cells("perps", ("impact_bid_px",), by(100))),
    "print_interest": Fault("outliers", cells("perps", ("open_interest",), by(100))),
    "print_first": Fault("outliers", cells("perps", ("mark_px",), by(4), at=0)),
    "print_last": Fault("outliers", cells("perps", ("mark_px",), by(100), at=HOURS - 1)),
    "small_print": Fault("outliers", cells("perps", ("oracle_px",), by(1.2)), False),
    "small_print_mark": Fault("outliers", cells("perps", ("mark_px",), by(0.85), 2), False),
    "frozen_perp": Fault("frozen", stuck("perps", PERP_PX, 30), False),
    "frozen_mark": Fault("frozen", stuck("perps", ("mark_px",), 12), False),
    "frozen_token": Fault("frozen", stuck("tokens", TOKEN_PX, 24), False),
    "eight_hours": Fault("units", cells("funding", ("funding",), by(8), ALL, at=0)),
    "eight_hours_later": Fault("units", cells("funding", ("funding",), by(8), 150)),
    "eight_hours_once": Fault("units", cells("funding", ("funding",), by(8), at=37)),
    "percent": Fault("units", cells("funding", ("funding",), by(100), ALL, at=0)),
    "percent_later": Fault("units", cells("funding", ("funding",), by(100), 90)),
    "percent_both": Fault("units", cells("funding", ("funding", "premium"), by(100), ALL, at=0)),
    "percent_premium": Fault("units", cells("funding", ("premium",), by(100), ALL, at=0)),
    "cents_mark": Fault("units", cells("perps", ("mark_px",), by(100), ALL, at=0)),
    "cents_mark_later": Fault("units", cells("perps", ("mark_px",), by(100), ALL)),
    "cents_spell": Fault("units", cells("perps", PERP_PX, by(100), 48)),
    "cents_later": Fault("units", cells("perps", PERP_PX, by(100), ALL)),
    "cents_coin": Fault("units", cells("perps", PERP_PX, by(100), ALL, at=0)),
    "cents_token": Fault("units", cells("tokens", TOKEN_PX, by(100), ALL, at=0)),
    "cents_bid": Fault("units", cells("tokens", ("bid_px",), by(100), 40)),
    "zone_coin": Fault("zone", cells("perps", ("time",), later(300), ALL, at=0)),
    "zone_coin_west": Fault("zone", cells("perps", ("time",), later(-240), ALL, at=0)),
    "zone_token": Fault("zone", cells("tokens", ("time",), later(-240), ALL, at=0)),
    "zone_funding": Fault("zone", cells("funding", ("time",), later(300), ALL, at=0)),
    "zone_new_york": Fault("zone", new_york, False),
    "delisted": Fault("delisted", delisted),
    "carried": Fault("delisted", carried),
    "split_10": Fault("splits", split(10), False),
    "split_4": Fault("splits", split(4), False),
    "split_3_for_2": Fault("splits", split(1.5), False),
    "reverse_split": Fault("splits", split(0.2), False),
    "crossed": Fault("crossed", cells("perps", ("impact_bid_px",), by(1.02), 2)),
    "crossed_token": Fault("crossed", cells("tokens", ("bid_px",), by(1.02))),
    "swapped_book": Fault("crossed", swapped("perps", "impact_bid_px", "impact_ask_px")),
    "low_above_high": Fault("extremes", cells("perps", ("mark_low_px",), by(1.01), 2)),
    "swapped_extremes": Fault("extremes", swapped("perps", "mark_low_px", "mark_high_px")),
    "gap": Fault("gaps", missing("perps", 7), False),
    "gap_of_all": Fault("gaps", missing("perps", 2, everywhere=True), False),
    "gap_funding": Fault("gaps", missing("funding", 5), False),
    "gap_tokens": Fault("gaps", missing("tokens", 1), False),
    "zero": Fault("values", cells("perps", ("mark_px",), to(0.0), 2)),
    "negative_interest": Fault("values", cells("perps", ("open_interest",), to(-1.0))),
    "unknown_coin": Fault("names", cells("perps", ("coin",), to("sim:AB"), 3), False),  # type: ignore[arg-type]
}
