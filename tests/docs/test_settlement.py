"""docs/settlement.md is what its script makes of the table: pictures and tables."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import polars as pl
import pytest

import perpkit
from perpkit.run import Result
from perpkit.settlement import LABEL, TABLE

FOLDER = Path(__file__).parents[2] / "docs" / "settlement"
PAGE = FOLDER.parent / "settlement.md"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "make.py"), run_name="settlement"))


def test_tables_are_current(script: SimpleNamespace) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- made: (\w+) -->", page)) == set(script.MADE)
    assert script.filled(page) == page, "run python docs/settlement/make.py"


def test_pictures_are_current_and_shown(script: SimpleNamespace) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(path.name for path in FOLDER.glob("*.svg")) == sorted(script.PICTURES)
    for name, mode in script.PICTURES.items():
        shipped = (FOLDER / name).read_text(encoding="utf-8")
        assert script.draw(mode) == shipped, "run python docs/settlement/make.py"
        assert f"](settlement/{name})" in page


@pytest.mark.parametrize("mode", ["atomic", "coordinated", "sequential"])
def test_a_picture_shows_every_state_and_every_transition(mode: str) -> None:
    picture = ET.parse(FOLDER / f"{mode}.svg").getroot()
    lines = [t for t in TABLE if t.mode == mode]
    words = [str(text.text) for text in picture.iter(f"{SVG}text")]
    for state in {t.start for t in lines} | {t.end for t in lines}:
        assert LABEL[state] in words
    assert len(list(picture.iter(f"{SVG}polyline"))) == len(lines)
    events = [str(t.text) for t in picture.iter(f"{SVG}text") if t.get("class") == "words"]
    for t in lines:
        event = t.event.replace("_", " ")
        assert events.count(event) == sum(t.event == other.event for other in lines)
    assert picture.findtext(f"{SVG}title")
    assert len(picture.findtext(f"{SVG}desc") or "") > 40
    assert "prefers-color-scheme: dark" in (picture.findtext(f"{SVG}style") or "")
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    for line in picture.iter(f"{SVG}polyline"):
        for point in str(line.get("points")).split():
            x, y = map(float, point.split(","))
            assert 0 < x < width
            assert 0 < y < height
    for text in picture.iter(f"{SVG}text"):
        assert 0 < float(text.get("x", -1)) < width
        assert 0 < float(text.get("y", -1)) < height


def test_a_transition_without_a_route_is_not_left_out_in_silence(script: SimpleNamespace) -> None:
    gone = script.SHEETS["atomic"].routes.popitem()
    with pytest.raises(ValueError, match="routes and transitions differ in reverted"):
        script.draw("atomic")
    script.SHEETS["atomic"].routes.update([gone])


# --------------------------------------------------------------------------- a leg that is late


def test_a_redemption_that_settles_late_shows_in_the_margin() -> None:
    folder = FOLDER.parent / "squeeze"
    squeeze = SimpleNamespace(**runpy.run_path(str(folder / "make.py"), run_name="squeeze"))

    def played(path: dict[str, object]) -> Result:
        own = {"token_settlement": {"USTB": path}} if path else {}
        config = squeeze.settings("bills", 0.1) | own
        return perpkit.backtest(
            folder / "hold_hedged.py", squeeze.datasets() / "weekday", config=config
        )

    def first(run: Result, kind: str) -> str:
        found = run.frames["events"].filter(pl.col("kind") == kind)["time"]
        return f"{found[0]:%A %H:%M}"

    plain = played({})
    late = played({"mode": "sequential", "fail_prob": 0.0})
    assert first(plain, "redeem_sent") == first(late, "redeem_sent") == "Tuesday 17:00"
    assert first(plain, "redeem_paid") == "Wednesday 17:00"
    assert first(late, "redeem_paid") == "Thursday 20:00"  # 16:00 in New York
    assert 0.72 < plain.frames["equity"]["margin_ratio"].max() < 0.73
    assert squeeze.death(plain) is None
    assert first(late, "liquidation") == "Wednesday 19:00"
    told = PAGE.read_text(encoding="utf-8")
    assert "Tuesday at 17:00" in told
    assert "Wednesday at 19:00" in told
