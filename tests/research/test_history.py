"""Reading settled funding: folders, files, stamps, intervals, repeats, faults."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.errors import DataError, RequestError
from perpkit.research.history import intervals, read_history
from perpkit.units import HOUR_NS, to_ns

START = datetime(2026, 8, 12, 0, tzinfo=UTC)
DEMO = Path(__file__).parents[2] / "data" / "demo"


def write(path: Path, hours: list[float], coin: str = "xyz:A", **columns: object) -> Path:
    """A file of settlements at these hours after START."""
    told: dict[str, object] = {
        "time": pl.Series(
            [START + timedelta(hours=h) for h in hours], dtype=pl.Datetime("ms", "UTC")
        ),
        "coin": coin,
        "funding": 0.0000125,
        "premium": 0.0001,
        **columns,
    }
    pl.DataFrame(told).write_parquet(path)
    return path


def hours_of(path: Path, coin: str = "xyz:A") -> list[int]:
    own = read_history(path).settled[coin]
    return ((own.time_ns - to_ns(START)) // HOUR_NS).tolist()


# --------------------------------------------------------------------------- intervals


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([0, 1, 2, 3], [1, 1, 1, 1]),
        ([0, 8, 16, 24], [8, 8, 8, 8]),
        ([0, 1, 2, 4, 5, 6, 7], [1] * 7),  # an hour is missing
        ([0, 1, 2, 3, 223, 224, 225, 226], [1] * 8),  # nine days are
        ([0, 8, 16, 24, 25, 26, 27], [8, 8, 8, 8, 1, 1, 1]),  # the interval changed
        ([0, 1, 2, 3, 11, 19, 27, 35], [1, 1, 1, 1, 8, 8, 8, 8]),
        ([0, 4, 12, 16], [4, 4, 4, 4]),  # no run of three: the least distance
        ([0, 5, 10, 15, 16], [1] * 5),  # five hours are no interval
        ([0, 1, 2, 4, 6, 8, 9], [1] * 7),  # gaps that repeat by chance
        (
            [*range(4), *range(11, 115, 8), 108, 109, 110],
            [1] * 4 + [8] * 13 + [1] * 3,
        ),  # an interval for days
    ],
)
def test_intervals_from_stamps(hours: list[int], expected: list[int]) -> None:
    found = intervals(np.array(hours, np.int64) * HOUR_NS)
    assert found is not None
    assert found.tolist() == expected


@pytest.mark.parametrize("hours", [[0], [0, 30, 61]])
def test_stamps_that_show_no_interval(hours: list[int], tmp_path: Path) -> None:
    assert intervals(np.array(hours, np.int64) * HOUR_NS) is None
    path = write(tmp_path / "f.parquet", [float(h) for h in hours])
    with pytest.raises(DataError, match=r"show no interval.*--interval-hours"):
        read_history(path)
    told = read_history(path, interval_hours=8).settled["xyz:A"]
    assert told.hours.tolist() == [8] * len(hours)


def test_an_interval_must_divide_the_day(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", [0, 1, 2])
    with pytest.raises(RequestError, match="interval 5 h does not divide a day"):
        read_history(path, interval_hours=5)


# --------------------------------------------------------------------------- stamps


def test_late_stamps_belong_to_their_hour(tmp_path: Path) -> None:
    late = 1 / 3_600  # a second
    path = write(tmp_path / "f.parquet", [0, 1 + 0.039 * late, 2 + 111 * late, 3 + 600 * late])
    assert hours_of(path) == [0, 1, 2, 3]
    assert read_history(path).faults == ()


def test_more_than_ten_minutes_late_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", [0, 1, 2 + 601 / 3_600, 3, 4])
    history = read_history(path)
    (fault,) = history.faults
    assert (fault.coin, fault.rows) == ("xyz:A", 1)
    assert history.settled["xyz:A"].time_ns.size == 4
    with pytest.raises(DataError, match="more than ten minutes past the hour in 1 rows"):
        history.refuse_faults()


def test_a_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", [0, 1, 1, 2 + 0.00001, 2 + 0.00002])
    history = read_history(path)
    assert history.repeated == 2  # one stamp for stamp, one some milliseconds later
    assert history.settled["xyz:A"].time_ns.size == 3
    history.refuse_faults()


def test_two_rates_of_one_hour_are_a_fault(tmp_path: Path) -> None:
    stamps, rates = [0, 1, 1 + 0.00001, 2], [1e-5, 1e-5, 2e-5, 1e-5]
    history = read_history(write(tmp_path / "f.parquet", stamps, funding=rates))
    (fault,) = history.faults
    assert (fault.what, fault.rows) == ("has two settlements that differ", 1)
    assert history.settled["xyz:A"].funding.tolist() == [1e-5, 1e-5, 1e-5]
    with pytest.raises(DataError, match=r"two settlements that differ.*2026-08-12 01:00Z"):
        history.refuse_faults()


# --------------------------------------------------------------------------- sources


def test_a_file_names_its_venue_by_prefix_or_as_told(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", [0, 1, 2], coin=["BTC", "BTC", "BTC"])
    assert read_history(path).coins["BTC"].venue == "hyperliquid"
    assert read_history(path, venue="baseline").coins["BTC"].venue == "baseline"
    other = write(tmp_path / "g.parquet", [0, 1, 2])
    assert read_history(other).coins["xyz:A"].venue == "xyz"
    with pytest.raises(RequestError, match="a dataset names it for each perp"):
        read_history(DEMO, venue="xyz")


def test_a_file_without_premium_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pl.read_parquet(write(path, [0, 1, 2])).drop("premium").write_parquet(path)
    assert np.isnan(read_history(path).settled["xyz:A"].premium).all()


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"funding": float("nan")}, "funding of xyz:A is NaN in 3 rows"),
        ({"funding": 12.5}, "funding of xyz:A is 1 or more in size"),
        ({"coin": [None, "xyz:A", "xyz:A"]}, "coin is null in 1 row"),
        ({"funding": [1e-5, 2e-5, 3e-5], "time": [START] * 3}, "repeats another row's"),
    ],
)
def test_a_faulty_file_is_refused(columns: dict[str, object], says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", [0, 1, 2])
    frame = pl.read_parquet(path)
    for name, value in columns.items():
        series = pl.Series(name, value if isinstance(value, list) else [value] * 3)
        frame = frame.with_columns(series.cast(frame.schema[name]))
    frame.write_parquet(path)
    with pytest.raises(DataError, match=says):
        read_history(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pl.read_parquet(write(path, [0, 1])).clear().write_parquet(path)
    with pytest.raises(DataError, match="holds no row"):
        read_history(path)


def test_the_funding_table_wins_over_the_column_of_perps(tiny_dataset: Path) -> None:
    history = read_history(tiny_dataset)
    assert (history.file, history.formed) == ("funding.parquet", False)
    assert list(history.settled) == ["xyz:NVDA", "xyz:AAPL"]
    (tiny_dataset / "funding").mkdir()
    (tiny_dataset / "funding.parquet").rename(tiny_dataset / "funding" / "all.parquet")
    assert read_history(tiny_dataset).file == "funding/"
    shutil.rmtree(tiny_dataset / "funding")
    again = read_history(tiny_dataset)
    assert again.file == "perps.parquet"
    assert again.settled["xyz:NVDA"].premium.tolist() == [0.001 * n for n in range(6)]


def test_external_prices_without_a_record_are_formed_and_said_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "short"
    shutil.copytree(DEMO, folder)
    for name in ("perps", "tokens"):
        frame = pl.read_parquet(folder / f"{name}.parquet")
        first = frame.filter(pl.col("time") < pl.col("time").min() + pl.duration(days=3))
        first.write_parquet(folder / f"{name}.parquet")
    history = read_history(folder)
    assert history.formed
    assert all(own.time_ns.size == 72 for own in history.settled.values())
    assert not read_history(folder, form_absent=False).settled
