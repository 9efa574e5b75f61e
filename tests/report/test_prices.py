"""The price panel: what is drawn, where the step limit held, and the largest lags."""

from __future__ import annotations

import json

import numpy as np
import pytest

from perpkit.report.panel import Chart, Choice, Panel, Text
from perpkit.report.panels.prices import panel

from .markets import hour, market, rows, run_with, table, trace, unpacked

A, B = "xyz:A", "xyz:B"
NASTY = "xyz:<script>alert(1)</script>"


def parts(made: Panel, coin: str) -> list[Chart | Text]:
    choice = made.parts[0]
    assert isinstance(choice, Choice)
    return [part for part in choice.parts[coin] if isinstance(part, (Chart, Text))]


def chart(made: Panel, coin: str, place: int = 0) -> Chart:
    found = parts(made, coin)[place]
    assert isinstance(found, Chart)
    return found


def test_prices_are_drawn_as_they_are() -> None:
    oracle, mark = [100.0, 101.0, 99.0], [100.5, 101.5, 98.5]
    made = panel(
        run_with(
            market(3, {A: {"oracle_px": oracle, "mark_px": mark, "external_px": oracle}}),
            facts={"oracle_hours_bound": 0},
        )
    )
    for name, values in (("oracle", oracle), ("mark", mark), ("external", oracle)):
        line = trace(chart(made, A), name)
        assert list(unpacked(line["y"])) == values
        assert list(unpacked(line["x"])) == [hour(row).timestamp() * 1000 for row in range(3)]
    assert "no step limit held it back" in made.lead
    assert chart(made, A).note == ""  # nothing is shaded, nothing left out
    (told,) = [part.text for part in parts(made, A) if isinstance(part, Text)]
    assert told == "The step limit never held this coin's oracle back."


def test_without_an_external_price_the_panel_says_so() -> None:
    made = panel(run_with(market(3, {A: {}})))
    names = [one["name"] for one in chart(made, A).figure["data"]]
    assert names == ["oracle", "mark"]
    assert next(p.text for p in made.parts if isinstance(p, Text)).startswith(
        "No external price is recorded"
    )
    assert not [p for p in parts(made, A) if isinstance(p, Text)]
    assert "venue's own record" in made.lead


def test_sessions_are_shaded_from_the_hour_they_close_to_the_hour_they_open() -> None:
    phase = ["cash", "extended", "closed", "closed", "extended", "closed"]
    made = chart(panel(run_with(market(6, {A: {"phase": phase}}))), A)
    at = [hour(row).timestamp() * 1000 for row in range(7)]
    assert list(unpacked(trace(made, "closed session")["x"])) == [at[2], at[4], at[5], at[6]]
    assert list(unpacked(trace(made, "extended session")["x"])) == [at[1], at[2], at[4], at[5]]
    assert list(unpacked(trace(made, "closed session")["y"])) == [100, 0, 100, 0]
    assert made.note == "Shaded: the stock's session is closed; along the foot: extended."
    assert unpacked(trace(made, "extended session")["y"]).max() < 10  # told apart by its height


def test_lags_are_marked_drawn_and_told_with_what_was_held() -> None:
    lag_a = [None, 0.02, 0.03, 0.01, None, None, -0.015, None]
    lag_b = [None, None, None, None, None, -0.05, None, 0.001]
    prices = market(
        8,
        {
            A: {"external_px": 103.0, "oracle_lag_frac": lag_a, "oracle_px": np.arange(8) + 100.0},
            B: {"external_px": 95.0, "oracle_lag_frac": lag_b},
        },
    )
    held = rows(
        "positions",
        [
            (hour(2), "cross", A, -2.0, -204.0),
            (hour(2), "strict", A, -1.0, -102.0),
            (hour(2), "wallet", "Ax", 3.0, 306.0),
            (hour(5), "cross", A, -2.0, -210.0),
        ],
    )
    facts = {"oracle_hours_bound": 6, "oracle_largest_lag_frac": 0.05}
    made = panel(run_with(prices, facts=facts, positions=held))
    assert made.lead.startswith(
        "The step limit held an oracle back in 6 coin-hours, by up to 5.00%"
    )
    told = table(made, "Largest lags")
    assert [(row["Coin"], row["Length"], row["Largest lag"]) for row in told] == [
        (B, 1.0, -0.05),
        (A, 3.0, 0.03),
        (A, 1.0, -0.015),
        (B, 1.0, 0.001),
    ]
    assert told[1]["From"] == hour(1).timestamp() * 1000
    assert told[1]["At"] == hour(2).timestamp() * 1000
    assert [row["Held then"] for row in told] == [0.0, -3.0, 0.0, 0.0]
    assert told[1]["Held then, value"] == pytest.approx(-306.0)
    mark = trace(chart(made, A), "step limit held")
    assert list(unpacked(mark["y"])) == [101.0, 102.0, 103.0, 106.0]
    assert unpacked(mark["customdata"]) == pytest.approx([0.02, 0.03, 0.01, -0.015])
    lag = trace(chart(made, A, 1), "external over oracle")
    assert unpacked(lag["y"]) == pytest.approx([0.0, 0.02, 0.03, 0.01, 0.0, 0.0, -0.015, 0.0])


def test_thinned_lines_keep_their_extremes_and_many_lags_the_largest() -> None:
    hours, coins = 20_000, 16
    rng = np.random.default_rng(1)
    walk = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.003, hours)))
    lag = np.where(rng.random(hours) < 0.2, rng.normal(0.0, 0.01, hours), np.nan)
    own = {"oracle_px": walk, "mark_px": walk, "external_px": walk, "oracle_lag_frac": lag}
    made = panel(run_with(market(hours, {f"v:{n}": own for n in range(coins)})))
    drawn = chart(made, "v:3")
    line = unpacked(trace(drawn, "oracle")["y"])
    assert line.max() == np.float32(walk.max())
    assert line.min() == np.float32(walk.min())
    assert "the least and the largest of each stay" in drawn.note
    assert "the 100 largest are marked" in drawn.note
    assert len(unpacked(trace(drawn, "step limit held")["y"])) == 100
    lags = chart(made, "v:3", 1)
    told = unpacked(trace(lags, "external over oracle")["y"])
    assert told.max() == np.float32(np.nanmax(lag))
    assert told.min() == np.float32(np.nanmin(lag))
    at = (unpacked(trace(lags, "external over oracle")["x"]) - hour(0).timestamp() * 1000) / 3.6e6
    assert told == pytest.approx(np.nan_to_num(lag)[at.astype(int)])  # each as it was
    assert (told[1:-1][told[1:-1] != 0.0].size) == 100
    assert "stretches the 100 largest" in lags.note
    assert len(table(made, "Largest lags")) == 200
    choice = made.parts[0]
    assert isinstance(choice, Choice)
    figures = [p.figure for own in choice.parts.values() for p in own if isinstance(p, Chart)]
    assert len(json.dumps(figures)) < 550_000


def test_a_name_is_text_and_no_perp_is_said() -> None:
    made = panel(run_with(market(2, {NASTY: {}})))
    choice = made.parts[0]
    assert isinstance(choice, Choice)
    assert list(choice.parts) == [NASTY]
    assert "no perp" in panel(run_with(market(2, {A: {}}).clear())).empty
