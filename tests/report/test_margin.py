"""Margin: ratios and distances with what was done by force, and the sentence that leads."""

from __future__ import annotations

import math
from typing import Any

import pytest

from perpkit.report.events import KINDS, LISTED, MARKED
from perpkit.report.panel import Chart, Table
from perpkit.report.panels.margin import panel
from perpkit.report.reading import Run

from .small import EVIL, column, every, small, texts, traces, unpacked


def account(name: str, ratios: list[float]) -> list[dict[str, Any]]:
    return [{"h": h, "account": name, "margin_ratio": r} for h, r in enumerate(ratios)]


def near(coin: str, distances: list[float | None], of: str = "v") -> list[dict[str, Any]]:
    return [
        {"h": h, "instrument": coin, "account": of, "liquidation_distance_frac": d}
        for h, d in enumerate(distances)
    ]


def event(h: int, kind: str, usd: float | None = 10.0, **more: str) -> dict[str, Any]:
    told = {"instrument": "v:AAA", "account": "v", "detail": f"it was {kind}", **more}
    return {"h": h, "kind": kind, "value_usd": usd, **told}


def killed(**more: Any) -> Run:
    """Liquidated in the last of thirty hours, from 20% away; another account lives."""
    metrics = {
        "worst_margin_ratio": 1.0,
        "margin_strained_hours": 3.0,
        "min_liquidation_distance_frac": 0.04,
        "liquidation_usd": -12.0,
        "bad_debt_usd": 7.0,
        "net_pnl_usd": 3.0,
    }
    return small(
        30,
        metrics,
        accounts=[
            *account("wallet", [0.0] * 30),
            *account("v", [0.0, *[0.2] * 27, 0.3, 0.0]),
            *account("v/v:BBB", [0.1] * 20 + [0.6] * 10),
        ],
        positions=[
            *near("v:AAA", [None, *[0.2] * 28]),
            *near("v:BBB", [0.5] * 19 + [0.04], "v/v:BBB"),
        ],
        events=[event(3, "trimmed", None), event(29, "liquidation"), event(29, "bad_debt", 7.0)],
        **more,
    )


def test_a_forced_close_is_drawn_at_one_though_its_row_shows_what_was_left() -> None:
    ratios = traces(every(panel(killed()), Chart)[0])
    drawn = unpacked(ratios["v"]["y"])
    assert math.isnan(drawn[0])
    assert drawn[1:] == pytest.approx([*[0.2] * 27, 0.3, 1.0], rel=1e-6)
    assert "wallet" not in ratios
    assert unpacked(ratios["1: liquidation"]["y"]) == [1.0, 1.0]


def test_events_are_marked_by_their_sentences_at_the_ratio_of_their_hour() -> None:
    ratios = traces(every(panel(killed()), Chart)[0])
    mark = ratios["liquidated (1)"]
    assert mark["text"] == ["2026-03-03 05:00 v:AAA: it was liquidation"]
    assert unpacked(mark["y"]) == [1.0]
    assert unpacked(ratios["cut by margin or cash (1)"]["y"]) == pytest.approx([0.2])
    symbols = [t["marker"]["symbol"] for t in ratios.values() if t["mode"] == "markers"]
    assert len(set(symbols)) == len(symbols)


def test_every_kind_has_a_look_of_its_own() -> None:
    assert len({look.symbol for look in KINDS.values()}) == len(KINDS)


def test_the_distance_is_that_of_the_nearest_position() -> None:
    trace = every(panel(killed()), Chart)[1].figure["data"][0]
    drawn = unpacked(trace["y"])
    assert drawn[0] == pytest.approx(0.5)
    assert drawn[1] == pytest.approx(0.2)
    assert drawn[19] == pytest.approx(0.04)
    assert [trace["text"][h] for h in (0, 1, 19)] == ["v:BBB", "v:AAA", "v:BBB"]


def test_the_sentence_tells_the_death_and_how_far_it_was() -> None:
    lead = panel(killed()).lead
    assert "v:AAA on 2026-03-03 05:00, on day 2 of the run" in lead
    assert "an hour before its liquidation price was 20.00% away" in lead
    assert "came to 12 USD" in lead
    assert "7 USD were left to the venue as bad debt, without which" in lead
    assert "would have made -4 USD." in lead
    assert "1.00, which is liquidation: v on 2026-03-03 05:00; above 0.5 for 3 hours" in lead
    assert "4.00% away: v:BBB on 2026-03-02 19:00" in lead
    assert "typical" not in lead, "thirty hours tell no typical day"


def test_a_typical_day_is_the_deviation_of_daily_moves() -> None:
    # One day up by 1%, one down: e^±0.01 every 24 hours.
    price = [100 * math.exp(0.01 * ((h // 24) % 2)) for h in range(24 * 21)]
    market = [{"h": h, "coin": "v:AAA", "mark_px": px} for h, px in enumerate(price)]
    moves = [0.01 if n % 2 == 0 else -0.01 for n in range(20)]
    sigma = math.sqrt(sum(m * m for m in moves) / 19)
    run = small(
        24 * 21,
        {"worst_margin_ratio": 0.2, "min_liquidation_distance_frac": 0.05},
        accounts=account("v", [0.2] * 504),
        positions=near("v:AAA", [0.05]),
        market=market,
    )
    assert f"{0.05 / sigma:.1f} typical days" in panel(run).lead
    assert f"{sigma:.2%}" in panel(run).lead


def test_other_force_is_counted() -> None:
    run = small(
        2,
        accounts=account("v", [0.2, 0.2]),
        events=[event(0, "adl"), event(1, "adl"), event(1, "venue_failed")],
    )
    assert "By force: auto-deleveraged 2, venue failed 1." in panel(run).lead


def test_nothing_left_is_said_and_drawn_at_the_top() -> None:
    run = small(
        2,
        {"worst_margin_ratio": "inf", "margin_strained_hours": 1.0},
        accounts=account("v", [0.5, math.inf]),
        positions=near("v:AAA", [0.1]),
    )
    told = panel(run)
    assert "Nothing was left of the margin of v on 2026-03-02 01:00" in told.lead
    chart = every(told, Chart)[0]
    assert unpacked(traces(chart)["v"]["y"]) == [0.5, 2.0]
    assert "in 1 hours of an account, drawn at 2" in chart.note


def test_many_accounts_are_the_worst_and_the_rest() -> None:
    rows = [row for k in range(16) for row in account(f"v/{k}", [0.01 * (k + 1)] * 2)]
    told = panel(small(2, {"worst_margin_ratio": 0.16}, accounts=rows))
    drawn = traces(every(told, Chart)[0])
    assert list(drawn)[:6] == [*(f"v/{k}" for k in (15, 14, 13, 12, 11)), "worst of 11 others"]
    assert unpacked(drawn["worst of 11 others"]["y"]) == pytest.approx([0.11] * 2)
    assert column(every(told, Table)[0], "account")[0] == "v/15"


def test_accounts_and_events_are_listed_what_was_forced_first() -> None:
    accounts, events = every(panel(killed()), Table)
    assert column(accounts, "account") == ["v", "v/v:BBB"]
    assert column(accounts, "worst ratio") == [1.0, 0.6]
    assert column(accounts, "above 0.5") == [1, 10]
    assert column(accounts, "nearest") == [0.2, 0.04]
    assert column(accounts, "forced closes") == [1, 0]
    assert column(events, "event") == ["liquidated", "bad debt", "cut by margin or cash"]
    assert texts(events, "value") == ["10", "7", ""]


def test_of_many_events_the_largest_are_marked_and_the_first_listed() -> None:
    many = [event(1, "trimmed", None) for _ in range(LISTED)]
    sums = [event(1, "margin_added", float(n)) for n in range(MARKED + 5)]
    run = small(2, accounts=account("v", [0.2, 0.2]), events=[*many, *sums])
    told = panel(run)
    chart, table = every(told, Chart)[0], every(told, Table)[1]
    mark = traces(chart)[f"margin added ({MARKED + 5})"]
    assert len(mark["text"]) == MARKED
    assert "the largest are marked" in chart.note
    assert len(table.rows) == LISTED
    assert f"{LISTED} of {LISTED + MARKED + 5} events" in table.caption


def test_a_run_without_a_perp_says_that_nothing_could_be_liquidated() -> None:
    told = panel(small(3, {"worst_margin_ratio": 0.0}, accounts=account("v", [0.0] * 3)))
    assert not told.parts
    assert "nothing could be liquidated" in told.empty


def test_names_are_text() -> None:
    run = small(
        1,
        {"worst_margin_ratio": 0.2},
        accounts=account(EVIL, [0.2]),
        events=[event(0, "trimmed", None, instrument=EVIL, detail=EVIL)],
    )
    told = panel(run)
    assert EVIL in traces(every(told, Chart)[0])
    assert column(every(told, Table)[1], "what happened") == [EVIL]
