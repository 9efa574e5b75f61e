"""The book at an hour: its state beside that hour's prices."""

from __future__ import annotations

from perpkit.arrays import Accounts, Book, Perps, Replay, Tokens
from perpkit.rule import rule


@rule
def perps_at(t: int, tape: Replay, perps: Perps) -> Perps:
    """The perps with the prices of row ``t``, which are rows of the tape and no copies."""
    start_px = tape.start_px[t] if tape.start_px.shape[1] > 0 else tape.mark_px[max(t - 1, 0)]
    return Perps(
        perps.position,
        perps.entry_px,
        start_px,
        tape.mark_px[t],
        tape.mid_px[t],
        tape.high_px[t],
        tape.low_px[t],
        tape.stale[t],
        tape.volume_usd[t],
        perps.liquidation_px,
        perps.target,
        perps.decided,
        perps.account,
        perps.token,
        perps.barred,
        perps.trimmed,
        perps.order,
        perps.order_px,
        perps.worst_px,
        perps.filled_px,
        perps.tier_usd,
    )


@rule
def tokens_at(t: int, tape: Replay, tokens: Tokens) -> Tokens:
    """The tokens with the quotes of row ``t``."""
    start_px = tape.fair_px[max(t - 1, 0)]
    if tape.token_start_px.shape[1] > 0:
        start_px = tape.token_start_px[t]
    return Tokens(
        tokens.units,
        tokens.locked,
        start_px,
        tokens.end_px,
        tape.fair_px[t],
        tape.bid_px[t],
        tape.ask_px[t],
        tape.nav_px[t],
        tape.multiplier[t],
        tape.liquidity_usd[t],
        tape.lock[t],
        tokens.tradable,
        tokens.target,
        tokens.decided,
        tokens.account,
        tokens.perp,
        tokens.half_spread_frac,
        tokens.fee_frac,
        tokens.min_order_usd,
        tokens.accrues,
        tokens.redeem_hours,
        tokens.redeem_fee_frac,
        tokens.redeem_min_usd,
        tokens.ways,
        tokens.friction_frac,
        tokens.mint_fee_frac,
        tokens.mint_min_usd,
        tokens.inventory_usd,
        tokens.drawn_usd,
        tokens.drawn_day,
        tokens.trimmed,
        tokens.order,
        tokens.order_px,
        tokens.order_way,
        tokens.order_fee_frac,
        tokens.order_min_usd,
        tokens.order_rows,
        tokens.order_share,
    )


@rule
def accounts_at(t: int, tape: Replay, accounts: Accounts) -> Accounts:
    """The accounts with the prices of their settle currencies at row ``t``."""
    return Accounts(
        accounts.cash_usd,
        accounts.is_margin,
        accounts.parent,
        accounts.strict,
        accounts.failed,
        accounts.counted_frac,
        accounts.buffer_usd,
        accounts.lent_usd,
        accounts.value_usd,
        accounts.equity_usd,
        accounts.initial_usd,
        accounts.free_usd,
        accounts.cash_free_usd,
        accounts.maintenance_usd,
        accounts.spare_usd,
        tape.cash_px[t],
        accounts.owed_hours,
        accounts.transfer_refused,
        accounts.sweep_refused,
    )


@rule
def book_at(t: int, tape: Replay, state: Book) -> Book:
    """The book of row ``t``: what is kept between hours, and the prices of this one."""
    return Book(
        perps_at(t, tape, state.perps),
        tokens_at(t, tape, state.tokens),
        accounts_at(t, tape, state.accounts),
        state.collateral,
        state.pending,
    )
