"""``perpkit rules``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from perpkit.rulebook import Asset, Rulebook, Value, Venue
    from perpkit.rulebook.survey import Completeness, Shown

_SHOW = "show"


class _ShowByDefault(TyperGroup):
    """A group whose first word may be a venue: what names no command is said to ``show``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [_SHOW, *args])


rules = typer.Typer(
    name="rules",
    cls=_ShowByDefault,
    help="The dated terms of venues and of collateral, each with its source.",
    add_completion=False,
)


@rules.command(_SHOW)
def show(
    venue: Annotated[str | None, typer.Argument(help="Venue, or token; default: all.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day or hour of the terms, UTC; default now.")
    ] = None,
    coin: Annotated[str | None, typer.Option(help="One perp of the venue.")] = None,
    diff: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="What changed between two dates.")
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option("--rules", help="Own rulebook: a TOML file, or a folder of them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """List venues and how much of each is known, or show the terms of one, or what changed."""
    from perpkit.errors import RequestError
    from perpkit.rulebook import open_rulebook

    book = open_rulebook(own)
    if venue is None:
        for name, given in (("--at", at), ("--coin", coin), ("--diff", diff)):
            if given is not None:
                raise RequestError(f"{name} needs a venue, as in perpkit rules xyz {name} ...")
        _list(book, as_json=as_json)
        return
    if at is not None and diff is not None:
        raise RequestError("--at shows one date and --diff compares two; give one of them")
    token = _token(book, venue)
    if token is not None:
        for name, given in (("--coin", coin), ("--diff", diff)):
            if given is not None:
                raise RequestError(f"{venue} is collateral, {name} is of venues; leave it out")
        _show_asset(token, _now() if at is None else _instant(token, "--at", at), as_json=as_json)
        return
    found = _venue(book, venue)
    named = "" if coin is None else _coin(found, coin)
    if diff is None:
        when_ns = _now() if at is None else _instant(found, "--at", at)
        _show_terms(found, when_ns, named, as_json=as_json)
    else:
        start_ns, end_ns = (_instant(found, "--diff", date) for date in diff)
        _show_changes(found, start_ns, end_ns, named, as_json=as_json)


# --------------------------------------------------------------------------- what is asked for


def _venue(book: Rulebook, name: str) -> Venue:
    from perpkit.errors import RequestError, nearest

    names = book.names("venue")
    if name not in names:
        known = [*names, *book.names("collateral")]
        raise RequestError(f"there is no venue {name} in the rulebook, {nearest(name, known)}")
    return book.venue(name)


def _token(book: Rulebook, name: str) -> Asset | None:
    """The collateral of a name, in capitals or not; None where it is none."""
    if name in book.names("venue"):
        return None
    found = [token for token in book.names("collateral") if token.upper() == name.upper()]
    return book.collateral(found[0]) if found else None


def _coin(venue: Venue, coin: str) -> str:
    from perpkit.errors import RequestError, nearest

    names = venue.named()
    for name in (coin, f"{venue.name}:{coin}"):
        if name in names:
            return name
    meant = nearest(coin, names)
    stop = "" if meant.endswith("?") else ";"
    raise RequestError(
        f"{venue.name}: no term is stated for {coin} alone, {meant}{stop} what holds for "
        "all its perps is shown without --coin"
    )


def _instant(venue: Venue | Asset, option: str, told: str) -> int:
    from datetime import datetime

    from perpkit.errors import RequestError
    from perpkit.rulebook.venue import day
    from perpkit.units import to_ns

    try:
        when_ns = to_ns(datetime.fromisoformat(told))
    except (ValueError, OverflowError):
        raise RequestError(
            f"{option} {told}: write a date such as 2026-08-15, or an hour such as "
            "2026-08-15T14:00, UTC"
        ) from None
    if when_ns < venue.first_ns:
        raise RequestError(
            f"{option} {told}: the terms of {venue.name} start on {day(venue.first_ns)}; name that "
            "date or a later one"
        )
    return when_ns


def _now() -> int:
    from datetime import UTC, datetime

    from perpkit.units import to_ns

    return to_ns(datetime.now(UTC).replace(minute=0, second=0, microsecond=0))


# --------------------------------------------------------------------------- answers


def _list(book: Rulebook, *, as_json: bool) -> None:
    from perpkit.report.rulebook import print_lines, venue_lines
    from perpkit.rulebook.survey import asset_completeness, completeness

    found = [completeness(book.venue(name)) for name in book.names("venue")]
    tokens = [asset_completeness(book.collateral(name)) for name in book.names("collateral")]
    if not as_json:
        print_lines(venue_lines(found, tokens))
        return
    _print_json(
        {
            "venues": [
                {
                    "venue": one.venue,
                    **_known(one),
                    "until": None if one.closed_ns is None else _stamp(one.closed_ns),
                    "coins": one.coins,
                }
                for one in found
            ],
            "collateral": [
                {"token": one.venue, **_known(one), "venues": one.coins} for one in tokens
            ],
        }
    )


def _known(one: Completeness) -> dict[str, Any]:
    return {
        "title": one.title,
        "from": _stamp(one.first_ns),
        "keys": one.keys,
        "known": one.known,
        "confidence": dict(one.confidence),
        "unknown": list(one.unknown),
    }


def _show_asset(asset: Asset, when_ns: int, *, as_json: bool) -> None:
    from perpkit.report.rulebook import asset_lines, print_lines
    from perpkit.rulebook import COLLATERAL_KEYS
    from perpkit.rulebook.survey import asset_terms

    found: list[Shown] = asset_terms(asset, when_ns)
    if not as_json:
        print_lines(asset_lines(asset, when_ns, found))
        return
    terms = [
        {
            "key": shown.key,
            "unit": COLLATERAL_KEYS[shown.key].unit,
            **_plain(shown.value),
            "venues": {name: _plain(value) for name, value in shown.others.items()},
        }
        for shown in found
    ]
    head = {"collateral": asset.name, "title": asset.title, "at": _stamp(when_ns)}
    _print_json({**head, "terms": terms})


def _show_terms(venue: Venue, when_ns: int, coin: str, *, as_json: bool) -> None:
    from perpkit.report.rulebook import print_lines, term_lines
    from perpkit.rulebook import VENUE_KEYS
    from perpkit.rulebook.survey import terms_at

    found = terms_at(venue, when_ns, coin)
    if not as_json:
        print_lines(term_lines(venue, when_ns, coin, found))
        return
    terms = [
        {
            "key": shown.key,
            "group": VENUE_KEYS[shown.key].group,
            "unit": VENUE_KEYS[shown.key].unit,
            **_plain(shown.value),
            "coins": {name: _plain(value) for name, value in shown.others.items()},
        }
        for shown in found
    ]
    _print_json({**_head(venue, coin), "at": _stamp(when_ns), "terms": terms})


def _show_changes(venue: Venue, start_ns: int, end_ns: int, coin: str, *, as_json: bool) -> None:
    from perpkit.errors import RequestError
    from perpkit.report.rulebook import change_lines, print_lines
    from perpkit.rulebook.survey import changes

    if start_ns >= end_ns:
        raise RequestError("--diff A B: A is not before B; swap the dates")
    found = changes(venue, start_ns, end_ns, coin)
    if not as_json:
        print_lines(change_lines(venue, start_ns, end_ns, coin, found))
        return
    told = [
        {
            "time": _stamp(change.ns),
            "key": change.key,
            "coins": list(change.coins),
            "old": _plain(change.old),
            "new": _plain(change.new),
        }
        for change in found
    ]
    span = {"after": _stamp(start_ns), "until": _stamp(end_ns)}
    _print_json({**_head(venue, coin), **span, "changes": told})


# --------------------------------------------------------------------------- JSON


def _head(venue: Venue, coin: str) -> dict[str, Any]:
    closed = venue.closed
    return {
        "venue": venue.name,
        "title": venue.title,
        "coin": coin or None,
        "closed": None if closed is None else _stamp(closed.ns),
    }


def _plain(value: Value) -> dict[str, Any]:
    return {
        "value": value.value,
        "since": _stamp(value.since_ns),
        "confidence": value.confidence if value.known else None,
        "source": value.source,
        "place": value.place,
    }


def _stamp(ns: int) -> str:
    from perpkit.units import instant

    return instant(ns).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_json(told: dict[str, Any]) -> None:
    import json

    print(json.dumps({"schema": 1, **told}, indent=2, ensure_ascii=False))
