"""How the positions of a run are margined: cross, isolated, strictly isolated, over one account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from perpkit.arrays import F64, Mode
from perpkit.config import RunConfig
from perpkit.errors import RequestError, nearest
from perpkit.rulebook import Resolved, Rulebook
from perpkit.rulebook.keys import UNKNOWN
from perpkit.tape.instruments import Instruments
from perpkit.units import to_ns


def margin(names: Instruments, config: RunConfig, resolved: Resolved) -> Instruments:
    """Give every isolated coin an account of its own below its venue's.

    A coin is isolated where the venue says so at any hour of the run, the tighter mode then
    holding throughout: no source says what becomes of a position when its market's mode changes.

    Raises
    ------
    RequestError
        If ``margin_mode`` asks for what the venue does not allow.
    """
    tightest: F64 = np.asarray(resolved.terms["margin_modes"], np.float64).max(axis=0)
    loosest: F64 = np.asarray(resolved.terms["margin_modes"], np.float64).min(axis=0)
    accounts, parents, strict = list(names.accounts), [-1] * len(names.accounts), []
    own = names.perp_account.copy()
    strict = [False] * len(accounts)
    for m, coin in enumerate(names.coins):
        _refuse(coin, config, loosest[m], tightest[m])
        chosen = config.margin_mode == "isolated" or tightest[m] >= Mode.ISOLATED
        if chosen:
            parents.append(int(own[m]))
            strict.append(bool(tightest[m] == Mode.STRICT_ISOLATED))
            accounts.append(f"{names.accounts[own[m]]}/{coin}")
            own[m] = len(accounts) - 1
    return replace(
        names,
        accounts=tuple(accounts),
        perp_account=own,
        account_parent=np.array(parents, np.int64),
        account_strict=np.array(strict, np.bool_),
    )


def _refuse(coin: str, config: RunConfig, loosest: float, tightest: float) -> None:
    if config.margin_mode == "cross" and tightest >= Mode.ISOLATED:
        raise RequestError(
            f"margin_mode = cross: the venue margins {coin} in isolation at hours of this run; "
            'leave margin_mode out, or set terms.margin_modes = "cross" to play what was not so'
        )
    if config.margin_mode == "isolated" and loosest == Mode.CROSS:
        raise RequestError(
            f"margin_mode = isolated: the venue margins {coin} in its cross account alone; leave "
            'margin_mode out, or set terms.margin_modes = "isolated" to play what was not so'
        )


# Dexes of Hyperliquid, whose accounts may be unified (its documentation, account abstraction), and
# the plain rule set, which is its.
HYPERLIQUID = frozenset(
    ("hyperliquid", "xyz", "cash", "flx", "hyna", "km", "mkts", "para", "vntl", "baseline")
)
PORTFOLIO_NS = to_ns(datetime(2025, 12, 23, tzinfo=UTC))  # pre-alpha on the main network


def refuse_portfolio(config: RunConfig, venues: Sequence[str], first_ns: int) -> None:
    """Refuse portfolio margin where there is none, or nothing that it could lend against.

    Raises
    ------
    RequestError
        Naming the venue, the date, or what is not pledged.
    """
    if not config.portfolio_margin:
        return
    for venue in venues:
        if venue not in HYPERLIQUID:
            raise RequestError(
                f"portfolio_margin: {venue} is no dex of Hyperliquid, whose portfolio margin this "
                "is; leave it out"
            )
    if first_ns < PORTFOLIO_NS and set(venues) != {"baseline"}:
        raise RequestError("portfolio_margin: there is none before 2025-12-23; start the run then")
    lent = [pledge for pledge in config.collateral.values() if pledge.share > 0.0]
    if not any(pledge.accounts is None for pledge in lent):
        raise RequestError(
            "portfolio_margin: nothing is pledged in every margin account; set "
            "collateral.TOKEN.share, and no accounts, or leave portfolio_margin out"
        )


def refuse_unified(config: RunConfig, book: Rulebook, first_ns: int) -> None:
    """Refuse a unified account over venues that settle in different currencies.

    Raises
    ------
    RequestError
        Naming the venue, or both and their currencies.
    """
    told: dict[str, str] = {}
    if len(set(config.unified)) < len(config.unified):
        raise RequestError("unified: names a venue twice; name each once")
    for venue in config.unified:
        if venue not in book.names("venue"):
            raise RequestError(f"unified: no venue {venue}: {nearest(venue, book.names('venue'))}")
        found = book.venue(venue).find("collateral", first_ns)
        told[venue] = UNKNOWN if found is None else str(found.value).split(",")[0].strip()
        if venue not in HYPERLIQUID:
            raise RequestError(
                f"unified: {venue} is no dex of Hyperliquid, whose unified accounts these are; "
                "leave it out"
            )
    if len(config.unified) == 1:
        raise RequestError("unified: one venue has an account of its own anyway; name two or more")
    if len(set(told.values())) > 1:
        words = ", ".join(f"{venue} in {currency}" for venue, currency in told.items())
        raise RequestError(
            f"unified: the venues settle in different currencies ({words}); share an account only "
            "between venues of one"
        )
