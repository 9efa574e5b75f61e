"""How long 64 coins of three years take to be checked, and in how much memory."""

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

from benchmarks.importing import COINS as STORED_COINS
from benchmarks.importing import HOURS as STORED_HOURS
from benchmarks.importing import hours as hours_file
from benchmarks.memory import peak_mb

COINS, HOURS = 64, 26_280
ROWS = STORED_COINS * STORED_HOURS
START_MS = 1_672_531_200_000  # 2023-01-01
_HEAD = 'schema = 1\nname = "bench"\nsource = "made up"\nlicence = "MIT"\nprices = "onchain"\n'


class Checking(NamedTuple):
    """Figures of one check, in a process of its own."""

    what: str
    rows: int
    seconds: float
    processor: float  # on all cores
    peak_mb: float
    above_imports_mb: float
    findings: int


def make(folder: Path, coins: int = COINS, hours: int = HOURS, seed: int = 3) -> Path:
    """A clean dataset: prices, settlements by the formula of `baseline`, and a token a coin."""
    folder.mkdir(parents=True)
    told = [_HEAD]
    tables: dict[str, list[pl.DataFrame]] = {"perps": [], "funding": [], "tokens": []}
    rng = np.random.default_rng(seed)
    time_ms = START_MS + 3_600_000 * np.arange(hours)
    for n in range(coins):
        coin, token = f"sim:C{n:02d}", f"C{n:02d}x"
        told.append(f'[perps."{coin}"]\nvenue = "baseline"\nunderlying = "C{n:02d}"\n')
        told.append(
            f'[tokens.{token}]\nunderlying = "C{n:02d}"\nkind = "equity"\nissuer = "simulated"\n'
            "multiplier = 1.0\n"
        )
        oracle = np.round(
            100 * np.exp(np.clip(rng.normal(0, 0.002, hours), -0.008, 0.008).cumsum()), 4
        )
        lean = rng.normal(0, 5e-4, hours)
        mark = np.round(oracle * (1 + lean), 4)
        premium = np.round(mark / oracle - 1 + rng.normal(0, 1e-4, hours), 10)
        rate = np.round((premium + np.clip(0.0001 - premium, -0.0005, 0.0005)) / 8, 10)
        clock = pl.Series(time_ms).cast(pl.Datetime("ms", "UTC"))
        made = {
            "perps": {
                "time": clock,
                "coin": coin,
                "oracle_px": oracle,
                "mark_px": mark,
                "mark_high_px": np.round(mark * 1.002, 4),
                "mark_low_px": np.round(mark * 0.998, 4),
                "mid_px": mark,
                "impact_bid_px": np.round(mark * 0.9997, 4),
                "impact_ask_px": np.round(mark * 1.0003, 4),
                "open_interest": np.round(1e5 * np.exp(rng.normal(0, 0.01, hours))),
                "day_ntl_vlm": np.round(1e7 * np.exp(rng.normal(0, 0.1, hours))),
            },
            "funding": {"time": clock, "coin": coin, "funding": rate, "premium": premium},
            "tokens": {
                "time": clock,
                "token": token,
                "bid_px": np.round(oracle * 0.999, 4),
                "ask_px": np.round(oracle * 1.001, 4),
                "halted": np.zeros(hours, np.bool_),
            },
        }
        for name, columns in made.items():
            tables[name].append(pl.DataFrame(columns))
    (folder / "dataset.toml").write_text("".join(told), encoding="utf-8")
    for name, frames in tables.items():
        pl.concat(frames).write_parquet(folder / f"{name}.parquet")
    return folder


def child(folder: Path) -> dict[str, float]:
    """Check a dataset in this process."""
    begun = time.perf_counter()
    from perpkit.research.check import check_data  # noqa: PLC0415 - its import is timed

    imported, peak = time.perf_counter() - begun, peak_mb()
    found = check_data(folder)
    took = time.perf_counter() - begun
    return {
        "imports_s": imported,
        "seconds": took,
        "processor": time.process_time(),
        "imports_mb": peak,
        "peak_mb": peak_mb(),
        "findings": len(found.findings),
    }


def store(folder: Path) -> Path:
    """The store that `data import perps` makes of 64 coins, whose sizes leap at random."""
    from perpkit.sources.files import built_in, import_files  # noqa: PLC0415 - as below

    folder.mkdir(parents=True)
    file = folder / "hours.parquet"
    import_files(built_in(hours_file(file)), [file], folder / "store")
    return folder / "store"


def measure(coins: int = COINS, hours: int = HOURS) -> list[Checking]:
    """The check with its imports, in a process of its own, of files and of a store."""
    with tempfile.TemporaryDirectory() as name:
        files = make(Path(name) / "bench", coins, hours)
        return [
            _checked(f"data check, {coins} coins x {hours:,} h", files, 3 * coins * hours),
            _checked("the same prices alone, a noisy store", store(Path(name) / "in"), ROWS),
        ]


def _checked(what: str, folder: Path, rows: int) -> Checking:
    argv = [sys.executable, "-m", "benchmarks.checking", str(folder)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return Checking(
        what,
        rows,
        told["seconds"],
        told["processor"],
        told["peak_mb"],
        told["peak_mb"] - told["imports_mb"],
        int(told["findings"]),
    )


if __name__ == "__main__":
    print(json.dumps(child(Path(sys.argv[1]))))
