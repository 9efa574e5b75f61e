"""Writes the tables of docs/rulebook.md, docs/collateral.md and docs/issuers.md."""

from __future__ import annotations

from collections.abc import Iterator

from perpkit.rulebook.consistency import ALLOWED, NEEDED
from perpkit.rulebook.eligibility import products, table
from perpkit.rulebook.issuing import ISSUER_GROUPS, JURISDICTIONS
from perpkit.rulebook.keys import COLLATERAL_KEYS, CONFIDENCES, GROUPS
from perpkit.rulebook.library import (
    collateral_names,
    issuer_names,
    load_collateral,
    load_issuer,
    load_venue,
    shipped_rulebook,
    venue_names,
)
from perpkit.rulebook.survey import asset_completeness, completeness, issuer_completeness
from perpkit.rulebook.venue import day

_LAST_NS = 2**62  # later than any block


def document_keys() -> str:
    """Every key by group, with unit, values and meaning, and the word of another key it needs."""
    return "\n".join(_keys())


def _keys() -> Iterator[str]:
    links = {**NEEDED, **ALLOWED}
    for group, keys in GROUPS.items():
        yield f"### {group.capitalize()}\n"
        yield "| key | unit | must be | meaning | where |"
        yield "|---|---|---|---|---|"
        for name, key in keys.items():
            on, words = links.get(name, ("", ()))
            where = f"`{on}` is {' or '.join(words)}" if on else ""
            yield f"| `{name}` | {key.unit or '–'} | {key.legal} | {key.meaning} | {where} |"
        yield ""


def document_venues() -> str:
    """Every shipped venue with its span and how much of it is known."""
    titles = ["venue", "what it is", "terms from", "until", "known", *CONFIDENCES]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name in venue_names():
        one = completeness(load_venue(name))
        until = "" if one.closed_ns is None else day(one.closed_ns)
        counts = " | ".join(str(count) for count in one.confidence.values())
        lines.append(
            f"| `{name}` | {one.title} | {day(one.first_ns)} | {until} | {one.known} of {one.keys} "
            f"| {counts} |"
        )
    return "\n".join(lines) + "\n"


_SHOWN = ("form", "redeem_session", "redeem_delay_hours", "haircut_frac")


def document_collateral() -> str:
    """Every shipped token that is collateral: its form, redemption and haircut, and what is known.

    As of each file's last word; a venue's own haircut follows.
    """
    titles = ["token", "what it is", *(f"`{key}`" for key in _SHOWN), "venues", "known"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name in collateral_names():
        asset = load_collateral(name)
        one = asset_completeness(asset)
        told = " | ".join(str(asset.at(key, _LAST_NS).value) for key in _SHOWN)
        venues = ", ".join(
            f"{venue} {asset.at('haircut_frac', _LAST_NS, venue).value}" for venue in asset.named()
        )
        lines.append(f"| `{name}` | {one.title} | {told} | {venues} | {one.known} of {one.keys} |")
    return "\n".join(lines) + "\n"


def document_collateral_keys() -> str:
    """Every key of collateral, with unit, values and meaning."""
    lines = ["| key | unit | must be | meaning |", "|---|---|---|---|"]
    for name, key in COLLATERAL_KEYS.items():
        lines.append(f"| `{name}` | {key.unit or '–'} | {key.legal} | {key.meaning} |")
    return "\n".join(lines) + "\n"


_OF_ISSUERS = ("form", "multiplier_kind", "dividends", "mint_session", "redeem_session", "weekend")


def document_issuers() -> str:
    """Every shipped issuer: what its tokens are, its hours, and how much is known."""
    titles = ["issuer", "what it is", *(f"`{key}`" for key in _OF_ISSUERS), "`blocked`", "known"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name in issuer_names():
        issuer = load_issuer(name)
        one = issuer_completeness(issuer)
        told = " | ".join(str(issuer.at(key, _LAST_NS).value) for key in _OF_ISSUERS)
        blocked = str(issuer.at("blocked", _LAST_NS).value).split(", ")
        where = "US" if "US" in blocked else blocked[0]
        if len(blocked) > 1:
            where += f" and {len(blocked) - 1} more"
        lines.append(f"| `{name}` | {one.title} | {told} | {where} | {one.known} of {one.keys} |")
    return "\n".join(lines) + "\n"


def document_issuer_keys() -> str:
    """Every key of issuers by group, with unit, values and meaning."""
    lines = []
    for group, keys in ISSUER_GROUPS.items():
        lines += [f"### {group.capitalize()}", "", "| key | unit | must be | meaning |"]
        lines.append("|---|---|---|---|")
        lines += [f"| `{n}` | {k.unit or '–'} | {k.legal} | {k.meaning} |" for n, k in keys.items()]
        lines.append("")
    return "\n".join(lines)


def document_eligibility() -> str:
    """Who may hold each product of which anything is known, by jurisdiction."""
    book = shipped_rulebook()
    places = ", ".join(f"{code} {name}" for code, name in JURISDICTIONS.items())
    lines = [f"| product | {' | '.join(JURISDICTIONS)} |", "|---" * (1 + len(JURISDICTIONS)) + "|"]
    for row in table(book, JURISDICTIONS, _LAST_NS, products(book)):
        told = [str(one.hold.value) for one in row]
        if any(one.hold.known for one in row):
            lines.append(f"| `{row[0].product}` | {' | '.join(told)} |")
    return "\n".join(lines) + f"\n\n{places}.\n"
