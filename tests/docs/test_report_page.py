"""docs/report.md names the panels of the page, in their order."""

from __future__ import annotations

import re
from pathlib import Path

import perpkit
from perpkit.report.panels import PANELS
from perpkit.report.reading import run_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "report.md"


def test_the_panels_are_todays() -> None:
    run = run_of(perpkit.backtest("funding_carry", config={"end": "2025-10-20"}, pure_python=True))
    text = PAGE.read_text(encoding="utf-8").partition("## What is on it")[2].partition("\n## ")[0]
    told = re.findall(r"^\| (.+?) \| ", text, re.MULTILINE)[1:]
    assert told == [make(run).title for make in PANELS]
