"""What was assumed: every warning, every assumption, and every term with its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from perpkit.report.panel import Card, Cards, Column, Panel, Table, Text
from perpkit.report.reading import Run
from perpkit.report.settings import in_words, own
from perpkit.rulebook import VENUE_KEYS
from perpkit.rulebook.keys import CONFIDENCES
from perpkit.units import stamp

KEY, TITLE = "assumptions", "What was assumed"
SHOWN = 12  # rows of a table before the rest is asked for
TERMS_SHOWN = 6
MEANS = {
    "verified": "checked against data of the venue",
    "documented": "the venue's own pages say so",
    "reported": "somebody else says so",
    "assumed": "a choice, with its reason",
}
Term = Mapping[str, Any]


def panel(run: Run) -> Panel:
    """Warnings first, then what is assumed, then the terms by how sure they are."""
    terms: Sequence[Term] = run.manifest["terms"]
    assumed = _assumptions(run)
    warnings = list(run.manifest["warnings"])
    if not terms and not assumed.rows and not warnings:
        return Panel(
            KEY,
            TITLE,
            empty="The manifest names no term, no assumption and no warning of this run.",
        )
    parts: list[Cards | Table | Text] = [_counts(terms, assumed, warnings)]
    parts += [Text(told, "warn") for told in warnings]
    if assumed.rows:
        parts.append(assumed)
    for confidence in reversed(CONFIDENCES):  # what is least sure first
        mine = [term for term in terms if term["confidence"] == confidence]
        if mine:
            parts.append(_terms(mine, confidence))
    return Panel(KEY, TITLE, parts, lead=_lead(terms, assumed, warnings))


def _lead(terms: Sequence[Term], assumed: Table, warnings: Sequence[str]) -> str:
    read = [term for term in terms if term["needed"]]
    weak = sum(term["confidence"] == "assumed" for term in read)
    told = (
        f"The result rests on {len(assumed.rows):,} assumptions and {len(read):,} terms of the "
        f"rulebook, {weak:,} of which are assumed"
    )
    if not warnings:
        return told + "."
    be = "warning is" if len(warnings) == 1 else "warnings are"
    return f"{told}; {len(warnings):,} {be} to be read before the numbers."


def _counts(terms: Sequence[Term], assumed: Table, warnings: Sequence[str]) -> Cards:
    counts = Counter(term["confidence"] for term in terms)
    read = Counter(term["confidence"] for term in terms if term["needed"])
    cards = [
        Card("Warnings", f"{len(warnings):,}", "", "warn" if warnings else ""),
        Card("Assumptions", f"{len(assumed.rows):,}", "settings and choices in force"),
    ]
    cards += [
        Card(
            f"Terms {name}", f"{counts[name]:,}", f"{MEANS[name]}; {read[name]:,} read by this run"
        )
        for name in reversed(CONFIDENCES)
    ]
    return Cards(cards)


def _assumptions(run: Run) -> Table:
    """Choices in force; those that are terms stand with the terms."""
    of_terms = {f"{term['scope']} {term['key']}" for term in run.manifest["terms"]}
    told = {name.partition(".")[0] for name in own(run.manifest["config"])}
    known = run.manifest["config"]
    rows = [
        [
            choice["name"],
            choice["value"],
            ("this run" if choice["name"] in told else "default")
            if choice["name"] in known
            else "–",
            choice["why"],
        ]
        for choice in run.manifest["assumptions"]
        if choice["name"] not in of_terms
    ]
    return Table(
        [
            Column("assumption"),
            Column("value"),
            Column("set by", about="the run's own setting, or the default; – where it is none"),
            Column("why, or what it means", wide=True),
        ],
        rows,
        caption=f"Assumptions and defaults in force ({len(rows):,})",
        shown=SHOWN,
    )


def _terms(terms: Sequence[Term], confidence: str) -> Table:
    """Terms of one confidence, those that were read first."""
    rows = [
        [
            term["scope"],
            term["key"],
            f"{in_words(term['value'])} {_unit(term)}".rstrip(),
            stamp(term["from_ns"])[:10] if term["from_ns"] > 0 else "–",
            "yes" if term["needed"] else "no",
            _source(term),
            _meaning(term["key"]),
        ]
        for term in sorted(terms, key=lambda term: not term["needed"])
    ]
    return Table(
        [
            Column("of"),
            Column("term"),
            Column("value"),
            Column("since", "UTC", about="– where it has no date"),
            Column("read", about="whether a rule of the run read it"),
            Column("source", about="and the file that holds it", wide=True),
            Column("what it is", wide=True),
        ],
        rows,
        caption=f"Terms that are {confidence}: {MEANS[confidence]} ({len(terms):,})",
        shown=TERMS_SHOWN,
    )


def _source(term: Term) -> str:
    """Where it is said, and the file that holds it."""
    source, place = str(term["source"]), str(term["place"])
    return source if source == place else f"{source} ({place})"


def _unit(term: Term) -> str:
    """Unit of a number; a word has none."""
    known = VENUE_KEYS.get(term["key"])
    number = isinstance(term["value"], (int, float)) and not isinstance(term["value"], bool)
    return known.unit if known is not None and number else ""


def _meaning(key: str) -> str:
    known = VENUE_KEYS.get(key)
    return "" if known is None else known.meaning
