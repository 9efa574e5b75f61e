"""The basis panel: what is drawn, and the hours of each session."""

from __future__ import annotations

import json

import numpy as np
import pytest

import perpkit
from perpkit.report.panel import Chart, Choice, Panel, Text
from perpkit.report.panels.basis import panel
from perpkit.report.reading import Run, run_of

from .markets import hour, market, rows, run_with, table, trace, unpacked

A, B, TOKEN = "xyz:A", "xyz:B", "Ax"
NASTY = "xyz:<script>alert(1)</script>"


def charts(made: Panel, place: int, name: str) -> tuple[Chart, Chart]:
    choice = [part for part in made.parts if isinstance(part, Choice)][place]
    line, box = choice.parts[name]
    assert isinstance(line, Chart)
    assert isinstance(box, Chart)
    return line, box


def texts(made: Panel) -> str:
    return " ".join(part.text for part in made.parts if isinstance(part, Text))


def with_tokens(run: Run, *tokens: str) -> Run:
    run.manifest["instruments"]["tokens"] += tokens
    return run


def test_basis_and_premium_are_drawn_in_basis_points() -> None:
    prices = market(3, {A: {"mark_px": [100.1, 99.8, 100.0], "premium_8h": [2e-3, -1e-3, 0.0]}})
    line = charts(panel(run_with(prices)), 0, A)[0]
    assert unpacked(trace(line, "mark over oracle")["y"]) == pytest.approx([10, -20, 0], abs=1e-4)
    assert unpacked(trace(line, "premium of the hour")["y"]) == pytest.approx([20, -10, 0])


def test_hours_are_counted_by_the_session_of_the_coin() -> None:
    mark = 100.0 + np.array([0.01, 0.03, 0.02, 0.5, -0.7, 0.1])
    phase = ["cash"] * 3 + ["closed"] * 2 + ["extended"]
    other = {"mark_px": 100.2, "phase": "extended"}
    made = panel(run_with(market(6, {A: {"mark_px": mark, "phase": phase}, B: other})))
    told = table(made, "Basis by session")
    assert [(row["Coin"], row["Session"], row["Hours"]) for row in told] == [
        (A, "cash", 3.0),
        (A, "extended", 1.0),
        (A, "closed", 2.0),
        (B, "extended", 6.0),
    ]
    cash, extended, closed, _ = told
    assert (cash["Mean"], cash["Median"]) == (pytest.approx(2.0), pytest.approx(2.0))
    assert (cash["5%"], cash["95%"]) == (pytest.approx(1.1), pytest.approx(2.9))
    assert closed["Mean"] == pytest.approx(-10.0)
    assert closed["Farthest"] == pytest.approx(-70.0)
    assert closed["At"] == hour(4).timestamp() * 1000
    assert extended["Median"] == pytest.approx(10.0)
    (box,) = charts(made, 0, A)[1].figure["data"]
    assert box["x"] == ["cash", "extended", "closed"]
    assert box["median"] == pytest.approx([2.0, 10.0, -10.0])
    assert box["lowerfence"][0] == pytest.approx(1.1)
    # open: 1, 3, 2, 10 and six times 20; closed: 50 and 70
    assert made.lead == (
        "The mark stood a median 20.0 bp from the oracle while the stock's session was open, "
        "60.0 bp while it was closed."
    )


def test_a_token_has_its_premium_while_its_quote_is_live() -> None:
    quotes = rows("quotes", [(hour(n), TOKEN, p) for n, p in enumerate((1e-3, None, -3e-3))])
    # closed for one perp and not for the other: neither cash nor closed
    phases = ["cash", "closed", "closed"], ["cash", "closed", "extended"]
    prices = market(3, {A: {"phase": phases[0]}, B: {"phase": phases[1]}})
    made = panel(with_tokens(run_with(prices, quotes=quotes), TOKEN))
    line = charts(made, 1, TOKEN)[0]
    told = unpacked(trace(line, "premium")["y"])
    assert told[[0, 2]] == pytest.approx([10.0, -30.0])
    assert np.isnan(told[1])
    assert [(r["Session"], r["Hours"], r["Mean"]) for r in table(made, "Premium")] == [
        ("cash", 1.0, pytest.approx(10.0)),
        ("extended", 1.0, pytest.approx(-30.0)),
    ]


def test_what_is_missing_is_said() -> None:
    none = panel(run_with(market(2, {A: {}})))
    assert "no token" in texts(none)
    quotes = rows("quotes", [(hour(n), TOKEN, None) for n in range(2)])
    silent = panel(with_tokens(run_with(market(2, {A: {}}), quotes=quotes), TOKEN))
    assert "No token had a live quote" in texts(silent)
    two = rows(
        "quotes", [(hour(n), k, p) for n in range(2) for k, p in ((TOKEN, 1e-4), ("Bx", None))]
    )
    part = panel(with_tokens(run_with(market(2, {A: {}}), quotes=two), TOKEN, "Bx"))
    assert "Without a live quote at any hour: Bx." in texts(part)
    assert "no perp" in panel(run_with(market(2, {A: {}}).clear())).empty
    assert panel(run_with(market(1, {NASTY: {}}))).parts  # one hour, and a name that is text


def test_a_name_is_text() -> None:
    made = panel(run_with(market(2, {NASTY: {}})))
    assert charts(made, 0, NASTY)
    assert table(made, "Basis")[0]["Coin"] == NASTY


def test_premiums_are_those_of_the_summary() -> None:
    run = run_of(perpkit.backtest("funding_carry", config={"end": "2025-12-01"}))
    made = panel(run)
    for token in run.tokens:
        own = [row for row in table(made, "Premium") if row["Token"] == token]
        hours = sum(row["Hours"] for row in own)
        mean = sum(row["Mean"] * row["Hours"] for row in own) / hours / 1e4
        assert mean == pytest.approx(run.fact(f"premium_mean_frac {token}"))
        worst = max((row["Farthest"] for row in own), key=abs) / 1e4
        assert worst == pytest.approx(run.fact(f"premium_worst_frac {token}"))
    choice = [part for part in made.parts if isinstance(part, Choice)]
    figures = [p.figure for c in choice for own in c.parts.values() for p in own]  # type: ignore[union-attr]
    assert len(json.dumps(figures)) < 400_000
