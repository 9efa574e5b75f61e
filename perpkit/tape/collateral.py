"""Tokens as collateral: which a run has, what is pledged where, and what each counts for."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64, Book, Tape
from perpkit.config import RunConfig, collateral_tokens
from perpkit.dataset import Dataset
from perpkit.dataset.description import TokenMeta
from perpkit.errors import DataError, RequestError, nearest
from perpkit.rulebook import UNKNOWN, Asset, CoinTerms, Rulebook
from perpkit.rulebook.overrides import stated_terms
from perpkit.rulebook.venue import day
from perpkit.tape.instruments import Instruments
from perpkit.told import Pledge

FORMED: Final = "formed"  # issuer of the tokens that a run forms from a rate
_STOCK: Final = "STOCK"  # the rulebook's word on tokenized stock in general
WALLET: Final = 0


class Pledges(NamedTuple):
    """What is held as collateral from the start; shares are of an account's starting cash."""

    share: F64  # (A, K) pledged
    haircut_frac: F64  # (A, K)
    initial_haircut_frac: F64  # (A, K)
    mirrored: B8  # (A, K)
    wallet_share: F64  # (K,) held in the wallet, free


def asset_name(token: str, kind: str, book: Rulebook) -> str | None:
    """Name in the rulebook of a token as collateral, in capitals or not; None for none."""
    known = {name.upper(): name for name in book.names("collateral")}
    return known.get(token.upper(), _STOCK if kind == "equity" else None)


def asset_of(token: str, kind: str, book: Rulebook) -> Asset:
    """Terms of a token as collateral.

    Raises
    ------
    RequestError
        If the rulebook has none.
    """
    name = asset_name(token, kind, book)
    if name is None:
        raise RequestError(
            f"collateral: the rulebook says nothing of {token}, "
            f"{nearest(token, book.names('collateral'))}; or state its terms in a file of your "
            f'own with collateral = "{token}" and name it with rulebook = FILE'
        )
    return book.collateral(name)


# --------------------------------------------------------------------------- the tokens


def with_collateral(dataset: Dataset, config: RunConfig, book: Rulebook) -> Dataset:
    """The dataset, with the tokens of the run's collateral that it does not have.

    Raises
    ------
    RequestError
        If such a token has no rate, or cannot be formed from one.
    """
    made = {}
    for token in collateral_tokens(config):
        pledge = config.collateral.get(token)
        if token in dataset.tokens_meta:
            if pledge is not None and pledge.apr is not None:
                raise RequestError(
                    f"collateral.{token}.apr: {dataset.folder.name} has prices of {token}, which "
                    "are its yield; leave the rate out"
                )
        elif pledge is None:
            raise RequestError(
                f"sweep_token: {token} is not in {dataset.folder.name}, "
                f"{nearest(token, dataset.tokens_meta)}; or write collateral.{token}.apr, a rate "
                "that it is formed from"
            )
        else:
            made[token] = _formed(token, pledge, dataset, book)
    return replace(dataset, tokens_meta=dataset.tokens_meta | made) if made else dataset


def _formed(token: str, pledge: Pledge, dataset: Dataset, book: Rulebook) -> TokenMeta:
    asset = asset_of(token, "", book)
    _, last = asset_span(asset)
    form = asset.at("form", last).value
    absent = f"collateral.{token}: {dataset.folder.name} has no prices of {token}"
    if form in ("market", UNKNOWN):
        raise RequestError(
            f"{absent}, and no rate forms them; add it to the dataset's tokens, or leave it out"
        )
    if form == "fixed" and pledge.apr:
        raise RequestError(f"collateral.{token}.apr: {token} stays at one USD; leave the rate out")
    if form != "fixed" and pledge.apr is None:
        raise RequestError(
            f"{absent}, and no rate; add it to the dataset's tokens, or set "
            f"collateral.{token}.apr (0.0375 for 3.75% a year)"
        )
    return TokenMeta(token, token, str(asset.at("kind", last).value), FORMED, 1.0)


def asset_span(asset: Asset) -> tuple[int, int]:
    """First and last instant that a value of the asset starts at."""
    starts = [v.since_ns for a in asset.layers() for line in a.blocks.values() for v in line]
    return min(starts), max(starts)


# --------------------------------------------------------------------------- what is pledged


def pledges_of(
    dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64, book: Rulebook
) -> Pledges | None:
    """What the run pledges and holds at the start; None where that is nothing.

    A haircut that changes within the run is taken at its largest, the harsher reading.

    Raises
    ------
    RequestError
        If an account does not take a token, or is not in the run.
    DataError
        If a haircut is unknown.
    """
    if not config.collateral:
        return None
    shape = (len(names.accounts), len(names.tokens))
    made = Pledges(
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape, np.bool_),
        np.zeros(shape[1]),
    )
    span = int(time_ns[0]), int(time_ns[-1])
    for token, pledge in config.collateral.items():
        k = names.tokens.index(token)
        made.wallet_share[k] = pledge.wallet_share
        asset = asset_of(token, names.kinds[k], book)
        for a, venues in _accounts(token, pledge, dataset, names).items():
            if pledge.share == 0.0:
                continue
            for venue in venues:
                _refuse_token(token, venue, (dataset, config, names), span, book)
            haircut, both = _haircut(token, pledge, asset, venues, span)
            made.share[a, k] = pledge.share
            made.mirrored[a, k] = pledge.mirrored
            made.initial_haircut_frac[a, k] = haircut
            # What portfolio margin lends half of counts three quarters against liquidation.
            kept = 0.5 * haircut if config.portfolio_margin else haircut
            made.haircut_frac[a, k] = kept if both or config.portfolio_margin else 0.0
    return made


def _accounts(
    token: str, pledge: Pledge, dataset: Dataset, names: Instruments
) -> dict[int, tuple[str, ...]]:
    """The accounts that a token is pledged in, each with its venues."""
    known = dict.fromkeys(dataset.perps_meta[coin].venue for coin in names.coins)
    if pledge.accounts is not None and not pledge.accounts:
        raise RequestError(
            f"collateral.{token}.accounts is empty: name the venues, or leave it out for all"
        )
    for venue in pledge.accounts or ():
        if venue not in known:
            raise RequestError(
                f"collateral.{token}.accounts: {venue} is no venue of this run, "
                f"{nearest(venue, list(known))}"
            )
    chosen = pledge.accounts or tuple(known)
    made = {}
    for a, name in enumerate(names.accounts[1:], 1):
        if names.account_parent[a] >= 0:  # an isolated position's
            continue
        venues = tuple(v for v in name.split("+") if v in known)  # a unified account has several
        if venues and any(venue in chosen for venue in venues):
            made[a] = venues
    return made


def _refuse_token(
    token: str,
    venue: str,
    told: tuple[Dataset, RunConfig, Instruments],
    span_ns: tuple[int, int],
    book: Rulebook,
) -> None:
    """Refuse a token that a venue does not take as margin at some hour of the run."""
    dataset, config, names = told
    own = [dataset.perps_meta[coin] for coin in names.coins]
    coins = [CoinTerms(x.coin, x.venue, x.terms) for x in own]
    terms, found = book.venue(venue), stated_terms(coins, config.terms)
    for coin, stated in zip(coins, found, strict=True):
        if coin.venue != venue:
            continue
        dates = terms.dates(coin.coin, frozenset({"collateral"}))
        for ns in (span_ns[0], *(d for d in dates if span_ns[0] < d <= span_ns[1])):
            taken = stated.get("collateral") or terms.at("collateral", ns, coin.coin)
            codes = str(taken.value).split(", ")
            if _code(token) not in [_code(code) for code in codes]:
                known = f"takes {taken.value} as margin" if taken.known else "is not known to take"
                more = ", ".join([*(codes if taken.known else []), _written(token)])
                raise RequestError(
                    f"collateral.{token}: {venue} {known} and not {token} on {day(ns)}; if it "
                    f'does, write terms.collateral = "{more}" in the run file, else set '
                    f"collateral.{token}.share = 0"
                )


def _code(token: str) -> str:
    return "".join(c for c in token if c.isalnum()).upper()


def _written(token: str) -> str:
    """A token's name as a term may state it: letters and digits, a capital first."""
    name = "".join(c for c in token if c.isalnum())
    return name[:1].upper() + name[1:]


def _haircut(
    token: str, pledge: Pledge, asset: Asset, venues: tuple[str, ...], span_ns: tuple[int, int]
) -> tuple[float, bool]:
    """Haircut of a token in an account, and whether it is taken for maintenance too."""
    haircut, on = pledge.haircut_frac, pledge.haircut_on
    if haircut is None:
        told = [v for venue in venues for v in asset.over("haircut_frac", span_ns, venue)]
        if not all(value.known for value in told):
            raise DataError(
                f"{asset.place}: haircut_frac of {token} on {', '.join(venues)} is unknown; set "
                f"collateral.{token}.haircut_frac (0.05 for 5%)"
            )
        haircut = max(float(value.value) for value in told)
    if on is None:
        words = [v.value for venue in venues for v in asset.over("haircut_on", span_ns, venue)]
        on = "initial" if set(words) == {"initial"} else "both"
    return haircut, on == "both"


def place_collateral(pledges: Pledges, tape: Tape, tokens: tuple[str, ...], book: Book) -> None:
    """Buy what is pledged and held at the start, at the fair prices of row 0 and without cost.

    Raises
    ------
    DataError
        If a token has no price there, or may not be acquired.
    """
    start = book.accounts.cash_usd.copy()
    share = pledges.share.copy()
    share[WALLET] = pledges.wallet_share
    px = np.ones(len(start))
    px[: tape.cash_px.shape[1]] = tape.cash_px[0]
    for k, token in enumerate(tokens):
        if share[:, k].any() and not tape.fair_px[0, k] > 0.0:
            raise DataError(
                f"collateral.{token}: has no price in the first hour of the run; start where it has"
            )
        if share[:, k].any() and tape.lock.shape[1] and tape.lock[0, k]:
            raise DataError(
                f"collateral.{token}: shocks.parquet has it frozen, paused or its holder revoked "
                'in the first hour of the run; start where it is not, or set shocks = "ignore"'
            )
        bought = np.where(share[:, k] > 0.0, share[:, k] * start, 0.0)
        units = np.where(bought > 0.0, bought * px / tape.fair_px[0, k], 0.0)
        book.accounts.cash_usd[:] -= bought
        book.tokens.units[k] += units.sum()
        if book.collateral.units.shape[0]:
            own_units = book.collateral.units
            own_units[1:, k] = units[1 : own_units.shape[0]]
    for name in ("haircut_frac", "initial_haircut_frac", "mirrored"):
        own = getattr(book.collateral, name)
        own[:] = getattr(pledges, name)[: own.shape[0]]
    book.collateral.told_frac[:] = book.collateral.haircut_frac
    book.collateral.told_initial_frac[:] = book.collateral.initial_haircut_frac
    for a in range(book.collateral.units.shape[0]):
        held = np.flatnonzero(book.collateral.units[a])
        book.collateral.before[a] = held[0] if held.size else len(tokens)
        book.collateral.after[a] = len(tokens) - 1 - held[-1] if held.size else 0
