"""The pictures of docs/pictures and docs/concepts are what their scripts draw, and are shown."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FOLDERS = (DOCS / "pictures", DOCS / "concepts")
DRAWN = sorted(path for folder in FOLDERS for path in folder.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_drawn_again_they_are_the_same(folder: Path, tmp_path: Path) -> None:
    script: dict[str, Any] = runpy.run_path(str(folder / "make.py"), run_name="pictures")
    script["main"](tmp_path)
    shipped = sorted(path.name for path in folder.glob("*.svg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == shipped == sorted(script["PICTURES"])
    for name in shipped:
        again = (tmp_path / name).read_bytes()
        assert again == (folder / name).read_bytes(), f"run python docs/{folder.name}/make.py"


@pytest.mark.parametrize("path", DRAWN, ids=lambda p: p.stem)
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
    for path in DRAWN:
        assert f"]({path.parent.name}/{path.name})" in pages


def test_the_picture_of_the_report_is_shown_first() -> None:
    """What stands on it is held by tests of the page, and its numbers by those of the README."""
    assert (DOCS / "pictures" / "report.png").read_bytes().startswith(b"\x89PNG")
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert 0 < readme.index("](docs/pictures/report.png)") < readme.index("```sh")
    assert "](pictures/report.png)" in (DOCS / "report.md").read_text(encoding="utf-8")
