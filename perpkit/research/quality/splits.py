"""Jumps of a price to a new level that no corporate action explains."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log
from typing import Final, NamedTuple

import polars as pl

from perpkit.dataset.schema import Table
from perpkit.research.findings import Severity
from perpkit.research.quality.actions import explained, underlying_of
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.series import PRICED, PRICES, SHORT, columns_of, jumping
from perpkit.research.quality.telling import Place, found, moment, rows
from perpkit.units import HOUR_MS

NAME = "splits"
RATIOS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
_NEAR: Final = log(1.12)
_TOGETHER_MS: Final = 96 * HOUR_MS


class _Leap(NamedTuple):
    table: Table
    instrument: str
    underlying: str
    time_ms: int
    factor: float  # new price over old
    known: bool  # an action or a shock explains it
    least: int  # rows on its shorter side


def check(raw: Raw) -> Iterator[Found]:
    """Levels that change and stay: an error near the ratio of a split, else a warning.

    The legs of one underlying that change together are one finding.
    """
    if not raw.described:
        return
    leaps = [leap for table in PRICED if raw.has(table.name) for leap in _leaps(raw, table)]
    open_ones: list[list[_Leap]] = []
    for leap in sorted(leaps, key=lambda leap: (leap.known, leap.time_ms)):
        if leap.known:
            continue
        for group in open_ones:
            head = group[0]
            if (
                head.underlying == leap.underlying
                and abs(head.time_ms - leap.time_ms) <= _TOGETHER_MS
                and abs(log(head.factor / leap.factor)) < 2 * _NEAR
            ):
                group.append(leap)
                break
        else:
            open_ones.append([leap])
    for group in open_ones:
        yield _told(raw, group)
    own: dict[tuple[str, str], list[_Leap]] = {}
    for leap in leaps:
        own.setdefault((leap.table.name, leap.instrument), []).append(leap)
    for together in own.values():
        yield Found(None, _rescaled(raw, together))


def _leaps(raw: Raw, table: Table) -> Iterator[_Leap]:
    seen: dict[tuple[str, int], _Leap] = {}
    for column in columns_of(raw, table):
        for own in jumping(raw, table, column):
            rows_ = len(own.time_ms)
            for place in own.jumps().tolist():
                step = float(own.log_px[place] - own.log_px[place - 1])
                at = int(own.time_ms[place])
                # Columns of one instrument that change within three hours change together.
                near = [
                    key
                    for key in seen
                    if key[0] == own.instrument and abs(key[1] - at) <= 3 * HOUR_MS
                ]
                if near:
                    continue
                known = explained(raw, table, own, place, exp(-step))
                under = underlying_of(raw, table, own.instrument)
                seen[own.instrument, at] = _Leap(
                    table, own.instrument, under, at, exp(step), known, min(place, rows_ - place)
                )
    yield from seen.values()


def _ratio(factor: float) -> float | None:
    """New shares per old of the split that a factor looks like; None for none."""
    away = {ratio: abs(abs(log(factor)) - log(ratio)) for ratio in RATIOS}
    ratio = min(away, key=lambda one: away[one])
    if away[ratio] > _NEAR:
        return None
    return ratio if factor < 1 else 1 / ratio


def _told(raw: Raw, group: list[_Leap]) -> Found:
    first = group[0]
    ratio = _ratio(first.factor)
    names = ", ".join(dict.fromkeys(leap.instrument for leap in group))
    what = f"prices go to {first.factor:.3g} times what they were at {moment(first.time_ms)}"
    if ratio is not None:
        new, old = (f"{ratio:g}", "1") if ratio >= 1 else ("1", f"{1 / ratio:g}")
        say = (
            f"{what} and stay, like a split {new} for {old}, and actions has none; --fix does not "
            f'invent one: add a row to actions with kind "split" and amount {ratio:.4g} for '
            f"{first.underlying}, or correct the prices"
        )
    else:
        say = (
            f"{what} and stay, which is like no split; --fix leaves it: compare with another "
            "source, and record what happened in actions or shocks"
        )
    least = max(leap.least for leap in group)
    if least <= SHORT:
        say += f"; or it is a print: {rows(least)} {'has' if least == 1 else 'have'} the one level"
    at = pl.DataFrame({"time": [leap.time_ms for leap in group]}, schema={"time": pl.Int64})
    place = Place(first.table.name, names, at)
    grade = Severity.WARNING if ratio is None else Severity.ERROR
    return found(raw, NAME, place, say, severity=grade)


def _rescaled(raw: Raw, leaps: list[_Leap]) -> tuple[Edit, ...]:
    """For the later checks: all prices of an instrument in the units of the last ones."""
    table = leaps[0].table.name
    frame = raw.of(table, leaps[0].instrument)
    by = pl.lit(1.0)
    for leap in leaps:
        by = by * pl.when(pl.col("time").cast(pl.Int64) < leap.time_ms).then(leap.factor).otherwise(
            1.0
        )
    before = pl.col("time").cast(pl.Int64) < max(leap.time_ms for leap in leaps)
    made = []
    for column in PRICES[table]:
        if column in frame.columns:
            cells = frame.filter(before & pl.col(column).is_not_null())
            after = (pl.col(column) * by).alias("after")
            made.append(Edit(table, column, cells.select(ROW, after), False, NAME))
    return tuple(made)
