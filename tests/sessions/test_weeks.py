"""Weeks that are not like others, turn by turn, written by hand.

Each week is a list of turns: from that instant on (UTC) the market is in that phase. Sources:
trade.xyz documentation, asset-directory and consolidated-resources/holiday-closures; New York is
UTC-5, from 8 March to 1 November 2026 UTC-4; Seoul is UTC+9.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime

import numpy as np
import pytest

from perpkit.arrays import I64, Phase
from perpkit.sessions import external_switches, open_at, session_hours
from perpkit.units import HOUR_NS, to_ns

CLOSED, EXTENDED, CASH = Phase.CLOSED, Phase.EXTENDED, Phase.CASH
QUARTER_NS = HOUR_NS // 4
NAN = float("nan")

Turns = list[tuple[str, Phase]]


def utc(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def instants(first: str, last: str, step_ns: int) -> I64:
    return np.arange(utc(first), utc(last), step_ns, dtype=np.int64)


def ordinary(*days: str, winter: bool) -> Turns:
    """Cash sessions of ordinary days, 09:30 to 16:00 in New York, named by their date."""
    opens, closes = ("14:30", "21:00") if winter else ("13:30", "20:00")
    return [turn for d in days for turn in ((f"{d} {opens}", CASH), (f"{d} {closes}", EXTENDED))]


# --------------------------------------------------------------------------- US equities

US_WEEKS: dict[str, Turns] = {
    # 8 March: Friday 20:00 EST is Saturday 01:00Z, Sunday 20:00 EDT is Monday 00:00Z.
    "clocks go forward": [
        ("2026-03-02 01:00", EXTENDED),
        *ordinary("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", winter=True),
        *ordinary("2026-03-06", winter=True),
        ("2026-03-07 01:00", CLOSED),
        ("2026-03-09 00:00", EXTENDED),
        *ordinary("2026-03-09", "2026-03-10", winter=False),
    ],
    # 1 November: Friday 20:00 EDT is Saturday 00:00Z, Sunday 20:00 EST is Monday 01:00Z.
    "clocks go back": [
        ("2026-10-26 00:00", EXTENDED),
        *ordinary("2026-10-26", "2026-10-27", "2026-10-28", "2026-10-29", winter=False),
        *ordinary("2026-10-30", winter=False),
        ("2026-10-31 00:00", CLOSED),
        ("2026-11-02 01:00", EXTENDED),
        *ordinary("2026-11-02", "2026-11-03", winter=True),
    ],
    # Wednesday's overnight session is skipped; Thursday evening's is held; Friday ends at 13:00.
    "Thanksgiving": [
        ("2026-11-23 01:00", EXTENDED),
        *ordinary("2026-11-23", "2026-11-24", "2026-11-25", winter=True),
        ("2026-11-26 01:00", CLOSED),
        ("2026-11-27 01:00", EXTENDED),
        ("2026-11-27 14:30", CASH),
        ("2026-11-27 18:00", CLOSED),
        ("2026-11-30 01:00", EXTENDED),
        *ordinary("2026-11-30", winter=True),
    ],
    # Thursday's overnight session is skipped, so the weekend begins on Thursday 20:00 EDT.
    "Good Friday": [
        ("2026-03-30 00:00", EXTENDED),
        *ordinary("2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02", winter=False),
        ("2026-04-03 00:00", CLOSED),
        ("2026-04-06 00:00", EXTENDED),
        *ordinary("2026-04-06", winter=False),
    ],
    # Sunday's overnight session is skipped; Monday evening's is held.
    "Labor Day": [
        ("2026-08-31 00:00", EXTENDED),
        *ordinary("2026-08-31", "2026-09-01", "2026-09-02", "2026-09-03", winter=False),
        *ordinary("2026-09-04", winter=False),
        ("2026-09-05 00:00", CLOSED),
        ("2026-09-08 00:00", EXTENDED),
        *ordinary("2026-09-08", winter=False),
    ],
    "Martin Luther King Day": [
        ("2026-01-16 01:00", EXTENDED),
        *ordinary("2026-01-16", winter=True),
        ("2026-01-17 01:00", CLOSED),
        ("2026-01-20 01:00", EXTENDED),
        *ordinary("2026-01-20", winter=True),
    ],
    # Thursday the 24th ends at 13:00, Friday the 25th is a holiday.
    "Christmas": [
        ("2026-12-21 01:00", EXTENDED),
        *ordinary("2026-12-21", "2026-12-22", "2026-12-23", winter=True),
        ("2026-12-24 14:30", CASH),
        ("2026-12-24 18:00", CLOSED),
        ("2026-12-28 01:00", EXTENDED),
        *ordinary("2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31", winter=True),
        ("2027-01-01 01:00", CLOSED),  # New Year, a Friday
        ("2027-01-04 01:00", EXTENDED),
        *ordinary("2027-01-04", winter=True),
    ],
    # A holiday in mid-week between two ordinary days: Wednesday, 1 January 2025.
    "a Wednesday": [
        ("2024-12-30 01:00", EXTENDED),
        *ordinary("2024-12-30", "2024-12-31", winter=True),
        ("2025-01-01 01:00", CLOSED),
        ("2025-01-02 01:00", EXTENDED),
        *ordinary("2025-01-02", winter=True),
    ],
}

# --------------------------------------------------------------------------- index futures


def nights(*days: str, winter: bool) -> Turns:
    """An ordinary Monday to Thursday: cash, then the break from 17:00 to 18:00."""
    breaks, ends = ("22:00", "23:00") if winter else ("21:00", "22:00")
    turns = []
    for day in days:
        turns += ordinary(day, winter=winter)
        turns += [(f"{day} {breaks}", CLOSED), (f"{day} {ends}", EXTENDED)]
    return turns


CME_WEEKS: dict[str, Turns] = {
    "an ordinary week": [
        ("2026-08-09 22:00", EXTENDED),  # Sunday 18:00
        *nights("2026-08-10", "2026-08-11", "2026-08-12", "2026-08-13", winter=False),
        *ordinary("2026-08-14", winter=False),
        ("2026-08-14 21:00", CLOSED),  # Friday 17:00
        ("2026-08-16 22:00", EXTENDED),
        *nights("2026-08-17", winter=False),
    ],
    "clocks go forward": [
        *nights("2026-03-05", winter=True),
        *ordinary("2026-03-06", winter=True),
        ("2026-03-06 22:00", CLOSED),
        ("2026-03-08 22:00", EXTENDED),  # Sunday 18:00 EDT
        *nights("2026-03-09", winter=False),
    ],
    # Thursday until 13:00 and again from 18:00; Friday until 13:15, NYSE until 13:00.
    "Thanksgiving": [
        *nights("2026-11-25", winter=True),
        ("2026-11-26 18:00", CLOSED),
        ("2026-11-26 23:00", EXTENDED),
        ("2026-11-27 14:30", CASH),
        ("2026-11-27 18:00", EXTENDED),
        ("2026-11-27 18:15", CLOSED),
        ("2026-11-29 23:00", EXTENDED),
    ],
    # Thursday evening trades, Friday until 09:15: no cash session.
    "Good Friday": [
        *nights("2026-04-02", winter=False),
        ("2026-04-03 13:15", CLOSED),
        ("2026-04-05 22:00", EXTENDED),
        *nights("2026-04-06", winter=False),
    ],
    # Sunday evening trades, Monday until 13:00 and again from 18:00.
    "Labor Day": [
        *ordinary("2026-09-04", winter=False),
        ("2026-09-04 21:00", CLOSED),
        ("2026-09-06 22:00", EXTENDED),
        ("2026-09-07 17:00", CLOSED),
        ("2026-09-07 22:00", EXTENDED),
        *nights("2026-09-08", winter=False),
    ],
    "Christmas and New Year": [
        *nights("2026-12-23", winter=True),
        ("2026-12-24 14:30", CASH),
        ("2026-12-24 18:00", EXTENDED),
        ("2026-12-24 18:15", CLOSED),
        ("2026-12-27 23:00", EXTENDED),
        *nights("2026-12-28", "2026-12-29", "2026-12-30", winter=True),
        *ordinary("2026-12-31", winter=True),
        ("2026-12-31 22:00", CLOSED),
        ("2027-01-03 23:00", EXTENDED),
    ],
    # The table calls 1 January 2026 closed and gives no evening: until midnight in New York.
    "New Year 2026": [
        *nights("2025-12-30", winter=True),
        *ordinary("2025-12-31", winter=True),
        ("2025-12-31 22:00", CLOSED),
        ("2026-01-02 05:00", EXTENDED),
        *ordinary("2026-01-02", winter=True),
        ("2026-01-02 22:00", CLOSED),
    ],
}

# --------------------------------------------------------------------------- Korea


def seoul_day(day: str, evening_before: str, *, new: bool) -> Turns:
    """An ordinary day: pre-market until 08:50, main until 15:30, after hours 15:40 to 20:00."""
    return [
        (f"{evening_before} 23:{'10' if new else '00'}", EXTENDED),
        (f"{evening_before} 23:50", CLOSED),
        (f"{day} 00:01" if new else f"{day} 00:00:30", CASH),
        (f"{day} 06:30", CLOSED),
        (f"{day} 06:40", EXTENDED),
        (f"{day} 11:00", CLOSED),
    ]


KOREAN_WEEKS: dict[str, Turns] = {
    # Tuesday the 28th still opened at 08:00 in Seoul: its print of 08:01 moved the oracle.
    "the change of July 2026": [
        *seoul_day("2026-07-27", "2026-07-26", new=False),
        *seoul_day("2026-07-28", "2026-07-27", new=False),
        *seoul_day("2026-07-29", "2026-07-28", new=True),
        *seoul_day("2026-07-30", "2026-07-29", new=True),
    ],
    "a weekend": [
        *seoul_day("2026-08-07", "2026-08-06", new=True),
        *seoul_day("2026-08-10", "2026-08-09", new=True),
    ],
    # The full moon's holiday on Thursday and Friday.
    "Chuseok": [
        *seoul_day("2026-09-23", "2026-09-22", new=True),
        *seoul_day("2026-09-28", "2026-09-27", new=True),
    ],
    # Local elections, in no version of exchange_calendars up to 4.13.2.
    "an election": [
        *seoul_day("2026-06-02", "2026-06-01", new=False),
        *seoul_day("2026-06-04", "2026-06-03", new=False),
    ],
    # The entrance exam of Thursday the 19th: 10:00 to 16:30, no pre-market; the venue's window
    # ends no later than on other days.
    "exam day": [
        *seoul_day("2026-11-18", "2026-11-17", new=True),
        ("2026-11-19 01:01", CASH),
        ("2026-11-19 06:30", CLOSED),
        ("2026-11-19 07:40", EXTENDED),
        ("2026-11-19 11:00", CLOSED),
        *seoul_day("2026-11-20", "2026-11-19", new=True),
    ],
    # The year's first day opens at 10:00 and closes as always.
    "the first day of the year": [
        *seoul_day("2025-12-30", "2025-12-29", new=False),
        ("2026-01-02 01:00:30", CASH),
        ("2026-01-02 06:30", CLOSED),
        ("2026-01-02 06:40", EXTENDED),
        ("2026-01-02 11:00", CLOSED),
        *seoul_day("2026-01-05", "2026-01-04", new=False),
    ],
}

CASES = [
    pytest.param(session, turns, id=f"{session}: {name}")
    for session, weeks in (
        ("us_24_5", US_WEEKS),
        ("us_index_futures", CME_WEEKS),
        ("korea", KOREAN_WEEKS),
    )
    for name, turns in weeks.items()
]


def told(turns: Turns, time_ns: int) -> Phase:
    return turns[bisect_right([utc(at) for at, _ in turns], time_ns) - 1][1]


@pytest.mark.parametrize(("session", "turns"), CASES)
def test_phases_by_hand(session: str, turns: Turns) -> None:
    time_ns = instants(turns[0][0], turns[-1][0], HOUR_NS // 120)

    found = session_hours(time_ns, session).phase

    starts = np.array([utc(at) for at, _ in turns])
    phases = np.array([phase for _, phase in turns])
    expected = phases[np.searchsorted(starts, time_ns, side="right") - 1]
    wrong = np.flatnonzero(found != expected)
    assert not wrong.size, [
        (datetime.fromtimestamp(time_ns[n] / 1e9, UTC), found[n], expected[n]) for n in wrong[:3]
    ]


@pytest.mark.parametrize(("session", "turns"), CASES)
def test_hours_to_turns_by_hand(session: str, turns: Turns) -> None:
    time_ns = instants(turns[0][0], turns[-1][0], HOUR_NS)
    found = session_hours(time_ns, session)

    for t, at in enumerate(time_ns.tolist()):
        for hours, kinds, own in (
            (found.hours_to_close, {CLOSED}, {CLOSED}),
            (found.hours_to_reopen, {EXTENDED, CASH}, {EXTENDED, CASH}),
            (found.hours_to_cash_open, {CASH}, {CASH}),
        ):
            later = [utc(when) for when, phase in turns if phase in kinds and utc(when) > at]
            if told(turns, at) in own:
                assert hours[t] == 0
            elif later:
                assert hours[t] == (later[0] - at) / HOUR_NS


@pytest.mark.parametrize(("session", "turns"), CASES)
def test_switches_by_hand(session: str, turns: Turns) -> None:
    ends_ns = instants(turns[0][0][:14] + "00", turns[-1][0], HOUR_NS)[1:]
    found = external_switches(ends_ns, session)

    for t, end in enumerate(ends_ns.tolist()):
        begin = end - HOUR_NS
        if begin < utc(turns[0][0]):
            continue
        external = told(turns, begin) != CLOSED
        assert found.open_at_start[t] == external
        crossed = []
        for when, phase in turns:
            if begin < utc(when) < end and (phase != CLOSED) != external:
                external = not external
                crossed.append((utc(when) - begin) / HOUR_NS)
        expected = [*crossed, NAN, NAN][:2]
        assert len(crossed) <= 2
        np.testing.assert_array_equal([found.first_frac[t], found.second_frac[t]], expected)


def test_switches_of_korea_in_words() -> None:
    # Hours that end at 00:00Z (09:00 in Seoul), 01:00Z, 02:00Z, 07:00Z, 11:00Z and 12:00Z.
    ends = [f"2026-08-10 {hour:02}:00" for hour in (0, 1, 2, 7, 11, 12)]
    found = external_switches(np.array([utc(end) for end in ends]), "korea")

    assert found.open_at_start.tolist() == [False, False, True, True, True, False]
    np.testing.assert_allclose(found.first_frac, [10 / 60, 1 / 60, NAN, 30 / 60, NAN, NAN])
    np.testing.assert_allclose(found.second_frac, [50 / 60, NAN, NAN, 40 / 60, NAN, NAN])


def test_a_turn_on_the_hour_shows_in_the_next_row() -> None:
    # Friday 14 August 2026, 20:00 in New York: the hour that ends there was external to its end.
    ends = np.array([utc("2026-08-15 00:00"), utc("2026-08-15 01:00")])
    found = external_switches(ends, "us_24_5")

    assert found.open_at_start.tolist() == [True, False]
    assert np.isnan(found.first_frac).all()
    assert session_hours(ends, "us_24_5").phase.tolist() == [CLOSED, CLOSED]


def test_cash_session_alone() -> None:
    ends = instants("2026-11-27 13:00", "2026-11-27 20:00", HOUR_NS)
    hours, switches = session_hours(ends, "us_cash"), external_switches(ends, "us_cash")

    # Black Friday: 14:30Z to 18:00Z.
    assert hours.phase.tolist() == [CLOSED] * 2 + [CASH] * 3 + [CLOSED] * 2
    np.testing.assert_array_equal(hours.hours_to_close[2:6], [3, 2, 1, 0])
    assert hours.hours_to_reopen.tolist() == hours.hours_to_cash_open.tolist()
    assert switches.open_at_start.tolist() == [False] * 3 + [True] * 3 + [False]
    np.testing.assert_array_equal(switches.first_frac, [NAN, NAN, 0.5, NAN, NAN, NAN, NAN])


def test_always_and_never() -> None:
    ends = instants("1999-12-31 00:00", "2000-01-02 00:00", HOUR_NS)  # before every table
    always, never = session_hours(ends, "24/7"), session_hours(ends, "none")

    assert set(always.phase) == {EXTENDED}
    assert set(never.phase) == {CLOSED}
    assert [set(x) for x in always[1:]] == [{np.inf}, {0.0}, {np.inf}]
    assert [set(x) for x in never[1:]] == [{0.0}, {np.inf}, {np.inf}]
    assert external_switches(ends, "24/7").open_at_start.all()
    assert not external_switches(ends, "none").open_at_start.any()
    assert np.isnan(external_switches(ends, "none").first_frac).all()
    assert open_at(ends, "24/7").all()


def test_issuers_keep_the_holidays() -> None:
    # Labor Day: Sunday 20:00 to Monday 20:00 in New York, and noon of Black Friday's afternoon.
    moments = ["2026-09-07 00:00", "2026-09-07 15:00", "2026-09-08 00:00", "2026-11-27 18:00"]
    time_ns = np.array([utc(moment) for moment in moments])

    assert open_at(time_ns, "24/5").tolist() == [False, False, True, False]
    assert open_at(time_ns, "cash").tolist() == [False, False, False, False]
    assert open_at(np.array([utc("2026-11-27 17:00")]), "cash").tolist() == [True]
