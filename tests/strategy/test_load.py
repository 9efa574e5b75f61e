"""Finding and reading a strategy file."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from perpkit.errors import StrategyError
from perpkit.strategy import load as loading
from perpkit.strategy.load import load, places

IDLE = "def decide(t, past, book, p, mine, target):\n    pass\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    (folder / "strategies").mkdir(parents=True)
    monkeypatch.setenv("PERPKIT_HOME", str(folder))
    return folder


def write(folder: Path, text: str, name: str = "s.py") -> str:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(text)
    return str(folder / name)


def refuse(path: str, says: str) -> None:
    with pytest.raises(StrategyError) as caught:
        load(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------- where from


def test_shipped_by_name() -> None:
    found = load("funding_carry")
    assert found.name == "funding_carry"
    assert found.doc.startswith("Hold the token and short its perp while trailing funding pays")
    assert [p.name for p in found.parameters][:2] == ["lookback_hours", "enter_apr"]
    assert found.memory.names == ("on",)
    assert found.sources == (found.file,)


def test_the_users_folder(home: Path) -> None:
    write(home / "strategies", IDLE, "mine.py")
    write(home / "strategies", IDLE, "_helper.py")
    write(home / "strategies", IDLE, "test_mine.py")
    write(home / "strategies", "x = 1\n", "funding_carry.py")
    assert places()["mine"] == home / "strategies" / "mine.py"
    assert not {"_helper", "test_mine"} & set(places())
    assert load("mine").name == "mine"
    assert load("funding_carry").decide is not None, "a shipped name is not taken over"


def test_by_path_and_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, IDLE)
    monkeypatch.chdir(tmp_path)
    assert load("s.py").file == (tmp_path / "s.py").resolve()
    assert load(str(tmp_path / "s.py")).name == "s"
    refuse("t.py", "t.py: there is no such strategy file; check the path")
    refuse("s", "no strategy is called s: there is cash, collateral_carry, ")
    refuse("funding_cary", "did you mean funding_carry?")


def test_an_installed_one_under_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "their_plugin", "", "__init__.py")
    write(tmp_path / "their_plugin", IDLE, "carry_file.py")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("their_carry", "their_plugin.carry_file", loading.GROUP),
        EntryPoint("gone", "a_package_that_is_gone.strategy", loading.GROUP),
        EntryPoint("funding_carry", "their_plugin.carry_file", loading.GROUP),
    ]
    monkeypatch.setattr(loading, "entry_points", lambda group: points)
    found = load("their_carry")
    assert found.name == "their_carry"
    assert found.file == (tmp_path / "their_plugin" / "carry_file.py").resolve()
    assert "gone" not in places()
    assert load("funding_carry").file.name == "funding_carry.py"


# --------------------------------------------------------------------------- what it must hold


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "this file defines neither"),
        (f"{IDLE}def targets(tape):\n    pass\n", "this file defines both"),
        ("decide = 5\n", "decide is not a plain function"),
        ("decide = 0\n", "decide is not a plain function"),
        (IDLE.replace("pass", "yield"), "decide is not a plain function"),
        ("\ndef decide(t, past):\n    pass\n", "s.py:2: decide takes (t, past, book, p, mine, "),
        (IDLE.replace("pass", "return {'NVDA': 1.0}"), "s.py:2: decide returns something, which"),
        ("def targets():\n    pass\n", "s.py:1: targets takes (tape) in a file without Params"),
        ("targets = [1.0]\n", "targets is not a plain function"),
        ("x = 1\ny = = 2\n", "s.py:2: invalid syntax"),
        ("x = 1\0\n", "s.py: source code"),
        ("x = 1\ny = nosuch\n", "s.py:2: NameError: name 'nosuch' is not defined"),
        ("import nosuch\n", "s.py:1: ModuleNotFoundError: No module named 'nosuch'"),
        ("raise SystemExit(0)\n", "s.py:1: SystemExit: 0"),
        (f"class Params:\n    sum: float = 1.0\n{IDLE}", "s.py: sum is a word numpy keeps"),
        (f"class Params:\n    size: float = 1.0\n{IDLE}", "s.py: size is a word numpy keeps"),
        (f"class Memory:\n    max: float\n{IDLE}", "s.py: max is a word numpy keeps"),
        (f"class Memory:\n    pprint: float\n{IDLE}", "s.py: pprint is a word numpy keeps"),
        (f"class Params:\n    a: str = 'x'\n{IDLE}", "s.py: Params.a is"),
        (
            f"from __future__ import annotations\nclass Params:\n    a: Foo = 1\n{IDLE}",
            "s.py: Params: name 'Foo' is not defined",
        ),
    ],
)
def test_refused(tmp_path: Path, text: str, says: str) -> None:
    refuse(write(tmp_path, text), says)


def test_a_parameter_with_the_name_of_a_setting(tmp_path: Path) -> None:
    from perpkit.run import check_names

    found = load(write(tmp_path, f"class Params:\n    capital: float = 1.0\n{IDLE}"))
    with pytest.raises(StrategyError, match=r"Params.capital is also a setting of the run"):
        check_names(found)


def test_annotations_may_be_text(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nclass Params:\n    a: int = 3\n"
    found = load(write(tmp_path, f"{text}class Memory:\n    on: bool\n{IDLE}"))
    assert found.parameters[0].kind is int
    assert found.memory == np.dtype([("on", "?")], align=True)


def test_targets_needs_no_decide(tmp_path: Path) -> None:
    found = load(write(tmp_path, "def targets(tape):\n    return 0\n"))
    assert (found.decide, callable(found.targets)) == (None, True)


# --------------------------------------------------------------------------- helpers beside it


def test_a_helper_beside_the_file_is_one_of_its_sources(tmp_path: Path) -> None:
    write(tmp_path, "from far import B\nA = B + 1\n", "near.py")
    write(tmp_path, "B = 1\n", "far.py")
    found = load(write(tmp_path, f"import math\nimport numpy\nfrom near import A\n{IDLE}"))
    assert [p.name for p in found.sources] == ["s.py", "near.py", "far.py"]
    assert str(tmp_path) not in sys.path


def test_a_helper_in_a_package_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "lib", "", "__init__.py")
    write(tmp_path / "lib", "A = 7\n", "part.py")
    found = load(write(tmp_path, f"from lib.part import A\nclass Params:\n    a: int = A\n{IDLE}"))
    assert found.parameters[0].default == 7
    assert tmp_path / "lib" / "part.py" in found.sources


def test_the_same_name_in_two_folders(tmp_path: Path) -> None:
    text = f"from shared_helper import A\nclass Params:\n    a: int = A\n{IDLE}"
    for folder, value in (("one", 1), ("two", 2)):
        write(tmp_path / folder, f"A = {value}\n", "shared_helper.py")
        write(tmp_path / folder, text)
    one, two = (load(str(tmp_path / folder / "s.py")) for folder in ("one", "two"))
    assert (one.parameters[0].default, two.parameters[0].default) == (1, 2)
    assert one.sources[1] != two.sources[1]
    assert one.digest != two.digest


def test_a_broken_helper_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "A = 1\nB = = 2\n", "broken_helper.py")
    refuse(write(tmp_path, f"from broken_helper import A\n{IDLE}"), "broken_helper.py:2: invalid")


def test_an_edit_within_the_second_is_seen_and_no_bytecode_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # Python tells bytecode from its source by the second and the size.
    path = write(tmp_path, f"from quick_helper import A\nclass Params:\n    a: int = A\n{IDLE}")
    for value in (1, 2):
        write(tmp_path, f"A = {value}\n", "quick_helper.py")
        os.utime(tmp_path / "quick_helper.py", (1_700_000_000, 1_700_000_000))
        assert load(path).parameters[0].default == value
    assert not list(tmp_path.rglob("__pycache__"))
    assert not sys.dont_write_bytecode


def test_the_digest_follows_file_and_helper(tmp_path: Path) -> None:
    write(tmp_path, "A = 1\n", "digest_helper.py")
    path = write(tmp_path, f"from digest_helper import A\n{IDLE}")
    first = load(path).digest
    assert load(path).digest == first
    write(tmp_path, "A = 2\n", "digest_helper.py")
    second = load(path).digest
    write(tmp_path, f"from digest_helper import A\n{IDLE}# edited\n")
    assert len({first, second, load(path).digest}) == 3
