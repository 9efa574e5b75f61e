"""What the rulebook says of a venue, an issuer or collateral: what is known, what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from perpkit.rulebook.asset import Asset
from perpkit.rulebook.keys import COLLATERAL_KEYS, CONFIDENCES, ISSUER_KEYS, VENUE_KEYS
from perpkit.rulebook.venue import Issuer, Value, Venue

_END_NS = 2**62  # later than any block


class Completeness(NamedTuple):
    """How much of a venue, an issuer or a token is known in the last word of its file."""

    venue: str  # or the issuer, or the token
    title: str
    first_ns: int
    closed_ns: int | None
    keys: int
    unknown: tuple[str, ...]  # neither for the venue nor for a coin
    confidence: Mapping[str, int]  # known keys by confidence; by the weakest where coins differ
    coins: int  # with a word of their own

    @property
    def known(self) -> int:
        """How many keys are known."""
        return self.keys - len(self.unknown)


class Shown(NamedTuple):
    """A key at an instant."""

    key: str
    value: Value
    others: Mapping[str, Value]  # of the coins that differ from the venue; empty for one coin


class Change(NamedTuple):
    """Another value of a key."""

    ns: int
    key: str
    coins: tuple[str, ...]  # none: the venue, but for coins with a word of their own
    apart: int  # how many those are
    old: Value
    new: Value


def completeness(venue: Venue) -> Completeness:
    """How much of a venue is known."""
    unknown: list[str] = []
    weakest: list[str] = []
    for shown in terms_at(venue, _END_NS):
        known = [v for v in (shown.value, *shown.others.values()) if v.known]
        if not known:
            unknown.append(shown.key)
        else:
            weakest.append(max((v.confidence for v in known), key=CONFIDENCES.index))
    count = Counter(weakest)
    return Completeness(
        venue.name,
        venue.title,
        venue.first_ns,
        None if venue.closed is None else venue.closed.ns,
        len(VENUE_KEYS),
        tuple(unknown),
        {confidence: count[confidence] for confidence in CONFIDENCES},
        len(venue.named()),
    )


def terms_at(venue: Venue, when_ns: int, coin: str = "") -> list[Shown]:
    """Every key at an instant, of the venue or of one coin.

    Raises
    ------
    DataError
        If the instant lies before the venue's first block.
    """
    made = []
    for key in VENUE_KEYS:
        value = venue.at(key, when_ns, coin)
        told = {} if coin else {c: venue.at(key, when_ns, c) for c in venue.named()}
        others = {c: v for c, v in told.items() if v.value != value.value}
        made.append(Shown(key, value, others))
    return made


def asset_completeness(asset: Asset) -> Completeness:
    """How much of a token as collateral is known."""
    found = asset_terms(asset, _END_NS)
    known = [shown for shown in found if shown.value.known]
    count = Counter(shown.value.confidence for shown in known)
    return Completeness(
        asset.name,
        asset.title,
        asset.first_ns,
        None,
        len(COLLATERAL_KEYS),
        tuple(shown.key for shown in found if not shown.value.known),
        {confidence: count[confidence] for confidence in CONFIDENCES},
        len(asset.named()),
    )


def asset_terms(asset: Asset, when_ns: int) -> list[Shown]:
    """Every key of a token at an instant, with the venues that differ.

    Raises
    ------
    DataError
        If the instant lies before the token's first block.
    """
    made = []
    for key in COLLATERAL_KEYS:
        value = asset.at(key, when_ns)
        told = {venue: asset.at(key, when_ns, venue) for venue in asset.named()}
        made.append(Shown(key, value, {v: x for v, x in told.items() if x.value != value.value}))
    return made


def issuer_completeness(issuer: Issuer) -> Completeness:
    """How much of an issuer is known."""
    found = issuer_terms(issuer, _END_NS)
    count = Counter(shown.value.confidence for shown in found if shown.value.known)
    return Completeness(
        issuer.name,
        issuer.title,
        issuer.first_ns,
        None,
        len(ISSUER_KEYS),
        tuple(shown.key for shown in found if not shown.value.known),
        {confidence: count[confidence] for confidence in CONFIDENCES},
        0,
    )


def issuer_terms(issuer: Issuer, when_ns: int) -> list[Shown]:
    """Every key of an issuer at an instant.

    Raises
    ------
    DataError
        If the instant lies before the issuer's first block.
    """
    return [Shown(key, issuer.at(key, when_ns), {}) for key in ISSUER_KEYS]


def issuer_changes(issuer: Issuer, start_ns: int, end_ns: int) -> list[Change]:
    """Every change of an issuer's value in (start, end], by date.

    Raises
    ------
    DataError
        If the start lies before the issuer's first block.
    """
    made = []
    for key in ISSUER_KEYS:
        for ns in issuer.dates(key):
            if not start_ns < ns <= end_ns:
                continue
            old, new = issuer.at(key, ns - 1), issuer.at(key, ns)
            if old.value != new.value:
                made.append(Change(ns, key, (), 0, old, new))
    order = list(ISSUER_KEYS)
    return sorted(made, key=lambda c: (c.ns, order.index(c.key)))


def changes(venue: Venue, start_ns: int, end_ns: int, coin: str = "") -> list[Change]:
    """Every change of a value in (start, end], of the venue and its coins or of one coin, by date.

    A coin that only follows the venue is not listed of its own.

    Raises
    ------
    DataError
        If the start lies before the venue's first block.
    """
    for key in VENUE_KEYS:
        venue.at(key, start_ns, coin)
    made = list(_turns(venue, start_ns, end_ns, coin))
    if not coin:
        same: dict[tuple[int, str, Value, Value], list[str]] = {}
        for name in venue.named():
            for turn in _turns(venue, start_ns, end_ns, name, own=True):
                same.setdefault((turn.ns, turn.key, turn.old, turn.new), []).append(name)
        made += [
            Change(ns, key, tuple(names), 0, old, new)
            for (ns, key, old, new), names in same.items()
        ]
    order = list(VENUE_KEYS)
    return sorted(made, key=lambda c: (c.ns, order.index(c.key), c.coins))


def _turns(
    venue: Venue, start_ns: int, end_ns: int, coin: str, *, own: bool = False
) -> Iterator[Change]:
    """Changes of what is in force for a coin; with `own`, those at dates of its own blocks."""
    for key in VENUE_KEYS:
        dates = venue.own_dates(coin, key) if own else venue.dates(coin, frozenset({key}))
        for ns in dates:
            old, new = venue.find(key, ns - 1, coin), venue.find(key, ns, coin)
            if not start_ns < ns <= end_ns or old is None or new is None:
                continue
            if old.value != new.value:
                names = (coin,) if coin else ()
                yield Change(ns, key, names, 0 if coin else _apart(venue, key, ns), old, new)


def _apart(venue: Venue, key: str, ns: int) -> int:
    """How many coins have a word of their own on a key at an instant."""
    told = venue.find(key, ns)
    return sum(venue.find(key, ns, coin) is not told for coin in venue.named())
