"""The ways that tokens may take: which are open to each, issuers' hours and terms, and NAV."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64, Phase, Tape, Tokens, Way
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError, RequestError
from perpkit.rulebook import UNKNOWN, Issuer, open_rulebook
from perpkit.rulebook.keys import NONE
from perpkit.tape.grid import lay, place, rows_since
from perpkit.tape.instruments import Instruments
from perpkit.tape.redemption import in_session
from perpkit.tape.shocks import redemptions_halted

CHEAPEST: Final = "cheapest"
_BIT: Final = {"quote": 1 << Way.QUOTE, "dex": 1 << Way.DEX, "issuer": 1 << Way.ISSUER}
_SHARES: Final = ("equity", "crypto")  # kinds that an issuer makes of something else at a price
MINT: Final = (
    *("mint_session", "mint_fee_frac", "mint_min_usd", "mint_delay_hours"),
    "inventory_usd",
)
REDEEM: Final = (
    *("redeem_session", "redeem_fee_frac", "redeem_min_usd", "redeem_delay_hours"),
    "inventory_usd",
)


class Primary(NamedTuple):
    """One side of an issuer's window, each number at its harshest in the run."""

    rows: I64  # (T,) until delivery, -1 while it is shut
    fee_frac: float
    min_usd: float
    inventory_usd: float


# --------------------------------------------------------------------------- which ways


def refuse_ways(config: RunConfig, names: Instruments) -> None:
    """Refuse terms of issuers that no token of the run deals with.

    Raises
    ------
    RequestError
        Naming the setting and the token.
    """
    for token in config.ways:
        way, kind = config.token_way.get(token), names.kinds[names.tokens.index(token)]
        if kind not in _SHARES:
            raise RequestError(
                f"ways: {token} is {kind}, whose redemption is a term of the rulebook; leave "
                f"ways.{token} out, or state it in a file of your own that rulebook names"
            )
        if way not in (CHEAPEST, "issuer"):
            taken = "takes its quote" if way is None else f'has token_way = "{way}"'
            raise RequestError(
                f"ways: {token} {taken}, and the terms of its issuer do nothing; set "
                f"token_way.{token} to issuer or cheapest too, or leave ways.{token} out"
            )


def has_pool(dataset: Dataset, token: str) -> bool:
    """Whether liquidity is recorded of a token's quote."""
    if "liquidity_usd" not in dataset.tokens.columns:
        return False
    own = dataset.tokens.filter(dataset.tokens["token"] == token)["liquidity_usd"]
    return own.null_count() < len(own)


def pooled(dataset: Dataset, config: RunConfig, token: str) -> bool:
    """Whether a token is traded against its pool, which then is behind its quote too."""
    way = config.token_way.get(token)
    return way == "dex" or (way == CHEAPEST and has_pool(dataset, token))


def at_quote(dataset: Dataset, config: RunConfig, token: str) -> bool:
    """Whether a token may be traded at its quote."""
    way = config.token_way.get(token, "quote")
    return way == "quote" or (way == CHEAPEST and not pooled(dataset, config, token))


# --------------------------------------------------------------------------- issuers


def _told(key: str, token: str, issuer: Issuer, config: RunConfig, span_ns: Any) -> list[Any]:
    """Values of a key over the run: the run's own, else the rulebook's at each date."""
    own = config.ways.get(token)
    value = getattr(own, key) if own is not None else None
    if value is not None:
        return [value]
    first, last = span_ns
    dates = [first, *(ns for ns in issuer.dates(key) if first < ns <= last)]
    return [issuer.at(key, ns).value for ns in dates]


def unknown_terms(token: str, dataset: Dataset, config: RunConfig, span_ns: Any) -> list[str]:
    """Terms of a token's issuer that its way needs and nobody tells; in the order of the keys."""
    issuer = open_rulebook(config.rulebook, config.data).issuer(dataset.tokens_meta[token].issuer)
    keys = dict.fromkeys([*MINT, *REDEEM])
    return [key for key in keys if UNKNOWN in _told(key, token, issuer, config, span_ns)]


def _number(told: list[Any], none: float, pick: Any) -> float:
    return float(pick(none if value == NONE else float(value) for value in told))


def _sessions(key: str, token: str, issuer: Issuer, config: RunConfig, time_ns: I64) -> B8:
    """(T,) whether the issuer deals in each hour, by the block in force."""
    own = config.ways.get(token)
    word = getattr(own, key) if own is not None else None
    if word is not None:
        return in_session(time_ns, word, "")
    made = np.zeros(len(time_ns), np.bool_)
    dates = [ns for ns in issuer.dates(key) if ns <= int(time_ns[-1])]
    for ns in dates:
        later = time_ns >= ns
        made[later] = in_session(time_ns[later], str(issuer.at(key, ns).value), "")
    return made


def rows_until(opened: B8, delay_hours: int) -> I64:
    """Rows from each open hour to its delivery, -1 from a shut one.

    What falls on a shut hour is delivered when the issuer opens again; beyond the last row where
    that is not in the run.

    >>> rows_until(np.array([True, True, False, True]), 1).tolist()
    [1, 2, -1, 5]
    """
    hours = len(opened)
    last = np.append(np.flatnonzero(opened), 2 * hours)
    rows = np.arange(hours)
    at = np.searchsorted(last[:-1], rows + delay_hours, side="left")
    return np.where(opened, last[at] - rows, -1)


def _primary(
    keys: tuple[str, ...], token: str, issuer: Issuer, config: RunConfig, tape: Tape
) -> Primary:
    span = int(tape.time_ns[0]), int(tape.time_ns[-1])
    session, fee, least, delay, inventory = keys
    told = {key: _told(key, token, issuer, config, span) for key in keys}
    hours = math.ceil(_number(told[delay], 0.0, max))
    return Primary(
        rows_until(_sessions(session, token, issuer, config, tape.time_ns), hours),
        _number(told[fee], 0.0, max),
        _number(told[least], 0.0, max),
        _number(told[inventory], math.inf, min),
    )


def _by_issuer(k: int, dataset: Dataset, config: RunConfig, names: Instruments, tape: Tape) -> bool:
    """Whether a token may be minted and redeemed.

    Raises
    ------
    DataError
        If the run names that way, and a term or the NAV is not known.
    """
    token = names.tokens[k]
    way = config.token_way.get(token, "quote")
    if way not in (CHEAPEST, "issuer"):
        return False
    if names.kinds[k] not in _SHARES:
        if way == "issuer":
            raise RequestError(
                f"token_way: {token} is {names.kinds[k]}, which its issuer takes back by redeem "
                "and mints by sweep_token; leave it out of token_way"
            )
        return False
    span = int(tape.time_ns[0]), int(tape.time_ns[-1])
    unknown = unknown_terms(token, dataset, config, span)
    if unknown and way == "issuer":
        raise DataError(
            f"issuer {dataset.tokens_meta[token].issuer}: {unknown[0]} of {token} is unknown, and "
            f'token_way = "issuer" needs it; set it with --set ways.{token}.{unknown[0]}=VALUE'
        )
    priced = not np.isnan(tape.nav_px[:, k]).all() or names.token_perp[k] >= 0
    if not priced and way == "issuer":
        raise DataError(
            f"{dataset.folder.name}/tokens.parquet: {token} is minted at its NAV and has none, "
            "nor a perp of its underlying; add the column nav_px, or another token_way"
        )
    return priced and not unknown


# --------------------------------------------------------------------------- laying


def lay_ways(
    laid: tuple[Tape, Tokens],
    dataset: Dataset,
    config: RunConfig,
    names: Instruments,
) -> Tape:
    """The tape with pools and the hours of issuers, and the tokens' ways and terms filled in.

    Parameters
    ----------
    laid : tape, and tokens, which are written to

    Raises
    ------
    DataError, RequestError
        If a way that the run names is not open to its token.
    """
    tape, tokens = laid
    tokens.inventory_usd[:] = np.inf
    tokens.drawn_day[:] = -1
    issued, against = [], []
    for k, token in enumerate(names.tokens):
        gap = config.cross_chain_gap_frac.get(token, 0.0)
        tokens.friction_frac[k] = config.token_friction_frac + gap
        tokens.ways[k] = _BIT["quote"] if at_quote(dataset, config, token) else 0
        if pooled(dataset, config, token):
            _refuse_no_pool(dataset, token)
            tokens.ways[k] |= _BIT["dex"]
            against.append(k)
        if _by_issuer(k, dataset, config, names, tape):
            tokens.ways[k] |= _BIT["issuer"]
            issued.append(k)
    if "max_pool_frac" in config.model_fields_set and not against:
        raise RequestError(
            f"max_pool_frac was {config.max_pool_frac:g} and does nothing: no token of the run is "
            "traded against a pool; set token_way.TOKEN to dex, or leave max_pool_frac out"
        )
    if against:
        tape = tape._replace(liquidity_usd=_liquidity(dataset, names, tape.time_ns, against))
    return _lay_issuers((tape, tokens), issued, dataset, config, names) if issued else tape


def _refuse_no_pool(dataset: Dataset, token: str) -> None:
    if not has_pool(dataset, token):
        raise DataError(
            f"{dataset.folder.name}/tokens.parquet: no liquidity_usd is recorded of {token}, which "
            'token_way = "dex" needs; add the column, or name another way'
        )


def _liquidity(dataset: Dataset, names: Instruments, time_ns: I64, against: list[int]) -> F64:
    """(T, K) depth of the pools in use; an hour without one has no pool."""
    at = place(dataset.tokens, "token", names.tokens, time_ns)
    made = lay(dataset.tokens, "liquidity_usd", at, (len(time_ns), len(names.tokens)))
    others = [k for k in range(len(names.tokens)) if k not in against]
    made[:, others] = np.nan
    return made


def _lay_issuers(
    laid: tuple[Tape, Tokens],
    issued: list[int],
    dataset: Dataset,
    config: RunConfig,
    names: Instruments,
) -> Tape:
    tape, tokens = laid
    shape = (len(tape.time_ns), len(names.tokens))
    mint, buyback = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
    book = open_rulebook(config.rulebook, config.data)
    told = lay(
        dataset.tokens, "nav_px", place(dataset.tokens, "token", names.tokens, tape.time_ns), shape
    )
    old = rows_since(~np.isnan(told)) > config.max_stale_hours
    for k in issued:
        token = names.tokens[k]
        issuer = book.issuer(dataset.tokens_meta[token].issuer)
        sells, takes = (_primary(keys, token, issuer, config, tape) for keys in (MINT, REDEEM))
        halted = redemptions_halted(dataset, config, token, tape.time_ns)
        mint[:, k] = np.where(tape.halted[:, k] | old[:, k], -1, sells.rows)
        buyback[:, k] = np.where(tape.halted[:, k] | halted | old[:, k], -1, takes.rows)
        tokens.mint_fee_frac[k], tokens.mint_min_usd[k] = sells.fee_frac, sells.min_usd
        tokens.redeem_fee_frac[k], tokens.redeem_min_usd[k] = takes.fee_frac, takes.min_usd
        tokens.inventory_usd[k] = sells.inventory_usd
    return tape._replace(mint_rows=mint, buyback_rows=buyback)


def form_navs(tape: Tape, tokens: Tokens, names: Instruments) -> None:
    """NAV of the tokens that are minted and have none in the data: the underlying by multiplier.

    The underlying is the external price of the token's perp, or where prices are recorded its
    oracle, in hours in which that follows an external price; without one there is no NAV.
    """
    for k in np.flatnonzero(tokens.ways & _BIT["issuer"]):
        m = int(names.token_perp[k])
        if m < 0:
            continue
        if tape.external_px.shape[1]:
            px = np.where(tape.stale[:, m], np.nan, tape.external_px[:, m])
        else:
            shut = tape.phase[:, names.perp_underlying[m]] == Phase.CLOSED
            px = np.where(tape.stale[:, m] | shut, np.nan, tape.oracle_px[:, m])
        missing = np.isnan(tape.nav_px[:, k])
        tape.nav_px[missing, k] = (px * tape.multiplier[:, k])[missing]
