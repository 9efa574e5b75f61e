"""Who may hold a token or trade on a venue, by jurisdiction and by what the holder is.

A product is ``"issuer.ondo"``, ``"token.USYC"`` or ``"venue.xyz"``. What is not told of it is
unknown, and that is neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from perpkit.errors import RequestError, nearest
from perpkit.rulebook.issuing import HOLDER_TIERS, JURISDICTIONS, MEMBERS
from perpkit.rulebook.keys import NONE, UNKNOWN
from perpkit.rulebook.library import Rulebook
from perpkit.rulebook.venue import Value

ELSEWHERE: Final = ""
_LAST_NS: Final = 2**62  # later than any block
_UNTOLD: Final = "no page on it was read"
# Forms tokens of a run, and of all stocks: neither is a product that anyone sells.
_NO_PRODUCTS: Final = ("issuer.formed", "token.STOCK")
_FUNDS: Final = ("fund_share", "note")  # of these each token is told of by its own name
_KINDS: Final = (("issuer", "issuer"), ("collateral", "token"), ("venue", "venue"))


class Verdict(NamedTuple):
    """What is told of one product in one jurisdiction."""

    product: str
    title: str
    jurisdiction: str
    hold: Value
    primary: Value
    receiver_check: Value


def place_of(code: str) -> str:
    """The jurisdiction whose rules a country's code falls under; "" for one of none of them.

    >>> place_of("DE"), place_of("US"), place_of("SG")
    ('EU', 'US', '')

    Raises
    ------
    RequestError
        If it is no code of two letters.
    """
    told = code.strip().upper()
    if len(told) != 2 or not told.isalpha():
        known = nearest(told, [*JURISDICTIONS])
        raise RequestError(
            f"jurisdiction {code}: write a country's code of two letters such as US, or EU, {known}"
        )
    return "EU" if told in MEMBERS else told if told in JURISDICTIONS else ELSEWHERE


def allows(least: object, kyc: str) -> bool | None:
    """Whether a holder of a tier is let in where so much is asked for; None: not known.

    >>> allows("accredited", "qualified"), allows("basic", "none"), allows("nobody", "qualified")
    (True, False, False)
    >>> allows("unknown", "qualified") is None
    True
    """
    if least == UNKNOWN:
        return None
    if least in ("anyone", NONE):
        return True
    return least in HOLDER_TIERS and HOLDER_TIERS.index(kyc) >= HOLDER_TIERS.index(str(least))


def products(book: Rulebook) -> list[tuple[str, str]]:
    """Every product of the rulebook with its title: issuers' tokens, other tokens, venues."""
    made = [
        (f"{word}.{name}", _title(book, kind, name))
        for kind, word in _KINDS
        for name in book.names(kind)
        if f"{word}.{name}" not in _NO_PRODUCTS and not _is_fund(book, kind, name)
    ]
    known = {name for name, _ in made}
    for name in book.names("eligibility"):
        told = book.eligibility(name)
        if name not in known and told is not None:
            made.append((name, told.title))
    return made


def _is_fund(book: Rulebook, kind: str, name: str) -> bool:
    return kind == "issuer" and book.issuer(name).at("form", _LAST_NS).value in _FUNDS


def _title(book: Rulebook, kind: str, name: str) -> str:
    if kind == "venue":
        return book.venue(name).title
    return book.issuer(name).title if kind == "issuer" else book.collateral(name).title


def verdict(book: Rulebook, product: str, title: str, place: str, when_ns: int) -> Verdict:
    """What is told of a product in a jurisdiction at an instant, unknown where nothing is."""
    told = book.eligibility(product)
    found = []
    for key in ("hold", "primary", "receiver_check"):
        value = None if told is None else told.find(key, when_ns, place)
        found.append(value or Value(UNKNOWN, _UNTOLD, "assumed", 0, "the rulebook"))
    return Verdict(product, title, place, *found)


def over(book: Rulebook, product: str, place: str, span_ns: tuple[int, int]) -> list[Value]:
    """Who may hold a product, all that is in force from one instant to another, in time."""
    told = book.eligibility(product)
    first, last = span_ns
    dates: set[int] = set()
    for layer in () if told is None else told.layers():
        for line in (layer.blocks, layer.venues.get(place, {})):
            dates |= {value.since_ns for value in line.get("hold", ())}
    at = [first, *sorted(ns for ns in dates if first < ns <= last)]
    return list(dict.fromkeys(verdict(book, product, "", place, ns).hold for ns in at))


def table(
    book: Rulebook, places: Iterable[str], when_ns: int, names: Iterable[tuple[str, str]]
) -> list[list[Verdict]]:
    """A row a product, a column a jurisdiction."""
    asked = list(places)
    return [[verdict(book, name, title, p, when_ns) for p in asked] for name, title in names]
