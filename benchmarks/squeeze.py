"""W2 with everything of the book on, against W2 with all of it off, in turns.

On: tiers and partial liquidation, half the coins isolated, a T-bill pledged as margin and held
beside it, a treasury that tops up, redeems, cuts and sweeps, the model of auto-deleveraging, caps
on open interest, shares of volume, impact, and a settle currency that moves. The threshold is 1.6
times; it is told and not held, as the machine decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from benchmarks.driver import Driver
from benchmarks.timing import Row, rows_of, timed_driver
from benchmarks.workloads import HOURS, MARKETS, Workload, workload
from perpkit.arrays import Tape, Tokens, Way
from perpkit.config import check_config
from perpkit.layout import blank, layout
from perpkit.tape import Market
from perpkit.tape.collateral import Pledges

THRESHOLD: Final = 1.6
BILL: Final = "BILL"
# The second and third tier of a stock at 20x, as Hyperliquid's margin tables halve the leverage.
TIERS = {
    "initial2_frac": 0.1,
    "initial2_off_usd": 100_000.0,
    "initial3_frac": 0.2,
    "initial3_off_usd": 600_000.0,
    "maintenance2_frac": 0.05,
    "maintenance2_off_usd": 50_000.0,
    "maintenance3_frac": 0.1,
    "maintenance3_off_usd": 300_000.0,
    "partial_frac": 0.2,
    "partial_above_usd": 100_000.0,
}
SETTINGS = {
    "topup_at_ratio": 0.5,
    "topup_to_ratio": 0.3,
    "sweep_at_ratio": 0.05,
    # 1% of the margin account's starting cash, so that a transfer is worth its hour: what may leave
    # is bound by the initial margin and would trickle out of an account of this size in every hour.
    "sweep_min_usd": 320e3,
    "sweep_token": BILL,
    "wallet_cash_usd": 27e6,  # for the tokens of the hedges
    "redeem": True,
    "delever": True,
    "adl_shock_frac": 0.05,
    "adl_index": 1.0,
    "impact_coefficient": 0.1,
    "max_volume_frac": 0.05,
}


def _tape(tape: Tape) -> Tape:
    """The same hours with a T-bill beside the tokens, caps, volumes and a currency that moves."""
    isolated, tokens = MARKETS // 2, MARKETS + 1
    accounts, hour = 2 + isolated, np.arange(HOURS)
    sizes = {"M": MARKETS, "U": MARKETS, "X": 0, "Y": 0, "N": 0}
    made = blank(Tape, T=HOURS, K=tokens, Q=MARKETS, W=tokens, D=accounts, **sizes)
    for name, axes in layout(Tape).items():
        if axes.names == ("T", "K"):
            getattr(made, name)[:, :MARKETS] = getattr(tape, name)
        elif "K" not in axes.names and getattr(tape, name).size:
            getattr(made, name)[:] = getattr(tape, name)
    nav = 1.0 + 0.04 * hour / 8_760
    for name in ("bid_px", "ask_px", "fair_px", "nav_px"):
        getattr(made, name)[:, MARKETS] = nav
    made.multiplier[:, MARKETS], made.quoted[:, MARKETS], made.live[:, MARKETS] = 1.0, True, True
    made.volume_usd[:] = 5e8
    made.capped[:] = (hour % 500 < 24)[:, None]
    # Requests of New York's business hours, five days of seven.
    made.redeemable[:, MARKETS] = (hour % 24 >= 14) & (hour % 24 < 21) & (hour // 24 % 7 < 5)
    made.redeem_rows[:, MARKETS] = 24
    made.cash_px[:] = 1.0 + 0.002 * np.sin(hour / 200)[:, None]
    return made


def _market(calm: Market) -> Market:
    isolated = MARKETS // 2
    names = replace(
        calm.names,
        tokens=(*calm.names.tokens, BILL),
        accounts=("wallet", "x", *(f"x/{coin}" for coin in calm.names.coins[:isolated])),
        kinds=(*calm.names.kinds, "treasury"),
        perp_account=np.concatenate([2 + np.arange(isolated), np.ones(isolated, np.int64)]),
        token_perp=np.append(calm.names.token_perp, -1),
        token_underlying=np.append(calm.names.token_underlying, 0),
        account_parent=np.array([-1, -1, *[1] * isolated]),
        account_strict=np.zeros(2 + isolated, np.bool_),
    )
    terms = calm.terms.copy()
    for name, value in TIERS.items():
        terms[name] = value
    tokens = blank(Tokens, K=MARKETS + 1)
    tokens.ways[:] = 1 << Way.QUOTE
    for own, shared in zip(tokens, calm.tokens, strict=True):
        own[:MARKETS] = shared
    tokens.perp[MARKETS] = -1
    tokens.min_order_usd[MARKETS] = 1_000.0
    tokens.redeem_hours[:] = -1
    tokens.redeem_hours[MARKETS], tokens.redeem_min_usd[MARKETS] = 24, 1_000.0
    shape = (len(names.accounts), MARKETS + 1)
    pledges = Pledges(
        np.zeros(shape),
        np.full(shape, 0.05),
        np.full(shape, 0.05),
        np.zeros(shape, np.bool_),
        np.zeros(MARKETS + 1),
    )
    pledges.share[1, MARKETS], pledges.wallet_share[MARKETS] = 0.5, 0.1
    tape = _tape(calm.tape)
    return replace(calm, names=names, tape=tape, terms=terms, tokens=tokens, pledges=pledges)


def full() -> Workload:
    """W2 with everything of the book on."""
    calm = workload("W2", MARKETS)
    told: dict[str, Any] = {"capital": calm.config.capital, "margin_share": 0.5, **SETTINGS}
    return calm._replace(name="W2 full", market=_market(calm.market), config=check_config(told))


def measure(rounds: int) -> list[Row]:
    """Both in turns, with a ledger and for equity alone; the ratio is to the same with it off."""
    off, on = Driver(workload("W2", MARKETS)), Driver(full())
    engines = {}
    for what, ledger in (("ledger", True), ("equity", False)):
        engines[f"off, {what}"] = (timed_driver(off, ledger=ledger), "")
        engines[f"on, {what}"] = (timed_driver(on, ledger=ledger), f"off, {what}")
    return rows_of("W2", off.work.cells, engines, rounds, f"threshold {THRESHOLD:g}")
