"""A store of 64 coins over three years: written, opened by coin and month, read whole.

The opening is timed in this process, and in new ones with the files out of the system's memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.dataset import read_dataset
from perpkit.dataset.store import Store
from perpkit.units import to_ns

COINS, FIRST, LAST = 64, datetime(2023, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, 23, tzinfo=UTC)
MONTH = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 31, 23, tzinfo=UTC)

CHILD = """
import sys, time
from pathlib import Path
clocks = lambda: (time.perf_counter(), time.process_time())
told = [clocks()]
import perpkit.dataset
told.append(clocks())
from benchmarks.store import open_month
told.append(clocks())
rows = open_month(Path(sys.argv[1]))
told.append(clocks())
took = [b - a for one, two in ((0, 1), (2, 3)) for a, b in zip(told[one], told[two])]
print(*took, rows)
"""


class Opening(NamedTuple):
    """Seconds of one thing done with the store."""

    what: str
    rows: int
    seconds: float
    least: float
    most: float
    processor: float  # seconds of all cores, the median too


def fill(folder: Path) -> int:
    """Write made-up prices and settlements as an importer does, a month of all coins at a time."""
    rng = np.random.default_rng(1)
    hours = pl.datetime_range(FIRST, LAST, "1h", time_unit="ms", eager=True)
    coins = [f"xyz:C{n:02d}" for n in range(COINS)]
    told = ['schema = 1\nname = "bench"\nsource = "made up"\nlicence = "MIT"\nprices = "onchain"\n']
    told += [f'[perps."{c}"]\nvenue = "xyz"\nunderlying = "{c[4:]}"\n' for c in coins]
    rows = 0
    with Store(folder).writer() as writer:
        writer.describe("".join(told))
        clock = pl.DataFrame({"time": hours})
        for _, month in clock.group_by(pl.col("time").dt.truncate("1mo"), maintain_order=True):
            frame = month.join(pl.DataFrame({"coin": coins}), how="cross")
            px = np.round(180 + rng.normal(size=frame.height), 3)
            premium = np.round(rng.normal(scale=1e-4, size=frame.height), 8)
            frame = frame.with_columns(
                oracle_px=px,
                mark_px=px + 0.01,
                premium=premium,
                mid_px=px + 0.01,
                impact_bid_px=px - 0.01,
                impact_ask_px=px + 0.02,
                open_interest=np.round(rng.random(frame.height) * 1e5, 2),
                day_ntl_vlm=np.round(rng.random(frame.height) * 1e7, 1),
                oracle_source=pl.lit("chain"),
            )
            writer.add("perps", frame)
            settled = frame.select("time", "coin", pl.col("premium").alias("funding"), "premium")
            writer.add("funding", settled)
            rows += 2 * frame.height
    return rows


def open_month(folder: Path) -> int:
    """Open one coin's month."""
    data = read_dataset(folder, to_ns(MONTH[0]), to_ns(MONTH[1]), ("xyz:C07",))
    return data.perps.height + data.funding.height


def open_whole(folder: Path) -> int:
    """Read and check everything."""
    data = read_dataset(folder)
    return data.perps.height + data.funding.height


def forget(folder: Path) -> None:
    """Have the system drop the store's files from its memory, where it can be asked to."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def opening(what: str, rows: int, took: list[tuple[float, float]]) -> Opening:
    wall, processor = zip(*took, strict=True)
    return Opening(what, rows, median(wall), min(wall), max(wall), median(processor))


def timed(what: str, runs: int, rows: Callable[[], int], before: Callable[[], None]) -> Opening:
    took, count = [], 0
    for _ in range(runs):
        before()
        begun, used = time.perf_counter(), time.process_time()
        count = rows()
        took.append((time.perf_counter() - begun, time.process_time() - used))
    return opening(what, count, took)


def fresh(folder: Path, runs: int) -> list[Opening]:
    """The same in processes of their own, the files out of the system's memory."""
    told = []
    for _ in range(runs):
        forget(folder)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(folder)], check=True, capture_output=True, text=True
        )
        told.append([float(word) for word in done.stdout.split()])
    return [
        opening("imports of a new process", 0, [(t[0], t[1]) for t in told]),
        opening(
            "one coin's month there, files cold", int(told[0][4]), [(t[2], t[3]) for t in told]
        ),
    ]


def measure(runs: int) -> list[Opening]:
    """Write the store once, then open it in several ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"

        def nothing() -> None:
            pass

        made = [timed("write all", 1, lambda: fill(folder), nothing)]
        open_month(folder)  # imports
        made += [
            timed("one coin's month", runs, lambda: open_month(folder), nothing),
            timed("the same, files cold", runs, lambda: open_month(folder), lambda: forget(folder)),
            *fresh(folder, runs),
            timed("read and check all", min(runs, 3), lambda: open_whole(folder), nothing),
        ]
    return made
