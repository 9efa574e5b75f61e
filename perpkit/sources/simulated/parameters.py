"""The simulator's numbers, each with where it comes from, and what a scenario changes of them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from perpkit.errors import RequestError, nearest

FILE: Final = Path(__file__).with_name("calibration.toml")
BP: Final = 1e-4


class Parameter(NamedTuple):
    """One number of the simulator.

    Attributes
    ----------
    value : float
    unit : str
    source : str
        Names in the file's ``[sources]``, a comma between them.
    confidence : str
        "measured" from data, "reported" by the source, or "assumed".
    zone : str
        Zone of the days that were grouped; "" where none were.
    sample : str
        What was counted; "" for what is assumed.
    note : str
    """

    value: float
    unit: str
    source: str
    confidence: str
    zone: str = ""
    sample: str = ""
    note: str = ""


class Band(NamedTuple):
    """A figure that scenario `base` has to reproduce, and within what."""

    value: float
    low: float
    high: float
    source: str
    zone: str
    sample: str


class Values:
    """Values by parameter name, as attributes; those of a scenario in place of the file's."""

    def __init__(self, changed: Mapping[str, float], where: str) -> None:
        """Take the file's values and change some.

        Raises
        ------
        RequestError
            If a name is not a parameter, or a value no finite number.
        """
        self._of = {name: one.value for name, one in parameters().items()}
        for name, value in changed.items():
            if name not in self._of:
                raise RequestError(f"{where}: no parameter {name}: {nearest(name, self._of)}")
            if type(value) not in (int, float) or not math.isfinite(value):
                raise RequestError(f"{where}: {name} was {value!r}; write a number")
            self._of[name] = float(value)
        self._check(where)

    def __getattr__(self, name: str) -> float:
        """Value of a parameter."""
        try:
            return self._of[name]
        except KeyError:
            raise AttributeError(name) from None

    def _check(self, where: str) -> None:
        """Refuse what no draw can be made of."""
        for name, value in self._of.items():
            if name.endswith(_ANY_SIGN) or name in _SIGNED:
                continue
            if value < 0.0 or (value == 0.0 and name in _ABOVE_ZERO):
                least = "above 0" if name in _ABOVE_ZERO else "0 or more"
                raise RequestError(f"{where}: {name} was {value:g}; write a number {least}")
            if value > 1.0 and name.endswith(_SHARES):
                raise RequestError(f"{where}: {name} was {value:g}; write a share, 0 to 1")


_ANY_SIGN: Final = ("premium_bp", "discount_bp")
_SIGNED: Final = ("drift_apr", "bill_apr", "weekend_sag_bp")
_ABOVE_ZERO: Final = (
    *("start_px", "impact_bp", "day_volume_usd", "open_interest_usd", "token_spread_bp"),
    *("token_night_spread_bp", "token_weekend_spread_bp", "vol_drift_hours", "regime_hours"),
    *("spike_every_hours", "spike_half_life_hours", "impact_closed", "impact_night"),
)
_SHARES: Final = ("_share", "_phi", "_keep", "withholding_frac")


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def parameters() -> dict[str, Parameter]:
    """Every parameter by name."""
    return {name: Parameter(**entry) for name, entry in _file()["parameters"].items()}


def bands() -> dict[str, Band]:
    """Every figure that `base` is held to, by name."""
    return {name: Band(**entry) for name, entry in _file()["bands"].items()}


def sources() -> dict[str, str]:
    """What the names of sources stand for."""
    return dict(_file()["sources"])
