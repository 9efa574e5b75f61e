"""Two runs over the demo, cut to what fits beside the code, and how they are held to what was.

``python -m tests.golden`` writes the files anew; see ``__main__.py``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

import perpkit
from perpkit.run import Result

COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")  # of the demo, on its first venue
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# 60 days around the Friday evening when FALC jumps 15% and its oracle crawls after it.
FIRST, LAST = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC)
GAP = (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
MISSED = "coin", "sim:FALC"
SPAN: dict[str, Any] = {"start": FIRST, "end": LAST, "coins": COINS}
CASES: dict[str, dict[str, Any]] = {
    "plain": {"config": SPAN, "against": ("cash", "spot_hold")},
    # Too little margin and too much of a position: cut orders, transfers late and refused, a
    # liquidation, and trading on after it.
    "strained": {
        "params": {"notional_usd": 31_000.0, "max_gross_frac": 2.0},
        "config": SPAN
        | {
            "margin_share": 0.06,
            "topup_at_ratio": 0.6,
            "topup_to_ratio": 0.4,
            "transfer_hours": 8,
            "transfer_cost_usd": 5.0,
            "after_liquidation": "resume",
            "terms": {"backstop_frac": 2.0 / 3.0},
        },
    },
}
REMEDY = (
    "if a rule was changed on purpose, `python -m tests.golden` writes the files anew; read their "
    "diff, and say in the commit what changed and why"
)
PRECISION = 1e-9
NOISE = 1e-12  # of a column's largest: what is left where large numbers cancel


class Difference(NamedTuple):
    """One cell that is not what it was."""

    table: str
    time: str
    column: str
    was: str
    now: str

    def __str__(self) -> str:
        place = f"{self.table} at {self.time}" if self.time else self.table
        return f"{place}, {self.column}: was {self.was}, is {self.now}"


Table = tuple[list[str], list[list[Any]]]  # column names, and rows as they are read from a frame
Text = tuple[list[str], list[list[str]]]  # the same as it is read from a file


def played(case: str, **more: Any) -> Result:
    """The run of a case, on the demo and with the strategy of this checkout."""
    strategy = ROOT / "strategies" / "funding_carry.py"
    return perpkit.backtest(strategy, ROOT / "data" / "demo", **CASES[case], **more)


def cut(result: Result) -> dict[str, Table]:
    """What is kept of a result: every fill and event, and some rows of what is hourly."""
    time = pl.col("time")
    daily = time.dt.hour() == 0
    weekly = daily & (time.dt.weekday() == 1)
    gap = time.is_between(*GAP)
    frames = result.frames
    kept = {
        "equity": frames["equity"].filter(daily | gap),
        "accounts": frames["accounts"].filter(weekly),
        "positions": frames["positions"].filter(weekly),
        "funding": frames["funding"].filter(weekly | (gap & (pl.col(MISSED[0]) == MISSED[1]))),
        "fills": frames["fills"].drop("strategy", "settlement_id"),
        "events": frames["events"],
        # What was traded in is the same in both cases, and theirs stand in positions and funding.
        "market": frames["market"].filter(gap & (pl.col(MISSED[0]) == MISSED[1])),
        "quotes": frames["quotes"].filter(gap & (pl.col("token") == "FALCx")),
        "against": frames["against"].filter(weekly),
    }
    made: dict[str, Table] = {
        name: (frame.columns, [list(row) for row in frame.iter_rows()])
        for name, frame in kept.items()
    }
    made["metrics"] = (["metric", "value"], [list(pair) for pair in result.summary.items()])
    facts = {name: value for name, value in result.facts.items() if isinstance(value, int)}
    rows = {f"rows of {name}": frame.height for name, frame in frames.items()}
    made["counts"] = (["what", "count"], [list(pair) for pair in (facts | rows).items()])
    return made


# --------------------------------------------------------------------------- files


def in_words(value: Any) -> str:
    """A cell as it stands in a file: twelve digits, times to the minute where they are whole."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime):
        whole = value.replace(second=0, microsecond=0) == value
        return value.strftime("%Y-%m-%d %H:%MZ" if whole else "%Y-%m-%d %H:%M:%S.%fZ")
    return str(value)


def write(case: str, tables: dict[str, Table], folder: Path = HERE) -> None:
    """Write the files of a case."""
    (folder / case).mkdir(parents=True, exist_ok=True)
    for name, (columns, rows) in tables.items():
        with (folder / case / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([columns, *([in_words(cell) for cell in row] for row in rows)])


def read(case: str, name: str, folder: Path = HERE) -> Text:
    """A file of a case: column names and rows of text."""
    with (folder / case / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    return columns, rows


# --------------------------------------------------------------------------- comparing


def differences(case: str, tables: dict[str, Table], folder: Path = HERE) -> list[Difference]:
    """Every cell that is not what it was, the earliest first and those without a time last."""
    found = [d for name in tables for d in _of_table(name, tables[name], read(case, name, folder))]
    return sorted(found, key=lambda d: d.time or "~")


def _of_table(name: str, now: Table, was: Text) -> Iterator[Difference]:
    (columns, rows), (old_columns, old_rows) = now, was
    if columns != old_columns:
        yield Difference(name, "", "columns", ", ".join(old_columns), ", ".join(columns))
    elif "time" in columns:
        yield from _of_hours(name, columns, rows, old_rows)
    else:
        yield from _of_names(name, {row[0]: row[1] for row in rows}, dict(old_rows))


def _of_hours(
    name: str, columns: list[str], rows: list[list[Any]], old_rows: list[list[str]]
) -> Iterator[Difference]:
    """Row by row in the order of time."""
    at = columns.index("time")
    largest = [_largest(rows, n) for n in range(len(columns))]
    for row, old in zip(rows, old_rows, strict=False):
        for n, (cell, text) in enumerate(zip(row, old, strict=True)):
            if not _same(cell, text, NOISE * largest[n]):
                yield Difference(name, old[at], columns[n], text, in_words(cell))
    for old in old_rows[len(rows) :]:
        yield Difference(name, old[at], "row", ", ".join(old), "not there")
    for row in rows[len(old_rows) :]:
        words = [in_words(cell) for cell in row]
        yield Difference(name, words[at], "row", "not there", ", ".join(words))


def _of_names(name: str, now: dict[str, Any], was: dict[str, str]) -> Iterator[Difference]:
    """Value by value; they mix units, so none has a scale beside its own."""
    for key in dict.fromkeys([*was, *now]):
        if key not in now or key not in was:
            there = was.get(key, "not there")
            yield Difference(name, "", key, there, in_words(now.get(key, "not there")))
        elif not _same(now[key], was[key], 0.0):
            yield Difference(name, "", key, was[key], in_words(now[key]))


def _largest(rows: list[list[Any]], column: int) -> float:
    """Largest size in a column; 0 where it holds no numbers."""
    sizes = [abs(row[column]) for row in rows if isinstance(row[column], float)]
    return max((size for size in sizes if math.isfinite(size)), default=0.0)


def _same(cell: Any, text: str, noise: float) -> bool:
    if not isinstance(cell, float):
        return in_words(cell) == text
    try:
        return math.isclose(cell, float(text), rel_tol=PRECISION, abs_tol=noise)
    except ValueError:  # there was no number
        return False
