"""The text of the page: the same for the same run, whole, and nothing in it that is not text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from perpkit.errors import RequestError
from perpkit.report import page as page_module
from perpkit.report.page import page, put, write
from perpkit.report.panel import (
    Card,
    Cards,
    Cell,
    Chart,
    Choice,
    Column,
    Panel,
    Table,
    Text,
)
from perpkit.report.panels import PANELS
from perpkit.report.parts import as_script, panel_html, plotted
from perpkit.report.reading import Run, run_of
from perpkit.result import Result

EVIL = "</script><script>alert(1)</script>\u2028&\"'"


class Page(HTMLParser):
    """Tags, ids and text of a page; what opens closes."""

    VOID = ("meta", "br", "img", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text += data


def test_the_same_run_gives_the_same_bytes(result: Result, run: Run, folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert page(run) == text, "as a folder tells it"
    again = replace(result, manifest={**result.manifest, "timings_s": {"playing the hours": 9.0}})
    assert page(run_of(again, folder.name)) == text, "however long it took"


def test_it_is_one_file_that_asks_nobody(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    told = Page(text)
    assert len(set(told.ids)) == len(told.ids)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(told.tags)
    assert text.count("plotly.js v") == 1
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'unsafe-inline'")
    assert "http" not in policy[1]
    assert len(text.encode()) < 8e6


def test_every_panel_is_on_the_page_and_in_the_list(run: Run, folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    panels = [make(run) for make in PANELS]
    assert re.findall(r'<section class="panel" id="(\w+)"', text) == [one.key for one in panels]
    nav = text.partition("<nav")[2].partition("</nav>")[0]
    assert re.findall(r'href="#(\w+)"', nav) == [one.key for one in panels]
    assert "<noscript>" in text


def test_numbers_of_the_page_are_those_of_the_summary(run: Run, folder: Path) -> None:
    told = Page((folder / "report.html").read_text(encoding="utf-8")).text
    for metric, form in (
        ("net_apr", "{:.2%}"),
        ("excess_apr", "{:.2%}"),
        ("final_equity_usd", "{:,.2f}"),
        ("max_drawdown_frac", "{:.2%}"),
        ("cost_drag_frac", "{:.2%}"),
        ("time_in_market_frac", "{:.2%}"),
        ("funding_usd", "{:,.2f}"),
        ("fees_usd", "{:,.2f}"),
        ("slippage_usd", "{:,.2f}"),
    ):
        value = run.metric(metric)
        assert value is not None
        assert form.format(value) in told, metric


# --------------------------------------------------------------------------- any text is text


def everything(evil: str) -> Panel:
    figure = {
        "data": [{"name": evil, "x": [evil], "y": [1.0], "text": [evil]}],
        "layout": {"title": {"text": evil}, evil: 1},
    }
    chart = Chart(figure, evil, note=evil)
    table = Table((Column(evil, evil, about=evil), Column("n", number=True)), [[evil, "1"]], evil)
    return Panel(
        "odd",
        evil,
        (
            Cards((Card(evil, evil, evil),)),
            table,
            chart,
            Text(evil),
            Choice(evil, {evil: (Text(evil),), "other": (table,)}),
            Choice(evil, {f"{evil}{n}": (Text(evil),) for n in range(9)}),
        ),
        lead=evil,
    )


def test_every_text_of_every_part_is_escaped() -> None:
    text = panel_html(everything(EVIL))
    plain = panel_html(everything("plain"))
    told, other = Page(text), Page(plain)
    assert told.tags == other.tags
    assert told.text.count(EVIL) == other.text.count("plain") > 15
    assert "\u2028" not in re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)[0]
    assert EVIL in Page(panel_html(Panel("none", "none", empty=EVIL))).text


def test_a_figure_of_plotly_has_text_for_text() -> None:
    told = plotted({"name": "<b>a</b> & b", "text": ("<i>x</i><br>y",), "bdata": "A<"})
    assert told == {
        "name": "&lt;b&gt;a&lt;/b&gt; &amp; b",
        "text": ["&lt;i&gt;x&lt;/i&gt;<br>y"],
        "bdata": "A<",
    }
    numbers = [float("nan"), np.float32(0.5), np.int64(3), float("inf"), np.array([1.0, np.nan])]
    assert plotted(numbers) == [None, 0.5, 3, None, [1.0, None]]


def test_json_cannot_end_its_script() -> None:
    told = as_script({"a": "</script><!--\u2028\u2029&"})
    assert not re.search("[<>&\u2028\u2029]", told)
    assert json.loads(told) == {"a": "</script><!--\u2028\u2029&"}


# --------------------------------------------------------------------------- tables


def test_cells_sort_by_their_keys_and_rows_beyond_are_hidden() -> None:
    rows = [[f"r{n}", Cell(f"{n}%", None if n == 2 else n / 100)] for n in range(5)]
    columns = (Column("name"), Column("share", "%", number=True))
    text = panel_html(Panel("t", "t", (Table(columns, rows, shown=3),)))
    assert re.findall(r'data-key="([^"]*)"', text) == ["0", "0.01", "", "0.03", "0.04"]
    assert text.count("<tr hidden>") == 2
    assert "Show all 5 rows" in text
    whole = panel_html(Panel("t", "t", (Table(columns, rows, shown=5),)))
    assert "hidden" not in whole
    assert "Show all" not in whole


# --------------------------------------------------------------------------- files


def test_a_file_is_written_whole_or_not_at_all(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a" / "b" / "carry.html"
    assert write(result, file) == file
    assert "<h1>funding_carry on demo</h1>" in file.read_text(encoding="utf-8")
    with pytest.raises(RequestError, match="cannot be written"):
        put("x", tmp_path / "a")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RequestError, match="cannot be written"):
        put("x", tmp_path / "file" / "report.html")

    def full(self: Path, *_: object, **__: object) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RequestError, match="No space left on device"):
        put("x", file)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == ["carry.html"]


def test_without_plotly_it_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    page_module._library.cache_clear()
    monkeypatch.setattr(page_module, "find_spec", lambda _: None)
    with pytest.raises(RequestError, match="pip install plotly"):
        page(run)
    page_module._library.cache_clear()
