"""``perpkit report`` as a user meets it: pages, pictures, and what is refused."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perpkit.report.chromium import NAMES, VARIABLE, find

QUICK = ("--set", "lookback_hours=24", "--set", "exit_apr=0.05")
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def run(command: Command, month: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder that a backtest wrote."""
    home = tmp_path_factory.mktemp("reported")
    ran = command("backtest", "funding_carry", "--data", month, *QUICK, "--out", "r", cwd=home)
    assert (ran.code, ran.err) == (0, "")
    return home / "r"


@pytest.fixture
def own(run: Path, work: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(run, work / "r"))


def test_it_writes_what_the_backtest_wrote(inside: Command, own: Path, work: Path) -> None:
    before = (own / "report.html").read_bytes()
    (own / "report.html").unlink()
    ran = inside("report", "r", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"Report   {Path('r') / 'report.html'}\n"
    assert (own / "report.html").read_bytes() == before
    assert inside("report", "r", "--out", "pages/of_it.html", cwd=work).code == 0
    assert (work / "pages" / "of_it.html").read_bytes() == before
    assert sorted(p.name for p in work.iterdir()) == ["pages", "r"]


def test_quiet_and_json(inside: Command, own: Path, work: Path) -> None:
    (own / "report.html").unlink()
    assert inside("report", "r", "--quiet", cwd=work) == (0, "", "")
    assert (own / "report.html").is_file()
    ran = inside("report", "r", "--json", "--out", "p.html", cwd=work)
    assert json.loads(ran.out) == {"report": "p.html", "pictures": []}
    assert inside("report", "r", "--json", "--quiet", cwd=work).code == 2


def test_what_cannot_be_reported_is_one_sentence(inside: Command, own: Path, work: Path) -> None:
    (work / "empty").mkdir()
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("nowhere",), 2, "nowhere: is not a result folder"),
        (("empty",), 2, "empty: is not a result folder"),
        (("r", "--out", "empty"), 2, "empty: cannot be written"),
        (("r", "--png", "p", "--theme", "pink"), 2, "--theme was pink: one of light, dark"),
        (("r", "--theme", "pink"), 2, "--theme was pink: one of light, dark"),
        ((), 2, "see perpkit --help"),
    ]
    for told, code, words in cases:
        ran = inside("report", *told, cwd=work)
        assert (ran.code, ran.out) == (code, ""), told
        assert words in ran.err
        assert ran.err.count("\n") == 1
    told = (own / "summary.json").read_text(encoding="utf-8")
    other = told.replace('"schema": 1', '"schema": 9')
    (own / "summary.json").write_text(other, encoding="utf-8")
    ran = inside("report", "r", cwd=work)
    assert (ran.code, ran.out) == (3, "")
    assert "its schema is 9, this perpkit reads 1" in ran.err
    (own / "summary.json").write_text(told, encoding="utf-8")
    (own / "market.parquet").unlink()
    ran = inside("report", "r", cwd=work)
    assert (ran.code, ran.out) == (3, "")
    assert "market.parquet is missing; run the backtest again" in ran.err


def test_several_runs_are_compared(inside: Command, own: Path, work: Path) -> None:
    shutil.copytree(own, work / "twin")
    ran = inside("report", "r", "twin", cwd=work)
    assert (ran.code, ran.err, ran.out) == (0, "", "Report   comparison.html\n")
    text = (work / "comparison.html").read_text(encoding="utf-8")
    assert "<h1>r against twin</h1>" in text
    assert text.count('<section class="panel"') == 5
    assert inside("report", "r", "twin", "r", "--out", "of_three.html", cwd=work).code == 0
    three = (work / "of_three.html").read_text(encoding="utf-8")
    assert "<h1>r against twin, r (2)</h1>" in three
    assert (own / "report.html").read_bytes() == (work / "twin" / "report.html").read_bytes()
    ran = inside("report", "r", "nowhere", cwd=work)
    assert (ran.code, ran.out) == (2, "")
    assert "nowhere: is not a result folder" in ran.err


def test_pictures_without_a_browser_are_refused_at_once(
    inside: Command, own: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    before = (own / "report.html").stat().st_mtime_ns
    ran = inside("report", "r", "--png", "p", cwd=work, PATH=str(work))
    assert (ran.code, ran.out) == (2, "")
    assert "install one (Debian: apt-get install chromium)" in ran.err
    ran = inside("report", "r", "--png", "p", cwd=work, **{VARIABLE: "no_such_browser"})
    assert (ran.code, ran.out) == (2, "")
    assert f"{VARIABLE} was no_such_browser: name a Chromium that can be run" in ran.err
    assert (own / "report.html").stat().st_mtime_ns == before
    assert not (work / "p").exists()


def test_a_program_that_is_no_browser_is_told(
    inside: Command, run: Path, work: Path, tmp_path: Path
) -> None:
    other = tmp_path / "chromium"
    other.write_text("#!/bin/sh\nexit 3\n")
    other.chmod(0o755)
    ran = inside("report", run, "--out", "r.html", "--png", "p", cwd=work, **{VARIABLE: str(other)})
    assert ran.code == 2
    assert f"{other} gives no answer; run it by hand with --headless" in ran.err


@pytest.mark.skipif(find() is None, reason="no Chromium is here; apt-get install chromium")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_are_of_every_panel(inside: Command, own: Path, work: Path, theme: str) -> None:
    from perpkit.report.page import page
    from perpkit.report.panels import PANELS
    from perpkit.report.reading import read_run

    ran = inside("report", "r", "--png", "p", "--theme", theme, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    keys = [make(read_run(own)).key for make in PANELS]
    names = [f"{n:02}-{key}.png" for n, key in enumerate(keys, start=1)]
    assert sorted(p.name for p in (work / "p").iterdir()) == [*names, "first.png"]
    assert ran.out.endswith(f"Pictures {len(names) + 1} in p\n")
    assert page(read_run(own)) == (own / "report.html").read_text(encoding="utf-8")
    for file in (work / "p").iterdir():
        told = file.read_bytes()
        assert told.startswith(b"\x89PNG")
        wide, high = struct.unpack(">II", told[16:24])
        assert wide > 1_900
        assert high > 150
        assert len(told) > 8_000, f"{file.name} has something on it"


def test_the_usual_names_are_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find() is None
    for name in reversed(NAMES):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert find() == str(tmp_path / name), "the first of them wins"
