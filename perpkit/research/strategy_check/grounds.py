"""The markets that a strategy is checked on: few perps, few weeks, formed without the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from perpkit.config import RunConfig, check_config
from perpkit.dataset import Dataset, read_dataset
from perpkit.run import demo, open_dataset
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request
from perpkit.tape import Market, form
from perpkit.units import HOUR_NS, instant, to_ns

HOURS: Final = 14 * 24
STRESS: Final = "weekend-shock"
_UNDERLYINGS = 2  # whose perps are played where none are named
_STOCKS = ("NVDA", "TSLA")


class Ground(NamedTuple):
    """A market and the settings to play it with."""

    name: str
    market: Market
    config: RunConfig

    @property
    def hours(self) -> int:
        """Rows of the market."""
        return len(self.market.tape.time_ns)


def ground(
    folder: Path | None = None,
    hours: int = HOURS,
    settings: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Ground:
    """The first hours of a dataset.

    Parameters
    ----------
    folder : the dataset; none: that of the settings, else the shipped demo
    hours : rows
    settings : settings of the run; without ``coins`` all perps of the first two underlyings
    name : how the report calls it

    Raises
    ------
    RequestError, DataError
        As a backtest would.
    """
    told: dict[str, Any] = dict(settings or {})
    where = Path(folder or told.get("data") or demo())
    told["data"] = where
    config = check_config(told)
    if config.coins is None or config.end is None:
        dataset = read_dataset(where)
        told.setdefault("coins", _few(dataset))
        told.setdefault("end", _end(dataset, config.start, hours))
        config = check_config(told)
    end = None if config.end is None else to_ns(config.end)
    market = form(open_dataset(config), config, end_ns=end, pure_python=True)
    return Ground(name or where.resolve().name, market, config)


def _few(dataset: Dataset) -> tuple[str, ...]:
    metas = dataset.perps_meta
    chosen = list(dict.fromkeys(meta.underlying for meta in metas.values()))[:_UNDERLYINGS]
    return tuple(coin for coin, meta in metas.items() if meta.underlying in chosen)


def _end(dataset: Dataset, start: datetime | None, hours: int) -> datetime:
    first = dataset.begins_ns if start is None else to_ns(start)
    return instant(first + (hours - 1) * HOUR_NS)


def stress_ground(folder: Path, hours: int = HOURS, scenario: str = STRESS) -> Ground:
    """A simulated market in which a scenario strikes halfway; written to a folder meanwhile."""
    days = max(8, -(-hours // 24))
    world = simulate(Request(scenario, stocks=_STOCKS, days=days), folder / scenario)
    settings = {k: v for k, v in world.scenario.settings.items() if k in RunConfig.model_fields}
    return ground(folder / scenario, days * 24, settings, scenario)
