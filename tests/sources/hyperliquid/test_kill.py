"""Killed at any moment and run again, a fetch leaves the bytes of one that was never broken."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from info_server import Api
from info_venue import HOUR_MS, LISTED_MS, NOW_MS, Venue

from perpkit.dataset import read_dataset

KILLS = 30
FROM_MS = NOW_MS - 30 * 24 * HOUR_MS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


class Runner:
    """Children that fetch, one after the other, each killed after some time or left to end."""

    def __init__(self, api: Api) -> None:
        self.url = api.url
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("killable.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, folder: Path, kill_after_s: float = -1.0) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.url} {folder} {FROM_MS} {kill_after_s}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def runner(api: Api, venue: Venue) -> Iterator[Runner]:
    venue.coins["BTC"] = LISTED_MS
    made = Runner(api)
    with made.process:
        yield made
        assert made.process.stdin is not None
        made.process.stdin.close()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_killed_at_thirty_moments_and_resumed(runner: Runner, tmp_path: Path) -> None:
    runner.run(tmp_path / "first" / "xyz")
    begun = time.monotonic()
    assert runner.run(tmp_path / "whole" / "xyz") == 0
    took_s = time.monotonic() - begun
    whole = files(tmp_path / "whole" / "xyz")
    draw = random.Random(11)
    killed, folders = 0, 0

    # A folder is broken until a child gets through it or three are killed, then the next begins.
    while killed < KILLS:
        folder = tmp_path / str(folders) / "xyz"
        folders += 1
        for _ in range(3):
            code = runner.run(folder, draw.uniform(0, took_s))
            killed += code == -signal.SIGKILL
            if (folder / "dataset.toml").exists():
                read_dataset(folder)  # what is there is whole at every moment
            if code == 0:
                break
        assert runner.run(folder) == 0
        assert files(folder) == whole
