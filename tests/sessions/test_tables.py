"""The shipped tables: they agree with exchange_calendars, and end where they say."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perpkit.arrays import I64
from perpkit.errors import DataError, RequestError
from perpkit.sessions import (
    EXTERNAL_SESSIONS,
    external_switches,
    open_at,
    regenerate,
    session_hours,
    tables,
)
from perpkit.sessions.spans import spans
from perpkit.units import HOUR_NS, to_ns

SOME = tuple(x for x in EXTERNAL_SESSIONS if x not in {"24/7", "none"})
GENERATED = ("nyse.toml", "krx.toml", "cme.toml")


def utc(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def at(*texts: str) -> I64:
    return np.array([utc(text) for text in texts])


@pytest.fixture
def schedule() -> Callable[..., Any]:
    """Sessions of a calendar of exchange_calendars, opening and closing instant of each."""
    calendars = pytest.importorskip(
        "exchange_calendars", reason="the extra calendars is not installed"
    )

    def told(name: str, first: str, last: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how it calls pandas
            return calendars.get_calendar(name, start=first, end=last).schedule

    return told


def covered() -> I64:
    return np.arange(utc("2023-01-02"), utc("2028-01-01"), HOUR_NS, dtype=np.int64)


# --------------------------------------------------------------------------- exchange_calendars


@pytest.mark.parametrize("name", GENERATED)
def test_written_again_they_are_the_same(name: str, tmp_path: Path) -> None:
    pytest.importorskip("exchange_calendars", reason="the extra calendars is not installed")
    assert regenerate.main(["--out", str(tmp_path)]) == 0
    again, shipped = (tomllib.loads((f / name).read_text()) for f in (tmp_path, tables.DATA))
    # Another version of exchange_calendars may agree; what it says must.
    assert {**again, "source": ""} == {**shipped, "source": ""}


def test_each_session_is_that_of_exchange_calendars(schedule: Callable[..., Any]) -> None:
    told = schedule("XNYS", "2023-01-01", "2028-01-14")
    found = spans("us_cash", covered())

    for column, ours in (("open", found.opens_ns), ("close", found.closes_ns)):
        theirs = told[column].dt.as_unit("ns").astype("int64").to_numpy()
        inside = theirs <= ours[-1]
        np.testing.assert_array_equal(ours, theirs[inside & (theirs >= ours[0])])
    assert len(found.opens_ns) > 1250


def test_cme_rests_where_exchange_calendars_says(schedule: Callable[..., Any]) -> None:
    # Its table of holidays has noon for 13:15 and none of Juneteenth, 3 July and New Year's Eve;
    # where it is closed or short we have no more than it. One exception: in 2026 the published
    # table trades on Good Friday until 09:15.
    told = schedule("CMES", "2023-01-03", "2027-12-31")
    days = tables.cme_days()
    sessions = {row.Index.date(): row for row in told.itertuples()}

    closed = 0
    for number in range(tables.day_number(date(2023, 1, 3)), tables.day_number(date(2028, 1, 1))):
        day = date(1970, 1, 1) + timedelta(number)
        if day.weekday() >= 5:
            continue
        if day not in sessions:
            closed += 1
            assert days[number] == [] or day == date(2026, 4, 3), day
        elif sessions[day].close.tz_convert("America/New_York").hour < 17:
            assert days[number][0][1] <= 13.25 * 3600, day
    assert closed == 15


def test_the_pattern_of_cme_is_that_of_the_published_year() -> None:
    # Derived from NYSE's days, 2026 comes out as published, but for Good Friday's morning.
    read = tables.read("nyse")
    early = {date.fromisoformat(day): hours for day, hours in read["special"].items()}
    ends = date(2026, 1, 1), date(2026, 12, 31)
    documented = tables.pricing()["us_index_futures"]["documented"]
    told = regenerate.cme_windows(read["closed"], early, *ends)
    year = documented["year"]
    try:
        documented["year"] = 1999
        made = regenerate.cme_windows(read["closed"], early, *ends)
        documented["days"], kept = {}, documented["days"]
        derived = regenerate.cme_windows(read["closed"], early, *ends)
    finally:
        documented["year"], documented["days"] = year, kept

    assert told == {date.fromisoformat(day): windows for day, windows in kept.items()}
    assert made.keys() - told.keys() == {date(2026, 4, 2)}
    friday, thursday = date(2026, 4, 3), date(2026, 4, 2)
    assert derived.pop(friday) == []
    assert derived.pop(thursday) == ["00:00-17:00"]
    assert derived == {day: windows for day, windows in told.items() if day != friday}


def test_without_the_extra_the_command_says_so(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['exchange_calendars'] = None\n"
        "from perpkit.sessions.regenerate import main\n"
        f"sys.exit(main(['--out', {str(tmp_path)!r}]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.returncode == 2
    assert run.stderr == 'exchange_calendars is not installed; pip install "perpkit[calendars]"\n'
    assert list(tmp_path.iterdir()) == []


def test_years_the_wrong_way_round() -> None:
    with pytest.raises(RequestError, match="--from 2027 is after --to 2025"):
        regenerate.tables(2027, 2025)


def test_the_extra_is_not_imported_to_read() -> None:
    code = (
        "import sys, numpy as np\n"
        "from perpkit.sessions import session_hours\n"
        "session_hours(np.array([1_786_147_200_000_000_000]), 'us_24_5')\n"
        "print([m for m in ('exchange_calendars', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# --------------------------------------------------------------------------- the tables themselves


@pytest.mark.parametrize("name", [*GENERATED, "pricing.toml"])
def test_every_table_says_where_it_is_from(name: str) -> None:
    def blocks(told: dict[str, object]) -> list[dict[str, object]]:
        inner = [x for x in told.values() if isinstance(x, dict)]
        inner += [y for x in told.values() if isinstance(x, list) for y in x if isinstance(y, dict)]
        return inner

    told = tomllib.loads((tables.DATA / name).read_text())
    owners = [told] if name in GENERATED else blocks(told)
    assert all(owner.get("source") and owner.get("confidence") for owner in owners)
    for owner in owners:
        for listed in ("closed", "late"):
            own = [x for x in owner.get(listed, []) if isinstance(x, dict)]
            assert all(x["source"] for x in own)


@pytest.mark.parametrize("session", SOME)
def test_no_hour_has_more_than_two_turns(session: str) -> None:
    time_ns = covered()
    found = spans(session, time_ns)
    turns = np.sort(np.concatenate([found.opens_ns, found.closes_ns]))
    within = np.searchsorted(turns, time_ns) - np.searchsorted(
        turns, time_ns - HOUR_NS, side="right"
    )
    told = external_switches(time_ns, session)

    assert within.max() <= 2
    np.testing.assert_array_equal(within >= 1, ~np.isnan(told.first_frac))
    np.testing.assert_array_equal(within == 2, ~np.isnan(told.second_frac))
    assert (told.first_frac[within == 2] < told.second_frac[within == 2]).all()
    assert np.nanmin(np.append(told.first_frac, 0.5)) > 0
    assert np.nanmax(np.append(told.second_frac, 0.5)) < 1


@pytest.mark.parametrize("session", SOME)
def test_the_cash_session_is_priced(session: str) -> None:
    found = session_hours(covered() + HOUR_NS // 2 + 1, session)
    assert (found.hours_to_reopen[found.hours_to_cash_open == 0] == 0).all()


@pytest.mark.parametrize("session", SOME)
def test_hours_outside_the_tables_are_refused(session: str) -> None:
    for outside in ("2022-12-31 00:00", "2029-01-01 00:00"):
        with pytest.raises(
            DataError,
            match=rf"sessions {session}: {outside}Z is outside the tables, which cover "
            r"202[23]-.*Z to 2028-01-1\d .*Z; choose other hours, or extend .*--from YEAR --to",
        ):
            session_hours(at(outside), session)
    # The hours of the five years are all there, whole.
    first, last = "2023-01-01 06:00", "2027-12-31 23:00"
    assert np.isfinite(session_hours(at(first, last), session).hours_to_reopen).all()
    assert external_switches(at(first, last), session).open_at_start.shape == (2,)
    assert len(open_at(at(first, last), "24/5")) == 2


def test_the_span_that_is_told_is_the_one_that_is_kept() -> None:
    with pytest.raises(DataError) as told:
        session_hours(at("2029-01-01 00:00"), "us_24_5")
    words = str(told.value)
    first = words.split("cover ")[1][:16]
    last = words.split(" to ")[1][:16]

    assert first == "2023-01-01 05:00"  # midnight in New York
    session_hours(at(first, last), "us_24_5")
    for beyond in (utc(first) - HOUR_NS, utc(last) + HOUR_NS):
        with pytest.raises(DataError):
            session_hours(np.array([beyond]), "us_24_5")


def test_an_unknown_session() -> None:
    for ask in (session_hours, external_switches):
        with pytest.raises(RequestError, match=r'session "us_24_6" is unknown; did you mean us_24'):
            ask(at("2026-08-14"), "us_24_6")
