"""Rows of one instrument from several hands made one: completed, never contradicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from perpkit.dataset.schema import Table
from perpkit.errors import DataError
from perpkit.units import stamp

_TURN: Final = "turn"  # helper column: the order in which rows came
_MS_NS: Final = 1_000_000


def merge(table: Table, frames: Sequence[pl.DataFrame], *, replace: bool = False) -> pl.DataFrame:
    """Join rows of a table into one row a key, sorted by the keys.

    Parameters
    ----------
    table : whose rows they are
    frames : in the order in which they came, all columns, cast
    replace : whether a later cell replaces an earlier one that differs; a null never does

    Returns
    -------
    DataFrame with all columns. Without `replace` it is the same for any order of `frames`.

    Raises
    ------
    DataError
        If two cells of one row differ and `replace` is not set.
    """
    rows = pl.concat(frames)
    keys = list(table.keys)
    alone = ~pl.struct(keys).is_duplicated()
    single = rows.filter(alone)
    if single.height == rows.height:
        return rows.sort(keys)
    shared = rows.with_row_index(_TURN).filter(~alone).sort([*keys, _TURN])
    groups = shared.drop(_TURN).group_by(keys, maintain_order=True)
    cells = [name for name in table.columns if name not in keys]
    if not replace:
        counts = groups.agg(pl.col(cells).drop_nulls().n_unique())
        _refuse_differing(table, shared, counts, cells)
    joined = groups.agg(pl.col(cells).drop_nulls().last()).select(*table.columns)
    return pl.concat([single, joined]).sort(keys)


def _refuse_differing(
    table: Table, shared: pl.DataFrame, counts: pl.DataFrame, cells: list[str]
) -> None:
    for column in cells:
        bad = counts.filter(pl.col(column) > 1)
        if bad.is_empty():
            continue
        keys = list(table.keys)
        own = shared.join(bad.select(keys).head(1), on=keys, how="semi", nulls_equal=True)
        was, comes = own[column].drop_nulls().unique(maintain_order=True).to_list()[:2]
        name, ms = own[table.instrument][0], own["time"].cast(pl.Int64)[0]
        of = "" if name is None else f" of {name}"
        others = bad.height - 1
        more = f" (and in {others:,} more row{'s' if others > 1 else ''})" if others else ""
        raise DataError(
            f"{table.name}: {column}{of} at {stamp(ms * _MS_NS)} is {was} there and {comes} in "
            f"what is added{more}; find out which is right, or let the new rows replace the old"
        )
