"""The one door between the book and a strategy: what passes it, compiled and plain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import perpkit
from perpkit import play
from perpkit.errors import RequestError, StrategyError
from perpkit.run import Result

HEAD = "def decide(t, past, book, p, mine, target):\n"
Write = Callable[..., str]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory, plain_demo: Callable[..., Path]) -> Path:
    return plain_demo(tmp_path_factory.mktemp("data") / "week", 24, 24 * 3)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str, name: str = "s.py") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return make


def both(path: str, week: Path, **params: object) -> Result:
    """The result, after holding the compiled and the plain run to each other."""
    compiled = perpkit.backtest(path, week, params=params)
    plain = perpkit.backtest(path, week, params=params, pure_python=True)
    for name, frame in compiled.frames.items():
        assert_frame_equal(frame, plain.frames[name], check_exact=True)
    return compiled


def held(result: Result, instrument: str) -> dict[int, float]:
    """Position by hour of the run."""
    first = result.frames["equity"]["time"][0]
    own = result.frames["positions"].filter(pl.col("instrument") == instrument)
    hours = (own["time"] - first).dt.total_hours().to_list()
    return dict(zip(hours, own["position"].to_list(), strict=True))


# --------------------------------------------------------------------------- what passes


def test_parameters_of_every_kind_reach_decide(write: Write, week: Path) -> None:
    path = write(
        "class Params:\n    at: int = 5\n    units: float = 1.5\n    short: bool = True\n"
        + HEAD
        + "    if t == p.at:\n        target.perps[1] = -p.units if p.short else p.units\n"
    )
    ours = held(both(path, week), "sim:FALC")
    assert (min(ours), set(ours.values())) == (6, {-1.5})
    theirs = held(both(path, week, at=8, units=2, short=False), "sim:FALC")
    assert (min(theirs), set(theirs.values())) == (9, {2.0})


def test_memory_of_every_kind_is_kept_a_perp_at_a_time(write: Write, week: Path) -> None:
    path = write(
        "class Memory:\n    on: bool\n    hours: int\n    level: float\n"
        + HEAD
        + "    for m in range(len(book.perps)):\n        mine[m].hours += 1 + m\n"
        "        mine[m].level += 0.25\n        if mine[m].hours == 8 and not mine[m].on:\n"
        "            mine[m].on = True\n            target.perps[m] = -mine[m].level\n"
    )
    result = both(path, week)
    # Perp m counts 1 + m an hour from the first row on; it fills on the row after the eighth count.
    assert min(held(result, "sim:ORCA").items()) == (8, -2.0)
    assert min(held(result, "sim:FALC").items()) == (4, -1.0)
    assert held(result, "sim:LYNX") == {}
    assert min(held(result, "sim:HAWK").items()) == (2, -0.5)


def test_a_target_stands_and_nan_leaves_it(write: Write, week: Path) -> None:
    path = write(
        HEAD + "    if t == 5:\n        target.perps[0] = -1.0\n        target.tokens[0] = 1.0\n"
        "    if t == 30:\n        target.perps[0] = 0.0\n"
    )
    result = both(path, week)
    assert sorted(held(result, "sim:ORCA")) == list(range(6, 31))
    tokens = held(result, "ORCAx")
    assert (min(tokens), max(tokens)) == (6, 71)
    assert set(tokens.values()) == {1.0}


def test_past_ends_now_and_the_book_is_the_account(write: Write, week: Path) -> None:
    path = write(
        "from perpkit.strategy import rule\n@rule\ndef right(t, past, book):\n"
        "    if len(past.time_ns) != t + 1 or past.mark_px.shape != (t + 1, 4):\n"
        "        return False\n"
        "    if past.fair_px.shape != (t + 1, 4) or past.phase.shape[0] != t + 1:\n"
        "        return False\n"
        "    if book.perps[2].mark_px != past.mark_px[-1, 2]:\n        return False\n"
        "    if book.perps[2].token != 2 or book.tokens[3].multiplier != 0.1:\n"
        "        return False\n"
        "    cash = book.accounts[0].cash_usd + book.accounts[1].cash_usd\n"
        "    return len(book.accounts) == 2 and abs(cash - 100000.0) < 1e-6\n"
        + HEAD
        + "    if not right(t, past, book):\n        raise ValueError('wrong view')\n"
    )
    assert both(path, week).frames["fills"].is_empty()


def test_a_helper_beside_the_file_is_compiled_in(write: Write, week: Path) -> None:
    write(
        "from perpkit.strategy import rule\nUNITS = 3.0\n@rule\ndef size(m):\n"
        "    return UNITS + m\n",
        "door_helper.py",
    )
    path = write(
        "from door_helper import size\n"
        + HEAD
        + "    if t == 2:\n        target.perps[1] = -size(1)\n"
    )
    assert set(held(both(path, week), "sim:FALC").values()) == {-4.0}


# --------------------------------------------------------------------------- plans

PLAN = "import numpy as np\n"


TWO = """
import sys
from perpkit.strategy.door import compiled_entry
from perpkit.strategy.load import load
for strategy in [load(path) for path in sys.argv[1:]]:
    compiled_entry(strategy)
"""


def test_two_strategies_are_found_in_the_cache_by_the_next_process(tmp_path: Path) -> None:
    """Each with a helper of the same name beside it, which loading the other one takes away."""
    paths = []
    for n in (1, 2):
        folder = tmp_path / f"of_{n}"
        folder.mkdir()
        helper = f"from perpkit.strategy import rule\n\n@rule\ndef units():\n    return {n}.0\n"
        (folder / "own_size.py").write_text(helper, encoding="utf-8")
        file = folder / f"buys_{n}.py"
        file.write_text(
            "from own_size import units\n\n"
            "def decide(t, past, book, p, mine, target):\n    target.perps[0] = units()\n",
            encoding="utf-8",
        )
        paths.append(str(file))
    cache = tmp_path / "cache"
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", TWO, *paths],
            check=True,
            env={**os.environ, "PERPKIT_CACHE": str(cache)},
        )
        made = sorted(path.name.rpartition("-")[0] for path in cache.iterdir())
        assert made == ["strategy", "strategy"], "a second form was compiled, as one was not found"


def test_a_plan(write: Write, week: Path) -> None:
    path = write(
        f"{PLAN}def targets(tape):\n"
        "    assert tape.coins[1] == 'sim:FALC' and tape.tokens[1] == 'FALCx'\n"
        "    assert tape.token_of == (0, 1, 2, 3)\n"
        "    made = np.full((len(tape.past.time_ns), 8), np.nan)\n"
        "    made[4, 1], made[4, 5] = -2.0, 2.0\n    made[20, 1] = 0.0\n    return made\n"
    )
    result = both(path, week)
    assert held(result, "sim:FALC") == dict.fromkeys(range(5, 21), -2.0)
    assert min(held(result, "FALCx")) == 5


def test_a_plan_with_parameters(write: Write, week: Path) -> None:
    path = write(
        f"{PLAN}class Params:\n    units: float = 2.0\n    at: int = 4\n    on: bool = True\n"
        "def targets(tape, p):\n    made = np.full((len(tape.past.time_ns), 8), np.nan)\n"
        "    if p.on:\n        made[p.at, 0] = -p.units\n    return made\n"
    )
    assert min(held(both(path, week), "sim:ORCA").items()) == (5, -2.0)
    assert min(held(both(path, week, units=1, at=9), "sim:ORCA").items()) == (10, -1.0)
    with pytest.raises(RequestError, match="did you mean units"):
        perpkit.backtest(path, week, params={"unit": 3})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return np.zeros((3, 8))", "s.py: targets returned shape (3, 8), the tape needs (72, 8)"),
        ("return np.zeros((72, 5))", "the tape needs (72, 8): one column a perp, then one a token"),
        ("return None", "the tape needs (72, 8)"),
        ("return 'much'", "s.py: targets: ValueError"),
        ("return tape.nosuch", "s.py:3: targets: AttributeError"),
        ("return np.full((72, 8), np.inf)", "target of sim:ORCA was inf at 2025-10-14 00:00Z"),
        ("return np.full((72, 8), -1.0)", "target of ORCAx was -1.0 at 2025-10-14 00:00Z"),
    ],
)
@pytest.mark.parametrize("pure", [False, True])
def test_a_wrong_plan(write: Write, week: Path, body: str, says: str, pure: bool) -> None:
    path = write(f"{PLAN}def targets(tape):\n    {body}\n")
    with pytest.raises(StrategyError) as caught:
        perpkit.backtest(path, week, pure_python=pure)
    assert says in str(caught.value)


def test_a_plan_of_another_arity(write: Write, week: Path) -> None:
    says = r"s.py:1: targets takes \(tape\) in a file without Params, this one takes \(tape, p\)"
    with pytest.raises(StrategyError, match=says):
        perpkit.backtest(write("def targets(tape, p):\n    return 0\n"), week)
    says = r"s.py:3: targets takes \(tape, p\) in a file with Params, this one takes \(tape\)"
    text = "class Params:\n    a: float = 1.0\ndef targets(tape):\n    return 0\n"
    with pytest.raises(StrategyError, match=says):
        perpkit.backtest(write(text), week)


# --------------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        ("x = nosuch(t)", "s.py:7", "there is no nosuch; define or import it"),
        ("x = plain(t)", "s.py:7", "plain is a plain function; write @rule above it"),
        ("x = book.perps[0].positon", "s.py:7", "there is no field positon: did you mean position"),
        ("x = p.unit", "s.py:7", "Params declares no unit: did you mean units?"),
        ("x = past.oracle[-1, 0]", "s.py:7", "past has no field oracle: did you mean oracle_px?"),
        ("x = t + 'a'", "s.py:7", "add(int64, "),
        ("with open('x') as f: pass", "s.py", "The 'with (context manager)"),
    ],
)
def test_what_cannot_be_compiled_is_said_with_its_line(
    write: Write, week: Path, body: str, place: str, reason: str
) -> None:
    text = (
        "class Params:\n    units: float = 1.0\ndef plain(t):\n    return 1.0\n"
        f"{HEAD}    level = 1.0\n    {body}\n"
    )
    with pytest.raises(StrategyError) as caught:
        perpkit.backtest(write(text), week)
    assert str(caught.value).startswith(f"{place}: decide cannot be compiled: {reason}")
    assert "\n" not in str(caught.value)


def test_a_fault_in_a_helper_is_said_with_its_file_and_line(write: Write, week: Path) -> None:
    write(
        "from perpkit.strategy import rule\n@rule\ndef deep(t):\n    return t + 'a'\n"
        "@rule\ndef high(t):\n    return deep(t)\n",
        "fault_helper.py",
    )
    text = f"from fault_helper import high\n{HEAD}    target.perps[0] = high(t)\n"
    with pytest.raises(StrategyError, match=r"^fault_helper.py:4: decide cannot be compiled: add"):
        perpkit.backtest(write(text), week)


@pytest.mark.parametrize("pure", [False, True])
def test_what_decide_raises_ends_the_run(write: Write, week: Path, pure: bool) -> None:
    text = f"{HEAD}    if t == 30:\n        raise ValueError('no good')\n"
    with pytest.raises(StrategyError, match=r"^s.py:3: decide raised ValueError: no good$"):
        perpkit.backtest(write(text), week, pure_python=pure)


def test_a_long_run_is_not_played_again_for_its_line(
    write: Write, week: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "_PLAYED_TWICE", 0)
    path = write(f"{HEAD}    if t == 30:\n        raise ValueError('no good')\n")
    with pytest.raises(StrategyError, match=r"^s.py(:3: decide.*good$|: decide.*names the line$)"):
        perpkit.backtest(path, week)


@pytest.mark.parametrize(
    "body",
    [
        "target.perps[99] = -1.0",
        "target.tokens[4] = 1.0",
        "target.perps[0] = past.mark_px[t + 1, 0]",
        "target.perps[0] = past.mark_px[-t - 2, 0]",
        "target.perps[0] = mine[4].on",
        "target.perps[0] = book.perps[4].position",
        "target.perps[0] = later(past, t + 1)",
    ],
)
def test_what_is_not_there_ends_a_compiled_run_too(write: Write, week: Path, body: str) -> None:
    text = (
        "from perpkit.strategy import rule\nclass Memory:\n    on: bool\n"
        "@rule\ndef later(past, t):\n    return past.funding[t, 0]\n"
        f"{HEAD}    if t == 30:\n        {body}\n"
    )
    for pure in (False, True):
        with pytest.raises(StrategyError, match=r"^s.py:\d+: decide raised IndexError: "):
            perpkit.backtest(write(text), week, pure_python=pure)


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        ("target.perps[2] = 1e308 * 10", "sim:LYNX", "inf"),
        ("target.tokens[0] = -3.0", "ORCAx", "-3.0"),
    ],
)
def test_an_impossible_target_is_named_with_its_hour(
    write: Write, week: Path, body: str, name: str, value: str
) -> None:
    text = f"{HEAD}    if t == 30:\n        {body}\n"
    for pure in (False, True):
        with pytest.raises(StrategyError) as caught:
            perpkit.backtest(write(text), week, pure_python=pure)
        assert str(caught.value).startswith(
            f"s.py:3: target of {name} was {value} at 2025-10-15 06:00Z"
        )


def test_no_line_is_named_where_several_ask(write: Write, week: Path) -> None:
    text = (
        f"{HEAD}    target.perps[0] = 1.0\n    if t == 30:\n        target.perps[0] = 1e308 * 10\n"
    )
    with pytest.raises(StrategyError, match=r"^s.py: target of sim:ORCA was inf"):
        perpkit.backtest(write(text), week, pure_python=True)


def test_what_only_python_can_do_runs_plain(write: Write, week: Path) -> None:
    text = f"{HEAD}    made = dict(a=-1.0)\n    if t == 3:\n        target.perps[0] = made['a']\n"
    text = text.replace("dict(", "dict(b=[], ")
    path = write(text)
    result: Any = perpkit.backtest(path, week, pure_python=True)
    assert set(held(result, "sim:ORCA").values()) == {-1.0}
    with pytest.raises(StrategyError, match="cannot be compiled"):
        perpkit.backtest(path, week)
