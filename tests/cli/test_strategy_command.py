"""``perpkit strategy`` as a user meets it: list, show, new, check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perpkit.strategy.load import load

Command = Callable[..., Any]
HEAD = "def decide(t, past, book, p, mine, target):\n"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's own perpkit folder, empty."""
    folder = tmp_path / "home"
    (folder / "strategies").mkdir(parents=True)
    monkeypatch.setenv("PERPKIT_HOME", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.py"))


# --------------------------------------------------------------------------- list and show


def test_every_strategy_is_listed_with_its_origin(inside: Command, work: Path, home: Path) -> None:
    (home / "strategies" / "mine.py").write_text(f'"""Waits."""\n{HEAD}    pass\n')
    (home / "strategies" / "wrong.py").write_text("x = 1\n")
    ran = inside("strategy", "list", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["mine", "yours", "Waits."] in lines
    assert ["funding_carry", "shipped", "Hold"] in [line[:3] for line in lines]
    assert ["wrong", "yours", "broken:", "wrong.py:"] in [line[:4] for line in lines]
    assert max(map(len, ran.out.splitlines())) <= 100


def test_parameters_are_told_beside_them(inside: Command, work: Path, home: Path) -> None:
    carry = load("funding_carry")
    listed = inside("strategy", "list", "--params", cwd=work)
    shown = inside("strategy", "show", "funding_carry", cwd=work)
    for ran in (listed, shown):
        assert ran.code == 0
        rows = [line.split() for line in ran.out.splitlines()]
        for p in carry.parameters:
            told = [row for row in rows if row[:1] == [p.name]]
            assert p.help.split()[0] in {word for row in told for word in row[4:]}
            default = str(p.default).lower() if p.kind is bool else f"{p.default:g}"
            assert default in {row[1] for row in told}
    assert carry.digest in shown.out


def test_the_list_as_json(inside: Command, work: Path, home: Path) -> None:
    (home / "strategies" / "wrong.py").write_text("x = 1\n")
    ran = inside("strategy", "list", "--json", cwd=work)
    told = {s["name"]: s for s in json.loads(ran.out)["strategies"]}
    carry = told["funding_carry"]
    assert (carry["origin"], carry["kind"]) == ("shipped", "decide")
    assert [p["name"] for p in carry["parameters"]] == [
        p.name for p in load("funding_carry").parameters
    ]
    assert "neither" in told["wrong"]["broken"]
    assert json.loads(inside("strategy", "show", "funding_carry", "--json", cwd=work).out) == carry


def test_help_of_a_backtest_tells_the_parameters(inside: Command, work: Path, home: Path) -> None:
    (work / "s.py").write_text(f"class Params:\n    units: float = 2.5\n{HEAD}    pass\n")
    plain = inside("backtest", "--help", cwd=work).out
    for words in (("s.py", "--help"), ("--data", "x", "--json", "s.py", "--help")):
        ran = inside("backtest", *words, cwd=work)
        assert ran.code == 0
        assert ran.out.startswith(plain.rstrip())
        assert ["units", "2.5", "-", "-", "-"] in [line.split() for line in ran.out.splitlines()]
    assert "units" not in plain
    ran = inside("backtest", "nosuch", "--help", cwd=work)
    assert (ran.code, "nosuch" in ran.err) == (4, True)


# --------------------------------------------------------------------------- new


@pytest.mark.parametrize("plan", [False, True])
def test_what_is_written_passes_its_own_test(
    inside: Command, work: Path, home: Path, plan: bool
) -> None:
    ran = inside("strategy", "new", "my_idea", "--dir", "own", *["--plan"] * plan, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    assert names(work) == ["own/my_idea.py", "own/test_my_idea.py"]
    made = load(str(work / "own" / "my_idea.py"))
    assert (made.targets is None) is not plan
    assert made.doc.startswith("Hold the token")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "own"],
        cwd=work,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("3x", "cannot be a strategy's name"),
        ("my-idea", "cannot be a strategy's name"),
        ("class", "cannot be a strategy's name"),
        ("_mine", "begin with a letter"),
        ("funding_carry", "called funding_carry already (shipped)"),
        ("theirs", "called theirs already (yours)"),
        ("numpy", "is a Python module"),
        ("random", "is a Python module"),
    ],
)
def test_a_name_that_will_not_do_is_refused(
    inside: Command, work: Path, home: Path, name: str, says: str
) -> None:
    (home / "strategies" / "theirs.py").write_text(f"{HEAD}    pass\n")
    ran = inside("strategy", "new", name, cwd=work)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert names(work) == []


@pytest.mark.parametrize("file", ["my_idea.py", "test_my_idea.py"])
def test_no_file_is_written_over(inside: Command, work: Path, home: Path, file: str) -> None:
    (work / file).write_text("mine = 1\n")
    ran = inside("strategy", "new", "my_idea", cwd=work)
    assert ran.code == 2
    assert f"{file} is there already" in ran.err
    assert names(work) == [file]
    assert (work / file).read_text() == "mine = 1\n"


def test_a_folder_that_cannot_be_written_is_refused(
    inside: Command, work: Path, home: Path
) -> None:
    (work / "file").write_text("")
    ran = inside("strategy", "new", "my_idea", "--dir", "file", cwd=work)
    assert ran.code == 2
    assert "--dir file cannot be written to" in ran.err


# --------------------------------------------------------------------------- check


def test_a_new_user_writes_edits_checks_and_plays(command: Command, work: Path) -> None:
    assert command("strategy", "new", "my_idea", cwd=work).code == 0
    file = work / "my_idea.py"
    text = file.read_text()
    for before, after in (("field(24, ge=1", "field(48, ge=1"), ("field(0.10, ", "field(0.05, ")):
        assert text.count(before) == 1
        text = text.replace(before, after)
    file.write_text(text)
    checked = command("strategy", "check", "my_idea.py", "--seconds", 300, cwd=work)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith("my_idea.py: 11 passed\n")
    assert max(map(len, checked.out.splitlines())) <= 100
    played = command("backtest", "my_idea.py", "--json", cwd=work)
    assert (played.code, played.err) == (0, "")
    assert json.loads(played.out)["strategy"] == "my_idea"
    params = json.loads((work / "runs" / "my_idea-demo" / "manifest.json").read_text())["strategy"][
        "params"
    ]
    assert (params["lookback_hours"], params["enter_apr"]) == (48, 0.05)


def test_what_peeks_is_exit_code_4(inside: Command, work: Path, home: Path) -> None:
    peeking = ROOT / "tests" / "strategy" / "peeking" / "negative_shift.py"
    few = work / "few.toml"
    few.write_text('coins = ["sim:ORCA"]\n')
    arguments = ("strategy", "check", peeking, "--config", few, "--hours", 72, "--json")
    ran = inside(*arguments, cwd=work)
    assert (ran.code, ran.err) == (4, "")
    told = json.loads(ran.out)
    assert told["passed"] is False
    (wrong,) = [c for c in told["checks"] if c["status"] == "failed"]
    assert wrong["name"] == "look-ahead"
    assert wrong["says"].startswith("negative_shift.py:7: at 2025-10-")


def test_one_that_never_returns_is_ended_and_named(inside: Command, work: Path, home: Path) -> None:
    text = f"import time\n{HEAD}    while t == 20:\n        time.sleep(0.05)\n"
    (work / "stuck.py").write_text(text)
    few = work / "few.toml"
    few.write_text('coins = ["sim:ORCA"]\n')
    told = ("--config", few, "--hours", 48, "--seconds", 20)
    ran = inside("strategy", "check", "stuck.py", *told, cwd=work)
    assert (ran.code, ran.err) == (4, "")
    assert "stuck.py:4: decide had not returned after 20 s" in " ".join(ran.out.split())
    assert names(work) == ["stuck.py"]


def test_one_that_ends_its_process_is_named(inside: Command, work: Path, home: Path) -> None:
    (work / "gone.py").write_text(f"import os\nos._exit(7)\n{HEAD}    pass\n")
    ran = inside("strategy", "check", "gone.py", "--hours", 48, cwd=work)
    assert (ran.code, ran.err) == (4, "")
    assert "gone.py: the process ended with code 7" in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nosuch.py",), 4, "there is no such strategy file"),
        (("s.py", "--data", "nowhere"), 3, "nowhere"),
        (("s.py", "--config", "nowhere.toml"), 2, "nowhere.toml"),
        (("s.py", "--hours", "5"), 2, "--hours"),
        (("s.py", "--set", "capitol=5"), 2, "did you mean capital?"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(
    inside: Command, work: Path, home: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (work / "s.py").write_text(f"{HEAD}    pass\n")
    ran = inside("strategy", "check", *arguments, cwd=work)
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


# --------------------------------------------------------------------------- what a backtest says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD}    raise ValueError('no good')\n", "bad.py:2: decide raised ValueError: no good"),
        (f"{HEAD}    target.perps[99] = 1.0\n", "bad.py:2: decide raised IndexError"),
        (f"{HEAD}    target.perps[0] = float('inf')\n", "bad.py:2: target of sim:ORCA was inf"),
        ("def targets(tape):\n    return 'much'\n", "bad.py: targets: ValueError"),
        ("def targets(tape):\n    return tape.coins[99]\n", "bad.py:2: targets: IndexError"),
        ("def targets(tape):\n    return tape.past.mark_px\n", "bad.py: targets returned shape"),
    ],
)
def test_a_strategy_that_is_wrong_leaves_nothing(
    inside: Command, work: Path, home: Path, month: Path, text: str, says: str
) -> None:
    (work / "bad.py").write_text(text)
    told = ("--data", month, "--pure-python")
    ran = inside("backtest", "bad.py", *told, cwd=work)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("perpkit: " + says)
    assert ran.err.count("\n") == 1
    assert sorted(p.name for p in work.iterdir()) == ["bad.py"]
