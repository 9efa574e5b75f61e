"""What a file can be mapped onto: the tables of a dataset, and bars and candles, which become one.

The columns of a target are those of the table, with what only a file has: a quote may come as a
mid, and bars and candles have prices of their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perpkit.dataset.schema import (
    ACTIONS,
    FLOAT,
    FUNDING,
    PERPS,
    PRICE,
    SHOCKS,
    SIZE,
    TEXT,
    TIME,
    TOKENS,
    Column,
    Table,
)

_KEY: Final = Column(TEXT, required=True, filled=True)
_TIME: Final = Column(TIME, required=True, filled=True)
_NEEDED_PX: Final = Column(FLOAT, PRICE, required=True, filled=True)

# A quote needs both sides or a mid, which no single column can say.
QUOTES: Final = replace(
    TOKENS,
    columns={
        **TOKENS.columns,
        "bid_px": Column(FLOAT, PRICE),
        "ask_px": Column(FLOAT, PRICE),
        "mid_px": Column(FLOAT, PRICE),
    },
)
BARS: Final = Table(
    "bars",
    keys=("symbol", "time"),
    columns={"time": _TIME, "symbol": _KEY, "open": _NEEDED_PX, "close": _NEEDED_PX},
)
CANDLES: Final = Table(
    "candles",
    keys=("coin", "time"),
    columns={
        "time": _TIME,
        "coin": _KEY,
        "high": Column(FLOAT, PRICE),
        "low": Column(FLOAT, PRICE),
        "close": _NEEDED_PX,
        "trades": Column(FLOAT, SIZE),
    },
    ordered=(("low", "high"), ("low", "close"), ("close", "high")),
)
TARGETS: Final = {t.name: t for t in (PERPS, FUNDING, QUOTES, ACTIONS, SHOCKS, BARS, CANDLES)}

# Rows of these may be denser than the hour; the last of each hour is then taken.
HOURLY: Final = ("perps", "tokens", "candles")
# Rows of these are bars, whose length says when their close was known.
BARRED: Final = ("bars", "candles")
