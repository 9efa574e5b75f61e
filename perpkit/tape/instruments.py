"""Which perps, tokens and accounts a run has, and how they belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from perpkit.arrays import B8, I64
from perpkit.config import RunConfig, collateral_tokens
from perpkit.dataset import Dataset
from perpkit.errors import RequestError, nearest

WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class Instruments:
    """Names of every axis and the links between them; -1 is "none"."""

    coins: tuple[str, ...]
    tokens: tuple[str, ...]
    # The custody wallet, then a margin account a venue, then one an isolated position.
    accounts: tuple[str, ...]
    underlyings: tuple[str, ...]
    kinds: tuple[str, ...]  # kind of each token
    perp_account: I64  # (M,)
    perp_token: I64  # (M,) the paired token
    perp_underlying: I64  # (M,)
    token_perp: I64  # (K,) the perp whose oracle carries the token's price
    token_underlying: I64  # (K,)
    account_parent: I64  # (A,) the venue's account that an isolated one belongs to
    account_strict: B8  # (A,) margin cannot be taken out of it

    def name(self, instrument: int) -> str:
        """Coin or token of an instrument number, perps first; "" for -1."""
        if instrument < 0:
            return ""
        return (self.coins + self.tokens)[instrument]


def choose(dataset: Dataset, config: RunConfig) -> Instruments:
    """The run's instruments: chosen coins, the token of each, and further tokens asked for.

    Raises
    ------
    RequestError
        If a coin, a token or a pair is not in the dataset, or a pair has two underlyings.
    """
    coins = config.coins if config.coins is not None else tuple(dataset.perps_meta)
    if not coins:
        raise RequestError("coins is empty: name at least one perp of the dataset")
    for named, what in ((coins, "coins"), (config.tokens, "tokens")):
        if len(set(named)) < len(named):
            raise RequestError(f"{what}: {', '.join(named)} names one twice; name each once")
    for coin in coins:
        if coin not in dataset.perps_meta:
            raise RequestError(
                f"coins: {coin} is not in {dataset.folder}: {nearest(coin, dataset.perps_meta)}"
            )
    pairs = _pairs(dataset, config, coins)
    more = (*config.tokens, *collateral_tokens(config))
    tokens = tuple(dict.fromkeys([*(pairs[c] for c in coins if c in pairs), *more]))
    for token in config.tokens:
        if token not in dataset.tokens_meta:
            raise RequestError(
                f"tokens: {token} is not in {dataset.folder}: {nearest(token, dataset.tokens_meta)}"
            )
    return _link(dataset, config, coins, tokens, pairs)


def account_of(venue: str, config: RunConfig) -> str:
    """Name of a venue's margin account; unified venues share one."""
    return "+".join(config.unified) if venue in config.unified else venue


def _pairs(dataset: Dataset, config: RunConfig, coins: tuple[str, ...]) -> dict[str, str]:
    for coin, token in config.pairs.items():
        if coin not in coins:
            raise RequestError(f"pairs: {coin} is not traded in this run: {nearest(coin, coins)}")
        if token not in dataset.tokens_meta:
            raise RequestError(
                f"pairs: {token} is not in {dataset.folder}: {nearest(token, dataset.tokens_meta)}"
            )
        ours, theirs = dataset.perps_meta[coin].underlying, dataset.tokens_meta[token].underlying
        if ours != theirs:
            raise RequestError(
                f"pairs: {coin} is a perp on {ours} and {token} a token on {theirs}; "
                "pair a perp with a token of its own underlying"
            )
    doubled = [t for t in config.pairs.values() if list(config.pairs.values()).count(t) > 1]
    if doubled:
        raise RequestError(
            f"pairs: {doubled[0]} is paired with two perps; a token hedges one, so pair the other "
            "with a token of its own"
        )
    made = dict(config.pairs)
    for coin in coins:
        own = dataset.perps_meta[coin].underlying
        free = [
            t.token
            for t in dataset.tokens_meta.values()
            if t.underlying == own and t.token not in made.values()
        ]
        if coin not in made and free:
            made[coin] = free[0]
    return made


def _link(
    dataset: Dataset,
    config: RunConfig,
    coins: tuple[str, ...],
    tokens: tuple[str, ...],
    pairs: dict[str, str],
) -> Instruments:
    perps = [dataset.perps_meta[c] for c in coins]
    held = [dataset.tokens_meta[t] for t in tokens]
    own = [account_of(p.venue, config) for p in perps]
    accounts = (WALLET, *dict.fromkeys(own))
    underlyings = tuple(sorted({x.underlying for x in perps} | {x.underlying for x in held}))
    paired = {token: coin for coin, token in pairs.items()}
    interest = _first_open_interest(dataset.perps.filter(pl.col("coin").is_in(coins)))
    token_perp = []
    for meta in held:
        same = [p.coin for p in perps if p.underlying == meta.underlying]
        coin = paired.get(meta.token) or max(
            same, key=lambda c: (interest.get(c, 0.0), -coins.index(c)), default=None
        )
        token_perp.append(-1 if coin is None else coins.index(coin))
    return Instruments(
        coins,
        tokens,
        accounts,
        underlyings,
        tuple(x.kind for x in held),
        np.array([accounts.index(name) for name in own], np.int64),
        np.array([tokens.index(pairs[c]) if c in pairs else -1 for c in coins], np.int64),
        np.array([underlyings.index(p.underlying) for p in perps], np.int64),
        np.array(token_perp, np.int64),
        np.array([underlyings.index(x.underlying) for x in held], np.int64),
        np.full(len(accounts), -1, np.int64),
        np.zeros(len(accounts), np.bool_),
    )


def _first_open_interest(perps: pl.DataFrame) -> dict[str, float]:
    # The first hour alone: a later value would let the future choose the perp.
    first = perps.filter(pl.col("time") == pl.col("time").min())
    return dict(first.select("coin", pl.col("open_interest").fill_null(0.0)).iter_rows())
