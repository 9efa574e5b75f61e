"""The tables of a dataset, ``schema = 1``: columns, dtypes, what each value may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import polars as pl

ONCHAIN: Final = "onchain"
EXTERNAL: Final = "external"

TIME: Final = pl.Datetime("ms", "UTC")
FLOAT: Final = pl.Float64()
TEXT: Final = pl.String()
FLAG: Final = pl.Boolean()

EARNINGS: Final = "earnings"  # of actions: a company reports; nothing is paid or restated


class Bound(NamedTuple):
    """Which values of a column are wrong, how that is said, and what to do."""

    broken: Callable[[pl.Expr], pl.Expr]
    says: str
    remedy: str


PRICE: Final = Bound(
    lambda x: x <= 0,
    "is zero or negative",
    "write null where a value is absent, or repair it at the source",
)
SIZE: Final = Bound(
    lambda x: x < 0,
    "is negative",
    "write null where a value is absent, or repair it at the source",
)
RATE: Final = Bound(
    lambda x: x.abs() >= 1,
    "is 1 or more in size",
    "a rate is a fraction (0.0001, not 0.01 for 0.01%), so divide percents by 100",
)
SHARE: Final = Bound(
    lambda x: (x < 0) | (x > 1),
    "is outside 0 to 1",
    "write the fraction withheld (0.15 for 15%)",
)


class Rule(NamedTuple):
    """Rows of a column that are wrong beside others, how that is said, and what to do."""

    column: str
    broken: Callable[[], pl.Expr]
    says: str
    remedy: str


AMOUNT: Final = Bound(
    lambda x: x <= 0,
    "is zero or negative",
    "write USD a share for a dividend, new shares per old for a split",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `required` it must be in the file, `filled` it may hold no null."""

    dtype: pl.DataType
    bound: Bound | None = None
    required: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table; rows are unique by `keys` and sorted by them, instrument first."""

    name: str
    keys: tuple[str, ...]
    columns: Mapping[str, Column]
    on_the_hour: bool = False
    ordered: tuple[tuple[str, str], ...] = ()  # pairs whose first may not exceed the second
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    @property
    def instrument(self) -> str:
        """Name of the column that says which instrument a row is of."""
        return self.keys[0]

    @property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Dtype of each column, in order."""
        return {name: column.dtype for name, column in self.columns.items()}


_KEY: Final = Column(TEXT, required=True, filled=True)
_TIME: Final = Column(TIME, required=True, filled=True)
_PRICE: Final = Column(FLOAT, PRICE)
_RATE: Final = Column(FLOAT, RATE)

PERPS: Final = Table(
    "perps",
    keys=("coin", "time"),
    columns={
        "time": _TIME,
        "coin": _KEY,
        "oracle_px": _PRICE,
        "mark_px": _PRICE,
        "mark_high_px": _PRICE,
        "mark_low_px": _PRICE,
        "mid_px": _PRICE,
        "impact_bid_px": _PRICE,
        "impact_ask_px": _PRICE,
        "external_px": _PRICE,
        "premium": _RATE,
        "funding": _RATE,
        "open_interest": Column(FLOAT, SIZE),
        "day_ntl_vlm": Column(FLOAT, SIZE),
        "oracle_source": Column(TEXT),
        "observed": Column(TIME),
    },
    on_the_hour=True,
    ordered=(("impact_bid_px", "impact_ask_px"), ("mark_low_px", "mark_high_px")),
)
FUNDING: Final = Table(
    "funding",
    keys=("coin", "time"),
    columns={
        "time": _TIME,
        "coin": _KEY,
        "funding": Column(FLOAT, RATE, required=True),
        "premium": _RATE,
    },
)
TOKENS: Final = Table(
    "tokens",
    keys=("token", "time"),
    columns={
        "time": _TIME,
        "token": _KEY,
        "bid_px": Column(FLOAT, PRICE, required=True),
        "ask_px": Column(FLOAT, PRICE, required=True),
        "nav_px": _PRICE,
        "multiplier": _PRICE,
        "liquidity_usd": Column(FLOAT, SIZE),
        "halted": Column(FLAG),
        "apr": Column(FLOAT),
        "observed": Column(TIME),
    },
    on_the_hour=True,
    ordered=(("bid_px", "ask_px"),),
)
# A regular and a special dividend of one moment are one row: two rows would look like a row
# written twice, and paying twice is the worse mistake.
ACTIONS: Final = Table(
    "actions",
    keys=("underlying", "time", "kind"),
    columns={
        "time": _TIME,
        "underlying": _KEY,
        "kind": _KEY,
        "amount": Column(FLOAT, AMOUNT, required=True),
        "withholding_frac": Column(FLOAT, SHARE),
        "announced": Column(TIME),
    },
    choices={"kind": ("dividend", "split", EARNINGS)},
    rules=(
        Rule(
            "amount",
            lambda: (pl.col("kind") != EARNINGS) & pl.col("amount").is_null(),
            "is null",
            "fill it or remove the row",
        ),
        Rule(
            "amount",
            lambda: (pl.col("kind") == EARNINGS) & pl.col("amount").is_not_null(),
            "is given of earnings",
            "leave it null: an earnings row says when a company reports, and pays nothing",
        ),
        Rule(
            "announced",
            lambda: pl.col("announced") > pl.col("time"),
            "is after time",
            "write when it was first known, or null where that is not recorded",
        ),
    ),
)
# The kinds of shocks are an open list, so whoever plays a shock checks its kind.
SHOCKS: Final = Table(
    "shocks",
    keys=("instrument", "time", "kind"),
    columns={
        "time": _TIME,
        "kind": _KEY,
        "instrument": Column(TEXT),
        "value": Column(FLOAT),
    },
)
TABLES: Final = (PERPS, FUNDING, TOKENS, ACTIONS, SHOCKS)

# What perpkit forms from external prices is not also read from a file, and the other way about.
NEEDED: Final = {ONCHAIN: ("oracle_px", "mark_px"), EXTERNAL: ("external_px",)}
FORMED: Final = {ONCHAIN: (), EXTERNAL: ("oracle_px", "mark_px")}


def required(table: Table, prices: str, *, unlisted: bool = False) -> list[str]:
    """Columns that must be in `table` where the dataset's `prices` are of this kind.

    Perps that are all `unlisted`, without an underlying that trades anywhere, need no external
    price.
    """
    names = [name for name, column in table.columns.items() if column.required]
    if table is not PERPS or (unlisted and prices == EXTERNAL):
        return names
    return names + list(NEEDED[prices])
