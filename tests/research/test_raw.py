"""Reading a table's parts together, and finding prints in one pass, against the plain ways."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.dataset.schema import PERPS, TIME
from perpkit.research.quality import raw as reading
from perpkit.research.quality.raw import Raw, read_raw
from perpkit.research.quality.series import SHORT, Series, prints

_ABOUT = 'schema = 1\nname = "parts"\nsource = "made up"\nlicence = "MIT"\nprices = "onchain"\n'
_COINS = "".join(f'[perps.{coin}]\nvenue = "baseline"\nunderlying = "{coin}"\n' for coin in "ABC")


def _part(coin: str, first: int, **columns: object) -> pl.DataFrame:
    count = len(next(iter(columns.values())))  # type: ignore[arg-type]
    time = pl.Series("time", 3_600_000 * np.arange(first, first + count)).cast(TIME)
    return pl.DataFrame({"time": time, "coin": [coin] * count, **columns})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Parts that differ in columns and their order; one has no row, one a column of nulls."""
    (tmp_path / "perps").mkdir()
    (tmp_path / "dataset.toml").write_text(_ABOUT + _COINS, encoding="utf-8")
    nulls = pl.Series([None, None], dtype=pl.Float64)
    first = _part("B", 5, mark_px=[1.0, 2.0], oracle_px=[1.0, 1.5], premium=nulls)
    parts = {
        "a": first,
        "b": first.clear(),
        "c": _part("A", 2, oracle_px=[3.0, None, 5.0], mine=["x", "y", "z"]),
        "d": _part("A", 0, funding=[0.1], mark_px=[4.0], other=[1]).select(pl.all().reverse()),
    }
    for name, rows in parts.items():
        rows.write_parquet(tmp_path / "perps" / f"{name}.parquet")
    return tmp_path


def _one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Raw:
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_at_once", lambda *_: None)
        return read_raw(folder)


def _same(one: Raw, other: Raw) -> None:
    assert one.tables["perps"].equals(other.tables["perps"], null_equal=True)
    assert one.tables["perps"].schema == other.tables["perps"].schema
    assert (one.parts, one.extra, one.coerced) == (other.parts, other.extra, other.coerced)


def test_parts_are_read_together_as_one_by_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _one_by_one(folder, monkeypatch)
    with monkeypatch.context() as patch:
        patch.delattr(reading, "_one_by_one")
        together = read_raw(folder)
    _same(together, plain)
    assert [part.rows for part in together.parts["perps"]] == [2, 0, 3, 1]
    assert [part.first for part in together.parts["perps"]] == [0, 2, 2, 5]
    assert together.extra["perps"] == ["mine", "other"]
    assert together.tables["perps"]["row"].to_list() == [5, 2, 3, 4, 0, 1]
    assert together.tables["perps"].columns == [
        *("row", "time", "coin", "oracle_px", "mark_px", "premium", "funding")
    ]


def test_a_part_of_another_type_is_cast(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _part("C", 0, oracle_px=["1.5", "2.5"])
    rows.write_parquet(folder / "perps" / "e.parquet")
    mixed = read_raw(folder)
    _same(mixed, _one_by_one(folder, monkeypatch))
    assert mixed.of("perps", "C")["oracle_px"].to_list() == [1.5, 2.5]
    assert [own.column for own in mixed.coerced] == ["oracle_px"]


def test_rows_of_an_instrument_are_its_own(folder: Path) -> None:
    data = read_raw(folder)
    for coin in ("A", "B", "none"):
        wanted = data.tables["perps"].filter(pl.col("coin") == coin)
        assert data.of("perps", coin).equals(wanted, null_equal=True)
    assert set(data.tables["perps"].columns) - {"row"} <= set(PERPS.columns)


def _plainly(level: np.ndarray, jump: float, back: float) -> np.ndarray:
    """Prints as their definition says, row by row."""
    made = np.zeros(len(level), np.bool_)
    done = 0
    for place in range(1, len(level)):
        if place < done or not abs(level[place] - level[place - 1]) > log(jump):
            continue
        home = np.abs(level[place : place + SHORT + 1] - level[place - 1]) <= log(back)
        if home.any():
            done = place + int(np.argmax(home))
            made[place:done] = True
    return made


@pytest.mark.parametrize("seed", range(40))
def test_prints_are_those_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = rng.choice([0.0, 0.01, 0.3, 0.6, 2.0], size=int(rng.integers(1, 60)))
    level[rng.random(len(level)) < 0.05] = np.nan
    none = np.zeros(len(level), np.int64)
    own = Series("", "", "", none, none, level)
    for jump, back in ((1.45, 1.45), (1.12, 1.04), (3.0, 3.0)):
        made = prints(own, jump, back)
        assert made.tolist() == _plainly(level, jump, back).tolist()
