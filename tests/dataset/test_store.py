"""The store: what is added comes back, once, completed and never contradicted."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from perpkit.dataset.store import Store
from perpkit.errors import DataError, PerpkitError, RequestError

from .made import tree

START = datetime(2026, 1, 31, 20, tzinfo=UTC)
HOUR_MS = 3_600_000


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def hours(count: int, start: datetime = START) -> pl.Series:
    times = [start + timedelta(hours=n) for n in range(count)]
    return pl.Series("time", times, pl.Datetime("ms", "UTC"))


def perps(coin: str | None = "xyz:NVDA", count: int = 8, **columns: object) -> pl.DataFrame:
    given = {"mark_px": [180.0 + n for n in range(count)], **columns}
    return pl.DataFrame(
        {"time": hours(count), "coin": pl.Series([coin] * count, dtype=pl.String), **given}
    )


def fill(folder: Path, frame: pl.DataFrame, *, replace: bool = False) -> None:
    with Store(folder).writer(replace=replace) as writer:
        writer.add("perps", frame)


def fail(folder: Path, frame: pl.DataFrame) -> None:
    """Stop in the middle of a block, as an error of the caller does."""
    with suppress(ZeroDivisionError), Store(folder).writer() as writer:
        writer.add("perps", frame)
        raise ZeroDivisionError


def fault(folder: Path, frame: pl.DataFrame, kind: type[PerpkitError] = DataError) -> str:
    before = tree(folder)
    with pytest.raises(kind) as caught:
        fill(folder, frame)
    assert tree(folder) == before, "nothing is half written"
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_come_back_by_instrument_and_span(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "b")
    with store.writer() as writer:
        writer.add("perps", perps().reverse())
        writer.add("perps", perps("_", 2))
        writer.add("funding", pl.DataFrame({"time": hours(1), "coin": "xyz:NVDA", "funding": 1e-5}))

    parts = store.parts("perps")
    assert [(p.instrument, p.month, p.rows) for p in parts] == [
        ("_", "2026-01", 2),
        ("xyz:NVDA", "2026-01", 4),
        ("xyz:NVDA", "2026-02", 4),
    ]
    assert parts[1].name.startswith("perps/xyz%3ANVDA.2026-01.")
    assert parts[0].name.startswith("perps/%5F.2026-01.")
    assert parts[1].first_ms == ms(START)
    assert parts[2].last_ms == store.last_ms("perps", "xyz:NVDA") == ms(START) + 7 * HOUR_MS
    assert store.last_ms("tokens", "NVDAon") is None
    rows = store.rows("perps", "xyz:NVDA", ms(START) + HOUR_MS, ms(START) + 5 * HOUR_MS)
    assert rows["mark_px"].to_list() == [181.0, 182.0, 183.0, 184.0, 185.0]
    assert rows["oracle_px"].null_count() == 5
    assert pl.read_parquet(parts[1].path).columns == ["time", "coin", "mark_px"]
    assert {p.name for p in store.folder.iterdir()} == {"perps", "funding", "store.json"}


def test_a_row_is_completed_and_an_equal_one_dropped(tmp_path: Path) -> None:
    fill(tmp_path, perps())
    before = tree(tmp_path)
    fill(tmp_path, perps(count=3))
    assert tree(tmp_path) == before

    fill(tmp_path, perps(count=2).drop("mark_px").with_columns(oracle_px=pl.Series([1.0, 2.0])))

    rows = Store(tmp_path).rows("perps", "xyz:NVDA")
    assert rows["oracle_px"].to_list()[:3] == [1.0, 2.0, None]
    assert rows["mark_px"].to_list() == perps()["mark_px"].to_list()
    assert len(Store(tmp_path).parts("perps")) == 2
    assert len(list((tmp_path / "perps").iterdir())) == 2, "the part replaced is gone"


def test_one_store_sees_what_another_wrote(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    assert one.parts("perps") == []
    fill(tmp_path, perps(count=1))
    assert [part.rows for part in one.parts("perps")] == [1]
    with other.writer() as writer:
        writer.add("perps", perps(count=2))
    assert [part.rows for part in one.parts("perps")] == [2]


def test_a_differing_cell_is_refused_unless_replaced(tmp_path: Path) -> None:
    fill(tmp_path, perps())
    other = perps(count=2, mark_px=[180.0, 99.0], oracle_px=[None, 5.0])

    assert fault(tmp_path, other) == (
        "perps: mark_px of xyz:NVDA at 2026-01-31 21:00Z is 181.0 there and 99.0 in what is added; "
        "find out which is right, or let the new rows replace the old"
    )

    fill(tmp_path, other, replace=True)
    rows = Store(tmp_path).rows("perps", "xyz:NVDA")
    assert rows["mark_px"].to_list()[:3] == [180.0, 99.0, 182.0]
    fill(tmp_path, perps(count=2, mark_px=[None, None], oracle_px=[7.0, None]), replace=True)
    rows = Store(tmp_path).rows("perps", "xyz:NVDA")
    assert rows["mark_px"].to_list()[:2] == [180.0, 99.0], "a null replaces nothing"
    assert rows["oracle_px"].to_list()[:2] == [7.0, 5.0]


def test_two_chunks_of_one_writer_may_not_contradict_each_other(tmp_path: Path) -> None:
    both = pl.concat([perps(count=1), perps(count=1, mark_px=[1.0])])
    assert "is 180.0 there and 1.0 in what is added" in fault(tmp_path, both)


def test_rows_that_name_no_instrument_are_rows_like_others(tmp_path: Path) -> None:
    def add(value: float | None) -> None:
        frame = {"time": hours(1), "instrument": None, "kind": "adl", "value": value}
        types = {"instrument": pl.String, "value": pl.Float64}
        with Store(tmp_path).writer() as writer:
            writer.add("shocks", pl.DataFrame(frame, schema_overrides=types))

    add(None)
    add(0.5)
    add(0.5)
    with pytest.raises(DataError, match=r"shocks: value at 2026-01-31 20:00Z is 0.5 there and 1"):
        add(1.0)
    (part,) = Store(tmp_path).parts("shocks")
    assert (part.instrument, part.rows) == (None, 1)
    assert part.name.startswith("shocks/_.2026-01.")
    assert Store(tmp_path).rows("shocks", None)["value"].to_list() == [0.5]
    assert Store(tmp_path).last_ms("shocks", None) == ms(START)


def test_the_two_zeros_are_one(tmp_path: Path) -> None:
    for n, order in enumerate([(0.0, -0.0), (-0.0, 0.0)]):
        for zero in order:
            fill(tmp_path / str(n), perps(count=1, premium=[zero]))
    assert tree(tmp_path / "0") == tree(tmp_path / "1")


FIRST = hours(1)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"mark_pz": 1.0}, "perps: there is no column mark_pz; did you mean mark_px?"),
        ({"coin": None}, "perps: coin is null in 1 of the rows added"),
        ({"time": FIRST.dt.replace_time_zone(None)}, "perps: time names no time zone"),
        ({"mark_px": ["1"]}, "perps: mark_px is of type String, not Float64"),
        ({"mark_px": [float("nan")]}, "perps: mark_px of xyz:NVDA is NaN in 1 row"),
        ({"time": FIRST.dt.offset_by("1m")}, "perps: time of xyz:NVDA is off the hour"),
        ({"time": FIRST.dt.offset_by("1000y")}, "is not within the years 2000 to 2100"),
    ],
)
def test_what_the_reader_would_refuse_is_not_let_in(
    tmp_path: Path, columns: dict[str, object], says: str
) -> None:
    assert says in fault(tmp_path, perps(count=1, **columns))


def test_the_keys_must_be_there(tmp_path: Path) -> None:
    assert fault(tmp_path, perps().drop("time")) == (
        "perps: column time is missing in the rows added; add it"
    )


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no table is named perp; did you mean perps"):
        Store(tmp_path).parts("perp")


def test_a_plain_dataset_is_left_alone(tiny_dataset: Path) -> None:
    assert "holds perps.parquet of a dataset" in fault(tiny_dataset, perps(), RequestError)


def test_an_error_of_the_caller_is_told_as_it_is(tmp_path: Path) -> None:
    """Errors of a network are OSErrors too, and no fault of the folder."""
    with pytest.raises(ConnectionError, match="reset"), Store(tmp_path / "new").writer():
        raise ConnectionError("reset")
    assert not (tmp_path / "new").exists()


def test_a_disk_that_refuses_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert fault(tmp_path / "file" / "new", perps(), RequestError).startswith(
        f"{tmp_path / 'file' / 'new'} cannot be written (Not a directory); make room there"
    )
    assert "is a file; name a folder" in fault(tmp_path / "file", perps(), RequestError)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    fill(tmp_path / "store", perps())
    for place in ("staging.Staging.add", "writer.put", "writer.publish"):
        with monkeypatch.context() as patch:
            patch.setattr(f"perpkit.dataset.{place}", full)
            message = fault(tmp_path / "store", perps("xyz:AAPL"), RequestError)
            assert "cannot be written (No space left on device)" in message


def test_a_failing_block_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    fail(folder, perps())
    assert not folder.exists()

    fill(folder, perps())
    before = tree(folder)
    fail(folder, perps("xyz:AAPL"))
    assert tree(folder) == before
