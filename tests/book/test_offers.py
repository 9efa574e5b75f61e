"""What a strategy is shown of costs, largest orders and splits, against what the book does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perpkit.arrays import Action, Lock, Way

SPLIT, SETTLE, CASH = Action.SPLIT, Action.SETTLE, Action.CASH
QUOTE, DEX, ISSUER = Way.QUOTE, Way.DEX, Way.ISSUER
OPEN = {"mint_rows": 0, "buyback_rows": 0}


def shown(lab, market, plan=None, **settings):
    """Copies of the perps and the tokens as shown in each hour, and the run."""
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append((book.perps.copy(), book.tokens.copy()))
        for i, units in enumerate((plan or {}).get(t, ())):
            (target.perps if i == 0 else target.tokens)[0] = units

    run = lab.play(market, decide, **settings)
    return [x[0] for x in seen], [x[1] for x in seen], run


@pytest.mark.parametrize("delay", [0, 1])
def test_the_cost_of_a_fill_is_what_it_then_costs(lab, delay):
    """Entry of a pair: fees and slippage of both legs are the shown fractions, to the cent."""
    terms = {"fee_frac": 0.0009, "cost_frac": 0.0004}
    market = lab.market(
        [100.0] * 4, terms=terms, bid=[99.9] * 4, ask=[100.1] * 4, token_fee=0.0005, friction=0.0002
    )
    perps, tokens, run = shown(lab, market, {0: (-10.0, 10.0)}, fill_delay_hours=delay)
    assert perps[0]["cost_frac"][0] == pytest.approx(0.0013, rel=1e-12)
    assert tokens[0]["cost_frac"][0] == pytest.approx(0.001 + 0.0005 + 0.0002, rel=1e-12)
    paid = [f.fee_usd + abs(f.size) * abs(f.px - 100.0) for f in run.fills]
    wanted = {0: 1_000.0 * perps[0]["cost_frac"][0], 1: 1_000.0 * tokens[0]["cost_frac"][0]}
    for fill, usd in zip(run.fills, paid, strict=True):  # fees are of the worse price
        assert usd == pytest.approx(wanted[fill.instrument], rel=2e-3)


def test_costs_follow_the_terms_and_the_quote(lab):
    terms = [{"fee_frac": 0.0009, "cost_frac": 0.0004}, {"fee_frac": 0.0003, "lots_per_unit": 10.0}]
    ask = [100.1, 100.4, 100.0, math.nan]
    market = lab.market(
        [100.0] * 4,
        terms=terms,
        era=[0, 0, 1, 1],
        bid=[99.9, 99.6, 100.0, math.nan],
        ask=ask,
        half_spread=0.002,
    )
    perps, tokens, _ = shown(lab, market)
    assert [p["cost_frac"][0] for p in perps] == pytest.approx([0.0013, 0.0013, 0.0003, 0.0003])
    assert [p["lots_per_unit"][0] for p in perps] == [1000.0, 1000.0, 10.0, 10.0]
    shares = [x["cost_frac"][0] for x in tokens]
    assert shares[:3] == pytest.approx([0.001, 0.004, 0.002])  # the last a mid, widened by the run
    assert math.isnan(shares[3])


def test_what_an_issuer_alone_charges(lab):
    issuer = OPEN | {"mint_fee_frac": 0.005, "redeem_fee_frac": 0.001, "inventory_usd": 3_000.0}
    market = lab.market([100.0] * 3, bid=[99.0] * 3, nav=100.0, take=[ISSUER], issuer=issuer)
    _, tokens, run = shown(lab, market, {0: (0.0, 50.0)})
    assert tokens[0]["cost_frac"][0] == pytest.approx(0.003)
    # 3,000 USD of the day are sold in the next hour, and nothing is left of them.
    assert [x["liquidity_usd"][0] for x in tokens] == pytest.approx([3_000.0, 0.0, 0.0], abs=1e-9)
    assert run.fills[0].size == pytest.approx(30.0)


def test_a_pool_takes_a_share_of_what_it_holds(lab):
    market = lab.market([100.0] * 4, bid=[100.0] * 4, liquidity=20_000.0, take=[DEX])
    _, tokens, run = shown(lab, market, {0: (0.0, 80.0)}, max_pool_frac=0.3)
    usd = float(tokens[0]["liquidity_usd"][0])
    assert usd == pytest.approx(0.3 * 10_000.0)
    assert run.fills[0].size * 100.0 == pytest.approx(usd)  # at the mid, as the book cuts


def test_what_a_pool_adds_for_size_is_what_it_takes(lab):
    """A round trip of 2,500 USD loses twice the mean of a purchase and a sale, to second order."""
    px = [100.0] * 4
    market = lab.market(px, bid=px, liquidity=20_000.0, take=[DEX], half_spread=0.0)
    _, tokens, run = shown(lab, market, {0: (0.0, 25.0), 1: (0.0, 0.0)})
    x = 2_500.0 * float(tokens[0]["impact_per_usd"][0])
    assert x == 0.25
    bought, sold = run.fills
    assert bought.px == pytest.approx(100.0 * (1.0 + x / (1.0 - x)))
    assert sold.px == pytest.approx(100.0 * (1.0 - x / (1.0 + x)))
    assert (bought.px - sold.px) / 200.0 == pytest.approx(x / (1.0 - x**2))


def test_size_costs_nothing_at_an_open_quote(lab):
    told = {"bid": [99.9] * 3, "ask": [100.1] * 3, "liquidity": 20_000.0, "take": [QUOTE, DEX]}
    live = np.array([True, False, True])
    _, tokens, _ = shown(lab, lab.market([100.0] * 3, live=live, **told))
    assert [x["impact_per_usd"][0] for x in tokens] == [0.0, 1e-4, 0.0]
    _, tokens, _ = shown(lab, lab.market([100.0] * 3, live=False, **(told | {"take": [QUOTE]})))
    assert [x["impact_per_usd"][0] for x in tokens] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"take": [QUOTE]}, math.inf),
        ({"take": [QUOTE], "live": False}, 0.0),
        ({"take": [QUOTE], "lock": int(Lock.RECEIVE)}, 0.0),
        ({"take": [QUOTE, DEX], "live": False, "liquidity": 20_000.0}, 5_000.0),
        ({"take": [DEX], "liquidity": 20_000.0, "halted": True}, 0.0),
        ({"take": [DEX], "liquidity": 20_000.0, "token_stale": True}, 0.0),
        ({"take": [DEX], "liquidity": math.nan}, 0.0),
        ({"take": [ISSUER], "nav": 100.0, "issuer": OPEN}, math.inf),
        ({"take": [ISSUER], "nav": 100.0, "issuer": {"mint_rows": -1, "buyback_rows": 0}}, 0.0),
        ({"take": [ISSUER], "issuer": OPEN}, 0.0),
        ({"take": [ISSUER], "nav": 100.0, "issuer": OPEN, "lock": int(Lock.ISSUER)}, 0.0),
    ],
)
def test_the_largest_purchase_is_what_an_open_way_takes(lab, told, wanted):
    market = lab.market([100.0] * 3, bid=[99.9] * 3, ask=[100.1] * 3, **told)
    _, tokens, run = shown(lab, market, {0: (0.0, 200.0)}, wallet=1e6, max_pool_frac=0.5)
    assert tokens[0]["liquidity_usd"][0] == wanted
    assert bool(run.fills) == (wanted > 0.0)


def test_a_frozen_quote_is_open_where_the_run_trades_it(lab):
    market = lab.market([100.0] * 3, bid=[99.9] * 3, ask=[100.1] * 3, live=False)
    _, tokens, _ = shown(lab, market, trade_frozen_quotes=True)
    assert tokens[0]["liquidity_usd"][0] == math.inf


def test_the_largest_increase_of_a_perp(lab):
    px = [100.0] * 4
    perps, _, _ = shown(lab, lab.market(px))
    assert [p["liquidity_usd"][0] for p in perps] == [math.inf] * 4
    perps, _, _ = shown(lab, lab.market(px, terms={"max_order_usd": 700.0}))
    assert [p["liquidity_usd"][0] for p in perps] == [700.0] * 4
    volume = np.array([24e3, 48e3, 0.0, math.nan])
    market = lab.market(px, volume=volume, terms={"max_order_usd": 150.0})
    perps, _, run = shown(lab, market, {0: (50.0,)}, max_volume_frac=0.1)
    assert [p["liquidity_usd"][0] for p in perps] == pytest.approx([100.0, 150.0, 0.0, 0.0])
    assert [f.size for f in run.fills] == [1.5]  # of the next hour's volume
    capped = lab.market(px, capped=np.array([False, True, False, True]))
    perps, _, _ = shown(lab, capped)
    assert [p["liquidity_usd"][0] for p in perps] == [math.inf, 0.0, math.inf, 0.0]


def test_impact_is_that_of_the_run(lab):
    market = lab.market([100.0] * 3, volume=1e6)
    perps, _, run = shown(lab, market, {0: (100.0,)}, impact_coefficient=0.1)
    coefficient = perps[0]["impact_coefficient"][0]
    assert coefficient == 0.1
    assert run.fills[0].px == pytest.approx(100.0 * (1.0 + coefficient * math.sqrt(1e4 / 1e6)))


def test_a_split_is_shown_in_its_row_alone(lab):
    px = np.array([100.0, 100.0, 10.0, 10.0, 5.0, 5.0])
    actions = [(1, 0, CASH, 2.0), (2, 0, SPLIT, 10.0), (2, 1, SPLIT, 10.0), (4, 0, SETTLE, 2.0)]
    market = lab.market(px, bid=px, token=[0], actions=actions)
    perps, tokens, _ = shown(lab, market, {0: (-1.0, 1.0)})
    assert [p["split_factor"][0] for p in perps] == [1.0, 1.0, 10.0, 1.0, 2.0, 1.0]
    assert [x["split_factor"][0] for x in tokens] == [1.0, 1.0, 10.0, 1.0, 1.0, 1.0]
    assert [p["position"][0] for p in perps] == [0.0, -1.0, -10.0, -10.0, 0.0, 0.0]


def test_splits_of_neighbouring_rows_do_not_run_together(lab):
    px = np.array([100.0, 50.0, 10.0, 10.0])
    actions = [(1, 0, SPLIT, 2.0), (2, 0, SPLIT, 5.0)]
    perps, _, _ = shown(lab, lab.market(px, actions=actions))
    assert [p["split_factor"][0] for p in perps] == [1.0, 2.0, 5.0, 1.0]


def test_chunks_show_the_same(lab):
    px = np.array([100.0, 100.0, 10.0, 10.0, 10.0, 10.0])
    terms = [{"fee_frac": 0.0009}, {"fee_frac": 0.0003}]
    told = {"terms": terms, "era": [0, 0, 0, 1, 1, 1], "actions": [(2, 0, SPLIT, 10.0)], "bid": px}
    whole = shown(lab, lab.market(px, **told))
    parts = shown(lab, lab.market(px, **told), chunk_rows=1)
    for a, b in zip((*whole[0], *whole[1]), (*parts[0], *parts[1]), strict=True):
        for name in a.dtype.names:
            assert np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f"), name
