"""A run that was played, one with hostile names, and a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import perpkit
from perpkit.export import as_json
from perpkit.report.chromium import Browser, find
from perpkit.report.comparison import comparison
from perpkit.report.page import page, put, write
from perpkit.report.reading import Run, read_run, run_of
from perpkit.result import Result

EVIL = '<script>document.title="taken"</script>'
EVIL_COIN = '<img src=x onerror="document.title=1">&amp;'


@pytest.fixture(scope="session")
def result() -> Result:
    """Three weeks of the demo, in which the carry trades, against cash and the tokens alone."""
    return perpkit.backtest(
        "funding_carry",
        config={"start": "2025-10-20", "end": "2025-11-10", "coins": ["sim:ORCA", "sim:FALC"]},
        params={"lookback_hours": 24, "exit_apr": 0.05, "enter_apr": 0.06},
        against=["cash", "spot_hold"],
    )


@pytest.fixture(scope="session")
def folder(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its result folder, with its report."""
    made = tmp_path_factory.mktemp("runs") / "carry"
    return result.save(made, page(run_of(result, made.name)))


@pytest.fixture(scope="session")
def run(folder: Path) -> Run:
    """The run as a folder tells it."""
    return read_run(folder)


@pytest.fixture(scope="session")
def hostile(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report where a strategy and a coin have the names of attacks."""
    names = {"funding_carry": EVIL, "sim:ORCA": EVIL_COIN}
    words = pl.selectors.string()
    frames = {name: frame.with_columns(words.replace(names)) for name, frame in run.frames.items()}

    def renamed(told: object) -> object:
        text = as_json(told)
        for name, evil in names.items():
            text = text.replace(json.dumps(name)[1:-1], json.dumps(evil)[1:-1])
        return json.loads(text)

    summary, manifest = renamed(dict(run.summary)), renamed(dict(run.manifest))
    assert isinstance(summary, dict)
    assert isinstance(manifest, dict)
    file = tmp_path_factory.mktemp("hostile") / "report.html"
    return write(Run(EVIL, frames, summary, manifest), file)


@pytest.fixture(scope="session")
def compared(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that compares it with half of itself, under the name of an attack."""
    equity = run.frames["equity"].with_columns(pl.col("equity_usd") * 0.5 + 50_000.0)
    half = replace(run, name=EVIL, frames={**run.frames, "equity": equity})
    file = tmp_path_factory.mktemp("compared") / "comparison.html"
    return put(comparison([run, half]), file)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless browser that all tests share, one page after the other."""
    path = find()
    if path is None:
        pytest.skip("no Chromium is here; apt-get install chromium")
    with Browser(path) as browser:
        yield browser
