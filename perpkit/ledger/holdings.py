"""What the rows say was held: tokens by account, and what cash of an account is worth in USD.

The loop counts an account in its own settle currency; the ledger is in USD throughout.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from perpkit.arrays import F64, I64, Reason
from perpkit.play import Kept, Played
from perpkit.tape import Market

WALLET = 0
NAV_KINDS = ("treasury", "stable")

# Of a token's units: what is not pledged when all of it is, but for rounding.
ROUNDING_FRAC = 1e-12


class Holdings(NamedTuple):
    """Tokens in their accounts, H columns: those in the wallet, then those pledged in each."""

    units: F64  # (T, H)
    token: I64  # (H,)
    account: I64  # (H,)


def holdings(rows: Kept) -> Holdings:
    """Token units by account; what is not pledged lies in the wallet."""
    tokens = np.arange(rows.units.shape[1])
    wallet = np.full(len(tokens), WALLET)
    if rows.pledged.shape[1] == 0:
        return Holdings(rows.units, tokens, wallet)
    free = rows.units - rows.pledged.sum(axis=1)
    free = np.where(np.abs(free) <= ROUNDING_FRAC * np.abs(rows.units), 0.0, free)
    # Most accounts never hold most tokens.
    account, token = np.nonzero(rows.pledged.any(axis=0))
    return Holdings(
        np.hstack([free, rows.pledged[:, account, token]]),
        np.concatenate([tokens, token]),
        np.concatenate([wallet, account]),
    )


def in_usd(usd: F64, market: Market, account: Any, row: Any = slice(None)) -> F64:
    """Amounts in the settle currencies of accounts as USD.

    ``usd`` is (T, n) with n accounts, or (n,) with as many rows and accounts.
    """
    px = market.tape.cash_px
    return usd if px.shape[1] == 0 else usd * px[row, account]


def entry_prices(market: Market, played: Played) -> F64:
    """(T, M) average price of each open position, from the fills.

    Enlarging averages, reducing keeps, a turn starts anew, and a split restates.
    """
    fills = played.fills[played.fills["instrument"] < len(market.names.coins)]
    made = np.zeros_like(played.rows.position)
    since = np.zeros(made.shape, np.int64)  # row of the last fill so far
    held, entry = np.zeros(made.shape[1]), np.zeros(made.shape[1])
    for fill in fills:
        m, t = int(fill["instrument"]), int(fill["row"])
        before, size, px = held[m], float(fill["size"]), float(fill["px"])
        after = before + size
        if fill["reason"] == Reason.ACTION and px == 0.0:  # the same position in new units
            entry[m] *= before / after
        elif before * size < 0.0:
            entry[m] = px if abs(size) > abs(before) else entry[m]
        elif after != 0.0:
            entry[m] = (before * entry[m] + size * px) / after
        held[m] = after
        made[t, m], since[t, m] = entry[m], t
    return np.take_along_axis(made, np.maximum.accumulate(since, axis=0), axis=0)


def unrealised(market: Market, played: Played) -> F64:
    """(T, A) profit of each account's open positions at mark, in its settle currency."""
    position, mark = played.rows.position, market.tape.mark_px
    gain = np.where(position == 0.0, 0.0, mark - entry_prices(market, played))
    gain = np.where(position == 0.0, 0.0, position * gain)
    made = np.zeros_like(played.rows.cash_usd)
    for m, account in enumerate(market.names.perp_account):
        made[:, account] += gain[:, m]
    return made
