"""Writers of every format that can be imported, in plain Python, sharing nothing with perpkit.

Each takes rows as dicts and writes them as their publisher does.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Row = dict[str, Any]
HOUR = timedelta(hours=1)
ARCHIVE = [
    *("time", "coin", "funding", "open_interest", "prev_day_px", "day_ntl_vlm", "premium"),
    *("oracle_px", "mark_px", "mid_px", "impact_bid_px", "impact_ask_px"),
]


def cell(value: object) -> str:
    """One value as text that reads back as the same value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return repr(value) if isinstance(value, float) else str(value)


def text(rows: Sequence[Row], head: Sequence[str], separator: str = ",") -> str:
    """A table as CSV."""
    made = io.StringIO(newline="")
    writer = csv.writer(made, delimiter=separator, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([cell(row.get(name)) for name in head] for row in rows)
    return made.getvalue()


def plain_csv(path: Path, rows: Sequence[Row]) -> Path:
    """The table's own columns, those that any row has, as text; gzip by the name's ending."""
    head = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    content = text(rows, head).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def plain_parquet(path: Path, rows: Sequence[Row]) -> Path:
    """The table's own columns as Parquet."""
    parquet.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=1000)
    return path


def asset_ctxs(folder: Path, perps: Iterable[Row]) -> list[Path]:
    """The public archive: a lz4 file a day, all coins by turns, here four rows an hour.

    The second row of an hour holds its highest mark, the third its lowest, the fourth is the
    hour's row. `funding` is an estimate that differs from what was settled, an empty book is null.
    """
    days: dict[str, list[Row]] = {}
    for row in perps:
        low, high = row["mark_low_px"], row["mark_high_px"]
        marks = [row["mark_px"], high, low, row["mark_px"]]
        for quarter, mark in enumerate(marks):
            time = row["time"] - timedelta(minutes=15) * (3 - quarter)
            made = {name: row.get(name) for name in ARCHIVE} | {"time": time, "mark_px": mark}
            made |= {"funding": 0.0009, "prev_day_px": 1.0}
            if quarter < 3:  # what only the last row of an hour may decide
                made |= {"oracle_px": mark * 1.5, "open_interest": 1.0, "mid_px": None}
            days.setdefault(f"{time:%Y%m%d}", []).append(made)
    folder.mkdir()
    written = []
    for day, rows in days.items():
        rows.sort(key=lambda row: (row["time"], row["coin"]))
        content = text(
            [row | {"time": f"{row['time']:%Y-%m-%dT%H:%M:%SZ}"} for row in rows], ARCHIVE
        )
        path = folder / f"{day}.csv.lz4"
        with pa.CompressedOutputStream(str(path), "lz4") as stream:
            stream.write(content.replace(",,", ",null,").encode())
        written.append(path)
    return written


def hf_funding(path: Path, funding: Iterable[Row]) -> Path:
    """The Hugging Face funding: a market beside coin and dex, stamps in microseconds."""
    rows = list(funding)
    parts = [row["coin"].rpartition(":") for row in rows]
    table = pa.table(
        {
            "timestamp": pa.array([row["time"] for row in rows], pa.timestamp("us", "UTC")),
            "market": [f"{row['coin']}-PERP" for row in rows],
            "coin": [rest for _, _, rest in parts],
            "dex": [dex or None for dex, _, _ in parts],
            "funding_rate": [row["funding"] for row in rows],
            "premium": [row["premium"] for row in rows],
        }
    )
    parquet.write_table(table, path)
    return path


def hf_candles(path: Path, perps: Iterable[Row]) -> Path:
    """The Hugging Face candles: an hour of trades, stamped where it starts."""
    rows = list(perps)
    table = pa.table(
        {
            "timestamp": pa.array([row["time"] - HOUR for row in rows], pa.timestamp("us", "UTC")),
            "market": [f"{row['coin']}-PERP" for row in rows],
            "open": [row["mark_px"] for row in rows],
            "high": [row["mark_high_px"] for row in rows],
            "low": [row["mark_low_px"] for row in rows],
            "close": [row["mark_px"] for row in rows],
            "volume": [1.5 for _ in rows],
        }
    )
    parquet.write_table(table, path)
    return path


def bars(path: Path, rows: Iterable[Row]) -> Path:
    """Bars of stocks: symbol, time of the start, open, high, low, close, volume."""
    made = [row | {"high": row["open"], "low": row["close"], "volume": 1.0} for row in rows]
    parquet.write_table(pa.Table.from_pylist(made), path)
    return path


def foreign(path: Path, rows: Sequence[Row], names: dict[str, str], zone: str) -> Path:
    """A table under other names, `;` between fields, decimal commas, local times, `-` for null."""
    from zoneinfo import ZoneInfo

    lines = [";".join(names.values())]
    for row in rows:
        cells = []
        for name in names:
            value = row[name]
            if name == "time":
                cells.append(value.astimezone(ZoneInfo(zone)).strftime("%d.%m.%Y %H:%M"))
            elif isinstance(value, float):
                cells.append(repr(value).replace(".", ","))
            else:
                cells.append(cell(value) or "-")
        lines.append(";".join(cells))
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig", newline="")
    return path
