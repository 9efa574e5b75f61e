"""Units of a file and how they become those of a dataset."""

from __future__ import annotations

from typing import Final, NamedTuple

from perpkit.errors import nearest
from perpkit.units import HOURS_PER_YEAR


class Scale(NamedTuple):
    """A value of the file times `times`, over `over`; one of them is 1, so it is rounded once."""

    times: float = 1.0
    over: float = 1.0


AS_IS: Final = Scale()
_SHARES: Final = {"frac": 1.0, "percent": 100.0, "bp": 10_000.0}
# A rate of a longer time is paid in equal parts each hour, as the venues with hourly funding do.
_PERIODS: Final = {"": 1.0, "/1h": 1.0, "/8h": 8.0, "/year": float(HOURS_PER_YEAR)}
_RATES: Final = {
    share + period: Scale(over=a * b)
    for share, a in _SHARES.items()
    for period, b in _PERIODS.items()
}
_FRACTIONS: Final = {share: Scale(over=over) for share, over in _SHARES.items()}
_MONEY: Final = {
    "usd": AS_IS,
    "cent": Scale(over=100.0),
    "thousand": Scale(times=1e3),
    "million": Scale(times=1e6),
}
_COUNTS: Final = {"units": AS_IS, "thousand": Scale(times=1e3), "million": Scale(times=1e6)}
_OF_COLUMN: Final = {
    "funding": _RATES,
    "premium": _FRACTIONS,
    "apr": _FRACTIONS,
    "withholding_frac": _FRACTIONS,
    "open_interest": _COUNTS,
    "trades": {"units": AS_IS},
    "multiplier": {"units": AS_IS},
    "value": {"as-is": AS_IS},
    "amount": {"as-is": AS_IS, "usd": AS_IS, "cent": Scale(over=100.0)},
}


def units_of(column: str) -> dict[str, Scale]:
    """Units that a column of numbers may come in, by name.

    >>> units_of("funding")["percent/8h"].over
    800.0
    """
    return _OF_COLUMN.get(column, _MONEY)


def unknown_unit(column: str, unit: str) -> str:
    """The tail of a message about a unit that a column cannot come in.

    >>> unknown_unit("premium", "procent")
    'unit "procent" is none of premium; did you mean percent?'
    """
    return f'unit "{unit}" is none of {column}; {nearest(unit, units_of(column))}'
