"""How far a command is: shares, rates, time left, and how often it is told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

import perpkit
from perpkit import play
from perpkit.cli.console import _Pace, stages


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_phase_without_a_count_says_how_long_it_takes() -> None:
    clock = Clock()
    pace = _Pace("hours", clock)
    assert pace.says() == ""
    clock.now += 1.9
    assert pace.says() == ""
    clock.now += 73.2
    assert pace.says() == "  1 min 15 s"
    pace.begin()
    assert pace.says() == ""


def test_a_count_says_its_rate_and_what_is_left() -> None:
    clock = Clock()
    pace = _Pace("hours", clock)
    pace.so_far(0, 8_000)
    assert pace.says() == "  0%"
    clock.now += 0.25
    pace.so_far(100, 8_000)
    assert pace.says() == "  1%", "too early for a rate"
    clock.now += 3.75
    pace.so_far(2_000, 8_000)
    assert pace.says() == "  25%  500 hours/s  12 s left"
    clock.now += 5.0
    assert pace.says() == "  25%  500 hours/s  7 s left", "it goes on between two reports"
    clock.now += 60.0
    assert pace.says() == "  25%  500 hours/s  0 s left"
    pace.so_far(8_000, 8_000)
    assert pace.says() == "  100%  116 hours/s  0 s left"


def test_bytes_are_told_as_megabytes() -> None:
    clock = Clock()
    pace = _Pace("bytes", clock)
    clock.now += 2.0
    pace.so_far(50_000_000, 5_000_000_000)
    assert pace.says() == "  1%  25 MB/s  3 min 18 s left"


def test_nothing_is_shown_where_stderr_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with stages() as under_way:
        under_way.stage("one")
        under_way.progress(1, 2)
    assert capfd.readouterr() == ("", "")


# --------------------------------------------------------------------------- the hours


def played(month: Path, **told: Any) -> perpkit.Result:
    return perpkit.backtest(
        "funding_carry",
        month,
        params={"lookback_hours": 24},
        config={"end": "2025-10-28"},
        pure_python=True,
        **told,
    )


def test_hours_are_told_as_often_as_they_take_long_and_change_no_number(
    month: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = played(month)
    clock = Clock()

    def tick() -> float:
        clock.now += 0.5
        return clock.now

    monkeypatch.setattr(play.time, "perf_counter", tick)
    told: list[tuple[int, int]] = []
    result = played(month, progress=lambda done, whole: told.append((done, whole)))
    hours = result.frames["equity"].height
    assert {whole for _, whole in told} == {hours}
    rows = [0, *(done for done, _ in told)]
    chunks = [after - before for before, after in pairwise(rows)]
    assert rows[-1] == hours == sum(chunks)
    # Half a second each where a tenth is wanted: a fifth of the rows each time, and one at least.
    assert chunks[:5] == [256, 51, 10, 2, 1]
    assert set(chunks[5:]) == {1}
    for name, frame in alone.frames.items():
        assert_frame_equal(frame, result.frames[name], check_exact=True)
