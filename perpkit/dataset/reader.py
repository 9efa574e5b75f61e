"""Read a dataset folder, plain or a store, into one checked `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from perpkit.dataset.checks import PART, Source, check_alone
from perpkit.dataset.description import Description, PerpMeta, TokenMeta, read_description
from perpkit.dataset.parts import index_text, is_store, parse_index
from perpkit.dataset.plain import read_part, read_plain
from perpkit.dataset.schema import FUNDING, ONCHAIN
from perpkit.dataset.span import Span, Tables
from perpkit.dataset.stored import read_stored
from perpkit.errors import DataError, RequestError, nearest

_TRIES: Final = 5  # a writer would have to commit as often while one reader reads


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A checked dataset.

    Frames hold exactly the columns of the schema, in its order, absent ones as nulls, sorted by
    instrument and time. `perps_meta` and `tokens_meta` keep the order of ``dataset.toml``, which
    is the order of the instrument axes. `digest` is the SHA-256 of all files, in the order of
    their names; of a store, of ``dataset.toml`` and the digests that ``store.json`` lists. `notes`
    are sentences on what was left unread. `begins_ns` is the first hour of perps in the files,
    whatever span was asked for.
    """

    folder: Path
    name: str
    source: str
    licence: str
    prices: str
    perps_meta: dict[str, PerpMeta]
    tokens_meta: dict[str, TokenMeta]
    perps: pl.DataFrame
    funding: pl.DataFrame
    tokens: pl.DataFrame
    actions: pl.DataFrame
    shocks: pl.DataFrame
    notes: tuple[str, ...]
    digest: str
    begins_ns: int


def prices_of(folder: Path) -> str:
    """Whether a dataset brings prices ``onchain`` or ``external``, by ``dataset.toml`` alone."""
    return read_description(folder).prices


def read_dataset(
    folder: Path,
    start_ns: int | None = None,
    end_ns: int | None = None,
    coins: Sequence[str] | None = None,
) -> Dataset:
    """Read a dataset folder and refuse it on any fault in its files.

    Parameters
    ----------
    folder : holds ``dataset.toml`` and the tables, each ``X.parquet`` or a folder ``X/`` of parts,
        or a store
    start_ns, end_ns : first and last instant to keep, both inclusive; None for all there is.
        Funding rows are kept for one hour more, for settlements stamped late, and shocks and
        actions from the beginning. Faults are looked for in the whole files; of a store, in the
        parts that the span meets, and no other part is opened.
    coins : perps whose rows to keep; None for all. The others stay described. Of a store no part
        of another coin is opened.

    Raises
    ------
    DataError
        In one sentence: which file, what is wrong in it, and what to do.
    RequestError
        If one of `coins` is not in the dataset.
    """
    folder = Path(folder)
    span = Span(start_ns, end_ns, None if coins is None else tuple(coins))
    about, tables = _read(folder, span)
    return Dataset(
        folder=folder,
        name=about.name,
        source=about.source,
        licence=about.licence,
        prices=about.prices,
        perps_meta=about.perps,
        tokens_meta=about.tokens,
        notes=tables.notes,
        digest=tables.digest,
        begins_ns=tables.first_ms * 1_000_000,
        **tables.frames,
    )


def _read(folder: Path, span: Span) -> tuple[Description, Tables]:
    if not is_store(folder):
        about = _described(folder, span)
        return about, read_plain(folder, about, span)
    for _ in range(_TRIES):
        before = index_text(folder)
        try:
            about = _described(folder, span)
            tables = read_stored(folder, parse_index(folder, before), about, span)
        except DataError:
            if index_text(folder) == before:
                raise
            continue
        if index_text(folder) == before:
            return about, tables
    raise DataError(f"{folder} was written to all the while it was read; read it again")


def _described(folder: Path, span: Span) -> Description:
    about = read_description(folder)
    for coin in span.coins or ():
        if coin not in about.perps:
            raise RequestError(f"coins: {coin} is not in {folder}: {nearest(coin, about.perps)}")
    return about


def read_settlements(path: Path) -> tuple[pl.DataFrame, int]:
    """Read one Parquet file of settlements, of any coins, and refuse it on any fault.

    Parameters
    ----------
    path : holds the columns of the table ``funding``; a row that is there twice counts once

    Returns
    -------
    DataFrame with the columns of ``funding``, sorted by coin and time, and how many rows repeated
    another one

    Raises
    ------
    DataError
        In one sentence: what is wrong in the file, and what to do.
    """
    path = Path(path)
    source = Source(path.name, (path.name,))
    about = Description(path.name, "", "", ONCHAIN, perps={}, tokens={})
    frame, _ = read_part(path, 0, FUNDING, source, about)
    count = frame.height
    frame = frame.unique(maintain_order=True).sort(FUNDING.keys, maintain_order=True)
    if not count:
        raise DataError(f"{path.name} holds no row; give a file of settlements")
    check_alone(FUNDING, frame, source)
    return frame.drop(PART), count - frame.height
