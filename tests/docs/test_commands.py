"""docs/commands.md is the command line's own, and its examples run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from perpkit import errors
from perpkit.cli import app

FOLDER = Path(__file__).parents[2] / "docs" / "commands"
PAGE = FOLDER.parent / "commands.md"


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "make.py"), run_name="commands"))


def test_the_page_is_current(script: SimpleNamespace) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- made: (\w+) -->", page)) == set(script.MADE)
    assert script.filled(page) == page, "run python docs/commands/make.py"


def test_every_command_has_an_example_and_a_page(script: SimpleNamespace) -> None:
    assert script.untold() == [], "write an example and its page to TOLD in docs/commands/make.py"
    for words, told in script.TOLD.items():
        assert told.example.startswith(f"perpkit {words}"), words
        assert told.pages
        for page in told.pages:
            assert (FOLDER.parent / f"{page}.md").is_file(), page


def test_every_word_of_every_command_is_told(script: SimpleNamespace) -> None:
    parts = re.split(r"^### `perpkit (.+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    found = script.commands()
    assert set(told) == set(found)
    assert len(found) > 15
    for words, command in found.items():
        for param in command.params:
            assert param.help, (words, param.name)
            for option in param.opts:
                if option.startswith("--") and option not in script.EVERYWHERE:
                    assert f"| `{option}`" in told[words], (words, option)


def test_what_is_told_once_holds_everywhere(script: SimpleNamespace) -> None:
    for words, command in script.commands().items():
        options = {option for param in command.params for option in param.opts}
        assert set(script.EVERYWHERE) <= options, words


def test_examples_that_are_not_run_ask_a_venue(script: SimpleNamespace) -> None:
    for words, told in script.TOLD.items():
        fence = "```" if told.online else "```sh"
        assert f"\n{fence}\n{told.example}\n```" in PAGE.read_text(encoding="utf-8")
        assert told.online == words.startswith(("data fetch", "data watch"))


def test_exit_codes_are_told() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("<!-- made")[0]
    codes = set(map(int, re.findall(r"^\| (\d+) \|", head, re.MULTILINE)))
    kinds = [kind for kind in vars(errors).values() if hasattr(kind, "exit_code")]
    assert codes == {0, *(kind.exit_code for kind in kinds)}
    assert app.info.context_settings == {"help_option_names": ["-h", "--help"]}


def test_variables_are_told() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("<!-- made")[0]
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", head, re.MULTILINE))
    source = (FOLDER.parents[1] / "perpkit").rglob("*.py")
    asked = {
        name
        for file in source
        for name in re.findall(
            r'environ(?:\.get\(|\[)"(PERPKIT_\w+|NO_COLOR)"', file.read_text(encoding="utf-8")
        )
    }
    assert told == asked
