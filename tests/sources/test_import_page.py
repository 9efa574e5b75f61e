"""docs/import.md names every format, key, unit and option there is; its examples run elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from perpkit.cli.data import data
from perpkit.dataset.schema import FLOAT
from perpkit.sources.files import FORMATS, built_in, mapping
from perpkit.sources.files.scales import units_of
from perpkit.sources.files.targets import TARGETS

PAGE = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")


def part(heading: str) -> str:
    return re.split(r"^## ", PAGE.split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]


def test_every_format_is_told_with_its_columns() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| `?[a-z]", PAGE.split("## A worked")[0], re.M)
    assert rows == [*FORMATS, "generic"]
    for name in ("asset-ctxs", "hf-funding", "hf-candles", "equities", "tokens"):
        for cell in built_in(name).cells.values():
            assert f"`{cell.names[0]}`" in part(name), (name, cell.names)


def test_every_key_of_a_mapping_is_told() -> None:
    told = set(re.findall(r"^\| `\[?(\w+)\]?` \|", part("The mapping file"), re.MULTILINE))
    keys = {*mapping._TOP, *mapping._TIME_KEYS, *mapping._FILE_KEYS, *mapping._CELL_KEYS}
    assert told == keys - {"dataset"}


@pytest.mark.parametrize("name", sorted({c for t in TARGETS.values() for c in t.columns}))
def test_every_unit_is_told(name: str) -> None:
    if any(name in t.columns and t.columns[name].dtype != FLOAT for t in TARGETS.values()):
        return
    rows = [row for row in part("Units").splitlines() if row.startswith("| ")]
    own = next((row for row in rows if f"`{name}`" in row), rows[-1])
    for unit in units_of(name):
        share, _, period = unit.partition("/")
        assert f"`{share}`" in own, unit
        assert not period or f"`/{period}`" in own, unit


def test_every_option_is_told() -> None:
    command = typer.main.get_command(data).commands["import"]  # type: ignore[attr-defined]
    own = {opt for param in command.params for opt in param.opts if opt.startswith("--")}
    told = set(re.findall(r"(--[a-z][a-z-]*)", PAGE))
    assert own - {"--json", "--quiet", "--debug"} == told
