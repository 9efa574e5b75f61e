"""Writes the tables of docs/rulebook.md."""

from __future__ import annotations

from collections.abc import Iterator

from perpkit.rulebook.consistency import ALLOWED, NEEDED
from perpkit.rulebook.keys import CONFIDENCES, GROUPS
from perpkit.rulebook.library import load_venue, venue_names
from perpkit.rulebook.survey import completeness
from perpkit.rulebook.venue import day


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
