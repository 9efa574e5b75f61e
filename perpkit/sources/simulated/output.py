"""A simulation written as a dataset folder, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from perpkit.errors import RequestError
from perpkit.sources.simulated.books import SZ_DECIMALS, place
from perpkit.sources.simulated.readme import readme
from perpkit.sources.simulated.scenarios import ISSUER
from perpkit.sources.simulated.tokens import BILL, BILL_UNDERLYING, token_name
from perpkit.sources.simulated.world import Request, World, make_tables, make_world

# What a folder that may be replaced holds.
_OURS = ("dataset.toml", "README.md", "perps.parquet", "tokens.parquet", "actions.parquet")
_FILES = (*_OURS, "shocks.parquet")


def simulate(
    request: Request,
    out: Path,
    *,
    name: str | None = None,
    made_by: str | None = None,
    stage: Callable[[str], None] = lambda _: None,
) -> World:
    """Simulate and write a dataset folder; it appears whole or not at all.

    Parameters
    ----------
    request : Request
    out : Path
        A new folder, an empty one, or one that a simulation wrote, which is replaced.
    name : str, optional
        The dataset's name; none: the scenario's.
    made_by : str, optional
        The command that its README names; none: ``perpkit data simulate``.
    stage : optional
        Told the name of each phase as it begins.

    Raises
    ------
    RequestError
        If the request is not understood, or the folder holds something else or cannot be written.
    DataError
        If the hours are outside the tables of days, or bars are wrong or lacking.
    """
    _refuse_other(out)
    stage("making the market")
    world = make_world(request)
    tables = make_tables(world)
    stage("writing")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise RequestError(f"--out {out} cannot be written: {error}; choose another") from error
    try:
        for table, frame in tables._asdict().items():
            if len(frame):
                _write(frame, beside / f"{table}.parquet")
        _text(beside / "dataset.toml", dataset_toml(world, name or world.scenario.name))
        _text(beside / "README.md", readme(world, tables, name or world.scenario.name, made_by))
        beside.chmod(0o755)
        _replace(beside, out)
    except OSError as error:
        raise RequestError(f"--out {out} cannot be written: {error}; choose another") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return world


def _refuse_other(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise RequestError(f"--out {out} is a file; choose another folder")
    names = sorted(path.name for path in out.iterdir())
    other = [name for name in names if name not in _FILES]
    told = out / "dataset.toml"
    mine = told.is_file() and 'source = "simulated by perpkit' in told.read_text(encoding="utf-8")
    if names and (other or not mine):
        what = other[0] if other else "a dataset that was not simulated"
        raise RequestError(f"--out {out} holds {what}; choose another folder, or empty it")


def _write(frame: pl.DataFrame, file: Path) -> None:
    frame.write_parquet(file, compression="zstd", compression_level=9, row_group_size=1 << 20)


def _text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def _replace(beside: Path, out: Path) -> None:
    """Put a finished folder in its place; a folder that stood there goes last."""
    if not out.exists():
        beside.replace(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    out.replace(aside / "old")
    try:
        beside.replace(out)
    except BaseException:  # Ctrl-C too
        (aside / "old").replace(out)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def dataset_toml(world: World, name: str) -> str:
    """Write the ``dataset.toml`` of a simulation."""
    request = world.request
    lines = [
        "schema = 1",
        f'name = "{name}"',
        f'source = "simulated by perpkit: scenario {world.scenario.name}, seed {request.seed}"',
        'licence = "MIT"',
        'prices = "external"  # perpkit forms oracle, mark and funding itself',
    ]
    for venue in request.venues:
        for stock in world.stocks:
            lines += [
                "",
                f'[perps."{place(venue).prefix}:{stock.ticker}"]',
                f'venue = "{venue}"',
                f'underlying = "{stock.ticker}"',
                f"sz_decimals = {SZ_DECIMALS}",
                f"max_leverage = {stock.max_leverage}",
                *place(venue).terms,
            ]
    for stock in world.stocks:
        lines += _token(token_name(stock.ticker), stock.ticker, "equity", stock.multiplier)
    lines += _token(BILL, BILL_UNDERLYING, "treasury", 1.0)
    return "\n".join(lines) + "\n"


def _token(token: str, underlying: str, kind: str, multiplier: float) -> list[str]:
    return [
        "",
        f"[tokens.{token}]",
        f'underlying = "{underlying}"',
        f'kind = "{kind}"',
        f'issuer = "{ISSUER}"',
        f"multiplier = {multiplier}",
    ]
