"""Write a dataset anew with the sure edits made, and a log of every changed cell."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from perpkit.dataset.description import read_text
from perpkit.dataset.lock import LOCK_FILE
from perpkit.dataset.parts import is_store
from perpkit.dataset.plain import LOG
from perpkit.dataset.schema import TIME
from perpkit.dataset.staging import STAGING
from perpkit.dataset.store import Store
from perpkit.errors import DataError, RequestError
from perpkit.research.quality.raw import NAMED, ROW, Edit, Part, Raw, apply

_LOG_SCHEMA: Final = {
    "table": pl.String(),
    "instrument": pl.String(),
    "time": TIME,
    "column": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "check": pl.String(),
    "reason": pl.String(),
}
_TEXT: Final = pl.String()
_UTC: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"


class Change(NamedTuple):
    """An edit and the check that asked for it."""

    check: str
    edit: Edit


class Fixed(NamedTuple):
    """What was written."""

    folder: Path
    cells: int  # changed, those of removed rows included
    rows: int  # removed
    log: pl.DataFrame


def write_fixed(raw: Raw, changes: list[Change], out: Path) -> Fixed:
    """Write the data beside `out` with the sure changes made, and rename it there.

    Parameters
    ----------
    raw : the data as read, before any edit
    changes : in the order of the checks; those that are not sure are left out
    out : a folder that does not exist

    Returns
    -------
    Fixed; its log holds ``table, instrument, time, column, before, after, check, reason``, a row
    for each changed cell, and is written as ``fixes.parquet`` and ``fixes.csv``

    Raises
    ------
    RequestError
        If the folder exists, lies within the data, or cannot be written.
    DataError
        If times name no zone: then no time could be written.
    """
    refuse_place(raw, out)
    part = out.with_name(f".{out.name}.part-{os.getpid()}")
    try:
        part.mkdir(parents=True)
        fixed = _write(raw, [change for change in changes if change.edit.sure], part)
        part.rename(out)
    except OSError as error:
        reason = error.strerror or error
        raise RequestError(f"--fix {out}: cannot be written ({reason}); name another") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return fixed._replace(folder=out)


def refuse_place(raw: Raw, out: Path) -> None:
    """Refuse what nothing can be written to; errors as `write_fixed`."""
    for own in raw.coerced:
        if not own.sure:
            raise DataError(
                f"{raw.labels[own.table]}: {own.column} {own.reason.partition(',')[0]}; state the "
                "zone at the source before anything is fixed"
            )
    if out.exists():
        raise RequestError(f"--fix {out}: is there already; name a new folder")
    if raw.path.is_dir() and out.resolve().is_relative_to(raw.path.resolve()):
        raise RequestError(f"--fix {out}: is within the data themselves; name a folder beside them")


def _write(raw: Raw, changes: list[Change], folder: Path) -> Fixed:
    logs, edits, rows = [_coerced(raw)], {}, 0
    for table in raw.parts:
        own = [change for change in changes if change.edit.table == table]
        log, gone = _logged(raw, table, own)
        logs.append(log)
        rows += gone
        edits[table] = [change.edit for change in own]
    if raw.described and is_store(raw.path) and changes:
        _write_store(raw, edits, folder)
    else:
        _write_files(raw, edits, folder)
    log = pl.concat(logs)
    log.write_parquet(folder / f"{LOG}.parquet", compression="zstd")
    log.with_columns(pl.col("time").dt.strftime(_UTC)).write_csv(folder / f"{LOG}.csv")
    return Fixed(folder, log.height, rows, log)


def _write_store(raw: Raw, edits: dict[str, list[Edit]], folder: Path) -> None:
    """All rows into a new store: a mended time may belong into another month's part."""
    with Store(folder).writer() as writer:
        writer.describe(read_text(raw.path).decode("utf-8-sig"))
        for table, own in edits.items():
            writer.add(table, apply(raw.tables[table], own).drop(ROW))
    _copy_rest(raw, folder)  # terms that were fetched lie beside the parts


def _write_files(raw: Raw, edits: dict[str, list[Edit]], folder: Path) -> None:
    """Every file again; one without a mended row is copied as it is."""
    home = raw.path if raw.path.is_dir() else raw.path.parent
    for table, parts in raw.parts.items():
        recast = any(one.table == table for one in raw.coerced)
        for part in parts:
            file = folder / part.path.relative_to(home)
            file.parent.mkdir(exist_ok=True)
            _write_part(raw, table, part, edits[table], file, recast=recast)
    if raw.path.is_dir():
        _copy_rest(raw, folder)


def _write_part(
    raw: Raw, table: str, part: Part, edits: list[Edit], file: Path, *, recast: bool
) -> None:
    within = pl.col(ROW).is_between(part.first, part.first + part.rows - 1)
    own = [edit._replace(cells=edit.cells.filter(within)) for edit in edits]
    own = [edit for edit in own if edit.cells.height]
    if not own and not recast:
        shutil.copyfile(part.path, file)
        return
    whole = pl.read_parquet(part.path, glob=False, hive_partitioning=False)
    rows = pl.int_range(part.first, part.first + part.rows, dtype=pl.UInt32, eager=True)
    # The columns that the schema knows as they were read, others as they are.
    read = raw.tables[table].filter(within).sort(ROW)
    known = [name for name in whole.columns if name in read.columns]
    whole = whole.with_columns(read[name] for name in known).with_columns(rows.alias(ROW))
    apply(whole, own).drop(ROW).write_parquet(file, compression="zstd")


def _copy_rest(raw: Raw, folder: Path) -> None:
    """All files that are no part of a table: the description, and what perpkit does not read."""
    mine = {part.path for parts in raw.parts.values() for part in parts}
    mine |= {raw.path / f"{LOG}.parquet", raw.path / f"{LOG}.csv", raw.path / LOCK_FILE}
    for path in sorted(raw.path.rglob("*")):
        below = path.relative_to(raw.path)
        target = folder / below
        rest = path not in mine and below.parts[0] != STAGING
        if rest and path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


# --------------------------------------------------------------------------- the log


def _coerced(raw: Raw) -> pl.DataFrame:
    rows = [
        (one.table, "", None, one.column, one.before, one.after, "types", one.reason)
        for one in dict.fromkeys(raw.coerced)
    ]
    return pl.DataFrame(rows, schema=_LOG_SCHEMA, orient="row")


def _logged(raw: Raw, table: str, changes: list[Change]) -> tuple[pl.DataFrame, int]:
    """Log of a table's changes, and how many rows go."""
    frame = raw.tables[table]
    logs = [pl.DataFrame(schema=_LOG_SCHEMA)]
    gone = 0
    for batch in _batches(changes):
        check, column = batch[0].check, batch[0].edit.column
        kept = [ROW, "after"] if column else [ROW]
        cells = pl.concat(
            change.edit.cells.select(*kept, pl.lit(change.edit.reason).alias("why"))
            for change in batch
        )
        touched = frame.join(cells, on=ROW, how="inner", maintain_order="left")
        gone += 0 if column else touched.height
        for name in [column] if column else [c for c in frame.columns if c != ROW]:
            own = touched if column else touched.filter(pl.col(name).is_not_null())
            after = _text(pl.col("after"), frame.schema[name]) if column else pl.lit(None, _TEXT)
            logs.append(
                own.select(
                    pl.lit(table).alias("table"),
                    pl.col(NAMED[table].instrument).alias("instrument"),
                    pl.col("time"),
                    pl.lit(name).alias("column"),
                    _text(pl.col(name), frame.schema[name]).alias("before"),
                    after.alias("after"),
                    pl.lit(check).alias("check"),
                    pl.col("why").alias("reason"),
                )
            )
        frame = apply(frame, [change.edit for change in batch])
    return pl.concat(logs), gone


def _batches(changes: list[Change]) -> Iterator[list[Change]]:
    """Changes of one column that follow each other and meet in no row: they are made at once."""
    batch: list[Change] = []
    rows: set[int] = set()
    for change in changes:
        own = set(change.edit.cells[ROW].to_list())
        alike = batch and (batch[0].check, batch[0].edit.column) == (
            change.check,
            change.edit.column,
        )
        if batch and (not alike or rows & own):
            yield batch
            batch, rows = [], set()
        batch.append(change)
        rows |= own
    if batch:
        yield batch


def _text(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return cell.dt.strftime(_UTC) if dtype == TIME else cell.cast(pl.String)
