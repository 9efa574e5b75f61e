"""How long the command takes to start and to answer, in processes of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

GROUND = "import numba, numpy, polars, pydantic, rich, typer"


class Start(NamedTuple):
    """Seconds of one command, over several processes."""

    what: str
    runs: int
    seconds: float  # on the wall
    least: float
    most: float
    processor: float  # on all cores


def command() -> list[str]:
    """The installed command beside this interpreter, else the module."""
    beside = Path(sys.executable).with_name("perpkit")
    found = str(beside) if beside.exists() else shutil.which("perpkit")
    return [found] if found else [sys.executable, "-m", "perpkit"]


def used() -> float:
    """Processor seconds of every child so far."""
    told = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told.ru_utime + told.ru_stime


def seconds(argv: list[str], cache: Path) -> tuple[float, float]:
    """Seconds of one child process, on the wall and on processors."""
    before, begun = used(), time.perf_counter()
    done = subprocess.run(
        argv,
        check=False,
        env={**os.environ, "PERPKIT_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    took = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-300:]}")
    return took, used() - before


def measure(runs: int) -> tuple[list[Start], dict[str, float]]:
    """Start times, in turn, and the phases of a warm backtest from its manifest."""
    found: dict[str, list[tuple[float, float]]] = {}
    phases: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warm, out = folder / "warm", folder / "result"
        backtest = [*command(), "backtest", "funding_carry", "--out", str(out)]
        for n in range(runs + 1):
            cold = folder / f"cold{n}"
            one = {
                "python -c pass": seconds([sys.executable, "-c", "pass"], warm),
                "imports alone": seconds([sys.executable, "-c", GROUND], warm),
                "perpkit --help": seconds([*command(), "--help"], warm),
                "backtest, cold": seconds(backtest, cold),
                "backtest, warm": seconds(backtest, warm),
            }
            told = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["timings_s"]
            if n == 0:  # fills the warm cache and the file system's
                continue
            for what, took in one.items():
                found.setdefault(what, []).append(took)
            for phase, took in told.items():
                phases.setdefault(phase, []).append(took)
    starts = []
    for what, both in found.items():
        wall, processor = zip(*both, strict=True)
        figures = (median(wall), min(wall), max(wall), median(processor))
        starts.append(Start(what, len(wall), *figures))
    return starts, {phase: median(s) for phase, s in phases.items()}
