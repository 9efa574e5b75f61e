"""``requires(supply)``: a strategy says what a run lacks, and the run ends in its words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import perpkit
from perpkit.cli import main
from perpkit.errors import DataError, StrategyError
from perpkit.strategy.load import load

IDLE = "def decide(t, past, book, p, mine, target):\n    pass\n"
END = {"end": "2025-10-13T02:00"}


def write(folder: Path, requires: str, name: str = "needy.py") -> str:
    (folder / name).write_text(f"{IDLE}\n\n{requires}")
    return str(folder / name)


def play(path: str, **config: Any) -> perpkit.Result:
    return perpkit.backtest(path, config={**END, **config}, pure_python=True)


def test_it_reads_what_the_run_trades(tmp_path: Path) -> None:
    told = write(tmp_path, "def requires(supply):\n    return repr(tuple(supply))\n")
    coins = ["sim:ORCA", "xyz:ORCA", "xyz:HAWK"]
    terms = {"terms": {"xyz:HAWK": {"interval_hours": 8}}}
    with pytest.raises(DataError) as caught:
        play(told, coins=coins, tokens=["TBILL"], **terms)
    supply = (
        ("sim:ORCA", "xyz:ORCA", "xyz:HAWK"),
        ("baseline", "xyz", "xyz"),
        ("ORCA", "ORCA", "HAWK"),
        (1.0, 1.0, 8.0),
        ("ORCAx", "HAWKx", "TBILL"),
        ("equity", "equity", "treasury"),
        (0, -1, 1),
    )
    assert str(caught.value) == f"demo: needy needs {supply!r}"


def test_names_of_fields_and_a_run_that_has_all(tmp_path: Path) -> None:
    text = "def requires(supply):\n    return '' if supply.venues[0] == 'baseline' else 'it'\n"
    assert play(write(tmp_path, text)).strategy == "needy"


def test_the_command_ends_with_3_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = write(tmp_path, "def requires(supply):\n    return 'a moon; add one'\n")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert main(["backtest", told]) == 3
    assert capfd.readouterr() == ("", "perpkit: demo: needy needs a moon; add one\n")
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def requires(supply):\n    return supply.oil\n", "needy.py:6: requires raised Attr"),
        ("def requires(supply):\n    pass\n", "needy.py:5: requires returned None; return one"),
        ("def requires(supply):\n    return True\n", "needy.py:5: requires returned True; return"),
        ("def requires(supply):\n    return 'a\\nb'\n", "needy.py:5: requires returned 'a\\nb'"),
    ],
)
def test_a_requires_that_fails(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(StrategyError) as caught:
        play(write(tmp_path, text))
    assert str(caught.value).startswith(says)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("requires = 'a moon'\n", "needy.py: requires is not a plain function"),
        ("def requires(supply):\n    yield 'a'\n", "needy.py: requires is not a plain function"),
        ("def requires():\n    return ''\n", "needy.py:5: requires takes (supply), this one "),
    ],
)
def test_a_requires_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(StrategyError) as caught:
        load(write(tmp_path, text))
    assert str(caught.value).startswith(says)


def test_a_plan_may_need_something_too(tmp_path: Path, plain_demo: Callable[..., Path]) -> None:
    text = "def targets(tape):\n    return 0\n\n\ndef requires(supply):\n    return 'gold'\n"
    (tmp_path / "plan.py").write_text(text)
    folder = plain_demo(tmp_path / "day", 0, 24)
    with pytest.raises(DataError, match=r"^day: plan needs gold$"):
        perpkit.backtest(tmp_path / "plan.py", data=folder, pure_python=True)
