"""perpkit: tokenized stocks against on-chain equity perpetuals, both legs in one margined book.

>>> import perpkit
>>> result = perpkit.backtest("funding_carry")                      # doctest: +SKIP
>>> result.summary["net_apr"], result.frames["equity"]              # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perpkit.errors import DataError, PerpkitError, RequestError, StrategyError
    from perpkit.result import Result
    from perpkit.run import backtest
    from perpkit.strategy import field

__version__ = "0.1.0"

# Heavy parts load when they are asked for: `perpkit --help` must not wait for numba.
_HOMES = {
    "DataError": "perpkit.errors",
    "PerpkitError": "perpkit.errors",
    "RequestError": "perpkit.errors",
    "Result": "perpkit.result",
    "StrategyError": "perpkit.errors",
    "backtest": "perpkit.run",
    "field": "perpkit.strategy",
}

__all__ = [
    "DataError",
    "PerpkitError",
    "RequestError",
    "Result",
    "StrategyError",
    "backtest",
    "field",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'perpkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
