"""The site of docs/: every page in its navigation, built strictly, the same on it as on GitHub.

The navigation and the links of README.md and CHANGELOG.md are tested everywhere; what needs MkDocs
skips without the extra ``docs``. The gate has it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG = ROOT / ".mkdocs.yml"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
# What a page is made of, whoever renders it.
KINDS = ("h1", "h2", "h3", "ul", "ol", "li", "pre", "table", "tr", "td", "th", "img", "blockquote")


def listed() -> list[str]:
    """Pages of the navigation, in its order."""
    nav = CONFIG.read_text(encoding="utf-8").partition("\nnav:\n")[2]
    return re.findall(r"^ *- (?:[^:\n]+: )?(\S+\.md)$", nav, re.MULTILINE)


def test_every_page_is_in_the_navigation_once() -> None:
    found = Counter(listed())
    missing = [page for page in PAGES if page not in found]
    assert not missing, (
        f"add {', '.join(missing)} to nav in .mkdocs.yml, where a reader looks for it"
    )
    gone = [page for page in found if page not in PAGES]
    assert not gone, f"nav in .mkdocs.yml names {', '.join(gone)}, and docs/ has no such page"
    assert not [page for page, times in found.items() if times > 1]


def test_every_page_can_be_reached_from_another() -> None:
    linked = set()
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+\.md)", text):
            aim = os.path.normpath(Path(page).parent / target)
            linked.add(Path(aim).as_posix())
    orphans = [page for page in PAGES if page not in linked and page != "index.md"]
    assert not orphans, f"no page links to {', '.join(orphans)}"


def test_every_page_begins_with_its_title() -> None:
    for page in PAGES:
        lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# "), page


# --------------------------------------------------------------------------- built


class Elements(HTMLParser):
    """Counts elements, and collects what a browser would fetch for the page."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1
        told = dict(attrs)
        if tag in {"script", "img", "iframe", "source"} and told.get("src"):
            self.fetched.append(str(told["src"]))
        if tag == "link":
            self.fetched.append(str(told.get("href")))


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a site strictly."""
    if importlib.util.find_spec("material") is None:
        pytest.skip('MkDocs is not installed here; pip install -e ".[docs]"')
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", folder],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(CONFIG, folder)
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    assert (done.returncode, warnings) == (0, []), done.stderr
    return folder


def test_what_is_broken_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    config = CONFIG.read_text(encoding="utf-8").partition("\nnav:\n")[0] + "\nnav: [index.md]\n"
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    (tmp_path / "docs" / "site.css").touch()
    (tmp_path / "docs" / "lost.md").write_text("# Lost\n", encoding="utf-8")
    links = "[a](nowhere.md) [b](lost.md#nowhere) [c](/lost.md) [d](pictures/)"
    (tmp_path / "docs" / "index.md").write_text(f"# Index\n\n{links}\n", encoding="utf-8")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    for fault in ("nowhere.md", "#nowhere", "/lost.md", "pictures/", "not included in the"):
        assert any(fault in line for line in done.stderr.splitlines() if "WARNING" in line), fault


def built(site: Path, page: str) -> str:
    return (site / page).with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_the_same_on_the_site_as_by_commonmark(site: Path, page: str) -> None:
    # Python-Markdown wants four columns for what belongs to an item of a list, CommonMark two.
    plain = Elements()
    plain.feed(MarkdownIt("commonmark").enable("table").render((DOCS / page).read_text("utf-8")))
    html, own = built(site, page), Elements()
    own.feed(html[html.index("<article") : html.index("</article>")])
    differ = {k: (plain.count[k], own.count[k]) for k in KINDS if plain.count[k] != own.count[k]}
    assert not differ, f"{page}: indent by four columns what belongs to an item of a list"


@pytest.mark.parametrize("page", [*PAGES, "404.html"])
def test_nothing_is_fetched_from_elsewhere(site: Path, page: str) -> None:
    found = Elements()
    found.feed(built(site, page))
    assert found.fetched
    assert not [address for address in found.fetched if re.match(r"(https?:)?//", address)]


def test_styles_fetch_nothing_from_elsewhere(site: Path) -> None:
    for style in site.rglob("*.css"):
        told = style.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", told), style.name


def test_scripts_and_sources_stay_at_home(site: Path) -> None:
    assert not list(site.rglob("make.py"))
    assert not list(site.rglob("*.md"))
    for picture in DOCS.rglob("*.svg"):
        assert (site / picture.relative_to(DOCS)).is_file()
