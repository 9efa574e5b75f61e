"""``python -m perpkit.sessions [--from YEAR] [--to YEAR] [--out FOLDER]``: the tables of days.

Needs ``pip install "perpkit[calendars]"``. NYSE and KRX come from exchange_calendars as they are.
CME's holiday hours come from the published table of one year; in other years from NYSE's days by
the pattern of that table, which is assumed and marked so.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from perpkit.errors import PerpkitError, RequestError
from perpkit.sessions.tables import DATA, pricing

FIRST_YEAR, LAST_YEAR = 2023, 2027
# What follows the last hour must be known: when the market opens again.
_DAYS_AFTER: Final = 14
_HEAD: Final = "# Written by `python -m perpkit.sessions`; do not edit."
_FRIDAY: Final = 4
Windows = list[str]


def main(arguments: list[str] | None = None) -> int:
    """Write the tables; the exit code of the command.

    Parameters
    ----------
    arguments : command line, default that of the process
    """
    parser = argparse.ArgumentParser(prog="python -m perpkit.sessions", description=__doc__)
    parser.add_argument("--from", dest="first", type=int, default=FIRST_YEAR, metavar="YEAR")
    parser.add_argument("--to", dest="last", type=int, default=LAST_YEAR, metavar="YEAR")
    parser.add_argument("--out", type=Path, default=DATA, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    try:
        texts = tables(chosen.first, chosen.last)
    except PerpkitError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (chosen.out / name).write_text(text, encoding="utf-8", newline="\n")
    return 0


def tables(first_year: int, last_year: int) -> dict[str, str]:
    """The text of each table, by file name.

    Parameters
    ----------
    first_year, last_year : both included; two weeks of the year after follow

    Raises
    ------
    RequestError
        If exchange_calendars is not installed, or does not reach so far.
    """
    if first_year > last_year:
        raise RequestError(f"--from {first_year} is after --to {last_year}; swap them")
    first, last = date(first_year, 1, 1), date(last_year, 12, 31) + timedelta(_DAYS_AFTER)
    nyse, krx = _calendar("XNYS", first, last), _calendar("XKRX", first, last)
    rests, early = _days(nyse, first, last, "09:30-16:00")
    korean_rests, korean_late = _days(krx, first, last, "09:00-15:30")
    cme = cme_windows(rests, early, first, last)
    _check_cme(cme, _calendar("CMES", first, last), first, last)
    return {
        "nyse.toml": _exchange("XNYS", first, last, rests, early),
        "krx.toml": _exchange("XKRX", first, last, korean_rests, korean_late),
        "cme.toml": _cme(cme, first, last),
    }


def cme_windows(
    rests: list[date], early: dict[date, str], first: date, last: date
) -> dict[date, Windows]:
    """Days on which CME's index futures keep other hours than the week's.

    Parameters
    ----------
    rests : weekdays on which NYSE rests
    early : NYSE's early closes
    first, last : days covered, both included

    Returns
    -------
    windows of New York time by day, empty where closed
    """
    documented = pricing()["us_index_futures"]["documented"]
    closed = {day for day in rests if _is_closed(day)}
    made: dict[date, Windows] = {}
    for day in {*rests, *early}:
        evening = day.weekday() < _FRIDAY and day + timedelta(1) not in closed
        until = "00:00-13:00" if day in rests else "00:00-13:15"
        made[day] = [] if day in closed else [until] + ["18:00-24:00"] * evening
    for day in closed:
        before = day - timedelta(1)
        if before.weekday() != _FRIDAY + 1:
            made.setdefault(before, ["00:00-17:00"] if before.weekday() < 5 else [])
    made = {day: w for day, w in made.items() if day.year != documented["year"]}
    made |= {date.fromisoformat(day): list(w) for day, w in documented["days"].items()}
    return {day: made[day] for day in sorted(made) if first <= day <= last}


def _is_closed(day: date) -> bool:
    """Whether futures rest all day: New Year, Christmas, Good Friday, a day of mourning.

    The rest of NYSE's holidays have shortened hours. A Good Friday on which the jobs report comes
    out had hours until 09:15 in 2026; elsewhere it is closed here, the harsher reading.
    """
    shortened = {
        "Martin Luther King": day.month == 1 and 15 <= day.day <= 21 and day.weekday() == 0,
        "Presidents": day.month == 2 and 15 <= day.day <= 21 and day.weekday() == 0,
        "Memorial": day.month == 5 and day.day >= 25 and day.weekday() == 0,
        "Juneteenth": day.month == 6 and 18 <= day.day <= 20,
        "Independence": day.month == 7 and 3 <= day.day <= 5,
        "Labor": day.month == 9 and day.day <= 7 and day.weekday() == 0,
        "Thanksgiving": day.month == 11 and 22 <= day.day <= 28 and day.weekday() == 3,
    }
    return not any(shortened.values())


def _calendar(name: str, first: date, last: date) -> Any:
    try:
        import exchange_calendars  # noqa: PLC0415  half a second, and an extra
    except ImportError:
        raise RequestError(
            'exchange_calendars is not installed; pip install "perpkit[calendars]"'
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how it calls pandas: nothing to do about it here
            return exchange_calendars.get_calendar(name, start=str(first), end=str(last))
    except ValueError as e:
        raise RequestError(f"exchange_calendars does not know {name} so far: {e}") from e


def _days(calendar: Any, first: date, last: date, usual: str) -> tuple[list[date], dict[date, str]]:
    """Weekdays without a session, and the sessions that open late or close early."""
    sessions = {}
    for row in calendar.schedule.itertuples():
        opens, closes = (x.tz_convert(calendar.tz).strftime("%H:%M") for x in (row.open, row.close))
        sessions[row.Index.date()] = f"{opens}-{closes}"
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    rests = [day for day in days if day.weekday() < 5 and day not in sessions]
    return rests, {day: hours for day, hours in sessions.items() if hours != usual}


def _check_cme(made: dict[date, Windows], calendar: Any, first: date, last: date) -> None:
    """Refuse a day that exchange_calendars calls short or closed and the pattern leaves whole."""
    rests, short = _days(calendar, first, last, "17:00-17:00")
    if left := sorted({*rests, *short} - set(made)):
        raise RequestError(
            f"CME keeps other hours on {', '.join(map(str, left))} and NYSE does not; add them to "
            "us_index_futures.documented.days in perpkit/sessions/data/pricing.toml"
        )


def _exchange(
    name: str, first: date, last: date, rests: list[date], special: dict[date, str]
) -> str:
    import exchange_calendars  # noqa: PLC0415

    lines = [
        _HEAD,
        f'source = "exchange_calendars {exchange_calendars.__version__}, {name}"',
        'confidence = "documented"',
        f"first = {first}",
        f"last = {last}",
        "closed = [  # weekdays",
        *(f"  {day}," for day in rests),
        "]",
        "",
        "[special]  # sessions that open late or close early, local time",
        *(f'{day} = "{hours}"' for day, hours in special.items()),
    ]
    return "\n".join(lines) + "\n"


def _cme(made: dict[date, Windows], first: date, last: date) -> str:
    documented = pricing()["us_index_futures"]["documented"]
    year = documented["year"]
    pattern = "its pattern on the days of nyse.toml, Good Friday and days of mourning closed"
    lines = [
        _HEAD,
        f'source = "{year}: {documented["source"]}; other years: {pattern}"',
        f'confidence = "documented in {year}, assumed in other years"',
        f"first = {first}",
        f"last = {last}",
        "",
        "[days]  # New York time",
        *(f"{day} = [{', '.join(map(_quoted, windows))}]" for day, windows in made.items()),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return f'"{text}"'
