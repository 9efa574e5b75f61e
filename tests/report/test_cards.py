"""The headline cards: their numbers are the summary's, and what is undefined says why."""

from __future__ import annotations

import math

import pytest

from perpkit.report.panel import Card
from perpkit.report.panels.cards import panel
from perpkit.report.reading import Run

from .hand import EVIL, cards, made, played

LABELS = [
    "Net APR on all capital",
    "Excess over T-bills",
    "Final equity",
    "Worst drawdown",
    "Worst margin ratio",
    "Capital at work in margin",
    "Time in market",
    "Cost drag",
    "Break-even",
]


def test_the_cards_of_a_run_say_the_numbers_of_its_summary() -> None:
    run = played()
    told = {name: entry["value"] for name, entry in run.summary["metrics"].items()}
    found = cards(panel(run))
    assert list(found) == LABELS
    assert found["Net APR on all capital"].value == f"{told['net_apr']:.2%}"
    assert found["Excess over T-bills"].value == f"{told['excess_apr']:.2%}"
    assert "3.75%" in found["Excess over T-bills"].note
    assert found["Final equity"].value == f"{told['final_equity_usd']:,.2f}"
    assert f"{told['total_return_frac']:.2%}" in found["Final equity"].note
    assert found["Worst drawdown"].value == f"{told['max_drawdown_frac']:.2%}"
    assert found["Worst margin ratio"].value == f"{told['worst_margin_ratio']:.2f}"
    assert found["Capital at work in margin"].value == f"{told['margin_capital_frac']:.2%}"
    assert found["Time in market"].value == f"{told['time_in_market_frac']:.2%}"
    assert found["Cost drag"].value == f"{told['cost_drag_frac']:.2%}"
    assert f"{-told['fees_usd'] - told['slippage_usd']:,.2f} USD" in found["Cost drag"].note
    assert found["Break-even"].value == f"{told['break_even_days']:,.1f} days"


def test_the_lead_adds_up_to_what_was_earned() -> None:
    told = made(
        [1_000.0, 1_020.0],
        metrics={"net_pnl_usd": 20.0, "period_hours": 1.0, "net_apr": 0.09},
        attribution=[
            {"hour": 1, "instrument": "v:AAA", "cause": "funding", "usd": 30.0},
            {"hour": 1, "instrument": "v:AAA", "cause": "perp_price", "usd": -100.0},
            {"hour": 1, "instrument": "AAAx", "cause": "token_price", "usd": 101.0},
            {"hour": 1, "instrument": "AAAx", "cause": "fees", "usd": -5.0},
            {"hour": 1, "instrument": "AAAx", "cause": "slippage", "usd": -6.0},
        ],
    )
    lead = panel(told).lead
    assert lead.startswith(
        "Earned 20.00 USD in 1 h (9.00% a year on 1,000.00 USD, 4.00 points over"
    )
    assert "T-bills at 5.00%" in lead
    assert "funding +30.00, price moves +1.00, costs -11.00" in lead


def fallen(ends: float) -> Card:
    """The drawdown's card of 1000, 1100, 990, 1050 and a last hour."""
    run = made([1_000.0, 1_100.0, 990.0, 1_050.0, ends], metrics={"max_drawdown_frac": -0.1})
    return cards(panel(run))["Worst drawdown"]


def test_the_worst_drawdown_says_when_and_how_long() -> None:
    back = fallen(1_100.0)
    assert back.value == "-10.00%"
    assert "lowest 2026-01-30 02:00; 3 h from the peak until regained" in back.note
    assert "3 h from the peak, not regained" in fallen(1_099.0).note
    assert "never fell" in cards(panel(made([1_000.0, 1_001.0])))["Worst drawdown"].note


def held(**metrics: float | str | None) -> Run:
    """A run with one fill of a perp."""
    fill = {"hour": 1, "instrument": "v:AAA", "size": 1.0, "px": 10.0}
    ratios = [0.0, 0.4, 0.8, 0.1]
    told = {"worst_margin_ratio": 0.8, **metrics}
    return made([1_000.0] * 4, ratios=ratios, metrics=told, fills=[fill])


def test_the_worst_margin_ratio_says_when_and_what_it_means() -> None:
    card = cards(panel(held(margin_strained_hours=1.0)))["Worst margin ratio"]
    assert card == Card(
        "Worst margin ratio",
        "0.80",
        "on 2026-01-30 02:00; 1 is liquidation; 1 h above 0.5",
        "warn",
    )
    none = cards(panel(made([1_000.0, 1_000.0], metrics={"worst_margin_ratio": 0.0})))
    assert none["Worst margin ratio"].note == "no margin was used; 1 is liquidation"
    assert none["Worst margin ratio"].tone == ""


def test_a_margin_value_of_nothing_is_an_infinite_ratio() -> None:
    run = made(
        [1_000.0, -5.0],
        ratios=[0.2, math.inf],
        metrics={"worst_margin_ratio": "inf"},
        fills=[{"hour": 1, "instrument": "v:AAA"}],
    )
    card = cards(panel(run))["Worst margin ratio"]
    assert (card.value, card.tone) == ("inf", "loss")
    assert "2026-01-30 01:00" in card.note


@pytest.mark.parametrize(
    ("away", "ratio", "said"),
    [(0.37, 0.8, "nearly killed"), (0.04, 0.3, "nearly killed"), (0.37, 0.3, "never near its end")],
)
def test_the_lead_says_what_came_nearest_to_ending_it(away: float, ratio: float, said: str) -> None:
    lead = panel(
        held(
            worst_margin_ratio=ratio,
            min_liquidation_distance_frac=away,
            min_liquidation_distance_coin=EVIL,
            min_liquidation_distance_at="2026-01-30T02:00:00Z",
        )
    ).lead
    assert said in lead
    assert f"{EVIL} on 2026-01-30 02:00 was {away:.2%} from its liquidation price" in lead
    assert f"the margin ratio reached {ratio:.2f}, where 1 is liquidation" in lead


def test_a_liquidated_run_leads_with_its_end() -> None:
    events = [
        {"hour": 1, "kind": "transfer_sent", "instrument": "", "account": "v"},
        {"hour": 2, "kind": "liquidation", "instrument": "v:AAA", "account": "v"},
        {"hour": 3, "kind": "backstop", "instrument": "v:BBB", "account": "v"},
    ]
    run = made(
        [1_000.0, 990.0, 400.0, 390.0],
        ratios=[0.0, 0.5, 0.0, 0.0],
        metrics={"worst_margin_ratio": 1.0, "naked_after_close_hours": 5.0, "net_pnl_usd": -610.0},
        fills=[{"hour": 1, "instrument": "v:AAA"}],
        events=events,
    )
    lead, found = panel(run).lead, cards(panel(run))
    assert lead.startswith("Lost 610.00 USD")
    assert "closed by force" in lead
    assert "liquidation 1" in lead
    assert "backstop 1" in lead
    assert "first v:AAA on 2026-01-30 02:00" in lead
    assert "unhedged for 5 h" in lead
    assert "transfer" not in lead
    # The ratio that caused it stands in no row: rows are written after the close.
    assert "closed by force on 2026-01-30 02:00" in found["Worst margin ratio"].note
    assert found["Worst margin ratio"].tone == "loss"


def test_what_is_undefined_says_why() -> None:
    never = panel(made([1_000.0] * 3, metrics={"net_apr": 0.0, "excess_apr": -0.05}))
    assert never.lead.endswith("nothing was traded, so nothing was at risk.")
    found = cards(never)
    assert found["Net APR on all capital"].tone == ""
    assert found["Excess over T-bills"].tone == "loss"
    assert found["Break-even"] == Card("Break-even", "n/a", "no perp was traded")
    assert found["Cost drag"].note == "no funding was received; costs 0.00 USD"
    assert cards(panel(held()))["Break-even"].note == "funding did not pay on average"
    hour = cards(panel(made([1_000.0])))
    assert hour["Net APR on all capital"].note == "the run is one hour long"
    assert hour["Excess over T-bills"].value == "n/a"


def test_a_run_in_tokens_alone_cannot_be_liquidated() -> None:
    run = made(
        [1_000.0, 1_001.0],
        metrics={"worst_margin_ratio": 0.0},
        fills=[{"hour": 1, "instrument": "AAAx"}],
    )
    assert "no position was on margin" in panel(run).lead


def test_costs_above_the_funding_are_a_warning_in_words() -> None:
    card = cards(panel(held(cost_drag_frac=5.0799)))["Cost drag"]
    assert (card.value, card.tone) == ("507.99%", "warn")
    assert "more than it" in card.note


def test_fills_better_than_the_mark_are_no_cost_and_say_so() -> None:
    run = made(
        [1_000.0, 1_006.0],
        metrics={"cost_drag_frac": -0.5, "break_even_days": -2.7, "net_pnl_usd": 6.0},
        fills=[{"hour": 1, "instrument": "v:AAA"}],
        attribution=[
            {"hour": 1, "instrument": "v:AAA", "cause": "fees", "usd": -4.0},
            {"hour": 1, "instrument": "v:AAA", "cause": "slippage", "usd": 10.0},
        ],
    )
    assert "costs -4.00, fills better than the mark +10.00" in panel(run).lead
    found = cards(panel(run))
    assert found["Cost drag"].note == "no cost: fills 10.00 USD better than the mark"
    assert "brought more than it cost" in found["Break-even"].note


def test_debt_that_the_venue_bore_is_no_merit_of_the_run() -> None:
    booked = [{"hour": 1, "instrument": "v:AAA", "cause": "bad_debt", "usd": 70.0}]
    told = {"total_return_frac": 0.07, "net_apr": 0.07, "period_hours": 8_760.0}
    run = made([1_000.0, 1_070.0], metrics=told, attribution=booked)
    apr = cards(panel(run))["Net APR on all capital"]
    assert (apr.value, apr.tone) == ("7.00%", "gain")
    assert apr.note.endswith("; 0.00% without the debt that the venue bore")
    assert "70.00 of it is debt that the venue bore" in cards(panel(run))["Final equity"].note
    assert "bad debt left to the venue +70.00" in panel(run).lead
    more = [{**booked[0], "usd": 100.0}]
    run = made([1_000.0, 1_070.0], metrics=told, attribution=more)
    assert cards(panel(run))["Net APR on all capital"].tone == "warn"
