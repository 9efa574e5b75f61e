"""``perpkit rules``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from perpkit.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from perpkit.rulebook import Asset, Issuer, Rulebook, Value, Venue
    from perpkit.rulebook.survey import Change, Completeness, Shown

_SHOW = "show"


class _ShowByDefault(TyperGroup):
    """A group whose first word may be a name: what names no command is said to ``show``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [_SHOW, *args])


rules = typer.Typer(
    name="rules",
    cls=_ShowByDefault,
    help="The dated terms of venues, of issuers and of collateral, each with its source.",
    add_completion=False,
)


@rules.command(_SHOW)
def show(
    venue: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Venue, issuer or token; default: all.")
    ] = None,
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
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List what there is and how much is known, or show the terms of one, or what changed."""
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
    if venue not in book.names("venue") and venue in book.names("issuer"):
        if coin is not None:
            raise RequestError(f"{venue} is an issuer, --coin is of venues; leave it out")
        _print_one(_of_issuer(book.issuer(venue), at, diff, as_json=as_json), as_json=as_json)
        return
    found = _venue(book, venue)
    told = [_of_venue(found, "" if coin is None else _coin(found, coin), at, diff, as_json=as_json)]
    if coin is None and venue in book.names("issuer"):  # a venue and an issuer of one name
        issuer = book.issuer(venue)
        if _asked(found, at, diff) >= issuer.first_ns:
            told.append(_of_issuer(issuer, at, diff, as_json=as_json))
    _print_one(*told, as_json=as_json)


# --------------------------------------------------------------------------- what is asked for


def _venue(book: Rulebook, name: str) -> Venue:
    from perpkit.errors import RequestError, nearest

    names = book.names("venue")
    if name not in names:
        known = [*names, *book.names("issuer"), *book.names("collateral")]
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


def _asked(venue: Venue | Issuer, at: str | None, diff: tuple[str, str] | None) -> int:
    """The first instant that is asked for."""
    if diff is not None:
        return _instant(venue, "--diff", diff[0])
    return _now() if at is None else _instant(venue, "--at", at)


def _instant(venue: Venue | Issuer | Asset, option: str, told: str) -> int:
    from perpkit.errors import RequestError
    from perpkit.rulebook.venue import day

    when_ns = told_instant(option, told)
    if when_ns < venue.first_ns:
        raise RequestError(
            f"{option} {told}: the terms of {venue.name} start on {day(venue.first_ns)}; name that "
            "date or a later one"
        )
    return when_ns


def told_instant(option: str, told: str | None) -> int:
    """The instant an option tells; none: this hour."""
    from datetime import datetime

    from perpkit.errors import RequestError
    from perpkit.units import to_ns

    if told is None:
        return _now()
    try:
        return to_ns(datetime.fromisoformat(told))
    except (ValueError, OverflowError):
        raise RequestError(
            f"{option} {told}: write a date such as 2026-08-15, or an hour such as "
            "2026-08-15T14:00, UTC"
        ) from None


def _now() -> int:
    from datetime import UTC, datetime

    from perpkit.units import to_ns

    return to_ns(datetime.now(UTC).replace(minute=0, second=0, microsecond=0))


# --------------------------------------------------------------------------- answers


def _list(book: Rulebook, *, as_json: bool) -> None:
    from perpkit.report.rulebook import print_lines, venue_lines
    from perpkit.rulebook.survey import asset_completeness, completeness, issuer_completeness

    found = [completeness(book.venue(name)) for name in book.names("venue")]
    issuers = [issuer_completeness(book.issuer(name)) for name in book.names("issuer")]
    tokens = [asset_completeness(book.collateral(name)) for name in book.names("collateral")]
    if not as_json:
        print_lines(venue_lines(found, tokens, issuers))
        return
    print_json(
        {
            "venues": [
                {
                    "venue": one.venue,
                    **_known(one),
                    "until": None if one.closed_ns is None else stamp(one.closed_ns),
                    "coins": one.coins,
                }
                for one in found
            ],
            "issuers": [{"issuer": one.venue, **_known(one)} for one in issuers],
            "collateral": [
                {"token": one.venue, **_known(one), "venues": one.coins} for one in tokens
            ],
        }
    )


def _known(one: Completeness) -> dict[str, Any]:
    return {
        "title": one.title,
        "from": stamp(one.first_ns),
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
            **plain(shown.value),
            "venues": {name: plain(value) for name, value in shown.others.items()},
        }
        for shown in found
    ]
    head = {"collateral": asset.name, "title": asset.title, "at": stamp(when_ns)}
    print_json({**head, "terms": terms})


Told = tuple[list[Any], dict[str, Any]]  # lines for the terminal, or what is JSON


def _print_one(*told: Told, as_json: bool) -> None:
    """Print an answer, or a venue's and an issuer's of one name; in JSON the latter within."""
    from rich.text import Text

    from perpkit.report.rulebook import print_lines

    first, *others = told
    if as_json:
        print_json({**first[1], **({"issuer_terms": others[0][1]} if others else {})})
        return
    print_lines([*first[0], *(line for one in others for line in (Text(), *one[0]))])


def _of_venue(
    venue: Venue, coin: str, at: str | None, diff: tuple[str, str] | None, *, as_json: bool
) -> Told:
    when_ns = _asked(venue, at, diff)
    if diff is not None:
        return _venue_changes(venue, when_ns, _instant(venue, "--diff", diff[1]), coin)
    from perpkit.report.rulebook import term_lines
    from perpkit.rulebook import VENUE_KEYS
    from perpkit.rulebook.survey import terms_at

    found = terms_at(venue, when_ns, coin)
    if not as_json:
        return list(term_lines(venue, when_ns, coin, found)), {}
    terms = [
        {
            "key": shown.key,
            "group": VENUE_KEYS[shown.key].group,
            "unit": VENUE_KEYS[shown.key].unit,
            **plain(shown.value),
            "coins": {name: plain(value) for name, value in shown.others.items()},
        }
        for shown in found
    ]
    return [], {**_head(venue, coin), "at": stamp(when_ns), "terms": terms}


def _of_issuer(
    issuer: Issuer, at: str | None, diff: tuple[str, str] | None, *, as_json: bool
) -> Told:
    when_ns = _asked(issuer, at, diff)
    if diff is not None:
        return _issuer_changes(issuer, when_ns, _instant(issuer, "--diff", diff[1]))
    from perpkit.report.rulebook import issuer_lines
    from perpkit.rulebook import ISSUER_KEYS
    from perpkit.rulebook.survey import issuer_terms

    found = issuer_terms(issuer, when_ns)
    if not as_json:
        return list(issuer_lines(issuer, when_ns, found)), {}
    terms = [
        {
            "key": shown.key,
            "group": ISSUER_KEYS[shown.key].group,
            "unit": ISSUER_KEYS[shown.key].unit,
            **plain(shown.value),
        }
        for shown in found
    ]
    head = {"issuer": issuer.name, "title": issuer.title, "at": stamp(when_ns)}
    return [], {**head, "terms": terms}


def _in_order(start_ns: int, end_ns: int) -> None:
    from perpkit.errors import RequestError

    if start_ns >= end_ns:
        raise RequestError("--diff A B: A is not before B; swap the dates")


def _venue_changes(venue: Venue, start_ns: int, end_ns: int, coin: str) -> Told:
    from perpkit.report.rulebook import change_lines
    from perpkit.rulebook.survey import changes

    _in_order(start_ns, end_ns)
    found = changes(venue, start_ns, end_ns, coin)
    told = [{**_change(change), "coins": list(change.coins)} for change in found]
    span = {"after": stamp(start_ns), "until": stamp(end_ns)}
    lines = list(change_lines(venue, start_ns, end_ns, coin, found))
    return lines, {**_head(venue, coin), **span, "changes": told}


def _issuer_changes(issuer: Issuer, start_ns: int, end_ns: int) -> Told:
    from perpkit.report.rulebook import issuer_change_lines
    from perpkit.rulebook.survey import issuer_changes

    _in_order(start_ns, end_ns)
    found = issuer_changes(issuer, start_ns, end_ns)
    head = {"issuer": issuer.name, "title": issuer.title}
    span = {"after": stamp(start_ns), "until": stamp(end_ns)}
    lines = list(issuer_change_lines(issuer, start_ns, end_ns, found))
    return lines, {**head, **span, "changes": [_change(change) for change in found]}


# --------------------------------------------------------------------------- JSON


def _head(venue: Venue, coin: str) -> dict[str, Any]:
    closed = venue.closed
    return {
        "venue": venue.name,
        "title": venue.title,
        "coin": coin or None,
        "closed": None if closed is None else stamp(closed.ns),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "time": stamp(change.ns),
        "key": change.key,
        "old": plain(change.old),
        "new": plain(change.new),
    }


def plain(value: Value) -> dict[str, Any]:
    """A value as JSON has it."""
    return {
        "value": value.value,
        "since": stamp(value.since_ns),
        "confidence": value.confidence if value.known else None,
        "source": value.source,
        "place": value.place,
    }


def stamp(ns: int) -> str:
    """An instant as JSON has it."""
    from perpkit.units import instant

    return instant(ns).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_json(told: dict[str, Any]) -> None:
    """Print an answer as JSON."""
    import json

    print(json.dumps({"schema": 1, **told}, indent=2, ensure_ascii=False))
