"""Settle currencies of the accounts, and what a unit of each is worth in USD."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError, RequestError, nearest
from perpkit.rulebook import UNKNOWN, CoinTerms, Rulebook
from perpkit.rulebook.overrides import stated_terms
from perpkit.tape.grid import carry, lay, place, refuse_gaps, rows_since
from perpkit.tape.instruments import Instruments
from perpkit.tape.shocks import depegs
from perpkit.units import stamp

USD = "USD"  # of an account whose currency is unknown: one USD a unit


class Currencies(NamedTuple):
    """The settle currency of each account."""

    names: tuple[str, ...]  # (A,)
    told: tuple[str, ...]  # currencies that have a price; the others are one USD


def lay_currencies(
    dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64, book: Rulebook
) -> tuple[Currencies, F64]:
    """Settle currencies, and their prices (T, D) in USD a unit.

    A currency has a price where the dataset holds a stable token of its name, or a shock of kind
    ``depeg``, whose value holds from its hour on. Where none of the run's has one there is no
    price at all, and every unit is one USD.

    Raises
    ------
    RequestError
        If nothing is known of the wallet's currency.
    DataError
        If a stable token has no quote in the first hour, or too long a gap.
    """
    settle = settle_currencies(dataset, config, names, int(time_ns[0]), book)
    # One that a run forms as collateral has no quotes: it stays at one USD.
    recorded = set(dataset.tokens["token"].unique()) & set(settle)
    stable = [
        t for t, meta in dataset.tokens_meta.items() if meta.kind == "stable" and t in recorded
    ]
    shocks = {currency: depegs(dataset, config, currency) for currency in dict.fromkeys(settle)}
    own, known = config.wallet_currency, {*settle[1:], USD, *stable, *book.names("collateral")}
    if own is not None and own not in known and not shocks[own]:
        raise RequestError(
            f"wallet_currency was {own!r}: no account settles in it, neither dataset nor rulebook "
            f"knows it; {nearest(own, sorted(known))}"
        )
    told = tuple(c for c in shocks if c in stable or shocks[c])
    if not told:
        return Currencies(settle, ()), np.zeros((len(time_ns), 0))
    px = np.ones((len(time_ns), len(settle)))
    quoted = _mids(dataset, config, tuple(stable), time_ns)
    for a, currency in enumerate(settle):
        if currency in stable:
            px[:, a] = quoted[:, stable.index(currency)]
        for at_ns, value in shocks[currency]:
            px[int(np.searchsorted(time_ns, at_ns, side="left")) :, a] = value
    return Currencies(settle, told), px


def settle_currencies(
    dataset: Dataset, config: RunConfig, names: Instruments, first_ns: int, book: Rulebook
) -> tuple[str, ...]:
    """The currency of each account: of its venue the first that margin is posted in.

    The wallet's is a setting, or that of the first margin account.
    """
    terms = [
        CoinTerms(c, dataset.perps_meta[c].venue, dataset.perps_meta[c].terms) for c in names.coins
    ]
    stated = stated_terms(terms, config.terms)
    of_coin = []
    for coin, own in zip(terms, stated, strict=True):
        value = own.get("collateral") or book.venue(coin.venue).find(
            "collateral", first_ns, coin.coin
        )
        known = value is not None and value.value != UNKNOWN
        of_coin.append(str(value.value).split(", ")[0] if value is not None and known else USD)
    # A perp of each account, or of an isolated one below it.
    venue = names.account_parent[names.perp_account]
    mine = [(names.perp_account == a) | (venue == a) for a in range(1, len(names.accounts))]
    margin = [of_coin[int(np.argmax(own))] for own in mine]
    return (config.wallet_currency or margin[0], *margin)


def _mids(dataset: Dataset, config: RunConfig, stable: tuple[str, ...], time_ns: I64) -> F64:
    """(T, stable) mid of each quote, carried over short gaps.

    A quote that stands still is a price all the same: a currency at its peg hardly moves.
    """
    at = place(dataset.tokens, "token", stable, time_ns)
    shape = (len(time_ns), len(stable))
    mid = 0.5 * (
        lay(dataset.tokens, "bid_px", at, shape) + lay(dataset.tokens, "ask_px", at, shape)
    )
    age = rows_since(~np.isnan(mid))
    refuse_gaps(age, stable, time_ns, config.max_stale_hours, "tokens.parquet: quote")
    for k, currency in enumerate(stable):
        if np.isnan(mid[0, k]):
            raise DataError(
                f"tokens.parquet: {currency}, which an account settles in, has no quote at "
                f"{stamp(int(time_ns[0]))}, the first hour; add it, or start the run later"
            )
    return carry(mid, age)
