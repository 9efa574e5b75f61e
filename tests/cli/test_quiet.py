"""What a command prints and where: --quiet, --json, pipes that are closed, odd encodings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
Watch = Callable[..., Any]
posix = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
RUN = ("backtest", "funding_carry", "--out", "r", "--data")
SIMULATE = ("data", "simulate", "--days", 20, "--stocks", "NVDA", "--out", "made")


def test_a_quiet_run_prints_nothing_and_writes_all(
    inside: Command, month: Path, work: Path
) -> None:
    assert inside(*RUN, month, "-q", cwd=work) == (0, "", "")
    assert (work / "r" / "summary.json").is_file()


@posix
def test_a_quiet_run_is_quiet_in_a_terminal_too(watch: Watch, month: Path, work: Path) -> None:
    seen = watch(*RUN, month, "--quiet", cwd=work)
    assert (seen.code, seen.raw) == (0, "")


def test_a_quiet_run_says_what_is_wrong(inside: Command, work: Path) -> None:
    ran = inside(*RUN, "nowhere", "--quiet", cwd=work)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("perpkit: nowhere")


def test_other_commands_are_quiet_too(inside: Command, month: Path, work: Path) -> None:
    (work / "still.py").write_text(
        '"""Do nothing."""\ndef decide(t, past, book, p, mine, target):\n    pass\n'
    )
    assert inside(*SIMULATE, "--quiet", cwd=work) == (0, "", "")
    assert inside("data", "check", month, "--quiet", cwd=work) == (0, "", "")
    told = ("strategy", "check", "still.py", "--data", month, "--hours", 48)
    assert inside(*told, "--quiet", cwd=work) == (0, "", "")


@pytest.mark.parametrize(
    "told",
    [
        (*RUN, "nowhere"),
        SIMULATE,
        ("data", "check", "nowhere"),
        ("data", "import", "equities", "nowhere.csv", "--out", "made"),
        ("data", "fetch", "hyperliquid", "--coins", "a", "--out", "made", "--from", "2026-01-01"),
        ("strategy", "check", "cash"),
    ],
    ids=lambda told: " ".join(map(str, told[:2])),
)
def test_quiet_and_json_are_not_both_meant(
    inside: Command, work: Path, told: tuple[str, ...]
) -> None:
    ran = inside(*told, "--quiet", "--json", cwd=work)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == ("perpkit: --quiet prints nothing and --json prints JSON; drop one of them\n")
    assert list(work.iterdir()) == []


def test_a_simulation_as_json(inside: Command, work: Path) -> None:
    ran = inside(*SIMULATE, "--json", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["schema"] == 1
    assert told["folder"] == "made"
    assert (told["first_hour"], told["last_hour"]) == ("2025-11-01 00:00Z", "2025-11-20 23:00Z")
    assert told["stocks"] == ["NVDA"]


@posix
def test_json_is_alone_on_standard_output_of_a_terminal(
    watch: Watch, month: Path, work: Path
) -> None:
    seen = watch(*RUN, month, "--json", cwd=work)
    assert seen.code == 0
    assert "playing the hours" in seen.text
    assert json.loads("\n".join(seen.left)) == json.loads(
        (work / "r" / "summary.json").read_text(encoding="utf-8")
    )


@posix
def test_colour_that_is_forced_makes_no_terminal_of_a_pipe(
    command: Command, month: Path, work: Path
) -> None:
    ran = command(*RUN, month, cwd=work, FORCE_COLOR="1")
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b[" in ran.out
    assert ran.out.isascii()


# --------------------------------------------------------------------------- pipes, encodings


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_reader_that_has_gone_is_no_fault(
    month: Path, work: Path, plain_env: dict[str, str], option: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "perpkit", *RUN, str(month), *option],
        cwd=work,
        env=plain_env,
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert (work / "r" / "summary.json").is_file()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "iso8859-1"])
def test_a_character_without_a_code_is_escaped(command: Command, work: Path, encoding: str) -> None:
    (work / "odd.py").write_text(
        '"""Wait for 東京 and 🙂."""\ndef decide(t, past, book, p, mine, target):\n    pass\n',
        encoding="utf-8",
    )
    odd = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    shown = command("strategy", "show", "./odd.py", cwd=work, **odd)
    assert (shown.code, shown.err) == (0, "")
    assert "Wait for \\u6771\\u4eac and \\ud83d\\ude42." in shown.out
    told = command("strategy", "show", "./odd.py", "--json", cwd=work, **odd)
    assert json.loads(told.out)["says"] == "Wait for 東京 and 🙂."
