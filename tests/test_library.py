"""perpkit as a library: what a notebook shows of a result and completes, and what is refused."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perpkit
from perpkit.assumptions import Assumption
from perpkit.errors import DataError, PerpkitError, RequestError, StrategyError
from perpkit.headline import assumed_terms, attribution, headline
from perpkit.metrics import METRICS
from perpkit.metrics.formula import FundingCheck
from perpkit.report import terminal
from perpkit.result import Result
from perpkit.run import demo

FEW = {"end": "2025-10-16", "coins": ["sim:ORCA"]}
HOSTILE = "<script>alert('x')</script> & \"y\""


@pytest.fixture(scope="module")
def result() -> Result:
    return perpkit.backtest("funding_carry", config=FEW, params={"lookback_hours": 24})


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Result:
    file = tmp_path_factory.mktemp("idle") / "idle.py"
    file.write_text("def decide(t, past, book, p, mine, target):\n    pass\n")
    return perpkit.backtest(file, config=FEW, pure_python=True)


class Page(HTMLParser):
    """Tags, styles, rows of cells and all text of a piece of HTML, which must nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.styles: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.open.append(tag)
        self.tags.add(tag)
        self.styles += [value or "" for _, value in attrs]
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data


# --------------------------------------------------------------------------- what is shown


def test_the_line_of_a_result(result: Result) -> None:
    line = repr(result)
    assert line == str(result)
    assert re.fullmatch(
        r"<Result of funding_carry on demo, 2025-10-13 00:00Z to 2025-10-16 00:00Z, 1 perp and "
        r"1 token: final equity [\d,]+\.\d\d USD, net APR -?\d+\.\d\d%>",
        line,
    )
    assert f"{result.summary['final_equity_usd']:,.2f} USD" in line
    assert repr(result.frames).startswith("Frames(equity: 73 rows, attribution: ")


def test_notebook_and_terminal_show_the_same_numbers(result: Result) -> None:
    page = Page(result._repr_html_())
    lines = [" ".join(line.plain.split()) for line in terminal._lines(result, None, 60)]
    money, earned = headline(result)
    for number in money + earned:
        assert list(number) in page.rows
        assert " ".join(" ".join(number).split()) in lines
    causes, net = attribution(result)
    assert len(causes) > 3
    for cause in (*causes, net):
        row = [cause.name, f"{cause.usd:,.2f}", f"{cause.of_capital:.2%}", ""]
        assert row in page.rows
        assert any(line.startswith(" ".join(row).strip()) for line in lines)
    assert net.usd == pytest.approx(result.summary["net_pnl_usd"])


def test_warnings_and_assumptions_are_whole(result: Result) -> None:
    page = Page(result._repr_html_())
    assert result.warnings
    for warning in result.warnings:
        assert warning in page.text
    terms = {f"terms of {scope}": said for scope, said in assumed_terms(result)}
    assert terms
    shown = {row[0]: row[1:] for row in page.rows if len(row) == 3}
    assert {name: shown[name][0] for name in terms} == terms
    of_terms = {f"{t['scope']} {t['key']}" for t in result.manifest["terms"]}
    for name, value, why in result.assumptions:
        assert name in of_terms or shown[name] == [value, why]


def test_any_name_is_text(result: Result) -> None:
    made = {
        **result.manifest,
        "dataset": {**result.manifest["dataset"], "name": HOSTILE},
        "terms": [{**t, "scope": HOSTILE, "value": HOSTILE} for t in result.manifest["terms"]],
    }
    changed = replace(
        result,
        strategy=HOSTILE,
        manifest=made,
        warnings=(HOSTILE,),
        assumptions=(Assumption(HOSTILE, HOSTILE, HOSTILE),),
        funding_checks=(FundingCheck(HOSTILE, 3, 1.0, 0.0, 0.0),),
    )
    page = Page(changed._repr_html_())
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) >= 8
    summary = type(result.summary)({**result.summary, "min_liquidation_distance_coin": HOSTILE})
    page = Page(summary._repr_html_())
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) == 1


def test_the_page_is_plain_and_takes_its_colours_from_around_it(
    result: Result, idle: Result
) -> None:
    for made in (result, idle, result.summary):
        page = Page(made._repr_html_())
        tables = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
        assert page.tags <= tables | {"div", "p", "b", "ul", "li", "details", "summary"}
        assert "http" not in "".join(page.styles)
        for style in page.styles:
            told = dict(part.split(": ") for part in style.split("; "))
            assert told.get("color", "inherit") == "inherit"
            assert told.get("background", "currentColor") == "currentColor"


def test_nothing_traded_is_shown_too(idle: Result) -> None:
    page = Page(idle._repr_html_())
    assert ["net", "0.00", "0.00%", ""] in page.rows
    assert "nothing was traded" in page.text


def test_funding_against_the_formula_is_shown(result: Result) -> None:
    checks = (
        FundingCheck("sim:ORCA", 1_234, 0.5, 1.3e-6, -0.001),
        FundingCheck("b", 0, None, None, 2),
    )
    page = Page(replace(result, funding_checks=checks)._repr_html_())
    assert "Recorded funding against the formula" in page.text
    assert ["sim:ORCA", "1,234", "50.00%", "1.3e-06", "+0.00"] in page.rows
    assert ["b", "0", "n/a", "n/a", "+2.00"] in page.rows


# --------------------------------------------------------------------------- what is documented


def test_every_number_has_its_unit_and_its_meaning(result: Result) -> None:
    rows = {row[0]: row[1:] for row in Page(result.summary._repr_html_()).rows}
    for metric in METRICS:
        value, unit, definition = rows[metric.name]
        assert (unit, definition) == (metric.unit, metric.definition)
        assert (value == "n/a") == (result.summary[metric.name] is None)
        assert result.summary.about(metric.name) is metric
    assert rows["final_equity_usd"][0] == f"{result.summary['final_equity_usd']:,.2f}"
    assert list(result.summary) == [metric.name for metric in METRICS]


def test_a_misspelt_name_is_answered_with_the_right_one(result: Result) -> None:
    for ask in (result.summary.__getitem__, result.summary.about):
        with pytest.raises(KeyError, match=r"no metric net_arp: did you mean net_apr\?"):
            ask("net_arp")
    with pytest.raises(KeyError, match=r"no frame equty: did you mean equity\?"):
        result.frames["equty"]
    assert result.summary.get("net_arp") is None
    assert "equty" not in result.frames


def test_what_there_is_can_be_completed(result: Result) -> None:
    assert [name for name in dir(perpkit) if name[0] != "_"] == perpkit.__all__
    assert {"summary", "frames", "warnings", "save"} <= set(dir(result))
    # Notebooks complete the keys of what is a dict.
    assert isinstance(result.summary, dict)
    assert isinstance(result.frames, dict)
    for told in (perpkit.backtest, perpkit.Result, Result.save, type(result.summary).about):
        assert len(told.__doc__ or "") > 50


def test_a_result_goes_to_another_process_and_back(result: Result) -> None:
    again = pickle.loads(pickle.dumps(result))
    assert again.summary == result.summary
    assert again.frames["equity"].equals(result.frames["equity"])
    assert again._repr_html_() == result._repr_html_()


# --------------------------------------------------------------------------- runs


def test_a_run_prints_nothing_and_the_next_compiles_nothing(
    result: Result, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    again = perpkit.backtest(
        "funding_carry", config=FEW, params={"lookback_hours": 30}, stage=seen.append
    )
    assert "loading the engine" in seen
    assert not any("compiling" in stage for stage in seen)
    assert again.manifest["strategy"]["params"]["lookback_hours"] == 30
    assert capfd.readouterr() == ("", "")


def test_other_strategies_are_played_over_the_same_market(result: Result) -> None:
    more = perpkit.backtest(
        "funding_carry",
        config=FEW,
        params={"lookback_hours": 24},
        against=["cash", demo().parents[1] / "strategies" / "spot_hold.py"],
    )
    against = more.frames["against"]
    assert against["strategy"].unique(maintain_order=True).to_list() == ["cash", "spot_hold"]
    for name in ("cash", "spot_hold"):
        alone = perpkit.backtest(name, config=FEW).frames["equity"].select("time", "equity_usd")
        beside = against.filter(strategy=name).drop("strategy")
        assert beside.equals(alone), name
    assert not result.frames["against"].height
    for name, frame in result.frames.items():
        assert name == "against" or frame.equals(more.frames[name]), name
    assert dict(more.summary) == dict(result.summary)


def test_a_folder_is_a_path_or_its_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(demo().parent))
    monkeypatch.setenv("USERPROFILE", str(demo().parent))
    made = [
        # Uncompiled: the cache of compiled code lies in the home too.
        perpkit.backtest("funding_carry", data, config=FEW, pure_python=True)
        for data in (None, demo(), str(demo()), "~/demo")
    ]
    assert len({run.manifest["dataset"]["digest"] for run in made}) == 1
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert made[-1].save("~/runs/r") == tmp_path / "runs" / "r"


def test_numbers_of_numpy_and_dates_are_taken() -> None:
    config = {**FEW, "start": date(2025, 10, 14), "capital": np.int64(50_000)}
    params = {"lookback_hours": np.int64(24), "enter_apr": np.float32(0.5)}
    made = perpkit.backtest("funding_carry", config=config, params=params).manifest
    assert made["config"]["capital"] == 50_000.0
    assert type(made["strategy"]["params"]["lookback_hours"]) is int
    assert made["span"][0] == "2025-10-14 00:00Z"


WRONG: list[tuple[type[PerpkitError], str, dict[str, Any]]] = [
    (StrategyError, "no strategy is called funding_cary", {"strategy": "funding_cary"}),
    (StrategyError, "no strategy is called 5", {"strategy": 5}),
    (StrategyError, "no strategy is called spot_hodl", {"against": ["spot_hodl"]}),
    (StrategyError, "no strategy is called spot_hodl", {"against": "spot_hodl"}),
    (RequestError, "against was .* write a list of strategies", {"against": [5]}),
    (RequestError, "against was 5: write a list of strategies", {"against": 5}),
    (
        DataError,
        "cross_venue_funding needs one underlying with perps on two venues",
        {"against": ["cross_venue_funding"], "config": {"coins": ["sim:ORCA"]}},
    ),
    (RequestError, "data was 5: write the path of a folder", {"data": 5}),
    (DataError, "nowhere is not a folder", {"data": "nowhere"}),
    (RequestError, "params was .* a dict of values by name", {"params": ["enter_apr"]}),
    (RequestError, "params was .* a dict of values by name", {"params": {5: 1}}),
    (RequestError, "config was .* a dict of values by name", {"config": "run.toml"}),
    (RequestError, "a dict of values by name", {"config": {"params": [1]}}),
    (RequestError, "did you mean capital", {"config": {"captial": 1.0}}),
    (RequestError, "enter_apr is a parameter .* params", {"config": {"enter_apr": 0.1}}),
    (RequestError, "capital is a setting .* config", {"params": {"capital": 1.0}}),
    (RequestError, "start was 'soon': write a date", {"config": {"start": "soon"}}),
    (RequestError, "start was .*: write a date", {"config": {"start": np.datetime64("2026")}}),
    (
        RequestError,
        "start is not before end; swap the two",
        {"config": {"start": "2026-01-02", "end": "2026-01-01"}},
    ),
    (DataError, "not two hours after the start", {"config": {"start": "2030-01-01"}}),
]


@pytest.mark.parametrize(("kind", "words", "told"), WRONG)
def test_what_is_wrong_is_one_sentence(
    kind: type[PerpkitError], words: str, told: dict[str, Any]
) -> None:
    with pytest.raises(kind, match=words) as caught:
        perpkit.backtest(**{"strategy": "funding_carry", **told})
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "--" not in sentence
    # What IPython asks of an error before it writes the whole way to it.
    assert caught.value._render_traceback_() == [f"{kind.__name__}: {sentence}"]


def test_two_to_set_a_run_against_that_have_one_name_are_refused(tmp_path: Path) -> None:
    text = "def decide(t, past, book, p, mine, target):\n    pass\n"
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(text, encoding="utf-8")
    both = [tmp_path / "one" / "same.py", tmp_path / "other" / "same.py"]
    with pytest.raises(RequestError, match="against has two strategies called same, "):
        perpkit.backtest("cash", config=FEW, against=both, pure_python=True)
