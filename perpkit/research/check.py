"""``perpkit data check``: what a dataset records, held against the rulebook.

A check is a function ``(Subject, coin) -> Checked``: figures of the coin for the answer, and
findings. Those in `CHECKS` are played in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from perpkit.dataset import Dataset
from perpkit.research.audit import Audit, audit_funding, audit_premium, interval_rows
from perpkit.research.findings import Finding, Severity, by_weight, worst
from perpkit.research.history import (
    History,
    history_of_dataset,
    history_of_file,
    refuse_venue,
)
from perpkit.research.limits import Bounds, Spell, Steps, audit_bounds, audit_steps, prices_of_coin
from perpkit.research.quality import (
    Fixed,
    Raw,
    inspect,
    read_raw,
    refuse_place,
    strict_frames,
    write_fixed,
)
from perpkit.research.quality.raw import spans, unread
from perpkit.rulebook import Rulebook, open_rulebook
from perpkit.units import stamp


@dataclass(frozen=True)
class Subject:
    """What is checked, and against what."""

    history: History
    book: Rulebook

    def perps(self, coin: str) -> pl.DataFrame | None:
        """Recorded hours of a coin; None where there is only a file of settlements."""
        if self.history.dataset is None or self.history.dataset.prices != "onchain":
            return None
        return self.history.dataset.perps.slice(*self._spans.get(coin, (0, 0)))

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]]:
        """Where the rows of each coin lie in the table, which is sorted by its keys."""
        return {} if self.history.dataset is None else spans(self.history.dataset.perps["coin"])


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check says of one coin."""

    figures: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What all checks say of a dataset or a file."""

    name: str
    file: str
    coins: dict[str, dict[str, Any]]
    findings: tuple[Finding, ...]  # errors and warnings
    notes: tuple[Finding, ...] = ()  # what was not tested, and what is worth knowing
    fixed: Fixed | None = None  # what was written, where that was asked for

    @property
    def worst(self) -> Severity | None:
        """The worst severity of findings and notes; None without any."""
        return worst((*self.findings, *self.notes))

    @property
    def left(self) -> tuple[Finding, ...]:
        """Findings that the data written do not have mended; all where none were written."""
        if self.fixed is None:
            return self.findings
        return tuple(finding for finding in self.findings if not finding.fixable)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, times as text."""
        return {
            "schema": 1,
            "name": self.name,
            "funding_from": self.file,
            "worst": None if self.worst is None else self.worst.name.lower(),
            "coins": self.coins,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": [note.to_dict() for note in self.notes],
        } | ({} if self.fixed is None else {"fixed": _fixed_dict(self.fixed)})


def check_data(
    path: Path | str,
    venue: str | None = None,
    rules: Path | None = None,
    fix: Path | None = None,
    stage: Callable[[str], None] = lambda _: None,
) -> DataCheck:
    """Look for faults in a dataset, or a file of settlements, and hold it against the rulebook.

    The checks of :mod:`perpkit.research.quality` come first. The audits of `CHECKS` see the data
    as those would mend it, so that a fault is told once.

    Parameters
    ----------
    path : a dataset folder, or a Parquet file with ``time, coin, funding, premium``
    venue : whose terms hold for the coins of a file; none: by the coin's prefix
    rules : rulebook file or folder of your own, over the shipped one
    fix : folder to write the data to with what is certain mended; it must not exist
    stage : told what is under way; what it raises ends the check before anything is written

    Raises
    ------
    DataError, RequestError
        If the data cannot be read at all, or `fix` cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        refuse_venue(venue)
    book = open_rulebook(rules, path)
    stage("reading")
    raw = read_raw(path)
    if fix is not None:
        refuse_place(raw, Path(fix))
    stage("looking for faults")
    seen = inspect(raw, venue, book)
    stage("holding it against the rulebook")
    history, refused = _history(seen.raw, venue)
    findings = [*seen.findings, *refused, *_of_source(history)]
    coins: dict[str, dict[str, Any]] = {}
    subject = Subject(history, book)
    for coin in history.coins:
        coins[coin] = {}
        for check in CHECKS:
            made = check(subject, coin)
            coins[coin] |= made.figures
            findings += made.findings
    told = by_weight(_merged(findings))
    fixed = None
    if fix is not None:  # last, so that a check that is stopped has written nothing
        stage("writing")
        fixed = write_fixed(raw, seen.changes, Path(fix))
    return DataCheck(
        history.name,
        history.file,
        coins,
        tuple(one for one in told if one.severity is not Severity.NOTE),
        tuple(one for one in told if one.severity is Severity.NOTE),
        fixed,
    )


def _history(raw: Raw, venue: str | None) -> tuple[History, list[Finding]]:
    """Settled funding of mended data, and what the strict reader would still refuse."""
    frames, refused = strict_frames(raw)
    if not raw.described:
        return history_of_file(raw.path.name, frames["funding"], 0, venue), refused
    about = raw.about
    dataset = Dataset(
        folder=raw.path,
        name=about.name,
        source=about.source,
        licence=about.licence,
        prices=about.prices,
        perps_meta=about.perps,
        tokens_meta=about.tokens,
        notes=tuple(unread(raw)),
        digest="",
        begins_ns=_first_ns(frames["perps"]),
        **frames,
    )
    return history_of_dataset(dataset, form_absent=False), refused


def _first_ns(perps: pl.DataFrame) -> int:
    times = perps["time"].cast(pl.Int64)
    return int(times.sort()[0]) * 1_000_000 if perps.height else 0


def _of_source(history: History) -> Iterator[Finding]:
    file = history.file
    if not history.settled:
        say = "records no funding, so there is none to audit"
        yield Finding("funding", Severity.NOTE, history.name, "", 0, None, say)
    for fault in history.faults:
        say = f"{fault.what} in {_rows(fault.rows)}, first {stamp(fault.first_ns)}; left out here"
        yield Finding("stamps", Severity.ERROR, file, fault.coin, fault.rows, fault.first_ns, say)
    if history.repeated:
        say = f"{_rows(history.repeated)} repeat another one word for word; each counts once here"
        yield Finding("stamps", Severity.NOTE, file, "", history.repeated, None, say)
    if history.dataset is not None:
        for note in history.dataset.notes:
            yield Finding("tables", Severity.NOTE, history.name, "", 0, None, note)


def _merged(findings: list[Finding]) -> list[Finding]:
    """One finding where many coins share a note: nine coins need not say the same nine times."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for found in findings:
        shared = found.severity is Severity.NOTE and found.instrument
        key = (found.check, found.message) if shared else (id(found),)
        groups.setdefault(key, []).append(found)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    names = ", ".join(found.instrument for found in group)
    return first._replace(instrument=names, rows=sum(found.rows for found in group))


def _fixed_dict(fixed: Fixed) -> dict[str, Any]:
    return {"folder": str(fixed.folder), "cells": fixed.cells, "rows_removed": fixed.rows}


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


# --------------------------------------------------------------------------- funding and premium


def _check_funding(subject: Subject, coin: str) -> Checked:
    history = subject.history
    settled = history.settled.get(coin)
    if settled is None:
        say = "has no settlement"
        found = Finding("funding", Severity.NOTE, history.file, coin, 0, None, say)
        none = {"funding_rows": 0, "funding_exact_frac": None}
        return Checked(none, (found,) if history.settled else ())
    terms = history.coins[coin]
    if terms.venue not in subject.book.names("venue"):
        say = f"the rulebook has no venue {terms.venue}, so nothing was audited; name one: --venue"
        rows = len(settled.time_ns)
        return Checked(
            {"funding_rows": rows, "funding_exact_frac": None},
            (Finding("funding", Severity.WARNING, history.file, coin, rows, None, say),),
        )
    audit = audit_funding(terms, settled, subject.book)
    findings = list(_differing("funding", audit, history.file, coin, "rates"))
    other, sure = interval_rows(terms, settled, subject.book)
    if other.any():
        first = int(settled.time_ns[np.argmax(other)])
        hours = int(settled.hours[np.argmax(other)])
        say = (
            f"{_rows(int(other.sum()))} are settled at another interval than {terms.venue} has, "
            f"first {stamp(first)}, {hours} h; set terms.interval_hours"
        )
        grade = Severity.ERROR if sure else Severity.WARNING
        findings.append(Finding("funding", grade, history.file, coin, int(other.sum()), first, say))
    return Checked(_audit_figures("funding", audit), tuple(findings))


# Fewer premiums that are not zero do not tell an average from mistakes.
_TELLING_ROWS: Final = 12


def _check_premium(subject: Subject, coin: str) -> Checked:
    perps = subject.perps(coin)
    terms = subject.history.coins[coin]
    if perps is None or terms.venue not in subject.book.names("venue"):
        return Checked()
    audit = audit_premium(terms, perps, subject.book)
    if not audit.rows:
        say = "no row has oracle, impact prices and premium: the premium was not audited"
        found = Finding("premium", Severity.NOTE, "perps", coin, 0, None, say)
        return Checked({"premium_rows": 0, "premium_exact_frac": None}, (found,))
    figures = _audit_figures("premium", audit)
    # An average and an instant are both zero where the book stays around the oracle.
    telling = audit.tested - audit.zeros
    few = telling < _TELLING_ROWS <= audit.tested
    if telling and not few and (audit.exact - audit.zeros) * 2 < telling:
        say = (
            f"{audit.exact:,} of {_rows(audit.tested)} have the premium of their own prices, as "
            "where an average over the hour is recorded; the others were not audited"
        )
        found = Finding("premium", Severity.NOTE, "perps", coin, audit.tested, None, say)
        return Checked(figures, (found,))
    return Checked(figures, tuple(_differing("premium", audit, "perps", coin, "premiums")))


def _audit_figures(name: str, audit: Audit) -> dict[str, Any]:
    first = audit.first_differing_ns
    return {
        f"{name}_rows": audit.rows,
        f"{name}_tested": audit.tested,
        f"{name}_exact_frac": audit.exact_frac,
        f"{name}_worst_error": audit.worst_error,
        f"{name}_worst_hour": None if audit.worst_ns is None else stamp(audit.worst_ns),
        f"{name}_tolerance": audit.tolerance,
        f"{name}_first_differing_hour": None if first is None else stamp(first),
        f"{name}_decimals": audit.decimals,
        f"{name}_untested": [{"why": why, "rows": rows} for why, rows in audit.untested],
    }


def _differing(name: str, audit: Audit, file: str, coin: str, what: str) -> Iterator[Finding]:
    for count, grade, of in (
        (audit.differing_sure, Severity.ERROR, "the rulebook's terms, which are sure there"),
        (audit.differing_unsure, Severity.WARNING, "the rulebook's terms, which are not sure"),
    ):
        if count and audit.first_differing_ns is not None:
            say = (
                f"{what} of {_rows(count)} differ from {of}, by up to {audit.worst_error:.3g}, "
                f"first {stamp(audit.first_differing_ns)}; see perpkit rules infer"
            )
            yield Finding(name, grade, file, coin, count, audit.first_differing_ns, say)
    for why, rows in audit.untested:
        say = f"{what} not audited: {why}"
        yield Finding(name, Severity.NOTE, file, coin, rows, None, say)


# --------------------------------------------------------------------------- limits


def _check_limits(subject: Subject, coin: str) -> Checked:
    perps = subject.perps(coin)
    terms = subject.history.coins[coin]
    if perps is None or terms.venue not in subject.book.names("venue"):
        return Checked()
    perps, notes = _not_of_trades(perps, coin)
    if perps.is_empty():
        return Checked(findings=notes)
    prices = prices_of_coin(perps, coin)
    steps = audit_steps(terms, prices, subject.book)
    bounds = audit_bounds(terms, prices, subject.book)
    figures = {
        "steps": {step.price: _steps_dict(step) for step in steps},
        "bounds": _bounds_dict(bounds),
    }
    found = (*notes, *_step_findings(steps, coin), *_bound_findings(bounds, coin))
    return Checked(figures, found)


def _not_of_trades(perps: pl.DataFrame, coin: str) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Hours whose oracle the venue published: one formed of a trade it has not limited."""
    own = perps.filter(pl.col("oracle_source").ne_missing("premium"))
    formed = perps.height - own.height
    if not formed:
        return own, ()
    say = f"oracle and mark of {_rows(formed)} are formed of trades; their limits were not audited"
    return own, (Finding("bounds", Severity.NOTE, "perps", coin, formed, None, say),)


def _steps_dict(step: Steps) -> dict[str, Any]:
    return {
        "moves_tested": step.tested,
        "moves_beyond": step.broken,
        "first_beyond": None if step.first_ns is None else stamp(step.first_ns),
        "untested": [{"why": why, "moves": moves} for why, moves in step.untested],
    }


def _bounds_dict(bounds: Bounds) -> dict[str, Any]:
    live = bounds.live
    return {
        "spells": [_spell_dict(spell) for spell in bounds.spells],
        "open_rows": live.rows,
        "open_furthest_frac": live.furthest_frac,
        "open_rows_beyond": live.broken,
        "untested": [{"why": why, "rows": rows} for why, rows in bounds.untested],
    }


def _spell_dict(spell: Spell) -> dict[str, Any]:
    return {
        "reference_time": stamp(spell.from_ns),
        "reference_px": spell.reference_px,
        "to": stamp(spell.to_ns),
        "rows": spell.rows,
        "resets": spell.resets,
        "low_px": spell.low_px,
        "high_px": spell.high_px,
        "lowest_allowed_px": spell.lowest_px,
        "highest_allowed_px": spell.highest_px,
        "rows_beyond": spell.broken,
    }


def _step_findings(steps: list[Steps], coin: str) -> Iterator[Finding]:
    for step in steps:
        if step.broken:
            say = (
                f"{step.price} moves further than the venue's step limit allows in "
                f"{_rows(step.broken)}, first {stamp(step.first_ns or 0)}"
            )
            yield Finding("steps", Severity.WARNING, "perps", coin, step.broken, step.first_ns, say)
        for why, moves in step.untested:
            say = f"step limit of {step.price}: {why}"
            yield Finding("steps", Severity.NOTE, "perps", coin, moves, None, say)


def _bound_findings(bounds: Bounds, coin: str) -> Iterator[Finding]:
    for spell in bounds.spells:
        if spell.broken:
            say = (
                f"the mark lies beyond the discovery bound in {_rows(spell.broken)}, first "
                f"{stamp(spell.first_ns or 0)}: {spell.low_px:g} to {spell.high_px:g} where "
                f"{spell.lowest_px:g} to {spell.highest_px:g} is allowed, around the oracle of "
                f"{stamp(spell.from_ns)}, {spell.reference_px:g}"
            )
            yield Finding(
                "bounds", Severity.WARNING, "perps", coin, spell.broken, spell.first_ns, say
            )
    live = bounds.live
    if live.broken:
        say = (
            f"the mark lies beyond the discovery bound around the live oracle in "
            f"{_rows(live.broken)}, first {stamp(live.first_ns or 0)}, by {live.furthest_frac:.2%}"
        )
        yield Finding("bounds", Severity.WARNING, "perps", coin, live.broken, live.first_ns, say)
    for why, rows in bounds.untested:
        say = f"discovery bound not tested: {why}"
        yield Finding("bounds", Severity.NOTE, "perps", coin, rows, None, say)


Check = Callable[[Subject, str], Checked]
CHECKS: Final[tuple[Check, ...]] = (_check_funding, _check_premium, _check_limits)
