"""``NUMBA_BOUNDSCHECK=1``: every index of strategy, book and market is checked, and none is wrong.

The gate plays the twins, the book's tests and the backtests of real data so as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import perpkit

ROOT = Path(__file__).resolve().parents[1]
TOMORROW = """\
def decide(t, past, book, p, mine, target):
    if t == 5:
        target.perps[0] = past.oracle_px[t + 1, 0] - past.oracle_px[t, 0]
"""
SIGNED = TOMORROW.replace("t + 1", "-t - 2")
WRITES = TOMORROW.replace("target.perps[0] =", "target.perps[len(book.perps)] =").replace("+ 1", "")
HELPER = """\
from perpkit.strategy import rule
@rule
def later(past, t):
    return past.mark_px[t + 1, 0]
def decide(t, past, book, p, mine, target):
    if t == 5:
        target.perps[0] = later(past, t)
"""
RULE = """\
import numba, numpy as np
from perpkit.rule import rule
@rule
def read(prices, t):
    return prices[t]
@numba.njit("f8(f8[::1], i8)", error_model="numpy", _nrt=False)
def loop(prices, t):
    return read(prices, t + 1)
loop(np.zeros(3), 2)
"""


def run(*told: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perpkit", "backtest", *map(str, told)],
        cwd=cwd,
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1"} | env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("text", [TOMORROW, SIGNED, WRITES, HELPER])
def test_a_strategy_that_reads_past_the_end_is_stopped(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.py").write_text(text, encoding="utf-8")
    done = run("s.py", "--to", "2025-10-14", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("perpkit: s.py")
    assert "IndexError" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["s.py"]


def test_a_rule_that_does_is_stopped() -> None:
    """Rules are compiled into the loop that calls them, and the check goes with them."""
    told = [
        subprocess.run(
            [sys.executable, "-c", RULE],
            env=os.environ | {"NUMBA_BOUNDSCHECK": checked},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        for checked in ("0", "1")
    ]
    assert [done.returncode for done in told] == [0, 1]
    assert "IndexError" in told[1].stderr


def test_the_demo_is_within_its_bounds(tmp_path: Path) -> None:
    """And the numbers are those of the run that is not checked."""
    done = run("funding_carry", "--out", "checked", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    plain = perpkit.backtest("funding_carry", against=["cash", "spot_hold"])
    for name, frame in plain.frames.items():
        checked = pl.read_parquet(tmp_path / "checked" / f"{name}.parquet")
        assert_frame_equal(checked, frame, check_exact=True)
