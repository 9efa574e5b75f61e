"""Who may hold and trade what, in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from perpkit.report.rulebook import moment, wrapped
from perpkit.rulebook import Value
from perpkit.rulebook.eligibility import Verdict
from perpkit.rulebook.keys import JURISDICTIONS, NONE, UNKNOWN
from perpkit.rulebook.venue import day

_STYLE = {"nobody": "red", UNKNOWN: "yellow"}
_PRODUCT, _CELL = 21, 11
_WORDS = (
    "anyone; basic: an identified holder; accredited: an accredited investor or professional "
    "client; qualified: a qualified purchaser or institution; nobody. Each takes in those after "
    "it. No advice: what is told is what the sources say."
)


def eligibility_lines(rows: Sequence[Sequence[Verdict]], when_ns: int) -> Iterator[Text]:
    """A row a product, a column a jurisdiction, then the sources."""
    yield Text(f"Who may hold a token or trade on a venue, on {moment(when_ns)}", style="bold")
    yield Text()
    places = [one.jurisdiction for one in rows[0]] if rows else []
    head = "".join(f"{place:<{_CELL}}" for place in places)
    yield Text(f"  {'product':<{_PRODUCT}} {head}".rstrip(), style="dim")
    for row in rows:
        cells = [(f"{one.hold.value:<{_CELL}}", _STYLE.get(str(one.hold.value), "")) for one in row]
        line = Text.assemble(f"  {row[0].product:<{_PRODUCT}} ", *cells)
        line.rstrip()
        yield line
    yield Text()
    yield from wrapped(_WORDS, "  ", "dim")
    yield Text()
    yield Text("Sources", style="bold")
    for row in rows:
        yield from _sources(row)


def _sources(row: Sequence[Verdict]) -> Iterator[Text]:
    """Each word on a product once, with the jurisdictions it is of."""
    yield Text(f"  {row[0].product}, {row[0].title}")
    told: dict[tuple[str, str, str], list[str]] = {}
    for one in row:
        key = (str(one.hold.value), _vouched(one.hold), one.hold.source)
        told.setdefault(key, []).append(one.jurisdiction)
    for (value, vouched, source), places in told.items():
        yield from wrapped(f"{', '.join(places)} {value}{vouched}: {source}", " " * 6, "dim")


def _vouched(value: Value) -> str:
    return f", {value.confidence} since {day(value.since_ns)}" if value.known else ""


def jurisdiction_lines(found: Sequence[Verdict], asked: str, when_ns: int) -> Iterator[Text]:
    """A block a product for one jurisdiction, with what is asked of who mints and receives."""
    place = found[0].jurisdiction if found else ""
    name = JURISDICTIONS.get(place, "no rules are told of it by name: those of anywhere else")
    yield Text.assemble((f"{asked.upper()}: {name}", "bold"), f", on {moment(when_ns)}")
    yield Text()
    for one in found:
        line = Text.assemble(
            f"  {one.product:<{_PRODUCT}} ",
            (f"{one.hold.value:<{_CELL}}", _STYLE.get(str(one.hold.value), "bold")),
            _vouched(one.hold).removeprefix(", "),
        )
        line.rstrip()
        yield line
        yield from wrapped(one.hold.source, " " * 6, "dim")
        for what, value in (("mint and redeem", one.primary), ("transfers", one.receiver_check)):
            same = what == "mint and redeem" and value.value == one.hold.value
            if value.value not in (NONE, UNKNOWN) and not same:
                yield from wrapped(f"{what}: {value.value}, {value.source}", " " * 6, "dim")
    yield Text()
    yield from wrapped(_WORDS, "  ", "dim")
