"""Who may hold a token or trade on a venue, by jurisdiction and by what the holder is.

A product is ``"issuer.ondo"``, ``"token.USYC"`` or ``"venue.xyz"``. What is not told of it is
unknown, and that is neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from perpkit.errors import RequestError, nearest
from perpkit.rulebook.issuing import HOLDER_TIERS, JURISDICTIONS, MEMBERS
from perpkit.rulebook.keys import NONE, UNKNOWN
from perpkit.rulebook.library import Rulebook
from perpkit.rulebook.venue import Issuer, Value

ELSEWHERE: Final = ""
NOBODY: Final = "nobody"
_LAST_NS: Final = 2**62  # later than any block
_ASKED: Final = ("hold", "primary")  # what a list of blocked countries is of
_UNTOLD: Final = "no page on it was read"
# Forms tokens of a run, and of all stocks: neither is a product that anyone sells.
_NO_PRODUCTS: Final = ("issuer.formed", "token.STOCK")
_FUNDS: Final = ("fund_share", "note")  # of these each token is told of by its own name
_KINDS: Final = (("issuer", "issuer"), ("collateral", "token"), ("venue", "venue"))
# Whose list of blocked countries is that of a token told of by its own name.
_ISSUER_OF: Final = {
    "token.BENJI": "franklin",
    "token.BUIDL": "blackrock",
    "token.OUSG": "ondo_ousg",
    "token.USDY": "ondo_usdy",
    "token.USTB": "superstate",
    "token.USYC": "circle",
}


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


def _issuer_of(book: Rulebook, product: str) -> Issuer | None:
    """The issuer of a product; None where nobody is told of as such."""
    kind, _, own = product.partition(".")
    name = own if kind == "issuer" else _ISSUER_OF.get(product, "")
    return book.issuer(name) if name in book.names("issuer") else None


def _blocked(book: Rulebook, product: str, country: str, when_ns: int) -> Value | None:
    """The issuer's word that nobody of a country may acquire a product; None where it has none."""
    issuer = _issuer_of(book, product)
    told = None if issuer is None else issuer.find("blocked", when_ns)
    if told is None or not country:
        return None
    listed = [code.strip() for code in str(told.value).split(",")]
    named = {country.strip().upper(), place_of(country)} & set(listed)
    return replace(told, value=NOBODY) if named else None


def verdict(book: Rulebook, product: str, title: str, country: str, when_ns: int) -> Verdict:
    """What is told of a product for a country's holders at an instant, unknown where nothing is.

    ``country`` is a code, or "" for one that nobody names. What is told of its jurisdiction comes
    first, then the issuer's list of blocked countries, then what is told of anywhere else.
    """
    place, told = place_of(country) if country else ELSEWHERE, book.eligibility(product)
    blocked, found = _blocked(book, product, country, when_ns), []
    for key in ("hold", "primary", "receiver_check"):
        value = None if told is None else told.find(key, when_ns, place)
        apart = place != ELSEWHERE and value is not None and value.known
        if key in _ASKED and blocked is not None and not apart:
            value = blocked
        found.append(value or Value(UNKNOWN, _UNTOLD, "assumed", 0, "the rulebook"))
    return Verdict(product, title, place, *found)


def over(
    book: Rulebook, product: str, country: str, span_ns: tuple[int, int], key: str = "hold"
) -> list[Value]:
    """Who may hold a product, or with ``"primary"`` mint and redeem it, over a time, in time."""
    told, issuer = book.eligibility(product), _issuer_of(book, product)
    place = place_of(country) if country else ELSEWHERE
    first, last = span_ns
    dates: set[int] = set() if issuer is None else set(issuer.dates("blocked"))
    for layer in () if told is None else told.layers():
        for line in (layer.blocks, layer.venues.get(place, {})):
            dates |= {value.since_ns for value in line.get(key, ())}
    at = [first, *sorted(ns for ns in dates if first < ns <= last)]
    found = [verdict(book, product, "", country, ns) for ns in at]
    return list(dict.fromkeys(one.primary if key == "primary" else one.hold for one in found))


def table(
    book: Rulebook, countries: Iterable[str], when_ns: int, names: Iterable[tuple[str, str]]
) -> list[list[Verdict]]:
    """A row a product, a column a jurisdiction or country."""
    asked = list(countries)
    return [[verdict(book, name, title, p, when_ns) for p in asked] for name, title in names]
