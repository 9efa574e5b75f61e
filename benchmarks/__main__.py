"""``python -m benchmarks``: every figure, as tables; nothing is written unless asked for."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import (
    checking,
    forming,
    importing,
    memory,
    reporting,
    simulating,
    squeeze,
    start,
    store,
    timing,
    tokens,
)

PARTS = (
    "loop",
    "squeeze",
    "tokens",
    "forming",
    "start",
    "memory",
    "store",
    "importing",
    "checking",
    "simulating",
    "report",
)
RESULTS = Path(__file__).with_name("results.json")


def table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> None:
    """Print columns, the first left and the rest right."""
    widths = [max(len(line[n]) for line in [head, *lines]) for n in range(len(head))]
    print()
    for line in (head, tuple("-" * w for w in widths), *lines):
        first, *rest = (
            cell.ljust(w) if n < 1 else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())


def show_loop(rows: list[timing.Row], what: str = "loop", base: str = "x C") -> None:
    lines = []
    for r in rows:
        ratio = "" if r.ratio is None else f"{r.ratio:.2f}"
        spread = f"{r.least_ns:.1f}-{r.most_ns:.1f}"
        figures = (f"{r.seconds:.4f}", f"{r.ns:.1f}", spread, ratio, str(r.rounds))
        lines.append((f"{r.workload} {r.engine}", *figures, r.note))
    table((what, "s", "ns/market-hour", "min-max", base, "rounds", "note"), lines)


def show_start(starts: list[start.Start], phases: dict[str, float]) -> None:
    lines = [
        (s.what, f"{s.seconds:.3f}", f"{s.least:.3f}-{s.most:.3f}", f"{s.processor:.3f}")
        for s in starts
    ]
    table(("start", "s", "min-max", "processor s"), lines)
    table(("phase of a warm backtest", "s"), [(p, f"{s:.3f}") for p, s in phases.items()])


def show_forming(rows: list[forming.Forming]) -> None:
    lines = [(r.what, f"{r.ns:.1f}", f"{r.least_ns:.1f}-{r.most_ns:.1f}") for r in rows]
    table(("market loop", "ns/market-hour", "min-max"), lines)


def show_memory(rows: list[memory.Memory]) -> None:
    lines = [
        (f"W2 {r.way}", f"{r.peak_mb:.0f}", f"{r.above_imports_mb:.0f}", f"{r.mb_per_million:.0f}")
        for r in rows
    ]
    table(("memory", "peak MB", "above imports", "MB/million market-hours"), lines)


def show_importing(rows: list[importing.Importing]) -> None:
    lines = [
        (
            *(r.what, f"{r.file_mb:.0f}", f"{r.rows:,}", f"{r.seconds:.1f}"),
            *(f"{r.processor:.1f}", f"{r.peak_mb:.0f}"),
        )
        for r in rows
    ]
    table(("import", "file MB", "rows made", "s", "processor s", "peak MB"), lines)


def show_store(rows: list[store.Opening]) -> None:
    lines = [
        (
            r.what,
            f"{r.rows:,}",
            f"{r.seconds:.3f}",
            f"{r.least:.3f}-{r.most:.3f}",
            f"{r.processor:.3f}",
        )
        for r in rows
    ]
    table(("store of 64 coins, 3 years", "rows", "s", "min-max", "processor s"), lines)


def show_checking(rows: list[checking.Checking]) -> None:
    lines = [
        (
            r.what,
            f"{r.seconds:.1f}",
            f"{r.processor:.1f}",
            f"{r.peak_mb:.0f}",
            f"{r.above_imports_mb:.0f}",
            f"{r.rows:,}",
        )
        for r in rows
    ]
    table(("checking", "s", "processor s", "peak MB", "above imports", "rows"), lines)


def show_simulating(rows: list[simulating.Simulating]) -> None:
    lines = [
        (r.what, f"{r.seconds:.2f}", f"{r.least:.2f}-{r.most:.2f}", f"{r.mb:.1f}") for r in rows
    ]
    table(("simulating", "s", "min-max", "MB"), lines)


def show_reporting(rows: list[reporting.Reporting]) -> None:
    lines = [
        (
            *(r.what, f"{r.backtest:.2f}", f"{r.beyond:.2f}", f"{r.least:.2f}-{r.most:.2f}"),
            f"{r.mb:.2f}",
            *("-" if s is None else f"{s:.2f}" for s in (r.opened, r.drawn)),
        )
        for r in rows
    ]
    head = ("report", "backtest s", "beyond it s", "min-max", "MB", "opens s", "all drawn s")
    table(head, lines)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("perpkit", "numba", "numpy", "polars")},
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(x, 2) for x in load],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the loop (default 7)")
    parser.add_argument("--runs", type=int, default=5, help="processes of a start time (default 5)")
    parser.add_argument("--full", action="store_true", help="all 1,000 sets of the sweeps")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; repeat for more")
    parser.add_argument("--out", nargs="?", const=RESULTS, type=Path, help="also write JSON")
    told = parser.parse_args()
    parts = told.only or PARTS
    made: dict[str, Any] = {"machine": machine()}
    print(", ".join(f"{k} {v}" for k, v in made["machine"].items()))
    if "loop" in parts:
        rows = timing.measure(told.rounds, full=told.full)
        show_loop(rows)
        made["loop"] = [r._asdict() for r in rows]
    if "squeeze" in parts:
        rows = squeeze.measure(told.rounds)
        show_loop(rows, "everything of the book", "x off")
        made["squeeze"] = [r._asdict() for r in rows]
    if "tokens" in parts:
        rows = tokens.measure(told.rounds)
        show_loop(rows, "tokens as they are held", "x off")
        made["tokens"] = [r._asdict() for r in rows]
    if "start" in parts:
        starts, phases = start.measure(told.runs)
        show_start(starts, phases)
        made["start"], made["phases_s"] = [s._asdict() for s in starts], phases
    if "forming" in parts:
        formed = forming.measure(told.rounds)
        show_forming(formed)
        made["forming"] = [f._asdict() for f in formed]
    if "simulating" in parts:
        years = simulating.measure(told.runs)
        show_simulating(years)
        made["simulating"] = [y._asdict() for y in years]
    if "memory" in parts:
        peaks = memory.measure()
        show_memory(peaks)
        made["memory"] = [m._asdict() for m in peaks]
    if "importing" in parts:
        taken = importing.measure()
        show_importing(taken)
        made["importing"] = [i._asdict() for i in taken]
    if "store" in parts:
        opened = store.measure(told.runs)
        show_store(opened)
        made["store"] = [o._asdict() for o in opened]
    if "checking" in parts:
        checked = checking.measure()
        show_checking(checked)
        made["checking"] = [c._asdict() for c in checked]
    if "report" in parts:
        reported = reporting.measure(told.runs)
        show_reporting(reported)
        made["report"] = [r._asdict() for r in reported]
    if told.out is not None:
        told.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten: {told.out}")


if __name__ == "__main__":
    main()
