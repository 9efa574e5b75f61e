"""The report as a headless Chromium shows it: drawn whole, sorted, zoomed, printed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from perpkit.report.chromium import Browser
from perpkit.report.reading import Run
from perpkit.report.theme import DARK, LIGHT

from .conftest import EVIL, EVIL_COIN

DRAWN = """new Promise((done) => {
  const look = () => (document.documentElement.dataset.drawn ? done() : setTimeout(look, 20));
  look();
})"""
UNTIL = """new Promise((done, fail) => {
  const began = Date.now();
  const look = () => {
    if (%s) done(true);
    else if (Date.now() - began > 20000) fail(new Error("never so"));
    else setTimeout(look, 20);
  };
  look();
})"""
# Of every plot that is on the page and not behind another choice.
PLOTS = """[...document.querySelectorAll(".plot")].filter((p) => p.offsetParent).map((plot) => {
  const svg = plot.querySelector("svg.main-svg");
  const box = svg?.getBoundingClientRect();
  return [plot.closest(".panel").id, box?.width ?? 0, box?.height ?? 0,
    plot.querySelectorAll("svg .cartesianlayer path, svg .cartesianlayer rect").length];
})"""
LINKED = """[...document.querySelectorAll("[data-linked] .plot")]
  .filter((plot) => plot.offsetParent)"""
RANGES = LINKED + ".map((plot) => plot._fullLayout.xaxis.range.map((t) => String(t)))"


def opened(browser: Browser, file: Path, query: str = "all", width: int = 1280) -> list[Any]:
    """Open a page and draw it; what happens on it is in the list from now on."""
    browser.media(prefers_color_scheme="light")
    browser.size(width, 900)
    browser.events.clear()
    browser.open(file, query)
    if "all" in query:
        browser.run(DRAWN)
    return browser.events


def faults(events: list[dict[str, Any]]) -> list[Any]:
    """Everything a console would show."""
    told = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    return [event["params"] for event in events if event["method"] in told]


def asked(events: list[dict[str, Any]]) -> set[str]:
    """Every address that was asked for."""
    return {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }


@pytest.fixture
def report(folder: Path) -> Path:
    return folder / "report.html"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_panel_is_drawn(chromium: Browser, report: Path, width: int, theme: str) -> None:
    query = f"all&theme={theme}"
    events = opened(chromium, report, query, width)
    panels = chromium.run("[...document.querySelectorAll('.panel')].map((one) => one.id)")
    assert len(panels) == len(set(panels)) >= 12
    plots = chromium.run(PLOTS)
    assert len(plots) >= 12
    for key, wide, high, shapes in plots:
        assert wide > 250, key
        assert high > 80, key
        assert shapes > 0, key
    bare = chromium.run(
        "[...document.querySelectorAll('.panel')].filter((one) => "
        "!one.querySelector('svg, table, .cards, .empty')).map((one) => one.id)"
    )
    assert bare == []
    colour = chromium.run("getComputedStyle(document.body).backgroundColor")
    ground = (LIGHT if theme == "light" else DARK)["page"]
    assert colour == f"rgb({', '.join(str(int(ground[n : n + 2], 16)) for n in (1, 3, 5))})"
    sizes = chromium.run("[document.documentElement.scrollWidth, innerWidth]")
    assert sizes == [width, width], "nothing reaches over the edge"
    assert faults(events) == []
    assert asked(events) == {f"{report.resolve().as_uri()}?{query}"}


def test_what_is_not_in_sight_is_drawn_when_it_comes(chromium: Browser, report: Path) -> None:
    chromium.size(1280, 900)
    chromium.events.clear()
    chromium.open(report)
    drawn = "document.querySelectorAll('.plot svg.main-svg').length"
    chromium.run(UNTIL % f"{drawn} > 0")
    before = chromium.run(drawn)
    chromium.run("document.querySelector('.panel:last-of-type').scrollIntoView()")
    chromium.run("document.querySelector('#trades').scrollIntoView()")
    chromium.run(UNTIL % f"{drawn} > {before}")
    assert faults(chromium.events) == []


def test_every_choice_is_drawn(chromium: Browser, report: Path) -> None:
    events = opened(chromium, report)
    tabs = chromium.run("document.querySelectorAll('[role=tab]').length")
    assert tabs > 2
    empty = chromium.run("""(() => {
      const bare = [];
      for (const tab of document.querySelectorAll("[role=tab]")) {
        tab.click();
        const option = document.getElementById(tab.getAttribute("aria-controls"));
        const plots = [...option.querySelectorAll(".plot")].filter((one) => one.offsetParent);
        const drawn = plots.every((one) => one.querySelector("svg.main-svg"));
        if (option.hidden || !drawn) bare.push(tab.id);
      }
      return bare;
    })()""")
    assert empty == []
    assert faults(events) == []


def test_tabs_go_by_arrow_keys(chromium: Browser, report: Path) -> None:
    opened(chromium, report)
    chromium.run("document.querySelector('[role=tablist] [role=tab]').focus()")
    press(chromium, "ArrowRight")
    told = chromium.run("""(() => {
      const [first, second] = document.querySelectorAll("[role=tablist] [role=tab]");
      return [first.getAttribute("aria-selected"), second.getAttribute("aria-selected"),
        document.activeElement === second];
    })()""")
    assert told == ["false", "true", True]


def press(browser: Browser, key: str, text: str = "") -> None:
    for kind in ("keyDown", "keyUp"):
        told = {"type": kind, "key": key, "code": key}
        browser.call("Input.dispatchKeyEvent", **told, **({"text": text} if text else {}))


def test_tables_sort_by_click_and_by_key(chromium: Browser, report: Path) -> None:
    opened(chromium, report)
    chromium.run("""window.told = (() => {
      const boxes = [...document.querySelectorAll(".table")];
      const fit = boxes.find((box) => {
        const head = box.querySelector("th.n");
        const keys = head && [...box.querySelectorAll(`td:nth-child(${head.cellIndex + 1})`)]
          .map((cell) => cell.dataset.key).filter(Boolean);
        return keys && new Set(keys).size > 2 && box.offsetParent;
      });
      const head = fit.querySelector("th.n");
      return { head, keys: () => [...fit.querySelectorAll("tbody tr")]
        .map((row) => row.cells[head.cellIndex].dataset.key) };
    })()""")
    as_written = chromium.run("told.keys()")
    numbers = sorted((float(key) for key in as_written if key), reverse=True)
    chromium.run("told.head.querySelector('button').click()")
    assert chromium.run("told.head.getAttribute('aria-sort')") == "descending"
    assert [float(key) for key in chromium.run("told.keys()") if key] == numbers
    chromium.run("told.head.querySelector('button').focus()")
    press(chromium, "Enter", "\r")
    assert chromium.run("told.head.getAttribute('aria-sort')") == "ascending"
    sorted_up = chromium.run("told.keys()")
    assert [float(key) for key in sorted_up if key] == numbers[::-1]
    assert "" not in sorted_up[: len(numbers)], "what is absent comes last"
    press(chromium, "Enter", "\r")
    assert chromium.run("told.keys()") == as_written


def test_more_rows_are_shown_when_asked_for(chromium: Browser, report: Path) -> None:
    opened(chromium, report)
    before, after, whole = chromium.run("""(() => {
      const box = document.querySelector(".table:has(.more)");
      const seen = () => [...box.querySelectorAll("tbody tr")].filter((row) => !row.hidden).length;
      const before = seen();
      box.querySelector(".more").click();
      return [before, seen(), box.querySelectorAll("tbody tr").length];
    })()""")
    assert 0 < before < after == whole


def test_a_zoom_of_one_chart_is_the_zoom_of_all(chromium: Browser, report: Path) -> None:
    events = opened(chromium, report)
    whole = chromium.run(RANGES)
    assert len(whole) > 6
    assert len({tuple(one) for one in whole}) == 1, "one time axis"
    box = chromium.run(f"""(() => {{
      const plot = {LINKED}[0];
      plot.scrollIntoView({{ block: "center", behavior: "instant" }});
      const box = plot.querySelector(".nsewdrag").getBoundingClientRect();
      return [box.x, box.y, box.width, box.height];
    }})()""")
    x, y, width, height = box
    mouse(chromium, "mouseMoved", x + 0.25 * width, y + height / 2)
    mouse(chromium, "mousePressed", x + 0.25 * width, y + height / 2)
    for share in (0.3, 0.4, 0.5):
        mouse(chromium, "mouseMoved", x + share * width, y + height / 2)
    mouse(chromium, "mouseReleased", x + 0.5 * width, y + height / 2)
    all_one = f"new Set({RANGES}.map(String)).size === 1"
    chromium.run(UNTIL % f'{all_one} && {RANGES}[0][0] !== "{whole[0][0]}"')
    zoomed = chromium.run(RANGES)
    assert whole[0][0] < zoomed[0][0] < zoomed[0][1] < whole[0][1]
    chromium.run("document.querySelector('.spans [data-days=\"0\"]').click()")
    chromium.run(UNTIL % f'{all_one} && {RANGES}[0][0] === "{whole[0][0]}"')
    chromium.run("document.querySelector('.spans [data-days=\"7\"]').click()")
    chromium.run(UNTIL % f'{all_one} && {RANGES}[0][0] !== "{whole[0][0]}"')
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            mouse(chromium, kind, x + 0.5 * width, y + height / 2, count)
    chromium.run(UNTIL % f'{all_one} && {RANGES}[0][0] === "{whole[0][0]}"')
    chromium.run("document.querySelector('.spans [data-days=\"7\"]').click()")
    chromium.run(UNTIL % f'{all_one} && {RANGES}[0][0] !== "{whole[0][0]}"')
    held = chromium.run(
        f"{LINKED}.map((p) => Number(p._fullLayout.xaxis.r2l(p._fullLayout.xaxis.range[1])) - "
        "Number(p._fullLayout.xaxis.r2l(p._fullLayout.xaxis.range[0])))"
    )
    assert set(held) == {7 * 86_400_000}
    assert faults(events) == []


def mouse(browser: Browser, kind: str, x: float, y: float, count: int = 1) -> None:
    told = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": count}
    browser.call("Input.dispatchMouseEvent", **told, buttons=int(kind != "mouseReleased"))


def test_a_chart_that_comes_later_has_the_zoom(chromium: Browser, report: Path) -> None:
    opened(chromium, report)
    chromium.run("document.querySelector('.spans [data-days=\"7\"]').click()")
    later = """[...document.querySelectorAll("[data-linked] .plot")].filter((p) => !p.layout)"""
    assert chromium.run(f"{later}.length") > 0
    chromium.run(
        f"window.later = {later}[0]; "
        "document.querySelector(`[aria-controls='${later.closest('.option').id}']`)?.click(); 0"
    )
    chromium.run(UNTIL % "later._fullLayout?.xaxis")
    told = "later._fullLayout.xaxis.range.map((t) => String(t))"
    shown = f"{LINKED}[0]._fullLayout.xaxis.range.map((t) => String(t))"
    assert chromium.run(told) == chromium.run(shown)


def test_the_theme_changes_every_colour_and_is_remembered(chromium: Browser, report: Path) -> None:
    opened(chromium, report)
    told = """[getComputedStyle(document.body).backgroundColor,
      document.querySelector(".plot .xtick text").style.fill,
      document.querySelector(".plot .scatterlayer .js-line").style.stroke]"""
    light = chromium.run(told)
    chromium.run("document.querySelector('.theme').click()")
    chromium.run(UNTIL % f'({told})[2] !== "{light[2]}"')
    dark = chromium.run(told)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    assert chromium.run("document.querySelector('.theme').textContent") == "Light"
    chromium.open(report, "all")
    chromium.run(DRAWN)
    assert chromium.run(told) == dark
    chromium.run("localStorage.clear()")
    chromium.media(prefers_color_scheme="dark")
    chromium.open(report, "all")
    chromium.run(DRAWN)
    assert chromium.run(told) == dark, "the system's theme, where none was chosen"


def test_it_prints_every_panel_in_light(chromium: Browser, report: Path) -> None:
    opened(chromium, report, "all&theme=dark")
    chromium.open(report, "theme=dark")  # and now with little drawn
    chromium.run("""addEventListener("beforeprint", () => {
      const plots = [...document.querySelectorAll(".plot")].filter((plot) => plot.offsetParent);
      window.printed = plots.map((plot) => [plot.querySelector("svg.main-svg") !== null,
        plot._fullLayout?.width, plot._fullLayout?.font.color]);
    })""")
    made = base64.b64decode(chromium.call("Page.printToPDF", paperWidth=8.27)["data"])
    assert made.startswith(b"%PDF-")
    printed = chromium.run("window.printed")
    assert len(printed) >= 12
    assert all(drawn and width <= 700 for drawn, width, _ in printed)
    assert {colour for _, _, colour in printed} == {LIGHT["ink"]}
    chromium.call("Emulation.setEmulatedMedia", media="print")
    hidden = chromium.run(
        "['.bar', 'nav'].map((one) => getComputedStyle(document.querySelector(one)).display)"
    )
    assert hidden == ["none", "none"]
    ink = chromium.run("getComputedStyle(document.body).color")
    chromium.call("Emulation.setEmulatedMedia", media="")
    assert ink == "rgb(23, 32, 42)"


def test_a_name_that_is_an_attack_is_text(chromium: Browser, hostile: Path) -> None:
    events = opened(chromium, hostile)
    assert faults(events) == []
    assert len(asked(events)) == 1
    assert chromium.run("document.title") == EVIL
    assert chromium.run("document.querySelector('h1').textContent") == EVIL
    assert chromium.run("document.querySelectorAll('img').length") == 0
    kinds = chromium.run("[...document.scripts].map((one) => one.type).filter((t) => !t).length")
    assert kinds == 2, "plotly.js and the page's own"
    drawn = chromium.run("[...document.querySelectorAll('svg text')].map((one) => one.textContent)")
    assert any(EVIL in text for text in drawn)
    told = chromium.run("[...document.querySelectorAll('td')].map((one) => one.textContent)")
    assert any(EVIL_COIN in text for text in told)


def test_its_policy_lets_nothing_out(chromium: Browser, report: Path) -> None:
    opened(chromium, report, query="")
    refused = chromium.run("""new Promise((done) => {
      addEventListener("securitypolicyviolation", (told) => done(told.effectiveDirective));
      fetch("https://example.com/").catch(() => {});
    })""")
    assert refused == "connect-src"


@pytest.mark.parametrize("width", [1280, 390])
def test_runs_side_by_side(chromium: Browser, compared: Path, width: int) -> None:
    events = opened(chromium, compared, width=width)
    assert chromium.run("document.querySelectorAll('.panel').length") == 5
    plots = chromium.run(PLOTS)
    assert len(plots) >= 4
    assert all(wide > 250 and high > 80 and shapes > 0 for _, wide, high, shapes in plots)
    assert EVIL in chromium.run("document.querySelector('h1').textContent")
    sizes = chromium.run("[document.documentElement.scrollWidth, innerWidth]")
    assert sizes == [width, width]
    assert faults(events) == []
    assert len(asked(events)) == 1


def test_headline_numbers_are_those_of_the_summary(
    chromium: Browser, report: Path, run: Run
) -> None:
    opened(chromium, report)
    cards = dict(
        chromium.run(
            "[...document.querySelectorAll('.cards > div')].map((one) => "
            "[one.querySelector('dt').textContent, one.querySelector('b').textContent])"
        )
    )
    for label, metric, told in (
        ("Net APR on all capital", "net_apr", "{:.2%}"),
        ("Excess over T-bills", "excess_apr", "{:.2%}"),
        ("Final equity", "final_equity_usd", "{:,.2f}"),
        ("Worst drawdown", "max_drawdown_frac", "{:.2%}"),
        ("Worst margin ratio", "worst_margin_ratio", "{:.2f}"),
        ("Time in market", "time_in_market_frac", "{:.2%}"),
    ):
        value = run.metric(metric)
        assert value is not None
        assert cards[label] == told.format(value), label
