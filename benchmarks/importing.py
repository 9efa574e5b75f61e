"""Import of big files: seconds and peak memory, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks.memory import peak_mb
from perpkit.sources.files import built_in, import_files

ARCHIVE_BYTES = 2_000_000_000
ARCHIVE_COINS = 230
COINS, HOURS = 64, 3 * 8_760
START = 1_704_067_200_000  # 2024-01-01
MINUTE, HOUR = 60_000, 3_600_000


class Importing(NamedTuple):
    """One import."""

    what: str
    file_mb: float
    rows: int  # of the dataset
    seconds: float
    processor: float  # seconds of all threads
    peak_mb: float


def archive(path: Path, size: int = ARCHIVE_BYTES) -> str:
    """A CSV like the public archive's, minute by minute, in one file of this size."""
    rng = np.random.default_rng(1)
    coins = [f"C{i:03d}" for i in range(ARCHIVE_COINS)]
    minute = 0
    with path.open("wb") as file:
        while file.tell() < size:
            n = 60 * ARCHIVE_COINS
            at = START + MINUTE * np.repeat(np.arange(minute, minute + 60), ARCHIVE_COINS)
            px = 100 + rng.standard_normal(n).round(3)
            rows = pl.DataFrame(
                {
                    "time": pl.Series(at).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "coin": coins * 60,
                    "funding": (rng.standard_normal(n) * 1e-5).round(10),
                    "open_interest": (rng.random(n) * 1e5).round(2),
                    "prev_day_px": px,
                    "day_ntl_vlm": (rng.random(n) * 1e7).round(6),
                    "premium": (rng.standard_normal(n) * 1e-4).round(10),
                    "oracle_px": px,
                    "mark_px": (px + 0.01).round(3),
                    "mid_px": (px + 0.005).round(4),
                    "impact_bid_px": (px - 0.01).round(3),
                    "impact_ask_px": (px + 0.02).round(3),
                }
            )
            rows.write_csv(file, include_header=minute == 0)
            minute += 60
    return "asset-ctxs"


def hours(path: Path) -> str:
    """Perps of 64 coins over three years of hours, as CSV or Parquet."""
    rng = np.random.default_rng(2)
    n = COINS * HOURS
    px = (100 + np.cumsum(rng.standard_normal(n) * 0.01)).clip(1).round(3)
    rows = pl.DataFrame(
        {
            "time": pl.Series(np.tile(START + HOUR * np.arange(HOURS), COINS)).cast(
                pl.Datetime("ms", "UTC")
            ),
            "coin": np.repeat([f"xyz:C{i:02d}" for i in range(COINS)], HOURS),
            "oracle_px": px,
            "mark_px": (px + 0.01).round(3),
            "mark_high_px": (px + 0.2).round(3),
            "mark_low_px": (px - 0.2).round(3),
            "mid_px": (px + 0.005).round(4),
            "premium": (rng.standard_normal(n) * 1e-4).round(10),
            "funding": (rng.standard_normal(n) * 1e-5).round(10),
            "open_interest": (rng.random(n) * 1e5).round(2),
            "day_ntl_vlm": (rng.random(n) * 1e7).round(2),
        }
    )
    if path.suffix == ".csv":
        rows.write_csv(path)
    else:
        rows.write_parquet(path)
    return "perps"


CASES = {
    "asset-ctxs, 2 GB of CSV": ("archive.csv", archive),
    "perps, 64 coins x 3 years, CSV": ("hours.csv", hours),
    "perps, 64 coins x 3 years, Parquet": ("hours.parquet", hours),
}


def child(form: str, file: str, out: str) -> dict[str, float]:
    """Import a file, in this process."""
    begin, used = time.perf_counter(), time.process_time()
    done = import_files(built_in(form), [Path(file)], Path(out))
    return {
        "seconds": time.perf_counter() - begin,
        "processor": time.process_time() - used,
        "rows": sum(done.rows.values()),
        "peak": peak_mb(),
    }


def measure() -> list[Importing]:
    """Import each file into a new dataset."""
    made = []
    for what, (name, write) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            form = write(file)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.importing", form, file, Path(folder) / "out"],
                check=True,
                capture_output=True,
                text=True,
            )
            told = json.loads(done.stdout)
            size = file.stat().st_size / 1e6
            clocks = (told["seconds"], told["processor"])
            made.append(Importing(what, size, told["rows"], *clocks, told["peak"]))
    return made


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))
