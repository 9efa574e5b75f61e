"""`strategy check`: what peeks is caught, what does not passes, and every other fault is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from perpkit.errors import DataError
from perpkit.research.strategy_check.findings import CHECKS, Report, Status
from perpkit.research.strategy_check.grounds import Ground, ground
from perpkit.research.strategy_check.guard import Guard
from perpkit.research.strategy_check.suite import examine

HERE = Path(__file__).parent
PEEKING = sorted((HERE / "peeking").glob("*.py"))
HONEST = sorted((HERE / "honest").glob("*.py"))
HEAD = "def decide(t, past, book, p, mine, target):\n"
PLAN = "import numpy as np\n"
# Where a strategy that knows the future may be caught.
CAUGHT_BY = ("demo", "files", "look-ahead")

Ask = Callable[..., Report]


@pytest.fixture(scope="module")
def week() -> Ground:
    """The demo's first eight days, two perps and their tokens, formed once for all."""
    return ground(hours=192, settings={"coins": ("sim:ORCA", "sim:FALC")})


@pytest.fixture
def ask(week: Ground, tmp_path: Path) -> Ask:
    def check(text: str, name: str = "s.py") -> Report:
        file = tmp_path / name
        file.write_text(text)
        return examined(file, week)

    return check


def examined(file: Path, week: Ground) -> Report:
    found = tuple(examine(str(file), (week,), compiled=False))
    assert [f.name for f in found] == list(CHECKS)
    assert all(f.says and "\n" not in f.says for f in found)
    return Report(file.stem, str(file), found)


def faults(report: Report) -> dict[str, str]:
    return {f.name: f.says for f in report.findings if f.status is Status.FAILED}


# --------------------------------------------------------------------------- look-ahead


@pytest.mark.parametrize("file", PEEKING, ids=lambda p: p.stem)
def test_what_peeks_is_caught(file: Path, week: Ground) -> None:
    found = faults(examined(file, week))
    assert set(found) & set(CAUGHT_BY), found
    assert set(found) <= {*CAUGHT_BY, "idle"}, found  # to sort NaN is to rank it
    assert any(f"{file.name}:" in says for says in found.values()), found


@pytest.mark.parametrize("file", HONEST, ids=lambda p: p.stem)
def test_what_is_honest_passes(file: Path, week: Ground) -> None:
    report = examined(file, week)
    assert faults(report) == {}
    for name in ("demo", "files", "look-ahead", "determinism", "finite", "idle"):
        assert report.of(name).status is Status.PASSED, name


def test_there_are_ten_of_each() -> None:
    assert len(PEEKING) >= 10
    assert len(HONEST) >= 10
    assert {"def decide" in file.read_text() for file in PEEKING} == {True, False}
    assert {"def decide" in file.read_text() for file in HONEST} == {True, False}


def test_the_shipped_strategies_pass(week: Ground) -> None:
    lacking = set()
    for file in sorted((HERE.parents[1] / "strategies").glob("*.py")):
        try:
            assert faults(examined(file, week)) == {}, file.name
        except DataError:  # it says what the week lacks for it
            lacking.add(file.stem)
    assert lacking <= {"collateral_carry", "cross_venue_funding"}


def test_what_a_strategy_lacks_is_said_where_it_lacks_it(week: Ground, tmp_path: Path) -> None:
    file = tmp_path / "s.py"
    file.write_text(
        "def requires(supply):\n    return '' if len(supply.coins) == 2 else 'two coins'\n"
        f"{HEAD}    target.perps[1] = -1.0\n"
    )
    alone = ground(hours=48, settings={"coins": ("sim:ORCA",)})
    found = {f.name: f for f in examine(str(file), (week, alone), compiled=False)}
    assert found["stress"] == ("stress", Status.SKIPPED, "demo: s needs two coins")
    assert found["look-ahead"].status is Status.PASSED
    with pytest.raises(DataError, match="demo: s needs two coins"):
        list(examine(str(file), (alone,), compiled=False))
    file.write_text(f"def requires(supply):\n    return 3\n{HEAD}    pass\n")
    found = {f.name: f for f in examine(str(file), (week,), compiled=False)}
    assert found["demo"].status is Status.FAILED
    assert "requires returned 3" in found["demo"].says


def test_a_plan_that_looks_one_hour_ahead_once_is_caught_where_it_does(ask: Ask) -> None:
    text = (
        f"{PLAN}def targets(tape):\n"
        "    mark = tape.past.mark_px[:, 0]\n"
        "    plan = np.full((len(mark), 4), np.nan)\n"
        "    plan[100, 0] = 1.0 if mark[101] > mark[100] else -1.0\n    return plan\n"
    )
    assert "at 2025-10-17 04:00Z" in faults(ask(text))["look-ahead"]


def test_nothing_asked_for_is_nothing_audited(ask: Ask) -> None:
    report = ask(f"{HEAD}    pass\n")
    assert faults(report) == {}
    assert report.of("look-ahead").status is Status.SKIPPED
    assert "--hours" in report.of("look-ahead").says


# --------------------------------------------------------------------------- who reads


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("from pathlib import Path; Path('DATA').read_text()", "s.py:1: reads "),
        ("import numpy as np; np.loadtxt('DATA')", "s.py:1: reads "),
        ("import polars as pl; pl.read_csv('DATA')", "s.py:1: reads "),
        ("import subprocess; subprocess.run(['true'])", "s.py:1: starts a process"),
        ("import pyarrow.parquet", "s.py:1: imports pyarrow"),
        ("import importlib; importlib.import_module('mmap')", "s.py:1: imports mmap"),
    ],
)
def test_what_reaches_outside_is_named(ask: Ask, tmp_path: Path, head: str, says: str) -> None:
    (tmp_path / "data.csv").write_text("1\n2\n")
    head = head.replace("DATA", (tmp_path / "data.csv").as_posix())
    found = faults(ask(f"{head}\n{HEAD}    target.perps[0] = -1.0\n"))
    assert list(found) == ["files"]
    assert found["files"].startswith(says)


def test_a_file_read_while_it_decides_is_named(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1\n2\n")
    told = (tmp_path / "data.csv").as_posix()
    found = faults(ask(f"{HEAD}    open('{told}').close()\n    target.perps[0] = -1.0\n"))
    assert "s.py:2: reads" in found["files"]


def test_a_helper_beside_the_file_may_be_imported(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "check_helper.py").write_text("UNITS = 2.0\n")
    text = f"import math\nfrom check_helper import UNITS\n{HEAD}    target.perps[0] = -UNITS\n"
    assert faults(ask(text)) == {}


# --------------------------------------------------------------------------- the other questions


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("x = 1\n", "loads", "s.py: a strategy defines either decide"),
        ("def decide(t:\n", "loads", "s.py:1: "),
        ("import nosuchmodule\n" + HEAD + "    pass\n", "loads", "s.py:1: ModuleNotFoundError"),
        (HEAD + "    if t == 9:\n        raise ValueError('x')\n", "demo", "s.py:3: decide raised"),
        (HEAD + "    target.perps[99] = 1.0\n", "demo", "s.py:2: decide raised IndexError"),
        (HEAD + "    target.perps[0] = past.mark_px[t + 1, 0]\n", "demo", "s.py:2: decide raised"),
        (HEAD + "    target.perps[0] = past.mark_px[-25, 0]\n", "demo", "s.py:2: decide raised"),
        (HEAD + "    target.perps[0] = 1.0 / (t - t)\n", "demo", "s.py:2: decide raised ZeroDiv"),
        (HEAD + "    target.perps[0] = float('inf')\n", "demo", "target of sim:ORCA was inf"),
        (HEAD + "    target.tokens[0] = -1.0\n", "demo", "target of ORCAx was -1.0"),
        (HEAD + "    past.mark_px[0, 0] = 1.0\n", "demo", "read-only"),
        (PLAN + "def targets(tape):\n    return 3\n", "demo", "s.py: targets returned shape"),
        (PLAN + "def targets(tape):\n    return 1 / 0\n", "demo", "s.py:3: targets: ZeroDiv"),
        (
            "import random\n" + HEAD + "    target.perps[0] = random.random()\n",
            "determinism",
            "in a second run",
        ),
        (
            HEAD
            + "    x = past.premium[-1, 0]\n    target.perps[0] = -5 if int(x * 1e6) > 5 else 0\n",
            "finite",
            "s.py:3: decide raised ValueError: cannot convert float NaN",
        ),
        (
            HEAD + "    target.perps[0] = -((book.accounts[0].equity_usd / 100.0) ** 0.5)\n",
            "scale",
            'parameters with unit="USD"',
        ),
        (
            HEAD + "    target.perps[0] = -4.0 / len(book.perps)\n",
            "idle",
            "added that have no price yet",
        ),
        (
            HEAD + "    for m in range(len(book.perps)):\n        target.perps[m] = -1.0\n",
            "idle",
            "asks for -1 of a perp that has no price yet",
        ),
        (
            "from perpkit.strategy import field\nclass Params:\n"
            "    hours: int = field(5, ge=0, le=9)\n"
            + HEAD
            + "    target.perps[0] = -10 // p.hours if t % 2 else float(t % 7 // int(p.hours))\n",
            "bounds",
            "with hours = 0: s.py:5: decide raised ZeroDivisionError",
        ),
    ],
)
def test_each_fault_is_found_where_it_belongs(ask: Ask, text: str, name: str, says: str) -> None:
    found = faults(ask(text))
    assert name in found, found
    assert says in found[name]


def test_after_a_run_that_fails_the_rest_is_not_asked(ask: Ask) -> None:
    report = ask(f"{HEAD}    target.perps[99] = 1.0\n")
    assert not report.passed
    assert {f.name for f in report.findings if f.status is Status.PASSED} == {"loads", "files"}


def test_sizes_in_usd_scale_by_their_unit(ask: Ask) -> None:
    text = (
        "from perpkit.strategy import field, lots\nclass Params:\n"
        "    worth: float = field(1000.0, ge=1, UNIT)\n"
        f"{HEAD}    perp = book.perps[0]\n"
        "    worth = min(p.worth, 0.3 * book.accounts[1].equity_usd)\n"
        "    target.perps[0] = -lots(worth / perp.mark_px, perp.lots_per_unit)\n"
    )
    assert faults(ask(text.replace("UNIT", "unit='USD'"))) == {}
    assert faults(ask(text.replace("UNIT", "unit='h'"))) == {}  # never the capital: 1,000 always
    smaller = text.replace("1000.0", "20000.0").replace("UNIT", "unit='h'")
    assert "scale" in faults(ask(smaller))


def test_the_report_is_plain_data(ask: Ask) -> None:
    told = ask(f"{HEAD}    target.perps[0] = -1.0\n").to_dict()
    assert told["passed"] is True
    assert [c["name"] for c in told["checks"]] == list(CHECKS)
    assert {c["status"] for c in told["checks"]} == {"passed", "not run"}


def test_a_share_of_the_volume_is_a_size_that_follows(ask: Ask) -> None:
    text = (
        "from perpkit.strategy import equity_usd, lots\n"
        f"{HEAD}    perp = book.perps[0]\n"
        "    worth = min(1e-5 * past.volume_usd[-1, 0], 0.2 * equity_usd(book))\n"
        "    target.perps[0] = -lots(worth / perp.mark_px, perp.lots_per_unit)\n"
    )
    assert faults(ask(text)) == {}


# --------------------------------------------------------------------------- compiled


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="numba is switched off")
@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("target.perps[0] = -1.0", Status.PASSED, "answers as Python does"),
        (
            "x = (t + 4_000_000_000) * (t + 4_000_000_000)\n    target.perps[0] = -x / 1e18",
            Status.FAILED,
            "and not -16 once it is compiled",
        ),
        (
            "made = {'a': [1.0], 2: 3}\n    target.perps[0] = -1.0",
            Status.FAILED,
            "decide cannot be compiled",
        ),
    ],
)
def test_compiled_code_is_held_to_python(
    week: Ground, tmp_path: Path, body: str, status: Status, says: str
) -> None:
    file = tmp_path / "s.py"
    file.write_text(f"{HEAD}    {body}\n")
    found = {f.name: f for f in examine(str(file), (week,))}["compiles"]
    assert found.status is status
    assert says in found.says


# --------------------------------------------------------------------------- where it is


def test_a_strategy_among_libraries_is_watched_too(tmp_path: Path) -> None:
    """An installed one lies beside packages, which may read what is theirs."""
    site = Path(numba.__file__).parents[1]
    guard = Guard(site / "my_strategy.py")
    assert guard._is_own(str(site / "my_strategy.py"))
    assert not guard._is_own(str(site / "numba" / "core" / "config.py"))
    mine = Guard(tmp_path / "s.py")
    assert mine._is_own(str(tmp_path / "helper.py"))
    assert not mine._is_own(str(tmp_path) + "_other/s.py")
