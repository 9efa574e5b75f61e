"""Tables on the hourly clock: gaps carried, flagged and refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.arrays import F64
from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.errors import DataError
from perpkit.tape import form
from perpkit.tape.grid import (
    carry,
    hours_between,
    lay,
    place,
    refuse_gaps,
    rows_since,
    times_ns,
)
from perpkit.units import HOUR_NS, to_ns

NAN = float("nan")
START = datetime(2026, 8, 12, 5, tzinfo=UTC)


# ------------------------------------------------------------------- the clock


@given(st.integers(0, 900_000), st.integers(0, 50_000))
def test_every_hour_from_first_to_last(first: int, hours: int) -> None:
    made = hours_between(first * HOUR_NS, (first + hours) * HOUR_NS)
    assert len(made) == hours + 1
    assert (made[0], made[-1]) == (first * HOUR_NS, (first + hours) * HOUR_NS)
    assert (np.diff(made) == HOUR_NS).all()


def test_hours_end_at_or_before_the_last_instant() -> None:
    assert hours_between(0, 2 * HOUR_NS - 1).tolist() == [0, HOUR_NS]


def test_times_keep_their_milliseconds() -> None:
    frame = pl.DataFrame({"time": [START + timedelta(milliseconds=39)]})
    ms = frame.with_columns(pl.col("time").dt.cast_time_unit("ms"))
    assert times_ns(ms).tolist() == [to_ns(START) + 39_000_000]


def test_place_and_lay() -> None:
    time_ns = hours_between(to_ns(START), to_ns(START + timedelta(hours=2)))
    frame = pl.DataFrame(
        {
            "time": [START + timedelta(hours=h) for h in (-1, 0, 2, 1, 3, 1)],
            "coin": ["a", "a", "a", "b", "b", "stranger"],
            "px": [1.0, 2.0, None, 4.0, 5.0, 6.0],
        }
    )
    at = place(frame, "coin", ("a", "b"), time_ns)
    assert at.keep.tolist() == [False, True, True, True, False, False]
    assert at.row.tolist() == [0, 2, 1]
    assert at.column.tolist() == [0, 0, 1]
    made = lay(frame, "px", at, (3, 2))
    np.testing.assert_array_equal(made, [[2.0, NAN], [NAN, 4.0], [NAN, NAN]])


# ------------------------------------------------------------------- carrying


def test_rows_since_and_carry_by_hand() -> None:
    grid = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [NAN, 4.0], [5.0, NAN]])
    age = rows_since(~np.isnan(grid))
    assert age.tolist() == [[-1, 0], [0, 1], [1, 2], [2, 0], [0, 1]]
    carried = carry(grid, age)
    np.testing.assert_array_equal(carried[:, 0], [NAN, 2.0, 2.0, 2.0, 5.0])
    np.testing.assert_array_equal(carried[:, 1], [1.0, 1.0, 1.0, 4.0, 4.0])


def test_an_hour_that_is_there_keeps_its_absent_values() -> None:
    # The second hour has a price and no book: it does not inherit the book of the first.
    book = np.array([[9.0], [NAN], [NAN]])
    age = rows_since(np.array([[True], [True], [False]]))
    np.testing.assert_array_equal(carry(book, age), [[9.0], [NAN], [NAN]])
    # Nor is there a book before the first price.
    listed_second = np.array([[-1], [0], [1]])
    np.testing.assert_array_equal(
        carry(np.array([[9.0], [8.0], [NAN]]), listed_second), [[NAN], [8.0], [8.0]]
    )


@given(st.lists(st.one_of(st.none(), st.floats(1, 2)), min_size=1, max_size=40))
def test_carry_is_the_last_value_seen(values: list[float | None]) -> None:
    grid = np.array([[NAN if x is None else x] for x in values])
    made = carry(grid, rows_since(~np.isnan(grid)))
    last = NAN
    for t, value in enumerate(values):
        last = last if value is None else value
        assert made[t, 0] == last or (np.isnan(made[t, 0]) and np.isnan(last))


# ------------------------------------------------------------------- refusing


def aged(present: str) -> np.ndarray:
    return rows_since(np.array([[x == "x"] for x in present]))


def refused(present: str, limit: int) -> str:
    time_ns = hours_between(to_ns(START), to_ns(START + timedelta(hours=len(present) - 1)))
    with pytest.raises(DataError) as error:
        refuse_gaps(aged(present), ("NVDA",), time_ns, limit, "perps.parquet: mark_px")
    return str(error.value)


@pytest.mark.parametrize("present", ["x...x", "x..x...x", "....x", "x...", "xxxx"])
def test_gaps_up_to_the_limit_pass(present: str) -> None:
    time_ns = hours_between(to_ns(START), to_ns(START + timedelta(hours=len(present) - 1)))
    refuse_gaps(aged(present), ("NVDA",), time_ns, 3, "")


@pytest.mark.parametrize(
    ("present", "hours", "since"),
    [
        ("xx....x", 4, "07:00Z"),
        ("x.x.....x.....", 5, "08:00Z"),  # the first of two
        ("xxx......", 6, "08:00Z"),  # to the end
    ],
)
def test_longer_gap_is_told_whole(present: str, hours: int, since: str) -> None:
    assert refused(present, 3) == (
        f"perps.parquet: mark_px of NVDA is missing for {hours} hours from 2026-08-12 {since}, "
        "longer than max_stale_hours = 3; fill it at the source, raise max_stale_hours, or choose "
        "another start and end"
    )


def test_no_gap_at_all_where_none_is_allowed() -> None:
    assert "missing for 1 hours" in refused("x.x", 0)


# ------------------------------------------------------------------- on a dataset


def without(folder: Path, table: str, name: str, hours: list[int]) -> None:
    """Take rows of an instrument out of a table, and the dividend that needs a multiplier."""
    path = folder / f"{table}.parquet"
    rows = pl.read_parquet(path)
    key = {"perps": "coin", "tokens": "token"}[table]
    gone = (pl.col(key) == name) & pl.col("time").is_in([START + timedelta(hours=h) for h in hours])
    rows.filter(~gone).write_parquet(path)
    (folder / "actions.parquet").unlink(missing_ok=True)


def column(grid: F64, m: int) -> list[float]:
    return [float(x) for x in grid[:, m]]


def test_short_gap_is_carried_flagged_and_still_pays(tiny_dataset: Path) -> None:
    without(tiny_dataset, "perps", "xyz:NVDA", [2, 3, 4])
    market = form(read_dataset(tiny_dataset), RunConfig())
    tape = market.tape
    assert tape.stale[:, 0].tolist() == [False, False, True, True, True, False]
    assert not tape.stale[:, 1].any()
    # Mark 180 (1 + 0.001 n): carried from hour 1, 180.18; hour 5 is 180.9.
    marks = [180.0, 180.18, 180.18, 180.18, 180.18, 180.9]
    assert column(tape.mark_px, 0) == pytest.approx(marks, abs=1e-9)
    assert column(tape.oracle_px, 0) == [180.0] * 6
    assert column(tape.impact_bid_px, 0)[2:5] == pytest.approx([180.17] * 3, abs=1e-9)
    assert column(tape.volume_usd, 0) == [1e7] * 6
    assert tape.due[:, 0].all()
    assert column(tape.funding, 0) == [0.0000125] * 6, "recorded funding is paid all the same"
    assert market.facts["stale_perp_hours"] == 3


def test_longer_gap_is_refused_by_name(tiny_dataset: Path) -> None:
    without(tiny_dataset, "perps", "xyz:NVDA", [1, 2, 3, 4])
    says = re.escape(
        "perps.parquet: oracle_px and mark_px of xyz:NVDA is missing for 4 hours from "
        "2026-08-12 06:00Z, longer than max_stale_hours = 3; fill it at the source"
    )
    with pytest.raises(DataError, match=says):
        form(read_dataset(tiny_dataset), RunConfig())
    market = form(read_dataset(tiny_dataset), RunConfig(max_stale_hours=4))
    assert market.tape.stale[:, 0].sum() == 4
    assert form(read_dataset(tiny_dataset), RunConfig(coins=("xyz:AAPL",))).names.tokens == ()


def test_missing_quotes_are_carried_or_refused(tiny_dataset: Path) -> None:
    without(tiny_dataset, "tokens", "NVDAon", [2, 3])
    tape = form(read_dataset(tiny_dataset), RunConfig()).tape
    assert tape.token_stale[:, 0].tolist() == [False, False, True, True, False, False]
    assert column(tape.bid_px, 0) == pytest.approx([180.0 * 0.999] * 6, abs=1e-9)
    with pytest.raises(
        DataError, match=r"^tokens\.parquet: quote of NVDAon is missing for 2 hours"
    ):
        form(read_dataset(tiny_dataset), RunConfig(max_stale_hours=1))


def test_quotes_that_end_early_are_a_gap(tiny_dataset: Path) -> None:
    without(tiny_dataset, "tokens", "NVDAon", [2, 3, 4, 5])
    with pytest.raises(DataError, match=r"4 hours from 2026-08-12 07:00Z.* another start and end"):
        form(read_dataset(tiny_dataset), RunConfig())


def test_coin_listed_later_is_absent_before(tiny_dataset: Path) -> None:
    # Six hours without a price before a listing are no gap.
    without(tiny_dataset, "perps", "xyz:NVDA", [0, 1, 2, 3])
    market = form(read_dataset(tiny_dataset), RunConfig())
    tape = market.tape
    for name in ("oracle_px", "mark_px", "high_px", "low_px", "funding"):
        values = getattr(tape, name)[:, 0]
        assert np.isnan(values[:4]).all(), name
        assert not np.isnan(values[4:]).any(), name
    assert tape.stale[:, 0].tolist() == [True] * 4 + [False] * 2
    assert tape.due[:, 0].tolist() == [False] * 4 + [True] * 2
    assert column(tape.funding_total, 0) == pytest.approx([0.0] * 4 + [1.25e-5, 2.5e-5], abs=1e-18)
    assert market.facts["stale_perp_hours"] == 0


def test_token_listed_later_is_absent_before(tiny_dataset: Path) -> None:
    without(tiny_dataset, "tokens", "NVDAon", [0, 1, 2, 3])
    tape = form(read_dataset(tiny_dataset), RunConfig()).tape
    assert np.isnan(tape.bid_px[:4, 0]).all()
    assert np.isnan(tape.fair_px[:4, 0]).all()
    assert tape.token_stale[:, 0].tolist() == [True] * 4 + [False] * 2
    assert not tape.live.any()
    assert column(tape.fair_px, 0)[4:] == pytest.approx([180.0, 180.0], abs=1e-9)
