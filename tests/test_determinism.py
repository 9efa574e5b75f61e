"""The same command under other environments, in processes of their own: the same frames."""

from __future__ import annotations

import io
import json
import locale
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "data" / "demo"
STRATEGY = ROOT / "strategies" / "funding_carry.py"
DAYS = 30
# A month trades only if the rule looks back less than its default of three days.
QUICK = ("--set", "lookback_hours=24", "--set", "exit_apr=0.05")
PLAIN = {
    "POLARS_MAX_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C",
    "COLUMNS": "100",
}
OTHERS = [
    ("POLARS_MAX_THREADS", "2"),
    ("NUMBA_NUM_THREADS", "2"),
    ("PYTHONHASHSEED", "1"),
    ("TZ", "America/New_York"),
    ("TZ", "Asia/Tokyo"),
    ("LC_ALL", "C.UTF-8"),
    ("LC_ALL", "de_DE.UTF-8"),
]


class Left(NamedTuple):
    """What a run left behind."""

    frames: dict[str, bytes]
    summary: str
    manifest: dict[str, Any]
    printed: str


def as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def play(data: Path, folder: Path, **env: str) -> Left:
    folder.mkdir(parents=True, exist_ok=True)
    command = shutil.which("perpkit", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("perpkit is not installed here; pip install -e .")
    done = subprocess.run(
        [command, "backtest", STRATEGY, "--data", data, *QUICK, "--out", "r"],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "FORCE_COLOR"} | PLAIN | env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    files = sorted((folder / "r").glob("*.parquet"))
    made = json.loads((folder / "r" / "manifest.json").read_text(encoding="utf-8"))
    assert made.pop("timings_s")
    summary = (folder / "r" / "summary.json").read_text(encoding="utf-8")
    frames = {f.stem: as_bytes(pl.read_parquet(f)) for f in files}
    return Left(frames, summary, made, done.stdout)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "month"
    folder.mkdir()
    shutil.copy(DEMO / "dataset.toml", folder)
    for table in ("perps", "tokens"):
        whole = pl.read_parquet(DEMO / f"{table}.parquet")
        first = pl.col("time") < pl.col("time").min() + timedelta(days=DAYS)
        whole.filter(first).write_parquet(folder / f"{table}.parquet")
    return folder


@pytest.fixture(scope="module")
def plain(month: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    left = play(month, tmp_path_factory.mktemp("plain") / "here")
    frames = {name: pl.read_ipc(io.BytesIO(frame)) for name, frame in left.frames.items()}
    assert frames["equity"].height == DAYS * 24
    assert frames["fills"].height > 20, "a run without fills shows little"
    return left


def same(one: Left, other: Left) -> None:
    assert one.frames.keys() == other.frames.keys()
    differ = [name for name, frame in one.frames.items() if frame != other.frames[name]]
    assert differ == []
    assert one[1:] == other[1:]


def check_locale(name: str) -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        pytest.skip(f"the locale {name} is not installed")
    finally:
        locale.setlocale(locale.LC_ALL, before)


@pytest.mark.parametrize(("variable", "value"), OTHERS)
def test_the_environment_changes_nothing(
    plain: Left, month: Path, tmp_path: Path, variable: str, value: str
) -> None:
    if variable == "LC_ALL":
        check_locale(value)
    same(plain, play(month, tmp_path / "there", **{variable: value}))


def test_the_folder_it_runs_in_changes_nothing(plain: Left, month: Path, tmp_path: Path) -> None:
    far = tmp_path / "a folder" / "für läufe"
    far.mkdir(parents=True)
    for name in ("numpy.py", "funding_carry.py"):  # what a careless search would find first
        (far / name).write_text("raise RuntimeError\n", encoding="utf-8")
    same(plain, play(month, far))


def test_all_at_once(plain: Left, month: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in OTHERS if name != "LC_ALL"}
    same(plain, play(month, tmp_path / "there", **env))
