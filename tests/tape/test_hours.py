"""Sessions on the tape: each underlying keeps the calendar that its venue names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit.arrays import Phase, Tape
from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.errors import DataError
from perpkit.sessions import session_hours
from perpkit.tape import Market, form, sessions_used
from perpkit.tape.hours import lay_hours
from perpkit.units import to_ns

NVDA, AAPL, USDY = 1, 0, 2  # underlyings, by the alphabet


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    (tiny_dataset / "actions.parquet").unlink()  # needs a recorded multiplier
    return tiny_dataset


def market(folder: Path) -> Market:
    return form(
        read_dataset(folder),
        RunConfig(funding="recorded", tokens=("USDY",), multiplier={"USDY": 1.0}),
    )


def moved(folder: Path, start: datetime) -> Path:
    """The same six hours from another instant."""
    for name in ("perps", "funding", "tokens"):
        path = folder / f"{name}.parquet"
        rows = pl.read_parquet(path)
        later = pl.lit(start) - rows["time"].min()
        rows.with_columns((pl.col("time") + later).cast(pl.Datetime("ms", "UTC"))).write_parquet(
            path
        )
    return folder


def with_sessions(folder: Path, *told: tuple[str, str, int]) -> tuple[Tape, tuple[str, ...]]:
    """The tape of a dataset whose venues name these sessions: coin, session, since when."""
    made = market(folder)
    terms = [
        made.resolved.used[0]._replace(key="external_session", coins=(c,), value=s, from_ns=ns)
        for c, s, ns in told
    ]
    others = [term for term in made.resolved.used if term.key != "external_session"]
    resolved = made.resolved._replace(used=[*others, *terms])
    lay_hours(made.tape, made.names, resolved)
    return made.tape, sessions_used(made.names, resolved, made.tape.time_ns)


def test_each_underlying_keeps_its_own_session(tiny: Path) -> None:
    tape, used = with_sessions(tiny, ("xyz:NVDA", "korea", 0), ("xyz:AAPL", "us_index_futures", 0))

    # Wednesday 12 August 2026, 05:00Z to 10:00Z: 14:00 to 19:00 in Seoul, 01:00 to 06:00 in New
    # York. Seoul closes at 15:30 (06:30Z), after-hours trading ends at 20:00 (11:00Z).
    assert tape.phase[:, NVDA].tolist() == [2, 2, 1, 1, 1, 1]
    assert tape.hours_to_close[:, NVDA].tolist() == [1.5, 0.5, 4, 3, 2, 1]
    assert tape.phase[:, AAPL].tolist() == [1] * 6
    assert tape.hours_to_close[:, AAPL].tolist() == [16, 15, 14, 13, 12, 11]  # 17:00, 21:00Z
    # A token's underlying without a perp: the US pricing week, until Saturday 00:00Z.
    assert tape.hours_to_close[:, USDY].tolist() == [67, 66, 65, 64, 63, 62]
    assert tape.hours_to_cash_open[:, USDY].tolist() == [8.5, 7.5, 6.5, 5.5, 4.5, 3.5]
    assert used == ("us_24_5", "us_index_futures", "korea")


def test_a_venue_that_names_no_calendar(tiny: Path) -> None:
    tape, used = with_sessions(tiny, ("xyz:NVDA", "24/7", 0))
    told = session_hours(tape.time_ns, "us_24_5")

    for name, column in told._asdict().items():
        for u in (AAPL, NVDA):
            np.testing.assert_array_equal(getattr(tape, name)[:, u], column)
    assert used == ("us_24_5",)


def test_a_session_from_a_date_on(tiny: Path) -> None:
    # A company before its listing, listed at 08:00Z.
    listed = to_ns(datetime(2026, 8, 12, 8, tzinfo=UTC))
    tape, used = with_sessions(tiny, ("xyz:NVDA", "none", 0), ("xyz:NVDA", "us_24_5", listed))

    assert tape.phase[:, NVDA].tolist() == [0, 0, 0, 1, 1, 1]
    assert tape.hours_to_close[:, NVDA].tolist() == [0, 0, 0, 64, 63, 62]
    assert tape.hours_to_reopen[:, NVDA].tolist() == [np.inf] * 3 + [0] * 3
    assert used == ("us_24_5", "none")


def test_a_holiday_reaches_phases_and_quotes(tiny: Path) -> None:
    # Sunday 6 September 2026, 22:00Z: two hours before the overnight session that Labor Day skips.
    tape = market(moved(tiny, datetime(2026, 9, 6, 22, tzinfo=UTC))).tape

    assert set(tape.phase[:, NVDA]) == {Phase.CLOSED}
    assert tape.hours_to_reopen[:, NVDA].tolist() == [26, 25, 24, 23, 22, 21]
    assert not tape.quoted.any()  # Ondo quotes 24/5
    # A week later the same hours: the session opens.
    later = market(moved(tiny, datetime(2026, 9, 13, 22, tzinfo=UTC))).tape
    assert later.phase[:, NVDA].tolist() == [0, 0, 1, 1, 1, 1]
    assert later.quoted[:, 0].tolist() == [False, False, True, True, True, True]


def test_hours_outside_the_tables_end_the_run(tiny: Path) -> None:
    folder = moved(tiny, datetime(2029, 3, 5, 10, tzinfo=UTC))
    with pytest.raises(DataError, match=r"2029-03-05 15:00Z is outside the tables.*--to YEAR"):
        market(folder)


def test_a_strategy_sees_the_hours_to_close(tmp_path: Path) -> None:
    path = tmp_path / "watch.py"
    path.write_text(
        "def decide(t, past, book, p, mine, target):\n"
        "    if past.hours_to_close[-1, 0] == 3.0:\n        target.perps[0] = -1.0\n"
        "    if past.hours_to_close[-1, 0] == 1.0:\n        target.perps[0] = 0.0\n"
    )
    start = datetime(2025, 10, 17, 12, tzinfo=UTC)  # Friday
    config = {"start": start, "end": start + timedelta(hours=24), "coins": ["sim:ORCA"]}
    result = perpkit.backtest(path, config=config, pure_python=True)
    fills = result.frames["fills"].filter(pl.col("instrument").str.starts_with("sim:"))

    # Friday 20:00 New York is Saturday 00:00Z: decided at 21:00Z and 23:00Z, an hour before done.
    assert [time.hour for time in fills["decided_at"]] == [21, 23]
    assert [time.hour for time in fills["time"]] == [22, 0]
