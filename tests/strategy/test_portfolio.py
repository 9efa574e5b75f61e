"""A portfolio's file: what it may say, and how a wrong one is answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import perpkit
from perpkit.errors import PerpkitError, RequestError, StrategyError
from perpkit.strategy.portfolio import load, load_portfolio

SIMPLE = """\
from perpkit.strategy import field


class Params:
    units: float = field(1.0, ge=-10, le=10)
    at: int = field(3)


def decide(t, past, book, p, mine, target):
    if t == p.at:
        target.perps[0] = p.units
"""
BOTH = """\
[up]
strategy = "simple.py"
capital_share = 0.6
params = {units = 2.0}

[down]
strategy = "simple.py"
capital_share = 0.25
params = {units = -1.0}
"""
Write = Callable[..., str]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory, plain_demo: Callable[..., Path]) -> Path:
    return plain_demo(tmp_path_factory.mktemp("data") / "week", 24, 24)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "simple.py").write_text(SIMPLE, encoding="utf-8")

    def make(text: str, name: str = "both.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return make


def test_members_are_loaded_in_their_order_from_the_files_folder(write: Write) -> None:
    loaded = load_portfolio(write(BOTH))
    assert [(m.name, m.share, m.strategy.name) for m in loaded.members] == [
        ("up", 0.6, "simple"),
        ("down", 0.25, "simple"),
    ]
    assert [(p.name, p.default) for p in loaded.parameters] == [
        ("up.units", 2.0),
        ("up.at", 3),
        ("down.units", -1.0),
        ("down.at", 3),
    ]
    assert loaded.name == "both"
    assert "up (simple, 0.6)" in loaded.doc


def test_the_digest_is_of_the_file_and_of_every_member(write: Write, tmp_path: Path) -> None:
    path = write(BOTH)
    before = load(path).digest
    assert load(write(BOTH)).digest == before
    assert load(write(BOTH.replace("0.25", "0.3"))).digest != before
    write(BOTH)
    (tmp_path / "simple.py").write_text(SIMPLE + "\n# new\n", encoding="utf-8")
    assert load(path).digest != before


def test_compiled_code_is_shared_by_portfolios_that_differ_in_numbers(write: Write) -> None:
    first, second = load(write(BOTH)), load(write(BOTH.replace("0.25", "0.3"), "other.toml"))
    assert (first.sources, first.constants) == (second.sources, second.constants)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no member"),
        ("up = 1", "up is no table"),
        ("[up]\ncapital_share = 0.5", r"\[up\]: says no strategy"),
        ('[up]\nstrategy = "simple.py"', "capital_share was None"),
        ('[up]\nstrategy = "simple.py"\ncapital_share = 0', "capital_share was 0"),
        ('[up]\nstrategy = "simple.py"\ncapital_share = -0.1', "capital_share was -0.1"),
        ('[up]\nstrategy = "simple.py"\ncapital_share = 1.5', "capital_share was 1.5"),
        ('[up]\nstrategy = "simple.py"\ncapital_share = nan', "capital_share was nan"),
        ('[up]\nstrategy = "simple.py"\ncapital_share = true', "capital_share was True"),
        (BOTH.replace("0.25", "0.5"), "add up to 1.1; they may add up to 1 at most"),
        (BOTH.replace("[down]", "[up]"), "give each member a name of its own"),
        ('[up]\nstrategy = "carry"\ncapital_share = 0.5', "no strategy is called carry"),
        ('[up]\nstrategy = "none.py"\ncapital_share = 0.5', r"\[up\]: .*no such strategy file"),
        ('[up]\nstrategy = "x.toml"\ncapital_share = 0.5', "is a portfolio itself"),
        (BOTH.replace("capital_share = 0.25", "share = 0.25"), "has no share"),
        (BOTH.replace("units = -1.0", "unit = -1.0"), "did you mean units"),
        (BOTH.replace("units = -1.0", "units = -11.0"), r"\[down\] simple.*units was -11.0"),
        (BOTH.replace("{units = -1.0}", "3"), "params was 3"),
        (BOTH.replace("[up]", "[crossing]"), "is also what crossing saves"),
        (BOTH.replace("[up]", "[terms]"), "is also a setting of the run"),
        (BOTH.replace("[up]", '["up and up"]'), "a member's name is letters"),
        ("[up\n", "not TOML"),
    ],
)
def test_a_wrong_file_is_answered_with_its_place(write: Write, text: str, says: str) -> None:
    with pytest.raises(StrategyError, match=says) as e:
        load(write(text))
    assert "both.toml" in str(e.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match="cannot be read"):
        load(str(tmp_path / "none.toml"))


def test_shares_that_miss_one_by_rounding_are_one(write: Write) -> None:
    member = '[m{}]\nstrategy = "simple.py"\ncapital_share = {}\n'
    text = "".join(member.format(n, share) for n, share in enumerate((0.1, 0.2, 0.7)))
    assert len(load(write(text)).members) == 3


# --------------------------------------------------------------------------- in a run


def played(path: str, week: Path, **more: object) -> perpkit.Result:
    return perpkit.backtest(path, week, pure_python=True, **more)  # type: ignore[arg-type]


def test_members_parameters_by_name_and_by_table(write: Write, week: Path) -> None:
    path = write(BOTH)
    by_name = played(path, week, params={"down.units": -3.0})
    by_table = played(path, week, params={"down": {"units": -3.0}})
    assert by_name.frames["equity"].equals(by_table.frames["equity"])
    told = by_name.manifest["strategy"]
    assert told["params"] == {"up.units": 2.0, "up.at": 3, "down.units": -3.0, "down.at": 3}
    assert told["members"]["down"]["params"] == {"units": -3.0, "at": 3}
    assert told["members"]["up"]["capital_share"] == 0.6
    assert told["members"]["up"]["digest"] == load(path).members[0].strategy.digest
    with pytest.raises(RequestError, match=r"did you mean down.units"):
        played(path, week, params={"down": {"unit": -3.0}})


def test_a_run_whose_orders_fill_at_once_is_refused(write: Write, week: Path) -> None:
    with pytest.raises(RequestError, match="leave fill_delay_hours at 1"):
        played(write(BOTH), week, config={"fill_delay_hours": 0})


def test_what_a_member_requires_is_asked(write: Write, week: Path, tmp_path: Path) -> None:
    needs = SIMPLE + "\n\ndef requires(supply):\n    return 'a moon'\n"
    (tmp_path / "needs.py").write_text(needs, encoding="utf-8")
    with pytest.raises(PerpkitError, match="needs needs a moon"):
        played(write(BOTH.replace('"simple.py"', '"needs.py"', 1)), week)


@pytest.mark.parametrize("pure", [True, False])
def test_a_member_that_raises_is_told_with_file_and_line(
    write: Write, week: Path, tmp_path: Path, pure: bool
) -> None:
    wrong = SIMPLE.replace("if t == p.at", "if t == 7").replace("perps[0]", "perps[99]")
    (tmp_path / "wrong.py").write_text(wrong, encoding="utf-8")
    path = write(BOTH.replace('"simple.py"', '"wrong.py"', 1))
    with pytest.raises(StrategyError, match=r"wrong.py:11: decide raised IndexError"):
        perpkit.backtest(path, week, pure_python=pure)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("target.perps[0] = float('inf')", r"bad.py:\d+: target of sim:ORCA was inf"),
        ("target.tokens[1] = -1.0", r"bad.py:\d+: target of FALCx was -1.0"),
    ],
)
def test_a_target_that_cannot_be_is_told_of_its_member(
    write: Write, week: Path, tmp_path: Path, line: str, says: str
) -> None:
    bad = SIMPLE.replace("target.perps[0] = p.units", line)
    (tmp_path / "bad.py").write_text(bad, encoding="utf-8")
    good = SIMPLE.replace("target.perps[0] = p.units", "target.tokens[1] = 5.0")
    (tmp_path / "simple.py").write_text(good, encoding="utf-8")
    text = BOTH.replace("-1.0", "1.0")
    path = write(text[::-1].replace("simple.py"[::-1], "bad.py"[::-1], 1)[::-1])
    with pytest.raises(StrategyError, match=says):
        played(path, week)


def test_a_plan_of_impossible_targets_is_refused(write: Write, week: Path, tmp_path: Path) -> None:
    plan = (
        "import numpy as np\n\n\ndef targets(tape):\n"
        "    made = np.full((len(tape.past.time_ns), 8), np.nan)\n"
        "    made[4, 6] = -1.0\n    return made\n"
    )
    (tmp_path / "plan.py").write_text(plan, encoding="utf-8")
    path = write(BOTH.replace("simple.py", "plan.py", 1).replace("params = {units = 2.0}", ""))
    with pytest.raises(StrategyError, match=r"\[up\] plan.py: target of LYNXx was -1.0 in row 4"):
        played(path, week)


def test_a_member_that_makes_arrays_is_kept_compiled(
    write: Write, week: Path, tmp_path: Path
) -> None:
    """Its compiled code names its module, which the member after it must not take away."""
    makes = SIMPLE.replace("from perpkit", "import numpy as np\n\nfrom perpkit").replace(
        "= p.units", "= np.sum(np.full(2, p.units)) / 2.0"
    )
    (tmp_path / "makes.py").write_text(makes, encoding="utf-8")
    path = write(BOTH.replace('"simple.py"', '"makes.py"', 1))
    first, again = perpkit.backtest(path, week), perpkit.backtest(path, week)
    assert first.frames["fills"].height > 0
    for result in (again, played(path, week)):
        assert result.frames["fills"].equals(first.frames["fills"])
