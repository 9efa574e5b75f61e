"""The market the benchmarks run on, and the carry that trades it.

A seeded market: 64 pairs of a perp and its token over three years of hours. The oracle moves less
than 1% an hour, the premium has a fast and a slow part, and the rate is the formula with an
interest of 0.01% and a clamp of 0.05% per 8 hours. Everything is built in memory: no file is read.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from perpkit.arrays import TERM, Tape, Tokens, Way
from perpkit.config import RunConfig, check_config
from perpkit.layout import blank
from perpkit.strategy.load import Strategy, load
from perpkit.strategy.params import bind
from perpkit.tape import Market
from perpkit.tape.instruments import Instruments

SEED = 20260101
HOURS = 26_280
MARKETS = 64
CARRY = {
    "lookback_hours": 72,
    "enter_apr": 0.10,
    "exit_apr": 0.0,
    "rebalance_frac": 0.10,
    "notional_usd": 400_000.0,
    "max_gross_frac": 50.0,
}
TERMS = {
    "initial_frac": 0.05,
    "maintenance_frac": 0.025,
    "backstop_frac": 2 / 3,
    "fee_frac": 5e-4,
    "cost_frac": 2e-4,
    "lots_per_unit": 1_000.0,
    "min_order_usd": 10.0,
    "interval_hours": 1.0,
}


class Prices(NamedTuple):
    """The formed prices, each (HOURS, MARKETS)."""

    oracle: Any
    mark: Any
    token: Any
    funding: Any


class Workload(NamedTuple):
    """One thing to time: a market, a strategy and its values."""

    name: str
    market: Market
    config: RunConfig
    strategy: Strategy
    values: dict[str, Any]

    @property
    def cells(self) -> int:
        """Market-hours of one run."""
        return int(self.market.tape.mark_px.size)


@lru_cache(maxsize=1)
def prices() -> Prices:
    """The prices of all markets; a smaller workload takes the first of them."""
    draw = np.random.default_rng(SEED)
    spread = draw.uniform(0.0015, 0.0045, MARKETS)
    step = np.clip(draw.standard_normal((HOURS, MARKETS)) * spread + 2e-6, -0.0099, 0.0099)
    slow, fast = (draw.standard_normal((HOURS, MARKETS)) for _ in range(2))
    level, premium = np.empty((HOURS, MARKETS)), np.empty((HOURS, MARKETS))
    x, regime, p = (np.zeros(MARKETS) for _ in range(3))
    for t in range(HOURS):
        # A slight pull to the mean keeps three years of prices in one range.
        x = x + np.clip(step[t] - 2e-5 * x, -0.0099, 0.0099)
        regime = 0.998 * regime + 4e-5 * slow[t]
        p = 0.9 * p + 1.5e-4 * fast[t]
        level[t], premium[t] = x, regime + p + 1e-4
    oracle = np.exp(level) * draw.uniform(20, 400, MARKETS)
    rate = (premium + np.clip(1e-4 - premium, -5e-4, 5e-4)) / 8.0
    token = oracle * (1.0 + 2e-5 * draw.standard_normal((HOURS, MARKETS)))
    return Prices(oracle, oracle * (1.0 + premium), token, rate)


def market(markets: int) -> Market:
    """The first ``markets`` pairs, formed; one underlying, token and perp each, one venue."""
    m = markets
    px = Prices(*(np.ascontiguousarray(x[:, :m]) for x in prices()))
    tape = blank(Tape, T=HOURS, M=m, K=m, U=m, N=0, X=0, Y=0)
    tape.time_ns[:] = 1_672_531_200_000_000_000 + np.arange(HOURS) * 3_600_000_000_000
    before = np.vstack([px.mark[:1], px.mark[:-1]])
    for name, values in {
        "oracle_px": px.oracle,
        "mark_px": px.mark,
        "mid_px": np.nan,
        "impact_bid_px": np.nan,
        "impact_ask_px": np.nan,
        "high_px": np.maximum(before, px.mark),
        "low_px": np.minimum(before, px.mark),
        "premium": px.mark / px.oracle - 1.0,
        "funding": px.funding,
        "funding_total": np.cumsum(px.funding, axis=0),
        "due": True,
        "bid_px": px.token * 0.9999,
        "ask_px": px.token * 1.0001,
        "nav_px": np.nan,
        "fair_px": px.token,
        "multiplier": 1.0,
        "quoted": True,
        "hours_to_ex_dividend": np.inf,
        "hours_to_earnings": np.inf,
        "live": True,
    }.items():
        getattr(tape, name)[:] = values
    terms = np.zeros((1, m), TERM).view(np.recarray)
    for name, value in TERMS.items():
        terms[name] = value
    tokens = blank(Tokens, K=m)
    tokens.ways[:] = 1 << Way.QUOTE
    tokens.perp[:] = np.arange(m)
    tokens.fee_frac[:] = TERMS["fee_frac"]
    tokens.min_order_usd[:] = TERMS["min_order_usd"]
    one_each = np.arange(m)
    names = Instruments(
        coins=tuple(f"x:S{n:02}" for n in range(m)),
        tokens=tuple(f"S{n:02}x" for n in range(m)),
        accounts=("wallet", "x"),
        underlyings=tuple(f"S{n:02}" for n in range(m)),
        kinds=("equity",) * m,
        perp_account=np.ones(m, np.int64),
        perp_token=one_each,
        perp_underlying=one_each,
        token_perp=one_each,
        token_underlying=one_each,
        account_parent=np.array([-1, -1]),
        account_strict=np.zeros(2, np.bool_),
    )
    nothing: Any = None  # a market in memory has neither files nor resolved rules
    return Market(
        dataset=nothing,
        names=names,
        tape=tape,
        terms=terms,
        tokens=tokens,
        resolved=nothing,
        funding_from="recorded",
    )


def workload(name: str, markets: int) -> Workload:
    """The carry on one million USD a market, half of it posted as margin."""
    config = check_config({"capital": 1e6 * markets, "margin_share": 0.5})
    strategy = load("funding_carry")
    values = bind(strategy.parameters, CARRY, strategy.name)
    return Workload(name, market(markets), config, strategy, values)


def shocked(markets: int) -> Workload:
    """A hard hour for each rule of the C loop: too little margin, spikes, stale and frozen quotes.

    Never timed: it shows that both programs also agree where the workloads are calm.
    """
    work = workload("shocked", markets)
    tape, draw = work.market.tape, np.random.default_rng(SEED)
    shape = tape.mark_px.shape
    tape.stale[:] = draw.random(shape) < 0.02
    tape.live[:] = draw.random(shape) > 0.03
    tape.mid_px[:] = np.where(draw.random(shape) < 0.5, tape.mark_px * 1.0001, np.nan)
    tape.multiplier[:] = 1.0 + np.cumsum(draw.normal(0.0, 1e-3, shape), axis=0).clip(-0.5, 1.0)
    tape.high_px[5_000] *= 1.2
    tape.high_px[20_000] *= 2.5
    return work._replace(config=check_config({"capital": 6e5 * markets, "margin_share": 0.1}))


def sweep_values(work: Workload) -> list[dict[str, Any]]:
    """A thousand (enter, exit, lookback) sets, in an order whose every stretch is a mixture."""
    sets = [
        {
            **work.values,
            "enter_apr": 0.05 + 0.01 * e,
            "exit_apr": 0.01 * x - 0.05,
            "lookback_hours": h,
        }
        for e, x, h in product(range(10), range(10), range(24, 264, 24))
    ]
    order = np.random.default_rng(SEED).permutation(len(sets))
    return [sets[n] for n in order]
