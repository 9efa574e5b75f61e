"""Times of a file as milliseconds UTC."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from perpkit.dataset.schema import TIME
from perpkit.errors import RequestError, nearest
from perpkit.sources.files.mapping import EPOCHS, Times

_MS_NS: Final = 1_000_000
_NUMBER: Final = r"^\s*\d{5,}(\.\d+)?\s*$"
_ZONED: Final = ("%+", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z")
_PLAIN: Final = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
)


def parse_times(raw: pl.Series, times: Times, place: str) -> pl.Series:
    """Read times; null where one is absent, is no time, or its zone has it twice or never.

    Parameters
    ----------
    raw : as the file has them
    place : file and column, for messages

    Returns
    -------
    Series of Datetime("ms", "UTC"); what is finer than a millisecond is cut off.

    Raises
    ------
    RequestError
        If nothing says the zone or the unit.
    """
    if isinstance(raw.dtype, pl.Datetime) and raw.dtype.time_zone is not None:
        return raw.dt.convert_time_zone("UTC").dt.cast_time_unit("ms")
    if isinstance(raw.dtype, pl.Datetime):
        return _in_zone(raw.dt.cast_time_unit("ms"), times, place)
    if raw.dtype == pl.Date:
        return _in_zone(raw.cast(pl.Datetime("ms")), times, place)
    if raw.dtype.is_numeric():
        return _epoch(raw, times, place)
    return _text(raw, times, place) if raw.dtype == pl.String else _nothing(raw.len(), raw.name)


def _text(raw: pl.Series, times: Times, place: str) -> pl.Series:
    if times.format in EPOCHS:
        return _epoch(raw.str.strip_chars().cast(pl.Float64, strict=False), times, place)
    return _iso(raw, times, place) if times.format == "iso" else _told(raw, times, place)


def _told(raw: pl.Series, times: Times, place: str) -> pl.Series:
    zoned = "%z" in times.format or "%#z" in times.format
    try:
        made = _strict(raw, times.format, zoned=zoned)
    except PolarsError as e:
        reason = str(e).splitlines()[0]
        raise RequestError(
            f'{place}: the format "{times.format}" cannot be read by ({reason}); write it with '
            'day, month, year, hour and minute, as in "%d.%m.%Y %H:%M"'
        ) from e
    return made if zoned else _in_zone(made, times, place)


def _iso(raw: pl.Series, times: Times, place: str) -> pl.Series:
    first = raw.drop_nulls().head(1)
    if first.str.contains(_NUMBER).any():
        return _epoch(first, times, place)  # which refuses what no format explains
    made = _filled(raw, _ZONED, zoned=True)
    if made.null_count() == raw.null_count():
        return made
    plain = _filled(raw.set(made.is_not_null(), None), _PLAIN, zoned=False)
    if plain.null_count() == raw.len():
        return made
    return made.fill_null(_in_zone(plain, times, place))


def _filled(raw: pl.Series, formats: tuple[str, ...], *, zoned: bool) -> pl.Series:
    """Parse by the first format that fits, those left over by the next."""
    present = raw.drop_nulls()
    made = _nothing(raw.len(), raw.name)
    if not zoned:
        made = made.dt.replace_time_zone(None)
    if present.is_empty():
        return made
    first = present.head(1)
    fit = [f for f in formats if _strict(first, f, zoned=zoned).null_count() == 0]
    for form in (*fit, *(f for f in formats if f not in fit)):
        rest = raw if made.null_count() == raw.len() else raw.set(made.is_not_null(), None)
        made = made.fill_null(_strict(rest, form, zoned=zoned))
        if made.null_count() == raw.null_count():
            break
    return made


def _strict(raw: pl.Series, form: str, *, zoned: bool) -> pl.Series:
    zone = "UTC" if zoned else None
    text = raw.str.strip_chars()
    return text.str.to_datetime(form, time_unit="ms", time_zone=zone, strict=False)


def _in_zone(plain: pl.Series, times: Times, place: str) -> pl.Series:
    if times.zone is None:
        raise RequestError(
            f"{place} names no time zone; say it in a mapping file, under [time] as in "
            'zone = "America/New_York"'
        )
    zoned = plain.dt.replace_time_zone(times.zone, ambiguous="null", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _epoch(raw: pl.Series, times: Times, place: str) -> pl.Series:
    if times.format not in EPOCHS:
        raise RequestError(
            f"{place} holds numbers; say what they count in a mapping file, under [time] as in "
            f'format = "ms": {nearest("", EPOCHS)}'
        )
    unit_ns = EPOCHS[times.format]
    if raw.dtype.is_integer():
        whole = raw.cast(pl.Int64)
        ms = whole * (unit_ns // _MS_NS) if unit_ns >= _MS_NS else whole // (_MS_NS // unit_ns)
    else:
        ms = (raw * (unit_ns / _MS_NS)).round().cast(pl.Int64, strict=False)
    return ms.cast(TIME)


def _nothing(rows: int, name: str) -> pl.Series:
    return pl.Series(name, [None] * rows, TIME)
