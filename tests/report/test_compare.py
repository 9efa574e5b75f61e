"""Runs side by side: names, spans, numbers, causes and inputs of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from perpkit.errors import RequestError
from perpkit.report.compare import panels_of
from perpkit.report.panel import Chart, Panel, Table, Text
from perpkit.report.reading import Run

from .small import EVIL, at, column, every, hourly, small, texts, traces, unpacked


def run(
    equity: list[float],
    name: str = "a",
    *,
    begun: int = 0,
    metrics: Mapping[str, Any] | None = None,
    **manifest: Any,
) -> Run:
    """A run with this equity, from an hour on."""
    hours = begun + len(equity)
    rows = hourly(hours, equity_usd=[equity[0]] * begun + equity)
    capital = manifest.pop("capital", 1000.0)
    config = {"capital": capital, "collateral": {}, "sweep_token": None}
    told = small(
        hours,
        metrics,
        name=name,
        equity=rows,
        manifest={"config": {**config, **manifest.pop("config", {})}, **manifest},
    )
    return Run(
        told.name,
        {**told.frames, "equity": told.frames["equity"].slice(begun)},
        told.summary,
        told.manifest,
    )


def panels(*runs: Run) -> dict[str, Panel]:
    return {panel.key.removeprefix("compared-"): panel for panel in panels_of(runs)}


STEADY = [1000.0 + h for h in range(100)]


# --------------------------------------------------------------------------- what is compared


def test_one_run_is_no_comparison() -> None:
    with pytest.raises(RequestError, match="two runs or more"):
        panels_of([run(STEADY)])


def test_runs_of_one_name_are_told_apart() -> None:
    chart = every(panels(*(run(STEADY, n) for n in ("a", "a", "a (2)", "a")))["equity"], Chart)[0]
    assert list(traces(chart)) == ["a", "a (3)", "a (2)", "a (4)"]


def test_runs_without_common_hours_are_refused() -> None:
    early, late = run(STEADY[:24]), run(STEADY[:24], "b", begun=24)
    with pytest.raises(RequestError, match=r"a \(2026-03-02 00:00 to 2026-03-02 23:00\) and b"):
        panels_of([early, late])


def test_other_spans_are_warned_of_and_marked() -> None:
    told = panels(run(STEADY[:60]), run(STEADY[:60], "b", begun=20))
    warned = [text.text for text in every(told["equity"], Text)]
    assert len(warned) == 1
    assert "all have the hours from 2026-03-02 20:00 to 2026-03-04 11:00" in warned[0]
    shapes = every(told["equity"], Chart)[0].figure["layout"]["shapes"]
    ends = [at(h).timestamp() * 1e3 for h in (20, 59)]
    assert [shape["x0"] for shape in shapes] == ends
    common = every(told["numbers"], Table)[1]
    first, other = 1059 / 1020 - 1, 1039 / 1000 - 1
    assert column(common, "return")[:2] == pytest.approx([first, other])
    assert "2026-03-02 20:00 to 2026-03-04 11:00" in common.caption


def test_three_runs_of_which_two_meet_the_first_apart() -> None:
    runs = [run(STEADY[:60]), run(STEADY[:10], "b"), run(STEADY[:10], "c", begun=30)]
    told = panels(*runs)
    assert "no hour is in all of them" in every(told["equity"], Text)[0].text
    assert not every(told["equity"], Chart)[0].figure["layout"]["shapes"]
    assert len(every(told["numbers"], Table)) == 1


def test_other_data_and_other_rules_are_warned_of() -> None:
    there = run(STEADY, "b", dataset={"name": "other", "digest": "x"}, rules_digest="r2")
    here = run(STEADY, rules_digest="r1")
    warned = " ".join(text.text for text in every(panels(here, there)["equity"], Text))
    assert "b was played on dataset other and not on that of a (made)" in warned
    assert "b was played by other rules of market and book than a" in warned
    assert not every(panels(here, run(STEADY, "b", rules_digest="r1"))["equity"], Text)


# --------------------------------------------------------------------------- equity and numbers


def test_equity_is_usd_where_capital_is_one_and_a_share_where_not() -> None:
    one = every(panels(run(STEADY), run(STEADY, "b"))["equity"], Chart)[0]
    assert unpacked(traces(one)["b"]["y"]) == STEADY
    two = run([2000.0 + h for h in range(100)], "b", capital=2000.0)
    other = every(panels(run(STEADY), two)["equity"], Chart)[0]
    assert unpacked(traces(other)["b"]["y"])[-1] == pytest.approx(2099 / 2000)
    assert unpacked(traces(other)["a"]["y"])[-1] == pytest.approx(1099 / 1000)
    dashes = {trace["line"]["dash"] for trace in other.figure["data"]}
    assert len(dashes) == 2, "told apart without colours"


def test_drawdowns_are_below_the_highest_so_far() -> None:
    fell = run([1000.0, 1250.0, 1000.0, 1250.0], "b")
    drawn = traces(every(panels(run(STEADY[:4]), fell)["equity"], Chart)[1])
    assert unpacked(drawn["b"]["y"]) == pytest.approx([0.0, 0.0, -0.2, 0.0])


def test_numbers_are_the_summarys_with_differences_to_the_first() -> None:
    told = panels(
        run(STEADY, metrics={"net_apr": 0.05, "worst_margin_ratio": 0.2, "liquidations": 0}),
        run(STEADY, "b", metrics={"net_apr": 0.03, "worst_margin_ratio": "inf", "liquidations": 2}),
        run(STEADY, "c"),
    )["numbers"]
    table = every(told, Table)[0]
    rows = dict(zip(column(table, "number"), range(100), strict=False))
    apr, ratio = rows["net APR on all capital"], rows["worst margin ratio"]
    assert (texts(table, "a")[apr], texts(table, "b")[apr]) == ("5.00%", "3.00%")
    assert texts(table, "b less a")[apr] == "-2.00 pp"
    assert column(table, "b less a")[apr] == pytest.approx(-0.02)
    assert texts(table, "b")[ratio] == "inf"
    assert texts(table, "b less a")[ratio] == "inf"
    assert texts(table, "b less a")[rows["liquidations"]] == "+2"
    assert (texts(table, "c")[apr], column(table, "c less a")[apr]) == ("n/a", None)
    assert told.lead == "b made 2.00 pp a year less than a."


# --------------------------------------------------------------------------- causes


def causes(**usd: float) -> dict[str, float]:
    return {f"{name}_usd": value for name, value in usd.items()}


def test_causes_stand_side_by_side() -> None:
    told = panels(
        run(STEADY, metrics=causes(perp_price=-50.0, token_price=48.0, funding=20.0)),
        run(STEADY, "b", metrics=causes(funding=5.0, fees=-1.0), capital=2000.0),
    )["attribution"]
    table, chart = every(told, Table)[0], every(told, Chart)[0]
    names = ["perp price", "token price", "funding", "fees", "net"]
    assert column(table, "cause") == names
    assert column(table, "a") == [-50.0, 48.0, 20.0, 0.0, 18.0]
    assert column(table, "b less a") == [50.0, -48.0, -15.0, -1.0, -14.0]
    drawn = traces(chart)
    assert drawn["a"]["x"] == ["price moves, both legs", "funding", "fees"]
    assert unpacked(drawn["a"]["y"]) == pytest.approx([-0.002, 0.02, 0.0])
    assert unpacked(drawn["b"]["y"]) == pytest.approx([0.0, 0.0025, -0.0005])
    assert "b ended 1.60% of capital below a" in told.lead
    assert "the largest difference is funding: -1.75%" in told.lead


def test_runs_that_held_nothing_have_no_causes() -> None:
    told = panels(run(STEADY), run(STEADY, "b"))["attribution"]
    assert "nothing earned or cost" in told.empty


# --------------------------------------------------------------------------- inputs


def strategy(**params: Any) -> dict[str, Any]:
    return {"name": "made", "file": "made.py", "digest": "a", "params": params}


def term(key: str, value: object, coins: list[str], since_ns: int = 0) -> dict[str, Any]:
    return {"key": key, "value": value, "coins": coins, "from_ns": since_ns}


def test_equal_runs_differ_in_nothing() -> None:
    told = panels(run(STEADY), run(STEADY, "b"))["inputs"]
    assert told.empty.startswith("Nothing differs")


def test_only_what_differs_is_listed() -> None:
    both = ["v:AAA", "v:BBB"]
    changed = 1_772_409_600_000_000_000
    here = run(
        STEADY,
        strategy=strategy(enter_apr=0.08, hold_hours=24),
        terms=[
            term("taker_frac", 0.0009, both),
            term("max_leverage", 10, both),
            term("margin_modes", "cross", both, 1),
            term("margin_modes", "cross", both, 2),
        ],
    )
    there = run(
        STEADY,
        "b",
        strategy=strategy(enter_apr=0.05, hold_hours=24),
        config={"half_spread_frac": 0.0005, "terms": {"v:AAA": {"max_leverage": 5}}},
        terms=[
            term("taker_frac", 0.0009, both),
            term("max_leverage", 5, ["v:AAA"]),
            term("max_leverage", 10, ["v:BBB"], 1),
            term("max_leverage", 20, ["v:BBB"], changed),
            term("margin_modes", "cross", both),
        ],
    )
    told = panels(here, there)["inputs"]
    tables = {table.caption: [list(row) for row in table.rows] for table in every(told, Table)}
    assert tables == {
        "Parameters: what differs": [["enter_apr", "0.08", "0.05"]],
        "Settings: what differs": [
            ["half_spread_frac", "–", "0.0005"],
            ["terms.v:AAA.max_leverage", "–", "5"],
        ],
        "Terms: what differs": [
            ["max_leverage of v:AAA", "10", "5"],
            ["max_leverage of v:BBB", "10", "10, 20 from 2026-03-02"],
        ],
    }
    assert told.lead == (
        "Nothing differs but parameters (enter_apr), settings (half_spread_frac, "
        "terms.v:AAA.max_leverage) and terms (max_leverage of v:AAA, max_leverage of v:BBB)."
    )


def test_names_and_values_are_text() -> None:
    told = panels(run(STEADY), run(STEADY, EVIL, strategy=strategy(word=EVIL)))
    assert EVIL in traces(every(told["equity"], Chart)[0])
    assert column(every(told["inputs"], Table)[-1], EVIL) == [EVIL]
