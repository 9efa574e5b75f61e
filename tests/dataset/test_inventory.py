"""What ``perpkit data show`` finds: hours and gaps, sources, terms, opening few files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.dataset.content import read_parts
from perpkit.dataset.parts import Part
from perpkit.dataset.schema import FUNDING, PERPS, Table
from perpkit.dataset.store import Store
from perpkit.errors import DataError
from perpkit.research import coverage
from perpkit.research.coverage import Coverage, Gap, Run, of_frame, of_parts
from perpkit.research.inventory import NOT_SAID, take_inventory
from perpkit.units import HOUR_MS

from .made import SPELLS, TIME, TOML, plain, stored, tables

FIRST, SECOND = (round(start.timestamp()) // 3600 for start in SPELLS)  # hours since 1970


def rows(hours: Sequence[int], late_ms: int = 0) -> pl.DataFrame:
    times = [hour * HOUR_MS + late_ms for hour in hours]
    return pl.DataFrame({"coin": "xyz:NVDA", "time": pl.Series(times, dtype=pl.Int64).cast(TIME)})


def both(tmp_path: Path, table: Table, hours: Sequence[int], late_ms: int = 0) -> Coverage:
    """Coverage of rows, once from a frame and once from a store, which must agree."""
    value = {"perps": "mark_px", "funding": "funding"}[table.name]
    frame = rows(hours, late_ms).with_columns(pl.lit(0.5).alias(value))
    with Store(tmp_path).writer() as writer:
        writer.add(table.name, frame)
    (one,) = of_frame(table, frame)
    (other,) = of_parts(table, Store(tmp_path).parts(table.name))
    assert one._replace(runs=()) == other._replace(runs=())
    assert one.gaps == other.gaps
    return other


def test_gaps_within_a_month_and_over_its_end(tmp_path: Path) -> None:
    # FIRST is 20:00 of 31 January, so February begins at FIRST + 4.
    found = both(tmp_path, PERPS, [FIRST + n for n in (0, 1, 3, 6, 7, 11)])
    assert found.gaps == [Gap(FIRST + 2, 1), Gap(FIRST + 4, 2), Gap(FIRST + 8, 3)]
    assert (found.rows, found.first_ms, found.last_ms) == (
        6,
        FIRST * HOUR_MS,
        (FIRST + 11) * HOUR_MS,
    )


def test_a_month_without_a_row_is_one_gap(tmp_path: Path) -> None:
    found = both(tmp_path, PERPS, [FIRST, FIRST + 1, SECOND + 5])
    assert found.gaps == [Gap(FIRST + 2, SECOND + 5 - FIRST - 2)]


def test_hours_on_end_are_one_run_over_the_end_of_a_month(tmp_path: Path) -> None:
    found = both(tmp_path, PERPS, range(FIRST, FIRST + 10))
    assert found.runs == (Run(FIRST, FIRST + 9, 1),)
    assert found.gaps == []


def test_settlements_may_be_late_and_hours_apart(tmp_path: Path) -> None:
    start = FIRST - 20  # midnight
    found = both(tmp_path, FUNDING, [start + 8 * n for n in range(12) if n not in (4, 5)], 40)
    assert found.gaps == [Gap(start + 32, 16)]
    assert list(found.share(np.array([start, start + 32, start + 48, start + 64]))) == [1, 0, 1]


def test_hourly_settlements_lack_an_hour(tmp_path: Path) -> None:
    found = both(tmp_path, FUNDING, [FIRST + n for n in range(12) if n != 7], 40)
    assert found.gaps == [Gap(FIRST + 7, 1)]


def test_one_settlement_alone_lacks_nothing(tmp_path: Path) -> None:
    assert both(tmp_path, FUNDING, [FIRST], 40).gaps == []


def test_the_share_of_a_slice_is_1_only_where_all_is_there(tmp_path: Path) -> None:
    found = both(tmp_path, PERPS, [FIRST + n for n in (2, 3, 4, 5, 7, 12)])
    edges = np.array([FIRST, FIRST + 2, FIRST + 6, FIRST + 8, FIRST + 12, FIRST + 14])
    assert list(found.share(edges)) == [0.0, 1.0, 0.5, 0.0, 0.5]


def test_a_store_and_the_plain_dataset_of_its_rows_show_the_same(tmp_path: Path) -> None:
    one, other = take_inventory(plain(tmp_path / "plain")), take_inventory(stored(tmp_path / "s"))
    a, b = one.to_dict(), other.to_dict()
    assert (a.pop("store"), b.pop("store")) == (False, True)
    for told in (*a["tables"].values(), *b["tables"].values()):
        assert told.pop("files") > 0
        assert told.pop("size_bytes") > 0
    assert b == a
    assert a["tables"]["perps"] == {"rows": 32, "instruments": 2}
    assert a["tables"]["shocks"] == {"rows": 3, "instruments": 3}
    nvda = next(
        one for one in a["coverage"] if (one["table"], one["instrument"]) == ("perps", "xyz:NVDA")
    )
    assert nvda == {
        "table": "perps",
        "instrument": "xyz:NVDA",
        "rows": 16,
        "first": "2026-01-31 20:00Z",
        "last": "2026-03-01 03:00Z",
        "missing_hours": 664,
        "gaps": [{"first": "2026-02-01 04:00Z", "hours": 664}],
    }
    assert a["oracle_source_rows"]["xyz:NVDA"] == {"chain": 8, "premium": 8}


def test_only_parts_that_lack_hours_are_opened_for_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path).writer() as writer:
        writer.add("perps", rows([*range(FIRST, FIRST + 6), FIRST + 9]).with_columns(mark_px=1.0))
    opened = []

    def watched(table: Table, parts: Sequence[Part], columns: Sequence[str]) -> pl.DataFrame:
        opened.extend(part.month for part in parts)
        return read_parts(table, parts, columns)

    monkeypatch.setattr(coverage, "read_parts", watched)
    of_parts(PERPS, Store(tmp_path).parts("perps"))
    assert opened == ["2026-02"]


def test_sources_that_are_not_said_are_counted_as_such(tmp_path: Path) -> None:
    with Store(tmp_path).writer() as writer:
        writer.describe(TOML)
        writer.add("perps", tables()["perps"].with_columns(oracle_source=pl.lit(None, pl.String)))
        writer.add("tokens", tables()["tokens"])
    assert take_inventory(tmp_path).oracle["xyz:AAPL"] == {NOT_SAID: 16}


def test_terms_are_told_with_the_dates_on_which_they_change(tmp_path: Path) -> None:
    start = datetime(2025, 12, 18, tzinfo=UTC)
    hours = pl.Series("time", [start + timedelta(hours=n) for n in range(72)], TIME)
    text = TOML[: TOML.index('[perps."xyz:AAPL"]')]
    with Store(tmp_path).writer() as writer:
        writer.describe(text + "max_leverage = 7\n")
        writer.add("perps", pl.DataFrame({"time": hours, "coin": "xyz:NVDA", "mark_px": 1.0}))
    terms = take_inventory(tmp_path).to_dict()["perps"]["xyz:NVDA"]
    assert [(t["from"], t["funding_multiplier"], t["max_leverage"]) for t in terms["terms"]] == [
        ("2025-12-18 00:00Z", 1.0, 7),
        ("2025-12-19 00:00Z", 0.5, 7),
    ]
    assert terms["own_terms"] == {"max_leverage": 7}


def test_a_venue_that_the_rulebook_does_not_have(tmp_path: Path) -> None:
    with Store(tmp_path).writer() as writer:
        writer.describe(TOML.replace('"xyz"', '"nowhere"'))
        writer.add("perps", tables()["perps"])
    assert take_inventory(tmp_path).terms == {"xyz:NVDA": None, "xyz:AAPL": None}


def test_a_dataset_without_a_row_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path).writer() as writer:
        writer.describe(TOML)
    with pytest.raises(DataError, match="holds no row of perps"):
        take_inventory(tmp_path)


def test_slices_cover_every_hour_once(tmp_path: Path) -> None:
    found = take_inventory(stored(tmp_path))
    for most in (1, 7, 38, 10_000):
        edges = found.slices(most)
        assert len(edges) - 1 <= most
        assert (edges[0], edges[-1]) == found.hours
        assert len(set(np.diff(edges)[:-1])) <= 1
