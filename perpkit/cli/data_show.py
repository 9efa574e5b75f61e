"""``perpkit data show``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpkit.cli.options import AsJson, Debug, Rules

if TYPE_CHECKING:
    from perpkit.arrays import I64
    from perpkit.cli.lines import Lines
    from perpkit.research.coverage import Coverage, Gap
    from perpkit.research.inventory import InForce, Inventory

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder.")]

_HEADINGS = {"perps": "Prices of perps", "funding": "Funding", "tokens": "Quotes of tokens"}
_HEAD = ("from", "to", "rows", "gaps", "missing")
_GAPS = 8  # that are told one by one
_LEAST = 16  # characters of the picture
_DRAWN, _PLAIN = "█▒·", "#+."  # all, some, none


def show(
    folder: Folder, rules: Rules = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """What a dataset holds: tables, hours and gaps, sources, the terms in force."""
    from perpkit.export import as_json as to_json
    from perpkit.research.inventory import take_inventory

    found = take_inventory(folder, rules)
    if as_json:
        print(to_json(found.to_dict()), end="")
        return
    from perpkit.cli.lines import Lines

    _print(found, Lines())


def _print(found: Inventory, out: Lines) -> None:
    first, end = found.hours
    out.say(f"{found.name}: {_day(first)} to {_day(end - 1)}, prices {found.prices}", "bold")
    out.wrap("  source   ", found.source)
    out.wrap("  licence  ", found.licence)
    out.say()
    kept = "by instrument and month" if found.store else "as plain files"
    out.say(f"Tables, kept {kept}", "bold")
    out.table(
        ("table", "rows", "instruments", "files", "kB"),
        [
            (
                t.name,
                f"{t.rows:,}",
                f"{t.instruments:,}",
                f"{t.files:,}",
                f"{t.size_bytes / 1e3:,.0f}",
            )
            for t in found.tables
        ],
    )
    _pictures(found, out)
    _gaps(found, out)
    _sources(found, out)
    _terms(found, out)


def _pictures(found: Inventory, out: Lines) -> None:
    from perpkit.cli.lines import WIDTH

    figures = [_figures(one) for one in found.coverage]
    names = max([len(one.instrument) for one in found.coverage])
    wide = (
        2 + names + sum(2 + max(map(len, column)) for column in zip(*figures, _HEAD, strict=True))
    )
    edges = found.slices(max(WIDTH - wide - 2, _LEAST))
    marks = _DRAWN if out.drawn else _PLAIN
    for table, heading in _HEADINGS.items():
        own = [(o, f) for o, f in zip(found.coverage, figures, strict=True) if o.table == table]
        if own:
            out.say()
            out.say(heading, "bold")
            head = ("token" if table == "tokens" else "coin", "coverage", *_HEAD)
            rows = [(one.instrument, _picture(one, edges, marks), *told) for one, told in own]
            out.table(head, rows, left=2)
    hours = int(edges[1] - edges[0])
    size = f"{hours} hour{'' if hours == 1 else 's'}"
    out.say()
    out.wrap(
        "  ", f"A character is {size}: {marks[0]} all recorded, {marks[1]} some, {marks[2]} none."
    )


def _figures(one: Coverage) -> tuple[str, ...]:
    gaps = one.gaps
    missing = sum(gap.hours for gap in gaps)
    return (
        _day(one.first_ms // 3_600_000),
        _day(one.last_ms // 3_600_000),
        f"{one.rows:,}",
        f"{len(gaps):,}" if gaps else "-",
        f"{missing:,} h" if gaps else "-",
    )


def _picture(one: Coverage, edges: I64, marks: str) -> str:
    return "".join(
        marks[0] if share >= 1 else marks[1] if share > 0 else marks[2]
        for share in one.share(edges)
    )


def _gaps(found: Inventory, out: Lines) -> None:
    shared: dict[tuple[str, Gap], list[str]] = {}
    for one in found.coverage:
        for gap in one.gaps:
            shared.setdefault((one.table, gap), []).append(one.instrument)
    if not shared:
        return
    out.say()
    out.say("Longest gaps" if len(shared) > _GAPS else "Gaps", "bold")
    longest = sorted(shared.items(), key=lambda told: -told[0][1].hours)
    for (table, gap), names in longest[:_GAPS]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        out.say(f"  {gap.hours:,} h from {_moment(gap.first)}: {table} of {names[0]}{more}")
    if len(shared) > _GAPS:
        out.say(f"  and {len(shared) - _GAPS:,} more gaps; --json lists them all", "dim")


def _sources(found: Inventory, out: Lines) -> None:
    out.say()
    out.say("Where oracle prices come from", "bold")
    if found.prices == "external":
        out.wrap("  ", "perpkit forms oracle and mark from external prices.")
        return
    told = [(coin, _shares(counts)) for coin, counts in found.oracle.items()]
    for coins, text in _grouped(told):
        out.wrap("  ", f"{coins}: {text}")


def _shares(counts: dict[str, int]) -> str:
    whole = sum(counts.values())
    return ", ".join(f"{source} {_share(count / whole)}" for source, count in counts.items())


def _share(frac: float) -> str:
    """A share in percent that is 100% or 0% only when it is."""
    return "100%" if frac == 1.0 else f"{min(max(frac, 0.0001), 0.9999):.2%}"


def _terms(found: Inventory, out: Lines) -> None:
    out.say()
    out.say("Terms in force", "bold")
    told = []
    for coin, meta in found.perps.items():
        terms = found.terms[coin]
        if terms is None:
            lines = [f"venue {meta.venue}, which the rulebook does not have"]
        else:
            lines = [f"venue {meta.venue}", *_in_force(terms)]
        if meta.terms:
            own = ", ".join(f"{key} {value}" for key, value in meta.terms.items())
            lines.append(f"dataset.toml: {own}")
        told.append((coin, "\n".join(lines)))
    for coins, text in _grouped(told):
        venue, *more = text.split("\n")
        out.wrap("  ", f"{coins}: {venue}")
        for line in more:
            out.wrap("    ", line)


def _in_force(terms: tuple[InForce, ...]) -> Iterator[str]:
    """A line of all terms, then one for each date on which some changed."""
    from perpkit.units import stamp

    before: dict[str, object] = {}
    for term in terms:
        words = ", ".join(
            f"{key} {'unknown' if value is None else value}"
            for key, value in term.values.items()
            if key not in before or before[key] != value
        )
        if words:  # other terms than those shown may have changed
            yield f"from {stamp(term.from_ns)[:10]}: {words}" if before else words
        before = term.values


def _grouped(told: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names that share a text, made one line."""
    groups: dict[str, list[str]] = {}
    for name, text in told:
        groups.setdefault(text, []).append(name)
    if len(groups) == 1:
        return [("all coins", text) for text in groups]
    return [(", ".join(names), text) for text, names in groups.items()]


def _day(hour: int) -> str:
    return _moment(hour)[:10]


def _moment(hour: int) -> str:
    from perpkit.units import HOUR_NS, stamp

    return stamp(hour * HOUR_NS)
