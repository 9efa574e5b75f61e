"""How the columns of a file become those of a table: a TOML file, built in or the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from perpkit.dataset.schema import EXTERNAL, FLAG, FLOAT, ONCHAIN, TIME, Table
from perpkit.errors import RequestError, nearest
from perpkit.sources.files.scales import AS_IS, Scale, units_of, unknown_unit
from perpkit.sources.files.targets import BARRED, HOURLY, TARGETS
from perpkit.units import HOUR_MS, MINUTE_MS

FORMATS: Final = (
    "asset-ctxs",
    "hf-funding",
    "hf-candles",
    "equities",
    "perps",
    "funding",
    "tokens",
    "actions",
    "shocks",
)
EPOCHS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_TOP: Final = ("table", "rows", "time", "file", "columns", "constants", "dataset")
_TIME_KEYS: Final = ("column", "format", "zone", "bar", "stamp", "session")
_SESSIONS: Final = ("us_cash", "korea_cash")
_FILE_KEYS: Final = ("separator", "decimal", "null", "skip_lines")
_CELL_KEYS: Final = ("column", "unit", "prefix", "strip", "optional", "zero_is_null")
_DATASET_KEYS: Final = ("prices", "source", "licence", "venue", "says")
_DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a column comes from; of several names the first that the file has is read."""

    names: tuple[str, ...]
    scale: Scale = AS_IS
    prefix: str = ""
    strip: str = ""
    optional: bool = False
    zero_is_null: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written; a bar's length in ms, and whether its stamp is where it starts.

    Bars end where `session` opens or closes, if it is named.
    """

    format: str = "iso"
    zone: str | None = None
    bar_ms: int | None = None
    at_start: bool = False
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text file is laid out."""

    separator: str = ","
    decimal: str = "."
    null: tuple[str, ...] = ("",)
    skip_lines: int = 0


@dataclass(frozen=True, slots=True)
class FileMap:
    """A mapping, checked: each cell and constant is a column of `table`."""

    label: str
    table: Table
    last: bool
    times: Times
    layout: Layout
    cells: dict[str, Cell]
    constants: dict[str, str | float | bool]
    prices: str | None
    source: str
    licence: str
    venue: str | None
    says: tuple[str, ...]


def built_in(name: str) -> FileMap:
    """Read the mapping of a format that perpkit knows.

    Raises
    ------
    RequestError
        If there is no such format.
    """
    if name not in FORMATS:
        known = nearest(name, [*FORMATS, "generic"])
        raise RequestError(f"there is no format {name}; {known}")
    text = (resources.files(__package__) / "formats" / f"{name}.toml").read_text("utf-8")
    return check_mapping(tomllib.loads(text), f"format {name}")


def read_mapping(path: Path) -> FileMap:
    """Read the user's own mapping file.

    Raises
    ------
    RequestError
        In one sentence: what is wrong in it, where, and what to do.
    """
    try:
        told = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as e:
        raise RequestError(f"{path} cannot be read ({e.strerror}); give a mapping file") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise RequestError(f"{path} is not valid TOML: {e}; repair that line") from e
    return check_mapping(told, path.name)


def check_mapping(told: Mapping[str, Any], label: str) -> FileMap:
    """Check the content of a mapping file, named `label` in messages.

    Raises
    ------
    RequestError
        As `read_mapping`.
    """
    _known(told, _TOP, label, "")
    table = TARGETS[_choice(told, "table", None, TARGETS, label)]
    rows = _choice(told, "rows", "exact", ("exact", "last"), label)
    if rows == "last" and table.name not in HOURLY:
        raise _wrong(label, 'rows is "last"', f"leave it out: {table.name} has no row an hour")
    times, column = _times(_section(told, "time", label), table, label)
    cells = {"time": Cell(column)} | {
        name: _cell(name, value, label) for name, value in _columns(told, table, label)
    }
    constants = _constants(_section(told, "constants", label), table, label)
    _check_whole(table, cells, constants, label)
    about = _section(told, "dataset", label)
    _known(about, _DATASET_KEYS, label, "dataset.")
    return FileMap(
        label=label,
        table=table,
        last=rows == "last",
        times=times,
        layout=_layout(_section(told, "file", label), label),
        cells=cells,
        constants=constants,
        prices=_choice(about, "prices", "", ("", ONCHAIN, EXTERNAL), label) or None,
        source=_text(about, "source", "", label),
        licence=_text(about, "licence", "", label),
        venue=_text(about, "venue", "", label) or None,
        says=tuple(about.get("says", ())),
    )


def _times(told: Mapping[str, Any], table: Table, label: str) -> tuple[Times, tuple[str, ...]]:
    _known(told, _TIME_KEYS, label, "time.")
    if "column" not in told:
        raise _wrong(label, "time.column is missing", 'name the column, as in column = "timestamp"')
    zone = _text(told, "zone", "", label) or None
    if zone is not None:
        _check_zone(zone, label)
    bar = _text(told, "bar", "", label)
    stamp = _choice(told, "stamp", "end", ("start", "end"), label)
    if table.name in BARRED and not bar:
        raise _wrong(label, f"time.bar is missing, which {table.name} need", 'give it: bar = "1h"')
    if bar and "stamp" not in told:
        what = 'stamp = "start" or "end" says which end of the bar the time is'
        raise _wrong(label, "time.stamp is missing beside time.bar", what)
    if stamp == "start" and not bar:
        what = 'add the length of a bar, as in bar = "1h"'
        raise _wrong(label, 'time.stamp is "start" without time.bar', what)
    bar_ms = _duration(bar, label) if bar else None
    form = _text(told, "format", "iso", label)
    session = _choice(told, "session", "", ("", *_SESSIONS), label) or None
    times = Times(form, zone, bar_ms, stamp == "start", session)
    return times, _names(told["column"], "time", label)


def _check_zone(zone: str, label: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError) as e:
        what = 'write one such as "UTC" or "America/New_York"'
        raise _wrong(label, f'time.zone "{zone}" is no time zone', what) from e


def _duration(text: str, label: str) -> int:
    units = {"m": MINUTE_MS, "h": HOUR_MS, "d": _DAY_MS}
    count, unit = text[:-1], text[-1]
    if not count.isdigit() or int(count) < 1 or unit not in units:
        raise _wrong(label, f'time.bar is "{text}"', 'write minutes or hours, as in "15m" or "1h"')
    return int(count) * units[unit]


def _layout(told: Mapping[str, Any], label: str) -> Layout:
    _known(told, _FILE_KEYS, label, "file.")
    separator = _text(told, "separator", ",", label)
    if len(separator.encode()) != 1 or separator in '"\n\r':
        what = 'write one character, as in ";" or "\\t"'
        raise _wrong(label, f"file.separator is {separator!r}", what)
    decimal = _choice(told, "decimal", ".", (".", ","), label)
    if decimal == separator:
        raise _wrong(label, 'file.decimal and file.separator are both ","', "name the separator")
    null = told.get("null", [""])
    if not isinstance(null, list) or not all(isinstance(word, str) for word in null):
        raise _wrong(label, "file.null is no list of words", 'write null = ["", "-"]')
    skip = told.get("skip_lines", 0)
    if type(skip) is not int or skip < 0:
        raise _wrong(label, f"file.skip_lines is {skip!r}", "write how many lines stand before")
    return Layout(separator, decimal, tuple(dict.fromkeys(["", *null])), skip)


def _columns(told: Mapping[str, Any], table: Table, label: str) -> Iterable[tuple[str, Any]]:
    columns = _section(told, "columns", label)
    own = [name for name in table.columns if name != "time"]
    _known(columns, own, label, "columns.")
    return columns.items()


def _cell(name: str, value: object, label: str) -> Cell:
    where = f"columns.{name}"
    if isinstance(value, str | list):
        return Cell(_names(value, name, label))
    if not isinstance(value, dict) or "column" not in value:
        what = f'write {name} = "COLUMN", or {name} = {{ column = "COLUMN", unit = "..." }}'
        raise _wrong(label, f"{where} names no column of the file", what)
    _known(value, _CELL_KEYS, label, f"{where}.")
    scale, dtype = AS_IS, _dtype(name)
    if "unit" in value:
        unit = str(value["unit"])
        if dtype != FLOAT:
            raise _wrong(label, f"{where}.unit is given", f"remove it: {name} is no number")
        if unit not in units_of(name):
            raise RequestError(f"{label}: {where}: {unknown_unit(name, unit)}")
        scale = units_of(name)[unit]
    return Cell(
        _names(value["column"], name, label),
        scale,
        _text(value, "prefix", "", label),
        _text(value, "strip", "", label),
        value.get("optional", False) is True,
        value.get("zero_is_null", False) is True,
    )


def _dtype(name: str) -> object:
    return next(t.columns[name].dtype for t in TARGETS.values() if name in t.columns)


def _constants(told: Mapping[str, Any], table: Table, label: str) -> dict[str, str | float | bool]:
    _known(told, [name for name in table.columns if name != "time"], label, "constants.")
    made: dict[str, str | float | bool] = {}
    for name, value in told.items():
        dtype = table.columns[name].dtype
        kinds: tuple[type, ...] = (str,)
        if dtype == FLOAT:
            kinds = (int, float)
        elif dtype == FLAG:
            kinds = (bool,)
        if dtype == TIME or type(value) not in kinds:
            said = value.isoformat() if isinstance(value, datetime) else repr(value)
            raise _wrong(label, f"constants.{name} is {said}", f"write what {name} holds")
        made[name] = float(value) if dtype == FLOAT else value
    return made


def _check_whole(
    table: Table, cells: Mapping[str, Cell], constants: Mapping[str, object], label: str
) -> None:
    for name in sorted(set(cells) & set(constants)):
        raise _wrong(label, f"{name} is in columns and in constants", "keep one of the two")
    for name, column in table.columns.items():
        if column.required and name not in cells and name not in constants:
            what = "add it to [columns], or to [constants] where it is the same in all rows"
            raise _wrong(label, f"{table.name} need {name}, which no column gives", what)


def _names(value: object, name: str, label: str) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(x, str) and x for x in found):
        raise _wrong(label, f"{name} names no column", f'write {name} = "COLUMN"')
    return tuple(found)


def _section(told: Mapping[str, Any], name: str, label: str) -> Mapping[str, Any]:
    section = told.get(name, {})
    if not isinstance(section, dict):
        raise _wrong(label, f"{name} is no table", f"write [{name}] with its keys below")
    return section


def _known(told: Mapping[str, Any], keys: Iterable[str], label: str, where: str) -> None:
    for key in told:
        if key not in keys:
            raise RequestError(f"{label}: {where}{key} is not known; {nearest(key, list(keys))}")


def _choice(
    told: Mapping[str, Any], key: str, default: str | None, known: Iterable[str], label: str
) -> str:
    if key not in told and default is None:
        raise _wrong(label, f"{key} is missing", f'write {key} = "..."; {nearest("", known)}')
    value = told.get(key, default)
    if value not in known or not isinstance(value, str):
        raise RequestError(f"{label}: {key} is {value!r}; {nearest(str(value), known)}")
    return value


def _text(told: Mapping[str, Any], key: str, default: str, label: str) -> str:
    value = told.get(key, default)
    if not isinstance(value, str):
        raise _wrong(label, f"{key} is {value!r}", f'write it as text: {key} = "..."')
    return value


def _wrong(label: str, what: str, remedy: str) -> RequestError:
    return RequestError(f"{label}: {what}; {remedy}")
