"""What a person sees: stages, Ctrl-C, colours, widths; and the command as a module."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import perpkit
from perpkit.collateral import Assumption
from perpkit.report import terminal
from perpkit.run import Result

posix = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
STAGES = ("reading data", "forming the market", "playing the hours", "ledger and metrics")
STOPPED = "perpkit: stopped; nothing was written"
Command = Callable[..., Any]


Watch = Callable[..., Any]


# --------------------------------------------------------------------------- under way


@posix
def test_stages_are_shown_and_erased(watch: Watch, month: Path, work: Path) -> None:
    seen = watch("backtest", "funding_carry", "--data", month, "--pure-python", cwd=work)
    assert seen.code == 0
    places = [seen.text.index(stage) for stage in STAGES]
    assert places == sorted(places)
    assert not any(stage in "\n".join(seen.left) for stage in STAGES)
    assert seen.left[0].startswith("funding_carry on demo, ")


@posix
def test_ctrl_c_while_compiling(watch: Watch, month: Path, work: Path, tmp_path: Path) -> None:
    told = ("backtest", "funding_carry", "--data", month)
    cold = {"PERPKIT_CACHE": str(tmp_path / "cache")}
    seen = watch(*told, cwd=work, stop_at="compiling, once", after_s=1.5, **cold)
    assert seen.code == 130
    assert [line for line in seen.left if line] == [STOPPED]
    assert list(work.iterdir()) == []
    assert not list((tmp_path / "cache").rglob("*.nbc"))


@posix
@pytest.mark.parametrize("caught", ["", "pass", "raise ValueError"])
def test_ctrl_c_while_playing(
    watch: Watch, month: Path, work: Path, tmp_path: Path, caught: str
) -> None:
    """Also where the exception itself is caught on its way."""
    sign = tmp_path / "under-way"
    wait = "    time.sleep(0.2)\n"
    if caught:
        wait = f"    try:\n    {wait}    except BaseException:\n        {caught}\n"
    (tmp_path / "slow.py").write_text(
        "import time\nfrom pathlib import Path\n"
        "def decide(t, past, book, p, mine, target):\n"
        f"    Path({str(sign)!r}).touch()\n{wait}"
    )
    told = ("backtest", tmp_path / "slow.py", "--data", month, "--pure-python", "--to")
    seen = watch(*told, "2025-10-13T20:00", cwd=work, stop_at=sign)
    assert seen.code == 130
    assert [line for line in seen.left if line] == [STOPPED]
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("cached", [False, True])
def test_the_phases_of_the_compiler_are_known(
    monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    """There Ctrl-C may raise nothing: numba drops it at times, and LLVM crashes on it."""
    from perpkit import engine
    from perpkit.cli.console import COMPILER
    from perpkit.strategy.load import load

    for name in ("market_loop.is_compiled", "book_loop.is_compiled", "is_compiled"):
        monkeypatch.setattr(f"perpkit.engine.{name}", lambda *_: cached)
    assert engine.engine_stage(load("funding_carry")) == COMPILER[cached]


def test_ctrl_c_is_the_callers_again(inside: Command, month: Path, work: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert inside("backtest", "funding_carry", "--data", month, cwd=work).code == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_who_listens_already_keeps_listening(inside: Command, month: Path, work: Path) -> None:
    heard: list[int] = []

    def listen(number: int, _: object) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGINT, listen)
    try:
        assert inside("backtest", "funding_carry", "--data", month, cwd=work).code == 0
        assert signal.getsignal(signal.SIGINT) is listen
    finally:
        signal.signal(signal.SIGINT, before)


def test_stages_in_a_thread_that_may_not_listen() -> None:
    from threading import Thread

    from perpkit.cli.console import stages

    done: list[str] = []

    def run() -> None:
        with stages() as under_way:
            under_way.stage("one")
            under_way.progress(1, 2)
            done.append("one")

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert done == ["one"]


# --------------------------------------------------------------------------- plain terminals


@posix
def test_no_color_is_obeyed(watch: Watch, month: Path, work: Path) -> None:
    told = ("backtest", "funding_carry", "--data", month)
    coloured = watch(*told, cwd=work)
    assert re.search(r"\x1b\[[\d;]+m", coloured.raw)
    bare = watch(*told, cwd=work, NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*m", bare.raw)
    assert bare.left == coloured.left


@posix
@pytest.mark.parametrize(
    ("env", "drawn"),
    [
        ({"LC_ALL": "C.UTF-8"}, True),
        ({"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}, True),
        ({"LC_ALL": "C"}, False),
        ({"LC_ALL": "C.UTF-8", "TERM": "dumb"}, False),
        ({"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "cp1252"}, False),
    ],
)
def test_charts_are_of_characters_that_the_terminal_shows(
    watch: Watch, month: Path, work: Path, env: dict[str, str], drawn: bool
) -> None:
    seen = watch("backtest", "funding_carry", "--data", month, cwd=work, **env)
    assert seen.code == 0
    left = "\n".join(seen.left)
    assert "Over time" in left
    assert ("█" in left) == drawn
    assert drawn or left.isascii()


@posix
def test_a_dumb_terminal_gets_a_line_a_stage(watch: Watch, month: Path, work: Path) -> None:
    seen = watch("backtest", "funding_carry", "--data", month, cwd=work, TERM="dumb")
    assert seen.code == 0
    assert "\x1b" not in seen.raw
    lines = seen.raw.replace("\r\n", "\n").split("\n")
    assert [line for line in lines if line in STAGES] == list(STAGES)
    assert "\r" not in "".join(lines)
    assert max(map(len, lines)) <= 80


@posix
def test_the_summary_in_a_narrow_terminal(watch: Watch, month: Path, work: Path) -> None:
    told = ("backtest", "funding_carry", "--data", month, "--out", "r")
    seen = watch(*told, cwd=work, columns=60)
    assert seen.code == 0
    assert max(map(len, seen.left)) <= 60
    assert "Final equity" in seen.text


@pytest.fixture(scope="module")
def result(month: Path) -> Result:
    return perpkit.backtest("funding_carry", month, params={"lookback_hours": 24})


@pytest.mark.parametrize("columns", [60, 61, 72, 80, 98, 99, 100])
def test_the_summary_keeps_its_width(result: Result, columns: int) -> None:
    lines = [line.plain for line in terminal._lines(result, Path("r"), columns)]
    assert max(map(len, lines)) <= columns
    assert all(line == line.rstrip() for line in lines)
    together = " ".join(" ".join(lines).split())
    equity = f"Final equity {result.summary['final_equity_usd']:,.2f} USD"
    for label in ("4 perps and 4 tokens", equity, "Largest oracle lag", "Files r"):
        assert label in together, label
    bars = [line for line in lines[lines.index("Where it came from") :] if "|" in line]
    assert len(bars) > 3
    assert len({line.index("|") for line in bars}) == 1
    two = any("Final equity" in line and "Net APR" in line for line in lines)
    assert two == (columns >= 99)


@pytest.mark.parametrize(
    ("drag", "told"),
    [
        (0.3671, "USD, 36.71% of funding"),
        (1.33669, "USD, 134% of funding"),
        (-0.5, "USD, earned by fills"),
        (12.5, "USD, 1250% of funding"),
        (None, "USD"),
    ],
)
def test_costs_keep_their_distance(result: Result, drag: float | None, told: str) -> None:
    changed = replace(result, summary={**result.summary, "cost_drag_frac": drag})
    lines = [line.plain for line in terminal._lines(changed, None, 100)]
    (line,) = (line for line in lines if line.startswith("  Costs "))
    assert re.search(rf"[\d.]+ {told} +Turnover a year ", line)


def test_what_is_assumed_of_many_tokens_is_named_whole_and_apart(result: Result) -> None:
    tokens = ", ".join(f"LONG{n}.RH" for n in range(12))
    made = Assumption(f"settlement of {tokens}", "sequential", "drawn with seed 3")
    changed = replace(result, assumptions=(made,))
    lines = [line.plain for line in terminal._assumed(changed, 100)]
    assert max(map(len, lines)) <= 100
    assert f"settlement of {tokens}: sequential" in " ".join(" ".join(lines).split())


# --------------------------------------------------------------------------- as a module


def test_as_a_module_without_a_warning(month: Path, work: Path, plain_env: dict[str, str]) -> None:
    def run(*told: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "perpkit", *map(str, told)],
            cwd=work,
            env=plain_env,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    assert run("--version").stdout == f"perpkit {perpkit.__version__}\n"
    ran = run("backtest", "funding_carry", "--data", month, "--out", "r")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("funding_carry on demo, ")
    wrong = run("backtest", "funding_cary")
    assert (wrong.returncode, wrong.stdout) == (4, "")
    assert wrong.stderr == (
        "perpkit: no strategy is called funding_cary: did you mean funding_carry?\n"
    )
