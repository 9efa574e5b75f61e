"""Sessions of US equities: hand-written hours around weekends and both clock changes of 2026.

Source: trade.xyz documentation, asset-directory/stocks: Sunday 20:00 to Friday 20:00 New York, that
is Monday 00:00 to Saturday 00:00 UTC in summer, Monday 01:00 to Saturday 01:00 UTC in winter; 2026
summer time runs from 8 March to 1 November. Cash session 09:30 to 16:00 New York.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import I64, Phase
from perpkit.dataset import read_dataset
from perpkit.errors import RequestError
from perpkit.sessions import open_at, us_equity_hours
from perpkit.units import HOUR_NS, to_ns

CLOSED, EXTENDED, CASH = Phase.CLOSED, Phase.EXTENDED, Phase.CASH


HOLIDAYS_2026 = (
    (1, 1), (1, 19), (2, 16), (4, 3), (5, 25), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25)
)  # fmt: skip


def utc(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def hours(first: str, count: int) -> I64:
    return utc(first) + HOUR_NS * np.arange(count, dtype=np.int64)


@pytest.mark.parametrize(
    ("at", "phase", "to_reopen", "to_cash"),
    [
        # A week in summer: New York is UTC-4; 14 August 2026 is a Friday.
        ("2026-08-14 04:00", EXTENDED, 0, 9.5),  # Friday 00:00
        ("2026-08-14 13:00", EXTENDED, 0, 0.5),  # 09:00: the open is within the hour
        ("2026-08-14 13:29", EXTENDED, 0, 1 / 60),
        ("2026-08-14 13:30", CASH, 0, 0),  # 09:30, the first instant is in
        ("2026-08-14 14:00", CASH, 0, 0),
        ("2026-08-14 19:00", CASH, 0, 0),  # 15:00
        ("2026-08-14 20:00", EXTENDED, 0, 65.5),  # 16:00, the last instant is out
        ("2026-08-14 23:00", EXTENDED, 0, 62.5),  # 19:00
        ("2026-08-15 00:00", CLOSED, 48, 61.5),  # Friday 20:00
        ("2026-08-16 23:00", CLOSED, 1, 14.5),  # Sunday 19:00
        ("2026-08-17 00:00", EXTENDED, 0, 13.5),  # Sunday 20:00
        ("2026-08-17 13:00", EXTENDED, 0, 0.5),
        ("2026-08-17 14:00", CASH, 0, 0),
        ("2026-08-17 20:00", EXTENDED, 0, 17.5),  # Monday 16:00 to Tuesday 09:30
        # Winter: New York is UTC-5; 16 January 2026 is a Friday.
        ("2026-01-16 14:00", EXTENDED, 0, 0.5),  # 09:00
        ("2026-01-16 15:00", CASH, 0, 0),
        ("2026-01-23 21:00", EXTENDED, 0, 65.5),  # 16:00, a week later: the 19th is a holiday
        ("2026-01-24 00:00", EXTENDED, 0, 62.5),  # 19:00
        ("2026-01-24 01:00", CLOSED, 48, 61.5),
        ("2026-01-26 00:00", CLOSED, 1, 14.5),
        ("2026-01-26 01:00", EXTENDED, 0, 13.5),
        # 8 March: the weekend is an hour shorter.
        ("2026-03-06 21:00", EXTENDED, 0, 64.5),  # Friday 16:00 EST
        ("2026-03-07 00:00", EXTENDED, 0, 61.5),
        ("2026-03-07 01:00", CLOSED, 47, 60.5),  # Friday 20:00 EST
        ("2026-03-08 23:00", CLOSED, 1, 14.5),  # Sunday 19:00 EDT
        ("2026-03-09 00:00", EXTENDED, 0, 13.5),  # Sunday 20:00 EDT
        ("2026-03-09 13:00", EXTENDED, 0, 0.5),
        ("2026-03-09 14:00", CASH, 0, 0),
        ("2026-03-09 20:00", EXTENDED, 0, 17.5),
        # 1 November: the weekend is an hour longer.
        ("2026-10-30 20:00", EXTENDED, 0, 66.5),  # Friday 16:00 EDT
        ("2026-10-31 00:00", CLOSED, 49, 62.5),  # Friday 20:00 EDT
        ("2026-11-02 00:00", CLOSED, 1, 14.5),  # Sunday 19:00 EST
        ("2026-11-02 01:00", EXTENDED, 0, 13.5),  # Sunday 20:00 EST
        ("2026-11-02 14:00", EXTENDED, 0, 0.5),
        ("2026-11-02 15:00", CASH, 0, 0),
        ("2026-11-02 21:00", EXTENDED, 0, 17.5),
    ],
)
def test_hours_by_hand(at: str, phase: Phase, to_reopen: float, to_cash: float) -> None:
    found = us_equity_hours(np.array([utc(at)]))

    assert found.phase[0] == phase
    assert found.hours_to_reopen[0] == to_reopen
    assert found.hours_to_cash_open[0] == pytest.approx(to_cash, abs=1e-12)


@pytest.mark.parametrize(
    ("monday", "closed", "cash"),
    [
        # Monday 00:00Z to Monday 00:00Z. At whole hours a session has 6: 10:00 to 15:00.
        ("2026-08-10", 48, 30),
        ("2026-01-05", 48, 30),
        ("2026-03-02", 1 + 47, 30),  # 00:00Z is still Sunday 19:00 EST; then the short weekend
        ("2026-10-26", 48, 30),
        ("2026-11-02", 1 + 47, 30),  # Sunday 19:00 EST; 47 of the next 48 fall before Monday
    ],
)
def test_hours_of_a_week(monday: str, closed: int, cash: int) -> None:
    phase = us_equity_hours(hours(f"{monday} 00:00", 7 * 24)).phase

    assert np.count_nonzero(phase == CLOSED) == closed
    assert np.count_nonzero(phase == CASH) == cash


def test_the_fall_weekend_is_49_hours() -> None:
    phase = us_equity_hours(hours("2026-10-30 12:00", 72)).phase

    assert np.count_nonzero(phase == CLOSED) == 49


def test_shapes_and_dtypes() -> None:
    found = us_equity_hours(hours("2026-08-12 05:00", 10))

    assert [(a.shape, a.dtype) for a in found] == [
        ((10,), np.dtype("i1")),
        ((10,), np.dtype("f8")),
        ((10,), np.dtype("f8")),
        ((10,), np.dtype("f8")),
    ]


def test_each_hour_is_the_same_alone_and_in_any_order() -> None:
    time_ns = hours("2026-02-27 00:00", 24 * 21)
    shuffled = np.random.default_rng(3).permutation(time_ns)

    whole = us_equity_hours(time_ns)
    mixed = us_equity_hours(shuffled)
    alone = [us_equity_hours(time_ns[t : t + 1]) for t in range(len(time_ns))]

    order = np.argsort(shuffled)
    for field in range(4):
        np.testing.assert_array_equal(mixed[field][order], whole[field])
        np.testing.assert_array_equal([one[field][0] for one in alone], whole[field])


def test_hours_left_fall_by_one_an_hour() -> None:
    found = us_equity_hours(hours("2024-01-01 00:00", 24 * 365 * 3))

    for left in found[1:]:
        falling = (left[:-1] > 0) & (left[1:] > 0) & (left[:-1] > left[1:])
        assert set(np.diff(left)[falling]) == {-1.0}
        # It grows by jumps alone: at a turn of the market.
        assert np.count_nonzero(np.diff(left) > 0) < 260 * 3
    assert found.hours_to_reopen.max() == 79  # Thursday 24 December 13:00 to Sunday 20:00
    assert found.hours_to_close.max() == 120  # a week without a holiday
    assert set(np.unique(found.hours_to_cash_open % 1)) == {0.0, 0.5}


def test_agrees_with_the_published_utc_hours_over_2026() -> None:
    # An independent statement of the same rule: fixed UTC hours by season, no time zone database,
    # and the holidays of trade.xyz's table. Each takes its trading day, from the evening before.
    holidays = {date(2026, *day) for day in HOLIDAYS_2026}
    early = {date(2026, 11, 27), date(2026, 12, 24)}
    time_ns = hours("2026-01-01 00:00", 24 * 365)
    phase = us_equity_hours(time_ns).phase

    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=t) for t in range(24 * 365)]
    # Summer runs between the Sundays; no session is near 02:00 on either of them.
    summer = [date(2026, 3, 8) <= m.date() < date(2026, 11, 1) for m in moments]
    for t, moment in enumerate(moments):
        local = moment - timedelta(hours=4 if summer[t] else 5)
        weekend = (
            local.weekday() == 5
            or (local.weekday() == 4 and local.hour >= 20)
            or (local.weekday() == 6 and local.hour < 20)
        )
        trading_day = (local + timedelta(hours=4)).date()
        weekend |= trading_day in holidays or (trading_day in early and 13 <= local.hour < 20)
        trading = local.weekday() < 5 and 10 <= local.hour < 16 and not weekend
        assert phase[t] == (CLOSED if weekend else CASH if trading else EXTENDED), moment


def test_no_hours() -> None:
    none = np.array([], np.int64)

    assert [a.shape for a in us_equity_hours(none)] == [(0,)] * 4
    assert open_at(none, "24/5").shape == (0,)


def test_open_at() -> None:
    time_ns = np.array([utc("2026-08-14 20:00"), utc("2026-08-14 14:00"), utc("2026-08-15 00:00")])

    assert open_at(time_ns, "24/7").tolist() == [True, True, True]
    assert open_at(time_ns, "24/5").tolist() == [True, True, False]
    assert open_at(time_ns, "cash").tolist() == [False, True, False]
    assert open_at(time_ns, "cash").dtype == np.bool_


def test_open_at_an_unknown_session() -> None:
    with pytest.raises(RequestError, match=r'session "24/6" is unknown; did you mean 24/'):
        open_at(hours("2026-08-14 20:00", 1), "24/6")


@pytest.mark.shared
def test_robinhood_quotes_stand_still_while_closed(shared_data: Path) -> None:
    # Recorded quotes of August 2026 freeze from Friday 20:00 to Sunday 20:00 New York.
    quotes = read_dataset(shared_data / "xyz-2026-08").tokens.filter(pl.col("token") == "NVDA.RH")
    # By the time of the poll: a row at Friday 20:00 may hold a quote seen at 19:40.
    time_ns = quotes["observed"].cast(pl.Int64).to_numpy() * 1_000_000
    closed = ~open_at(time_ns, "24/5")
    moved = np.diff(quotes["bid_px"].to_numpy()) != 0

    assert np.count_nonzero(closed) > 40
    assert not moved[closed[1:] & closed[:-1]].any()
    assert moved[~closed[1:] & ~closed[:-1]].mean() > 0.9
