"""``perpkit rules eligibility``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from perpkit.rulebook import Value
    from perpkit.rulebook.eligibility import Verdict


def eligibility(
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day or hour of the rules, UTC; default now.")
    ] = None,
    jurisdiction: Annotated[
        str | None, typer.Option(metavar="CODE", help="One country's code, or EU; default: all.")
    ] = None,
    product: Annotated[
        str | None, typer.Option(metavar="NAME", help="Products whose name holds this.")
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option("--rules", help="Own rulebook: a TOML file, or a folder of them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Show who may hold each token and trade on each venue, by jurisdiction, with sources."""
    from perpkit.cli.rules import print_json, stamp, told_instant
    from perpkit.errors import RequestError, nearest
    from perpkit.report.eligibility import eligibility_lines, jurisdiction_lines
    from perpkit.report.rulebook import print_lines
    from perpkit.rulebook import JURISDICTIONS, open_rulebook
    from perpkit.rulebook.eligibility import products, table

    book = open_rulebook(own)
    when_ns = told_instant("--at", at)
    places = [*JURISDICTIONS] if jurisdiction is None else [jurisdiction]
    names = products(book)
    chosen = [one for one in names if product is None or product.lower() in one[0].lower()]
    if not chosen:
        known = nearest(str(product), [name for name, _ in names])
        raise RequestError(f"--product {product}: no product has this in its name, {known}")
    found = table(book, places, when_ns, chosen)
    if as_json:
        told = [_plain(one) for row in found for one in row]
        print_json({"at": stamp(when_ns), "eligibility": told})
    elif jurisdiction is None:
        print_lines(eligibility_lines(found, when_ns))
    else:
        print_lines(jurisdiction_lines([row[0] for row in found], jurisdiction, when_ns))


def _plain(one: Verdict) -> dict[str, Any]:
    from perpkit.cli.rules import plain

    def told(value: Value) -> dict[str, Any]:
        return {**plain(value), "since": plain(value)["since"] if value.since_ns else None}

    return {
        "product": one.product,
        "title": one.title,
        "jurisdiction": one.jurisdiction or None,
        "hold": told(one.hold),
        "primary": told(one.primary),
        "receiver_check": told(one.receiver_check),
    }
