"""Margin by tiers, worked by hand.

Source: Hyperliquid documentation, trading/margin-tiers: maintenance is notional times rate less a
deduction, ``deduction_n = deduction_(n-1) + lower_n (rate_n - rate_(n-1))``; BTC has 40x up to 150
million USD and 20x above.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from math import nan

import numpy as np
import pytest

from perpkit.arrays import TERM, Event
from perpkit.book.margin import (
    initial_of,
    initial_usd,
    maintenance_of,
    maintenance_usd,
    tiered_px,
)
from perpkit.book.tiers import first_tier_usd
from perpkit.rulebook import CoinTerms, TermChoice, resolve_terms
from perpkit.rulebook.record import ALWAYS
from perpkit.units import HOUR_NS, to_ns

HOURS = to_ns(datetime(2025, 10, 1, tzinfo=UTC)) + HOUR_NS * np.arange(2)


def terms_of(coin, leverage=None, **stated):
    told = [CoinTerms(coin, "hyperliquid", {"sz_decimals": 5, **stated})]
    choice = TermChoice("taker", leverage, 0.0, 0.0)
    return resolve_terms(told, HOURS, {}, choice, ALWAYS).terms[0][0]


def test_two_hundred_million_of_bitcoin_need_3_125_million():
    term = terms_of("BTC")
    # 200m at 2.5% is 5m, less 150m x (2.5% - 1.25%) = 1.875m.
    assert maintenance_usd(200e6, term) == pytest.approx(3_125_000.0, abs=0.005)
    assert maintenance_usd(150e6, term) == pytest.approx(1_875_000.0, abs=0.005)
    assert maintenance_usd(100e6, term) == pytest.approx(1_250_000.0, abs=0.005)
    # What is chosen changes nothing of it.
    assert maintenance_usd(200e6, terms_of("BTC", 10.0)) == pytest.approx(3_125_000.0, abs=0.005)
    # To open: 150m / 40 and 50m / 20.
    assert initial_usd(200e6, term) == pytest.approx(6_250_000.0, abs=0.005)
    # At 10x, which both tiers allow, a tenth of all of it.
    assert initial_usd(200e6, terms_of("BTC", 10.0)) == pytest.approx(20e6, abs=0.005)
    # At 30x the second tier allows 20: 5m and 2.5m.
    assert initial_usd(200e6, terms_of("BTC", 30.0)) == pytest.approx(7.5e6, abs=0.005)


def test_the_book_requires_it_of_the_account(lab):
    # 2,000 BTC at 100,000 are 200 million, by the terms of the rulebook.
    own = terms_of("BTC")
    terms = {name: float(own[name]) for name in TERM.names if "_frac" in name or "_off_" in name}
    market = lab.market([1e5] * 3, terms={**terms, "fee_frac": 0.0})
    run = lab.play(market, {0: [-2_000.0]}, margin=10e6)
    assert run.rows.position[1, 0] == -2_000.0
    assert run.rows.maintenance_usd[1, 1] == pytest.approx(3_125_000.0, abs=0.005)
    assert run.rows.initial_usd[1, 1] == pytest.approx(6_250_000.0, abs=0.005)
    # 10m - 2,000 (x - 100,000) = 50 x - 1.875m, in the second tier from 75,000 on.
    assert run.rows.liquidation_px[1, 0] == pytest.approx(211.875e6 / 2_050, abs=0.005)


def test_three_tiers_meet_where_they_change():
    term = terms_of("BTC", margin_tiers="1e6: 20, 5e6: 10")
    # 1m at 1.25%, 4m at 2.5%, the rest at 5%.
    assert maintenance_usd(1e6, term) == pytest.approx(12_500.0)
    assert maintenance_usd(5e6, term) == pytest.approx(112_500.0)
    assert maintenance_usd(6e6, term) == pytest.approx(162_500.0)


@pytest.mark.parametrize("sure_usd", [0.0, 999.0])  # of the first tier's reach: not known, known
def test_a_tier_changes_the_liquidation_price(sure_usd):
    term = np.zeros(1, TERM).view(np.recarray)[0]
    term.maintenance_frac, term.maintenance2_frac, term.maintenance2_off_usd = 0.05, 0.1, 50.0
    # A short of 10 at 90 in an account of 200; above a notional of 1,000 the rate is 10%. At 100
    # the value is 100 and 50 are required; at px 200 - 10 (px - 90) = px - 50, so px = 104.545.
    # Of 200 at 90 the first tier requires 45.
    assert tiered_px(-10.0, 90.0, 155.0, 1.0, term, sure_usd) == pytest.approx(1_150 / 11)
    # A long falls into the lower tier: 10 at 120 with 300: 300 - 10 (120 - px) = 0.5 px.
    # at 120 the second tier requires 70 of the 300.
    assert tiered_px(10.0, 120.0, 230.0, 1.0, term, sure_usd) == pytest.approx(900 / 9.5)


def tiered(first, second, third, starts):
    """Terms whose tiers start at these notionals, each continuous with the one below it."""
    term = np.zeros(1, TERM).view(np.recarray)[0]
    for name, share in (("initial", 1.0), ("maintenance", 0.5)):
        term[f"{name}_frac"], term[f"{name}2_frac"] = share * first, share * second
        term[f"{name}3_frac"] = share * third
        off = share * (second - first) * starts[0]
        term[f"{name}2_off_usd"] = off
        term[f"{name}3_off_usd"] = off + share * (third - second) * starts[1] if third else 0.0
    return term


def test_up_to_its_reach_the_first_tier_asks_for_the_same_to_the_last_digit():
    draw = np.random.default_rng(5)
    for _ in range(300):
        rates = np.sort(draw.uniform(0.01, 0.5, 3)) * [1.0, 1.01, 1.02]
        starts = np.sort(draw.uniform(1e2, 1e8, 2))
        term = tiered(*rates, starts)
        reach = first_tier_usd(term)
        assert reach == pytest.approx(starts[0], rel=2e-9)
        assert reach < starts[0]
        for usd in reach * np.append(draw.uniform(0.0, 1.0, 20), [1.0, 1.0 + 4e-9, 2.0]):
            assert initial_of(usd, term, reach) == initial_usd(usd, term)
            assert maintenance_of(usd, term, reach) == maintenance_usd(usd, term)


def test_the_reach_of_the_first_tier_is_nought_where_it_is_not_known_and_has_no_end_alone():
    assert first_tier_usd(tiered(0.1, 0.1000001, 0.2, (1e5, 1e6))) == 0.0, "lines hardly cross"
    assert first_tier_usd(tiered(0.1, 0.2, 0.4, (-1e5, 1e6))) == 0.0, "never in force"
    assert first_tier_usd(tiered(0.1, 0.2, 0.0, (1e5, 0.0))) == pytest.approx(1e5)
    alone = np.zeros(1, TERM).view(np.recarray)[0]
    alone.initial_frac, alone.maintenance_frac = 0.1, 0.05
    assert first_tier_usd(alone) == math.inf


def test_dated_tiers_are_in_force_from_their_hour(lab):
    # One tier of 10%, from row 2 on 20% above 500 USD; 100 at 10 require 100 and then 150.
    calm = lab.market([10.0] * 5, terms={"initial_frac": 0.1, "maintenance_frac": 0.05})
    later = calm.terms.copy()
    later["initial2_frac"], later["initial2_off_usd"] = 0.2, 50.0
    later["maintenance2_frac"], later["maintenance2_off_usd"] = 0.1, 25.0
    calm.tape.era[2:] = 1
    dated = replace(calm, terms=np.concatenate([calm.terms, later]).view(np.recarray))
    for rows in (2, 3, 4_096):
        run = lab.play(dated, {0: [-100.0]}, margin=400.0, chunk_rows=rows)
        assert run.rows.initial_usd[1:, 1].tolist() == pytest.approx([100.0, 150.0, 150.0, 150.0])
        assert run.rows.maintenance_usd[1:, 1].tolist() == pytest.approx([50.0, 75.0, 75.0, 75.0])


def test_an_order_is_cut_to_what_each_tier_leaves(lab):
    # 10% up to 1,000 USD and 20% above: initial = 0.2 N - 100. 150 of margin carry 1,250 USD.
    terms = {"initial_frac": 0.1, "initial2_frac": 0.2, "initial2_off_usd": 100.0}
    run = lab.play(lab.market([10.0] * 4, terms=terms), {0: [-200.0]}, margin=150.0)
    assert run.rows.position[1, 0] == pytest.approx(-125.0)
    assert run.rows.initial_usd[1, 1] == pytest.approx(150.0)
    (trimmed,) = run.told(Event.TRIMMED)
    assert trimmed.usd == pytest.approx(0.625)
    # More of it later takes the second rate only: 20 USD more carry 100 USD more.
    run = lab.play(lab.market([10.0] * 6, terms=terms), {0: [-100.0], 2: [-200.0]}, margin=150.0)
    assert run.rows.position[:, 0].tolist() == pytest.approx([0, -100, -100, -125, -125, -125])


@pytest.mark.parametrize(("margin", "px"), [(134.0, 1_034 / 10.5), (200.0, 1_150 / 11), (229, 107)])
def test_the_trigger_lies_where_value_and_the_tier_in_force_meet(lab, margin, px):
    # The short of 10 at 90 above, and 20% above 1,050 USD; on the way to 110 it meets the first
    # tier, 134 - 10 (px - 90) = 0.5 px, the second, = px - 50, or the third, = 2 px - 155.
    terms = {
        "maintenance_frac": 0.05,
        "maintenance2_frac": 0.1,
        "maintenance2_off_usd": 50.0,
        "maintenance3_frac": 0.2,
        "maintenance3_off_usd": 155.0,
        "backstop_frac": nan,
    }
    market = lab.market([90.0, 90.0, 90.0], high=[90.0, 90.0, 110.0], terms=terms)
    run = lab.play(market, {0: [-10.0]}, margin=margin, liq_fill="trigger")
    (fill,) = run.fills[1:]
    assert fill.px == pytest.approx(px, rel=1e-12)
    assert np.abs(run.unexplained).max() < 1e-9
