"""The rulebook in the terminal: venues, the terms of a day, what changed between two days."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from perpkit.rulebook import COLLATERAL_KEYS, ISSUER_KEYS, VENUE_KEYS, Asset, Issuer, Value, Venue
from perpkit.rulebook.survey import Change, Completeness, Shown
from perpkit.rulebook.venue import Term, day

_WIDTH = 100
_LEAST = 72
_VALUE = 36  # columns of a value, where there is room
_BESIDE = 56  # columns of its key, date and confidence
_NAMED = 4  # coins named before the rest is counted
_CONFIDENCE = {"verified": "green", "documented": "", "reported": "yellow", "assumed": "yellow"}


def print_lines(lines: Iterable[Text]) -> None:
    """Print on standard output; ``NO_COLOR`` leaves out every style."""
    console = Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
    for line in lines:
        console.print(line, soft_wrap=True)  # the lines are wrapped already


def width() -> int:
    """Columns to write in: 100, fewer in a narrower terminal."""
    console = Console()
    return max(_LEAST, min(console.width, _WIDTH)) if console.is_terminal else _WIDTH


def moment(when_ns: int) -> str:
    """An instant with its zone, which an hour's Z says already.

    >>> moment(1_760_313_600_000_000_000), moment(1_760_317_200_000_000_000)
    ('2025-10-13 UTC', '2025-10-13 01:00 UTC')
    """
    return f"{day(when_ns).removesuffix('Z')} UTC"


def text_of(value: Term, unit: str = "") -> str:
    """A value as people read it, without exponents.

    >>> text_of(0.0000125), text_of(1_250_000_000, "USD"), text_of(False)
    ('0.0000125', '1,250,000,000 USD', 'false')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    told = f"{value:,.12f}".rstrip("0").rstrip(".")
    return f"{told} {unit}".rstrip()


# --------------------------------------------------------------------------- venues


def venue_lines(
    found: Sequence[Completeness],
    collateral: Sequence[Completeness] = (),
    issuers: Sequence[Completeness] = (),
) -> Iterator[Text]:
    """A line a venue, a line an issuer, and a line a token that is collateral."""
    yield from _table("venue", found)
    yield Text()
    for what, told in (("issuer", issuers), ("collateral", collateral)):
        if told:
            yield from _table(what, told)
            yield Text()
    yield Text(
        "perpkit rules NAME shows the terms of a venue, an issuer or a token, with the sources."
    )
    yield Text("perpkit rules eligibility shows who may hold and trade them.")


def _table(what: str, found: Sequence[Completeness]) -> Iterator[Text]:
    yield Text(
        f"{what:<12}{'known':>6}  {'verified documented reported assumed':<36}  "
        f"{'from':<11}{'until':<11}title",
        style="bold",
    )
    for one in found:
        counts = [one.confidence[c] for c in _CONFIDENCE]
        yield Text(
            f"{one.venue:<12}{f'{one.known}/{one.keys}':>6}  "
            f"{counts[0]:>8} {counts[1]:>10} {counts[2]:>8} {counts[3]:>7}  "
            f"{day(one.first_ns)[:10]:<11}{_until(one):<11}{one.title}"
        )


def _until(one: Completeness) -> str:
    return "" if one.closed_ns is None else day(one.closed_ns)[:10]


# --------------------------------------------------------------------------- terms


def term_lines(venue: Venue, when_ns: int, coin: str, found: Sequence[Shown]) -> Iterator[Text]:
    """Every key with value, date, confidence and source."""
    of = f", {coin}" if coin else ""
    yield Text.assemble((venue.title, "bold"), f" ({venue.name}{of}), terms on {moment(when_ns)}")
    yield from _closed(venue)
    group = ""
    for shown in found:
        key = VENUE_KEYS[shown.key]
        if key.group != group:
            group = key.group
            yield Text()
            yield Text(group.capitalize(), style="bold")
        yield from _term(shown, key.unit)


def asset_lines(asset: Asset, when_ns: int, found: Sequence[Shown]) -> Iterator[Text]:
    """Every key of a token as collateral, with value, date, confidence and source."""
    yield Text.assemble(
        (asset.title, "bold"), f" ({asset.name}, collateral), terms on {moment(when_ns)}"
    )
    yield Text()
    for shown in found:
        yield from _term(shown, COLLATERAL_KEYS[shown.key].unit)


def issuer_lines(issuer: Issuer, when_ns: int, found: Sequence[Shown]) -> Iterator[Text]:
    """Every key of an issuer with value, date, confidence and source."""
    yield Text.assemble(
        (issuer.title, "bold"), f" ({issuer.name}, issuer), terms on {moment(when_ns)}"
    )
    group = ""
    for shown in found:
        key = ISSUER_KEYS[shown.key]
        if key.group != group:
            group = key.group
            yield Text()
            yield Text(group.capitalize(), style="bold")
        yield from _term(shown, key.unit)


def _closed(venue: Venue) -> Iterator[Text]:
    if venue.closed is not None:
        told = f"closed on {day(venue.closed.ns)}, {venue.closed.confidence}: {venue.closed.source}"
        yield from wrapped(told, "", "yellow")


def _term(shown: Shown, unit: str) -> Iterator[Text]:
    value = shown.value
    told = text_of(value.value, unit)
    head = f"  {shown.key:<23} "
    if not value.known:
        yield Text.assemble(head, (told, "red"))
    else:
        since = f"since {day(value.since_ns)}, " if value.since_ns else ""
        # What is longer than its column has lines of its own.
        room = min(_VALUE, width() - _BESIDE)
        first, *rest = textwrap.wrap(told, room) or [told]
        yield Text.assemble(
            head,
            (f"{first:<{room}}", "bold"),
            f" {since}",
            (value.confidence, _CONFIDENCE[value.confidence]),
        )
        for line in rest:
            yield Text.assemble(" " * len(head), (line, "bold"))
    yield from wrapped(value.source, " " * 6, "dim")
    if shown.others:
        yield from wrapped(f"but {_others(shown.others)}", " " * 6, "")


def _others(others: Mapping[str, Value]) -> str:
    """Coins that differ from the venue, by their value."""
    by_value: dict[Term, list[str]] = {}
    for coin, value in others.items():
        by_value.setdefault(value.value, []).append(coin)
    return "; ".join(f"{text_of(value)}: {_named(coins)}" for value, coins in by_value.items())


def _named(coins: Sequence[str]) -> str:
    if len(coins) <= _NAMED:
        return ", ".join(coins)
    return f"{', '.join(coins[: _NAMED - 1])} and {len(coins) - _NAMED + 1} more"


def wrapped(told: str, indent: str, style: str) -> Iterator[Text]:
    """A text in lines of the terminal's width, under an indent."""
    for line in textwrap.wrap(told, width() - len(indent)):
        yield Text.assemble(indent, (line, style))


# --------------------------------------------------------------------------- changes


def change_lines(
    venue: Venue, start_ns: int, end_ns: int, coin: str, found: Sequence[Change]
) -> Iterator[Text]:
    """Every change with its date, old and new value and source."""
    of = f", {coin}" if coin else ""
    yield Text.assemble(
        (venue.title, "bold"),
        f" ({venue.name}{of}), changes after {day(start_ns)} and up to {moment(end_ns)}",
    )
    yield from _closed(venue)
    if not found:
        yield Text("  none")
    for change in found:
        yield from _change(change, VENUE_KEYS[change.key].unit, _whose(change))


def issuer_change_lines(
    issuer: Issuer, start_ns: int, end_ns: int, found: Sequence[Change]
) -> Iterator[Text]:
    """Every change of an issuer with its date, old and new value and source."""
    yield Text.assemble(
        (issuer.title, "bold"),
        f" ({issuer.name}, issuer), changes after {day(start_ns)} and up to {moment(end_ns)}",
    )
    if not found:
        yield Text("  none")
    for change in found:
        yield from _change(change, ISSUER_KEYS[change.key].unit)


def _change(change: Change, unit: str, whose: str = "") -> Iterator[Text]:
    yield Text()
    yield Text.assemble(
        f"  {day(change.ns):<18} ",
        f"{change.key:<23} ",
        (f"{text_of(change.old.value)} -> {text_of(change.new.value, unit)}", "bold"),
    )
    if whose:
        yield from wrapped(whose, " " * 6, "")
    told = f"{change.new.confidence}: " if change.new.known else ""
    yield from wrapped(f"{told}{change.new.source}", " " * 6, "dim")


def _whose(change: Change) -> str:
    if change.coins:
        return ", ".join(change.coins)
    if not change.apart:
        return "all coins"
    return f"all coins but {change.apart} with a word of their own"
