"""docs/terminal.md says what the command line does."""

from __future__ import annotations

import re
from pathlib import Path

import perpkit
from perpkit.cli import app, leaving
from perpkit.report.over_time import over_time, series_of
from perpkit.report.spark import BLOCKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "terminal.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(heading: str) -> str:
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_column(heading: str) -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \|", section(heading), re.MULTILINE)
    return [row.strip() for row in rows[1:]]


def test_the_charts_are_todays() -> None:
    result = perpkit.backtest("funding_carry")
    drawn = "".join(f"{line.plain}\n" for line in over_time(result, 100, BLOCKS))
    block = re.search(r"```\n(.*?)```", section("The summary"), re.DOTALL)
    assert block is not None
    assert block[1] == drawn, f"write to terminal.md:\n{drawn}"
    assert first_column("The summary") == [series.label for series in series_of(result)]


def test_the_commands_that_are_quiet_are_those_named() -> None:
    from typer.main import get_command

    quiet, both = set(), set()

    def walk(command: object, name: str) -> None:
        for told, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {told}".strip())
        options = {opt for p in getattr(command, "params", []) for opt in p.opts}
        if "--quiet" in options:
            quiet.add(name.removesuffix(" hyperliquid"))
            both.add("--json" in options and "-q" in options)

    walk(get_command(app), "")
    sentence = section("Quiet, and JSON").partition("\n`backtest`")[2].partition(" take\neither")[0]
    assert {"backtest", *re.findall(r"`([^`]+)`", sentence)} == quiet
    assert both == {True}


def test_what_ctrl_c_says_is_what_is_said(tmp_path: Path) -> None:
    said = " ".join(section("Ctrl-C").split())
    older, fresh = tmp_path / "r", tmp_path / "none"
    older.mkdir()
    (older / "manifest.json").touch()
    for told in (leaving.untouched(fresh), leaving.untouched(older), *leaving.kept(older)):
        assert f"`stopped; {told}`".replace(str(older), "r") in said, told
