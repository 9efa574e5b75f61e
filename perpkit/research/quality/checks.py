"""The checks of quality in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from perpkit.research.findings import Finding
from perpkit.research.quality import (
    cents,
    clock,
    crossed,
    delisted,
    duplicates,
    frozen,
    gaps,
    names,
    nan,
    outliers,
    percent,
    rates,
    splits,
    stamps,
    values,
    zone,
)
from perpkit.research.quality.fix import Change
from perpkit.research.quality.raw import NAMED, Found, Raw, coerced_findings
from perpkit.rulebook import Rulebook
from perpkit.units import HOUR_NS

Check = Callable[[Raw], Iterator[Found]]

# Each sees the data as the ones before would mend it: numbers before the clock, the clock before
# gaps, single prints before the levels that they would break, levels before pairs of prices.
CHECKS: Final[tuple[Check, ...]] = (
    nan.check,
    stamps.check_units,
    names.check,
    clock.check,
    duplicates.check,
    stamps.check,
    zone.check,
    delisted.check,
    gaps.check,
    rates.check,
    percent.check,
    values.check,
    outliers.check,
    outliers.check_small,
    cents.check,
    cents.check_legs,
    splits.check,
    crossed.check_crossed,
    crossed.check_extremes,
    frozen.check,
)


_MANY: Final = 3  # instruments with the same fault at once, more than half, share one cause


class Inspected(NamedTuple):
    """What all checks found, what they would change, in order, and what that would leave."""

    findings: list[Finding]
    changes: list[Change]
    raw: Raw


def inspect(raw: Raw, venue: str | None = None, book: Rulebook | None = None) -> Inspected:
    """Play every check.

    Parameters
    ----------
    raw : the data as it lies in its files
    venue : whose terms hold for the coins of a file of settlements; none: by the coin's prefix
    book : the rulebook; none: the shipped one
    """
    findings: list[Finding] = coerced_findings(raw)
    changes: list[Change] = []
    for check in CHECKS:
        play = partial(rates.check, venue=venue, book=book) if check is rates.check else check
        made = list(play(raw))
        findings += _joined(raw, [one.finding for one in made if one.finding is not None])
        own = [
            Change(one.finding.check if one.finding else "", edit)
            for one in made
            for edit in one.edits
            if edit.cells.height
        ]
        # By column, so that the edits of many instruments are made at once.
        changes += sorted(own, key=lambda change: (change.edit.table, change.edit.column or ""))
        if own:
            raw = raw.edited([change.edit for change in own])
    return Inspected(findings, changes, raw)


def _joined(raw: Raw, findings: list[Finding]) -> list[Finding]:
    """One finding where most instruments of a table have the same fault in the same hours."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in findings:
        hour = None if one.first_ns is None else one.first_ns // HOUR_NS
        what = one.message.partition(", first ")[0]
        groups.setdefault((one.check, one.place, one.rows, hour, what), []).append(one)
    made: list[Finding] = []
    for group in groups.values():
        table = next(name for name, label in raw.labels.items() if label == group[0].place)
        key = NAMED[table].instrument
        every = raw.tables[table][key].n_unique() if len(group) > 1 else 0
        names = [one.instrument for one in group]
        if 1 < every == len(names) or (len(names) >= _MANY and 2 * len(names) > every):
            who = f"all {key}s" if len(names) == every else ", ".join(names)
            total = sum(one.rows for one in group)
            made.append(group[0]._replace(instrument=f"each of {who}", rows=total))
        else:
            made += group
    order = {id(one): n for n, one in enumerate(findings)}
    return sorted(made, key=lambda one: order.get(id(one), -1))
