"""Step 1 of the hour: what issuers do to tokens they have sold.

A token that is locked does not move: it is neither bought, sold nor redeemed as far as the lock
goes, and one that nobody may move is not seized either. An agent of the issuer moves units all the
same (EIP-3643, ``forcedTransfer``), whether or not they are locked or pledged.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    Book,
    Collateral,
    Event,
    Out,
    Perps,
    Reason,
    Replay,
    Settings,
    Shock,
    Tokens,
)
from perpkit.book.barred import ALL, SELL, is_stuck
from perpkit.book.legs import undelivered
from perpkit.book.when import first_from
from perpkit.book.write import write_event, write_fill
from perpkit.rule import rule

SHOCK = int(Reason.SHOCK)
FORCED_TRANSFER = int(Shock.FORCED_TRANSFER)
UNIT_SLACK = 1e-9  # of the units held
EVENT_LOCKED = int(Event.LOCKED)
EVENT_UNLOCKED = int(Event.UNLOCKED)
EVENT_FORCED = int(Event.FORCED_TRANSFER)


@rule
def holds_stuck(account: int, collateral: Collateral, tokens: Tokens) -> bool:
    """Whether an account has pledged tokens that nobody may move."""
    found = False
    for k in range(tokens.lock.shape[0] if account < collateral.units.shape[0] else 0):
        found |= collateral.units[account, k] > 0.0 and is_stuck(k, tokens)
    return found


@rule
def cancel(k: int, perps: Perps, tokens: Tokens, settings: Settings) -> None:
    """Withdraw the target of a token, and of the perp that trades together with it."""
    tokens.target[k] = math.nan
    m = tokens.perp[k]
    if settings.pair_together == 1 and m >= 0 and perps.token[m] == k:
        perps.target[m] = math.nan


@rule
def count_stuck(k: int, stuck: bool, collateral: Collateral) -> None:
    """Let a pledged token count for nothing while nobody may move it, and for its own again."""
    for a in range(collateral.units.shape[0]):
        initial, kept = collateral.told_initial_frac[a, k], collateral.told_frac[a, k]
        collateral.initial_haircut_frac[a, k] = 1.0 if stuck else initial
        collateral.haircut_frac[a, k] = 1.0 if stuck else kept


@rule
def turn_locks(t: int, tape: Replay, book: Book, out: Out, settings: Settings) -> None:
    """Withdraw the targets that a lock which begins or tightens touches, and say so."""
    tokens = book.tokens
    for k in range(tape.lock.shape[1]):
        before = tape.lock[t - 1, k] if t > 0 else 0
        if tape.lock[t, k] == before:
            continue
        if settings.locked_counts == 0 and (tape.lock[t, k] >= ALL or before >= ALL):
            count_stuck(k, tape.lock[t, k] >= ALL, book.collateral)
        gap = tokens.target[k] - tokens.units[k]
        if tape.lock[t, k] > before and (tape.lock[t, k] >= SELL or gap > 0.0):
            cancel(k, book.perps, tokens, settings)
        if tokens.units[k] != 0.0:
            kind = EVENT_LOCKED if tape.lock[t, k] > before else EVENT_UNLOCKED
            instrument = book.perps.position.shape[0] + k
            usd = tokens.units[k] * tokens.fair_px[k]
            write_event(t, kind, instrument, tokens.account[k], usd, out)


@rule
def take_away(t: int, k: int, share: float, book: Book, out: Out) -> float:
    """Move a share of a token's units away, wherever they lie, for nothing; units taken.

    Those that are bought and not delivered yet are not the holder's.
    """
    tokens, collateral = book.tokens, book.collateral
    instrument, pledged = book.perps.position.shape[0] + k, 0.0
    coming = undelivered(k, book.pending)
    own = tokens.units[k] - coming
    for a in range(collateral.units.shape[0]):
        units = collateral.units[a, k]
        if units == 0.0:
            continue
        own -= units
        collateral.units[a, k] = units * (1.0 - share)
        pledged += collateral.units[a, k]
        what = (-units * share, 0.0, tokens.fair_px[k], 0.0)
        write_fill((t, t, instrument, a, SHOCK), what, out)
    if own <= UNIT_SLACK * tokens.units[k]:  # rounding of what is pledged
        own = 0.0
    else:
        where = (t, t, instrument, tokens.account[k], SHOCK)
        write_fill(where, (-own * share, 0.0, tokens.fair_px[k], 0.0), out)
    held = tokens.units[k]
    tokens.locked[k] = coming + (tokens.locked[k] - coming) * (1.0 - share)
    tokens.units[k] = own * (1.0 - share) + pledged + coming
    return float(held - tokens.units[k])


@rule
def strike_tokens(t: int, tape: Replay, book: Book, out: Out, settings: Settings) -> None:
    """Let locks begin and end, and issuers take away what shocks of the hour say."""
    turn_locks(t, tape, book, out, settings)
    perps, tokens = book.perps, book.tokens
    for j in range(first_from(tape.shock_row, t), first_from(tape.shock_row, t + 1)):
        if tape.shock_kind[j] != FORCED_TRANSFER:
            continue
        k = tape.shock_instrument[j] - perps.position.shape[0]
        cancel(k, perps, tokens, settings)
        if tokens.units[k] != 0.0:
            usd = take_away(t, k, tape.shock_value[j], book, out) * tokens.fair_px[k]
            instrument = perps.position.shape[0] + k
            write_event(t, EVENT_FORCED, instrument, tokens.account[k], usd, out)
