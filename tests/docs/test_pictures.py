"""The pictures of docs/ are what their script draws, and are shown."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(PICTURES / "make.py"), run_name="pictures")


def test_drawn_again_they_are_the_same(script: dict[str, Any], tmp_path: Path) -> None:
    script["main"](tmp_path)
    shipped = sorted(path.name for path in PICTURES.glob("*.svg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == shipped == sorted(script["PICTURES"])
    for name in shipped:
        again = (tmp_path / name).read_bytes()
        assert again == (PICTURES / name).read_bytes(), "run python docs/pictures/make.py"


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda p: p.stem)
def test_a_picture_stays_on_its_paper_and_says_what_it_shows(path: Path) -> None:
    picture = ET.parse(path).getroot()
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    assert picture.findtext(f"{SVG}title")
    assert len(picture.findtext(f"{SVG}desc") or "") > 40
    assert "prefers-color-scheme: dark" in (picture.findtext(f"{SVG}style") or "")
    for line in picture.iter(f"{SVG}polyline"):
        for point in str(line.get("points")).split():
            x, y = map(float, point.split(","))
            assert 0 < x < width
            assert 0 < y < height
    for words in picture.iter(f"{SVG}text"):
        assert 0 < float(words.get("x", -1)) < width
        assert 0 < float(words.get("y", -1)) < height


def test_every_picture_is_shown_by_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    for path in PICTURES.glob("*.svg"):
        assert f"](pictures/{path.name})" in pages
