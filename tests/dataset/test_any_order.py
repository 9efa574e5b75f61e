"""The same rows give the same bytes, in whatever order and pieces they came."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpkit.dataset.store import Store

from .made import TOML, tables, tree

PERPS, SHOCKS = tables()["perps"], tables()["shocks"]
# A piece is a row without some of its cells; the two halves of a row overlap in one.
PIECES = [
    ("perps", PERPS[n].select("time", "coin", *cells))
    for n in range(PERPS.height)
    for cells in (["oracle_px", "mark_px"], ["mark_px", "oracle_source"])
] + [("shocks", SHOCKS[n]) for n in range(SHOCKS.height)]
COMMITS = 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    with Store(folder).writer() as writer:
        writer.describe(TOML)
        writer.add("perps", PERPS)
        writer.add("shocks", SHOCKS)
    return tree(folder)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_order_and_split_of_rows_gives_the_same_bytes(
    whole: dict[str, bytes], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(PIECES))))
    again = data.draw(st.lists(st.sampled_from(range(len(PIECES))), max_size=8))
    commit = data.draw(
        st.lists(
            st.integers(0, COMMITS - 1),
            min_size=len(PIECES) + len(again),
            max_size=len(PIECES) + len(again),
        )
    )
    described = data.draw(st.integers(0, COMMITS - 1))
    batch = data.draw(st.integers(1, 9))
    replace = data.draw(st.booleans())

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(COMMITS):
            mine = [n for n, c in zip([*order, *again], commit, strict=True) if c == number]
            with Store(folder).writer(replace=replace) as writer:
                if number == described:
                    writer.describe(TOML)
                for begin in range(0, len(mine), batch):
                    some = [PIECES[n] for n in mine[begin : begin + batch]]
                    for table in ("perps", "shocks"):
                        frames = [frame for own, frame in some if own == table]
                        if frames:
                            writer.add(table, pl.concat(frames, how="diagonal"))
        assert tree(folder) == whole
