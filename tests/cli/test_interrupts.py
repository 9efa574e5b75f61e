"""Ctrl-C in every phase of a command: how it ends, what it says is saved, and what is there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from perpkit.cli import leaving
from perpkit.cli.interrupts import Interrupts

posix = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process of its own")
Command = Callable[..., Any]
Watch = Callable[..., Any]

# Runs the command with one function of it held up until a file is there.
HELD = """
import importlib, sys, time
from pathlib import Path

where, sign, go = sys.argv[1:4]
module, _, name = where.rpartition(".")
owner = importlib.import_module(module)
real = getattr(owner, name)

def held(*args, **kwargs):
    Path(sign).touch()
    while not Path(go).exists():
        time.sleep(0.01)
    return real(*args, **kwargs)

setattr(owner, name, held)
sys.argv[1:] = sys.argv[4:]
from perpkit.__main__ import main
sys.exit(main())
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def stop(work: Path, plain_env: dict[str, str], tmp_path: Path) -> Iterator[Command]:
    """Send Ctrl-C while a function of the command is at work."""
    sign, go, program = (tmp_path / name for name in ("sign", "go", "held.py"))
    program.write_text(HELD)
    # A shell's background job ignores SIGINT and hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(where: str, *told: object) -> Ended:
        process = subprocess.Popen(
            [sys.executable, str(program), where, str(sign), str(go), *map(str, told)],
            cwd=work,
            env=plain_env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            while not sign.exists():
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)  # it is heard before what is held goes on
            go.touch()
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        return Ended(process.returncode, out, err)

    yield run
    signal.signal(signal.SIGINT, before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


PHASES = {
    "reading data": "perpkit.run.lay",
    "the engine": "perpkit.run.prepare",
    "forming the market": "perpkit.run.complete",
    "playing the hours": "perpkit.run.play",
    "ledger and metrics": "perpkit.run.summarise",
}


@posix
@pytest.mark.parametrize("where", PHASES.values(), ids=PHASES)
def test_before_the_result_is_written_nothing_is(
    stop: Command, month: Path, work: Path, where: str
) -> None:
    ended = stop(where, "backtest", "funding_carry", "--data", month, "--out", "r")
    assert ended == (130, "", "perpkit: stopped; nothing was written\n")
    assert names(work) == []


@posix
def test_an_older_result_is_untouched_and_said_to_be(
    stop: Command, command: Command, month: Path, work: Path
) -> None:
    told = ("backtest", "funding_carry", "--data", month, "--out", "r")
    assert command(*told, "--quiet", cwd=work).code == 0
    before = {path.name: path.read_bytes() for path in (work / "r").iterdir()}
    ended = stop("perpkit.run.summarise", *told, "--capital", 5000)
    assert ended.code == 130
    assert ended.err == (
        "perpkit: stopped; nothing was written, the older result in r is untouched\n"
    )
    assert {path.name: path.read_bytes() for path in (work / "r").iterdir()} == before
    assert names(work) == ["r"]


@posix
@pytest.mark.parametrize("where", ["perpkit.export._write", "perpkit.export._put"])
def test_a_result_that_is_being_written_is_written_whole(
    stop: Command, command: Command, month: Path, work: Path, where: str
) -> None:
    told = ("backtest", "funding_carry", "--data", month, "--out", "r")
    assert command(*told, "--capital", 5000, "--quiet", cwd=work).code == 0
    ended = stop(where, *told, "--json")
    assert ended == (130, "", "perpkit: stopped; the result is in r\n")
    assert names(work) == ["r"]
    assert '"capital": 100000.0' in (work / "r" / "manifest.json").read_text()


@posix
def test_while_the_summary_is_printed_the_result_is_there(
    stop: Command, month: Path, work: Path
) -> None:
    ended = stop(
        "perpkit.report.terminal.print_summary",
        *("backtest", "funding_carry", "--data", month, "--out", "r"),
    )
    assert ended == (130, "", "perpkit: stopped; the result is in r\n")
    assert (work / "r" / "manifest.json").is_file()


@posix
def test_an_import_is_all_or_nothing_and_says_which(stop: Command, work: Path) -> None:
    (work / "bars.csv").write_text(
        "time,symbol,close\n" + "".join(f"2026-08-12T{n:02}:00Z,NVDA,{180 + n}\n" for n in range(9))
    )
    told = ("data", "import", "equities", "bars.csv", "--out", "made")
    ended = stop("perpkit.sources.files.importing.pieces", *told)
    assert ended == (130, "", "perpkit: stopped; nothing was written to made\n")
    assert names(work) == ["bars.csv"]


@posix
def test_a_fetch_that_has_not_begun_says_so(stop: Command, work: Path) -> None:
    told = ("data", "fetch", "hyperliquid", "--coins", "xyz:NVDA", "--from", "2026-01-01")
    ended = stop("perpkit.sources.hyperliquid.fetch.read_markets", *told, "--out", "made")
    assert ended == (130, "", "perpkit: stopped; nothing was fetched\n")
    assert names(work) == []


@posix
def test_a_simulation_leaves_no_half_folder(stop: Command, work: Path) -> None:
    told = ("data", "simulate", "--days", 30, "--out", "made")
    ended = stop("perpkit.sources.simulated.output.make_tables", *told)
    assert ended == (130, "", "perpkit: stopped; nothing was written\n")
    assert names(work) == []


# --------------------------------------------------------------------------- the second


def strategy(folder: Path, body: str) -> Path:
    file = folder / "deaf.py"
    file.write_text(
        "import hashlib, time\nfrom pathlib import Path\n"
        "def decide(t, past, book, p, mine, target):\n" + body
    )
    return file


@posix
def test_a_strategy_that_drops_the_first_meets_the_second(
    watch: Watch, month: Path, work: Path, tmp_path: Path
) -> None:
    sign, caught = tmp_path / "sign", tmp_path / "caught"
    file = strategy(
        tmp_path,
        "    while True:\n        try:\n"
        f"            Path({str(sign)!r}).touch()\n            time.sleep(0.05)\n"
        f"        except BaseException:\n            Path({str(caught)!r}).touch()\n",
    )
    told = ("backtest", file, "--data", month, "--pure-python")
    seen = watch(*told, cwd=work, stop_at=sign, then=caught)
    assert seen.code == 130
    assert [line for line in seen.left if line] == ["perpkit: stopped; nothing was written"]
    assert "Traceback" not in seen.raw
    assert seen.raw.rfind("\x1b[?25h") > seen.raw.rfind("\x1b[?25l") > -1, "the cursor is back"
    assert names(work) == []


@posix
def test_code_that_hears_no_signal_is_left_at_once(
    month: Path, work: Path, tmp_path: Path, plain_env: dict[str, str]
) -> None:
    """Python answers signals between two of its own steps, and there is none for an hour."""
    sign = tmp_path / "sign"
    file = strategy(
        tmp_path,
        f"    Path({str(sign)!r}).touch()\n"
        "    hashlib.pbkdf2_hmac('sha256', b'password', b'salt', 2_000_000_000)\n",
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "perpkit", "backtest", file, "--data", month, "--pure-python"],
        cwd=work,
        env=plain_env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        while not sign.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        for _ in range(300):  # as one presses it again and again
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
        out, err = process.communicate(timeout=1)
    finally:
        signal.signal(signal.SIGINT, before)
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err == "perpkit: stopped; nothing was written\n"


@posix
@pytest.mark.parametrize("columns", [40, 100])
def test_the_terminal_is_as_before(
    watch: Watch, month: Path, work: Path, tmp_path: Path, columns: int
) -> None:
    sign = tmp_path / "sign"
    file = strategy(tmp_path, f"    Path({str(sign)!r}).touch()\n    time.sleep(0.1)\n")
    told = ("backtest", file, "--data", month, "--pure-python")
    seen = watch(*told, cwd=work, stop_at=sign, columns=columns)
    assert seen.code == 130
    assert [line for line in seen.left if line] == ["perpkit: stopped; nothing was written"]
    assert seen.raw.rfind("\x1b[?25h") > seen.raw.rfind("\x1b[?25l") > -1, "the cursor is back"


# --------------------------------------------------------------------------- in one process


@pytest.fixture
def answer() -> Iterator[Interrupts]:
    yield Interrupts(lambda: None, lambda: False)
    leaving.saved()


def test_what_is_kept_waits_for_its_end(answer: Interrupts) -> None:
    def work() -> int:
        answer.note(signal.SIGINT, None)
        assert leaving.sentence() == "stopped; half of it"
        done.append(1)
        return 7

    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        answer.keep(work, "half of it", "all of it")
    assert done == [1]
    assert leaving.sentence() == "stopped; all of it"


def test_what_fails_is_not_said_to_be_kept(answer: Interrupts) -> None:
    def work() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        answer.keep(work, "half of it", "all of it")
    assert leaving.sentence() == "stopped; half of it"
    with pytest.raises(KeyboardInterrupt):
        answer.note(signal.SIGINT, None)


def test_a_new_command_has_saved_nothing(inside: Command, work: Path) -> None:
    leaving.saved("of the command before")
    assert inside("--version", cwd=work).code == 0
    assert leaving.sentence() == "stopped; nothing was written"
