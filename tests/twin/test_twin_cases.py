"""Smallest cases of what book or market and twin once made different of."""

import adapter
import pytest
import twin_book
import twin_market
import written

HOURS = 6


def perp_of(px, **told):
    """A perp whose price stands still."""
    perp = {"account": 1, "token": None}
    perp |= {name: [px] * HOURS for name in ("mark", "oracle", "mid", "high", "low")}
    return perp | {"stale": [False] * HOURS, "due": [True] * HOURS, "funding": [0.0] * HOURS} | told


def token_of(px, **told):
    """A live token whose fair price stands still."""
    token = {"perp": None, "kind": "equity", "fee_frac": 0.0, "half_spread_frac": 0.0}
    token |= {"min_order_usd": 1.0, "nav": [None] * HOURS, "apr": [None] * HOURS}
    token |= {"multiplier": [1.0] * HOURS, "fair": [px] * HOURS}
    token |= {"bid": [px] * HOURS, "ask": [px] * HOURS}
    token |= {name: [True] * HOURS for name in ("open", "quoted", "live")}
    return token | {"halted": [False] * HOURS, "stale": [False] * HOURS} | told


def terms(**told):
    return {
        "initial_frac": 0.1,
        "maintenance_frac": 0.05,
        "backstop_frac": None,
        "fee_frac": 0.0,
        "cost_frac": 0.0,
        "lots_per_unit": 1.0,
        "min_order_usd": 0.0,
    } | told


def world_of(perps, tokens, plan, **told):
    settings = {
        "fill_delay_hours": 1,
        "pair": "together",
        "trade_frozen_quotes": False,
        "after_liquidation": "stop",
        "liq_fill": "extreme",
        "transfer_hours": 1,
        "transfer_cost_usd": 0.0,
        "topup_at_ratio": None,
        "topup_to_ratio": 0.25,
        "max_quote_spread_frac": 0.005,
        "max_frozen_hours": 2,
    }
    nothing = [None] * (len(perps) + len(tokens))
    return {
        "hours": HOURS,
        "perps": perps,
        "tokens": tokens,
        "cash": [1000.0, 1000.0],
        "era": [0] * HOURS,
        "terms": [told.pop("terms", [terms() for _ in perps])],
        "dividends": [],
        "settings": settings | told,
        "plan": plan + [nothing] * (HOURS - len(plan)),
    }


def last_hours(world):
    """The last ledger row of book and twin."""
    _, played = adapter.play(world, fast=False)
    return written.hour_of(played, HOURS - 1), twin_book.play(world)["hours"][HOURS - 1]


def test_a_token_without_apr_pays_none():
    # The layout of the tape says "NaN or 0 for none".
    world = world_of([perp_of(10.0)], [token_of(10.0)], [[None, 5.0]])
    made, told = last_hours(world)
    assert made["units"] == told["units"] == [5.0]


@pytest.mark.parametrize("unlisted", ["token", "perp"])
def test_a_hedge_waits_for_a_leg_that_is_not_listed(unlisted):
    never = [None] * HOURS
    perp, token = perp_of(10.0, token=0), token_of(10.0, perp=0)
    if unlisted == "token":
        token |= {"bid": never, "ask": never, "fair": never}
        token |= {"live": [False] * HOURS, "stale": [True] * HOURS}
    else:
        perp |= dict.fromkeys(("mark", "oracle", "mid", "high", "low", "funding"), never)
        perp |= {"stale": [True] * HOURS, "due": [False] * HOURS}
    made, told = last_hours(world_of([perp], [token], [[-5.0, 5.0]]))
    assert told["position"] == told["units"] == [0.0]
    assert made["position"] == made["units"] == [0.0]


def test_a_flip_is_one_order_against_the_smallest():
    # 30 units of 10 USD pass the smallest order of 150 USD; the last 10 alone would not.
    rules = [terms(min_order_usd=150.0)]
    world = world_of([perp_of(10.0)], [], [[-20.0], [10.0]], terms=rules)
    made, told = last_hours(world)
    assert made["position"] == told["position"] == [10.0]


def test_a_refused_re_entry_cancels_both_legs_of_the_hedge():
    # Liquidated in hour 2; the hedge decided there is refused in hour 3; from hour 4 the perp asks
    # for nothing, and nobody asked for the token alone.
    perp, token = perp_of(10.0, token=0, high=[10.0, 10.0, 12.0, *[10.0] * 3]), token_of(10.0)
    plan = [[-900.0, None], [None, None], [-20.0, 20.0], [0.0, None]]
    made, told = last_hours(world_of([perp], [token], plan))
    assert made["units"] == told["units"] == [0.0]


def test_frozen_quotes_are_traded_outside_the_session_too_when_asked():
    shut = {name: [False] * HOURS for name in ("open", "quoted", "live")}
    world = world_of([perp_of(10.0)], [token_of(10.0, **shut)], [[None, 5.0]])
    world["settings"]["trade_frozen_quotes"] = True
    made, told = last_hours(world)
    assert made["units"] == told["units"] == [5.0]


def test_the_account_has_a_backstop_where_any_position_has_one():
    perps = [perp_of(10.0), perp_of(10.0, high=[10.0, 10.0, 11.0, *[10.0] * 3])]
    rules = [terms(), terms(backstop_frac=2 / 3)]
    world = world_of(perps, [], [[-10.0, -900.0]], terms=rules)
    _, played = adapter.play(world, fast=False)
    made = {fill["reason"] for fill in written.fills_of(played)}
    told = {fill["reason"] for fill in twin_book.play(world)["fills"]}
    assert made == told == {"TARGET", "BACKSTOP"}


def test_before_the_first_live_quote_the_first_mid_moves_with_the_oracle():
    px = [10.0] + [12.0] * 5
    token = token_of(10.0, perp=0, bid=px, ask=px, quoted=[False] * HOURS)
    world = world_of([perp_of(10.0)], [token], [])
    perp = perp_of(10.0) | {"by_formula": [False] * HOURS, "premium": [0.0] * HOURS}
    perp |= {"impact_bid": [None] * HOURS, "impact_ask": [None] * HOURS}
    tape = adapter.form(world | {"external": False, "perps": [perp]}, fast=False)
    _, fair = twin_market.form_token(token, perp["oracle"], world["settings"])
    assert tape.fair_px[:, 0].tolist() == fair == [10.0] * HOURS
