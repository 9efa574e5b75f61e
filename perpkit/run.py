"""A backtest from end to end: dataset, market, strategy, book, ledger, metrics."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from perpkit.assumptions import Assumption, assumptions, warnings
from perpkit.config import RunConfig, check_config
from perpkit.dataset import Dataset, prices_of, read_dataset
from perpkit.engine import engine_stage, prepare
from perpkit.errors import RequestError, StrategyError
from perpkit.ledger import CAUSES, against_frame
from perpkit.ledger import frames as ledger_frames
from perpkit.manifest import manifest
from perpkit.market.funding import LONGEST_HOURS
from perpkit.metrics import Context, summarise
from perpkit.metrics.formula import check_funding
from perpkit.play import Played, Progress, play
from perpkit.result import Frames, Result, Summary
from perpkit.rule import CacheError
from perpkit.shipped import shipped_folder
from perpkit.strategy.load import Strategy
from perpkit.strategy.params import bind
from perpkit.strategy.portfolio import load
from perpkit.strategy.seating import check_portfolio
from perpkit.strategy.supply import check_supply
from perpkit.tape import Market, complete, cut_before, lay, settles_over_hours
from perpkit.tape.splits import units_of
from perpkit.units import HOUR_NS, to_ns

IDENTITY = 1e-9  # of equity, or of the capital where that is more

Stage = Callable[[str], None]  # told the name of each phase as it begins


def demo() -> Path:
    """The shipped dataset."""
    return shipped_folder("data") / "demo"


def check_names(strategy: Strategy) -> None:
    """Refuse a parameter that has the name of a setting of the run.

    Raises
    ------
    StrategyError
        Naming the parameter.
    """
    for parameter in strategy.parameters:
        if parameter.name in RunConfig.model_fields:
            raise StrategyError(
                f"{strategy.file.name}: Params.{parameter.name} is also a setting of the run; "
                "rename the parameter"
            )


def open_dataset(config: RunConfig, lead_hours: int = 0) -> Dataset:
    """The dataset of a run, cut to its span; where asked with some hours before it."""
    start = None if config.start is None else to_ns(config.start)
    end = None if config.end is None else to_ns(config.end)
    if start is not None and end is not None and start >= end:
        raise RequestError("start is not before end; swap the two")
    folder = config.data or demo()
    if prices_of(folder) == "external":
        start = None  # formed from the first hour on, then cut: the market depends on no --from
    if start is not None:
        start -= lead_hours * HOUR_NS
    return read_dataset(folder, start, end, config.coins or None)


def backtest(
    strategy: str | Path,
    data: str | Path | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    against: str | Path | Sequence[str | Path] = (),
    pure_python: bool = False,
    progress: Progress | None = None,
    stage: Stage | None = None,
) -> Result:
    """Play a strategy over a dataset.

    Nothing is printed and nothing is written. The first run compiles the engine, once, for up to a
    minute; ``stage=print`` tells when that is.

    Parameters
    ----------
    strategy : path of a strategy file, or the name of one
    data : dataset folder; none: the shipped demo
    params : the strategy's parameters by name, those not given at their defaults
    config : settings of the run by name, such as ``{"capital": 250_000, "start": "2026-01-01"}``:
        every setting of docs/run-file.md, its tables as dicts. ``data`` and ``params`` given beside
        it win over its own.
    against : other strategies, by name or file, that are played over the same market with the same
        settings and their own defaults; their equity is ``frames["against"]``
    pure_python : run everything uncompiled; the numbers are the same
    progress : called with rows played and rows in all
    stage : called with the name of each phase as it begins

    Returns
    -------
    the result: ``summary``, ``frames``, ``warnings``, ``assumptions``; ``save(DIR)`` writes it

    Raises
    ------
    RequestError, DataError, StrategyError
        With one sentence that says what to do.

    Examples
    --------
    >>> result = backtest("funding_carry", params={"enter_apr": 0.05})  # doctest: +SKIP
    >>> result.summary["net_apr"]  # doctest: +SKIP
    """
    loaded = load(str(_path(strategy)))
    check_names(loaded)
    settings = dict(_named("config", config))
    given = dict(_named("params", params))
    own = [parameter.name for parameter in loaded.parameters]
    for name in settings.keys() & set(own):
        raise RequestError(f"{name} is a parameter of {loaded.name}; give it in params, not config")
    for name in given.keys() & RunConfig.model_fields.keys():
        raise RequestError(f"{name} is a setting of the run; give it in config, not params")
    settings["params"] = {**_named('config["params"]', settings.get("params")), **given}
    if data is not None:
        settings["data"] = _path(data)
    others = _others(against)
    return run(loaded, check_config(settings), pure_python, progress, stage, against=others)


def _others(told: object) -> tuple[Strategy, ...]:
    """The strategies that a run is set against, one or several."""
    several = (told,) if isinstance(told, (str, os.PathLike)) else told
    if not (
        isinstance(several, Sequence) and all(isinstance(x, (str, os.PathLike)) for x in several)
    ):
        raise RequestError(f"against was {told!r}: write a list of strategies, by name or file")
    files: dict[str, Path] = {}
    made = []
    for other in several:
        one = load(str(_path(other)))
        if files.setdefault(one.name, one.file) != one.file:
            raise RequestError(
                f"against has two strategies called {one.name}, {files[one.name]} and {one.file}: "
                "rename one of the files"
            )
        made.append(one)
    return tuple(made)


def _path(told: object) -> object:
    """A path with the user's own folder for its ~, as a shell has it."""
    return Path(told).expanduser() if isinstance(told, (str, os.PathLike)) else told


def _named(what: str, told: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Values by name, none where none are told."""
    if told is None:
        return {}
    if not (isinstance(told, Mapping) and all(isinstance(name, str) for name in told)):
        raise RequestError(f"{what} was {told!r}: write a dict of values by name")
    return told


def run(
    strategy: Strategy,
    config: RunConfig,
    pure_python: bool = False,
    progress: Progress | None = None,
    stage: Stage | None = None,
    *,
    against: Sequence[Strategy] = (),
) -> Result:
    """Play a loaded strategy with checked settings; errors as in :func:`backtest`."""
    timings: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        if stage is not None:
            stage(name)
        begun = time.perf_counter()
        try:
            yield
        except CacheError as e:
            raise RequestError(str(e)) from e
        timings[name] = time.perf_counter() - begun

    values = bind(strategy.parameters, config.params, strategy.name)
    for one in (strategy, *against):
        check_portfolio(one, config)
    with timed("reading data"):
        end = None if config.end is None else to_ns(config.end)
        laid = lay(open_dataset(config), config, end_ns=end)
        if config.start is not None and settles_over_hours(laid.market, config):
            # The first settlement is of hours before --from; a whole interval is within these.
            laid = lay(open_dataset(config, LONGEST_HOURS), config, end_ns=end)
        for one in (strategy, *against):
            check_supply(one, laid.market)
    if not pure_python:  # after all that can be refused without it
        with timed(engine_stage(strategy, *against)):
            prepare(strategy, *against)
    with timed("forming the market"):
        market = complete(laid, config, pure_python=pure_python)
        if config.start is not None:
            market = cut_before(market, to_ns(config.start))
    with timed("playing the hours"):
        played = play(market, config, strategy, values, pure_python=pure_python, progress=progress)
    with timed("ledger and metrics"):
        frames = ledger_frames(market, played, strategy.name)
        summary = summarise(frames, context(market, config))
        _check_identity(frames["equity"], config.capital)
        others = {s.name: _beside(market, config, s, pure_python) for s in against}
        frames["against"] = against_frame(market, others)
    assumed = (*assumptions(market, config), *_crossing(strategy))
    told = warnings(market, config, frames)
    return Result(
        strategy.name,
        Frames(frames),
        Summary(summary),
        market.facts,
        assumed,
        told,
        manifest(strategy, values, config, market, (assumed, told, timings)),
        check_funding(market, frames["funding"]),
    )


def _crossing(strategy: Strategy) -> tuple[Assumption, ...]:
    """What is assumed of a portfolio: no venue sees what its members trade with each other."""
    if len(strategy.members) < 2:
        return ()
    why = "opposite orders of members change hands so, without a fee; the saving is told apart"
    return (Assumption("crossing", "at mark or fair price", why),)


def _beside(market: Market, config: RunConfig, other: Strategy, pure_python: bool) -> Played:
    """Another strategy over the same market, with its defaults."""
    values = bind(other.parameters, {}, other.name)
    return play(market, config, other, values, pure_python=pure_python)


def _check_identity(equity: pl.DataFrame, capital: float) -> None:
    """Refuse a result whose causes do not explain its equity: no number of it could be trusted."""
    causes = equity.select(pl.sum_horizontal(f"{c}_usd" for c in CAUSES)).to_series().to_numpy()
    change = np.diff(equity["equity_usd"].to_numpy(), prepend=capital)
    scale = np.maximum(np.abs(equity["equity_usd"].to_numpy()), capital)
    worst = float(np.max(np.abs(change - causes) / scale))
    if not worst <= IDENTITY:
        raise AssertionError(f"the causes miss the change of equity by {worst:.3g} of it")


def context(market: Market, config: RunConfig) -> Context:
    """What the metrics need beside the frames."""
    tape, names = market.tape, market.names
    rows, coins = np.nonzero(~np.isnan(tape.funding))
    time_ms = tape.time_ns // 1_000_000
    available = pl.DataFrame(
        {
            "time": time_ms[rows],
            "coin": np.array(names.coins)[coins],
            "funding": tape.funding[rows, coins],
            # In the units of the first hour: a split is no return.
            "oracle_px": (tape.oracle_px * units_of(tape))[rows, coins],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("ms", "UTC")))
    phase = pl.DataFrame(
        {
            "time": np.tile(time_ms, len(names.underlyings)),
            "underlying": np.repeat(names.underlyings, len(time_ms)),
            "phase": tape.phase.T.reshape(-1),
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("ms", "UTC")))
    perps, tokens = market.dataset.perps_meta, market.dataset.tokens_meta
    return Context(
        config.capital,
        config.risk_free_apr,
        names.coins,
        names.tokens,
        available,
        phase,
        {c: perps[c].underlying for c in names.coins}
        | {k: tokens[k].underlying for k in names.tokens},
    )


__all__ = ["Result", "backtest", "check_names", "demo", "open_dataset", "run"]
