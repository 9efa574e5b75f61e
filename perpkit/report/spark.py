"""Charts made of characters: columns some rows high, however long the run, and no spike lost."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np

from perpkit.arrays import F64, I64

LEAST: Final = 10  # columns of a chart, however narrow the terminal
# Characters of a column's top from low to full. Every font has these, few have braille.
BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII: Final = ".:|"

Shown = Literal["low", "high", "far"]


def marks_for(stream: Any, env: Mapping[str, str] | None = None) -> str:
    """Characters to draw with: :data:`BLOCKS` on a terminal that surely shows them, else ASCII."""
    env = os.environ if env is None else env
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    shows = (
        stream.isatty()
        and env.get("TERM", "") not in {"dumb", "unknown"}
        and encoding.startswith("utf")
        and not _asks_for_ascii(env)
        and (sys.platform != "win32" or "WT_SESSION" in env)  # the old console's font lacks them
    )
    return BLOCKS if shows else ASCII


def _asks_for_ascii(env: Mapping[str, str]) -> bool:
    """Whether the locale is C, which Python takes for UTF-8 and says so in ``LC_CTYPE``."""
    told = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    if told == "C.UTF-8" and not env.get("LC_ALL"):
        told = env.get("LANG") or told
    return told in {"C", "POSIX"}


def draw(values: F64, scale: tuple[float, float], marks: str, rows: int) -> list[str]:
    """Columns of characters, a column a value.

    Parameters
    ----------
    values : (columns,) as :func:`thinned` makes them; NaN leaves a gap, what is beyond the scale
        is drawn at its end, and its foot as the lowest character
    scale : value at the foot and at the top, the first not the second
    rows : height

    Returns
    -------
    the rows from the top, each as long as there are values

    Examples
    --------
    >>> draw(np.array([0.0, 1.0, 3.0, 5.0, np.nan]), (0.0, 5.0), ASCII, 2)
    ['  .| ', '.:|| ']
    """
    full = len(marks)
    heights = [0 if math.isnan(v) else height(v, scale, full * rows) for v in values.tolist()]
    steps = f" {marks}"
    return [
        "".join(steps[min(max(high - row * full, 0), full)] for high in heights)
        for row in reversed(range(rows))
    ]


def height(value: float, scale: tuple[float, float], most: int) -> int:
    """How high a value stands on a scale, from 1 to `most`.

    >>> height(-0.5, (0.0, -0.5), 16), height(0.0, (0.0, -0.5), 16), height(math.inf, (0, 1), 16)
    (16, 1, 16)
    """
    foot, top = scale
    share = (value - foot) / (top - foot) if top != foot else float(value != foot)
    return 1 + round(min(max(share, 0.0), 1.0) * (most - 1))


def thinned(values: F64, columns: int, shown: Shown) -> F64:
    """One value for each of so many equal shares of the hours.

    Parameters
    ----------
    values : (T,) one an hour
    shown : of a share's hours the lowest value, the highest, or the one that is farthest from the
        value before, so that what moved most is seen; the lowest and the highest of all are, too

    Returns
    -------
    (columns,) NaN where every hour of a share is; a share shorter than an hour has that hour's
    """
    made = np.full(columns, np.nan)
    ends = extremes(values)[:2]
    before = math.nan
    for n in range(columns):
        first, after = n * len(values) // columns, (n + 1) * len(values) // columns
        share = values[first : max(after, first + 1)]
        share = share[~np.isnan(share)]
        if not share.size:
            continue
        low, high = float(share.min()), float(share.max())
        picked = {"low": low, "high": high}.get(shown)
        if picked is None:
            rises = math.isnan(before) or high - before >= before - low
            if (low == ends[0]) != (high == ends[1]):
                rises = high == ends[1]
            picked = high if rises else low
        made[n] = before = picked
    return made


def extremes(values: F64) -> tuple[float, float, float]:
    """Lowest, highest and last of the values that are numbers; NaN where none is."""
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan, math.nan, math.nan
    return float(known.min()), float(known.max()), float(known[-1])


def finite(values: F64) -> tuple[float, float]:
    """Lowest and highest of the values that are neither NaN nor infinite, 0 where none is.

    >>> finite(np.array([1.0, np.inf, 3.0, np.nan])), finite(np.array([np.nan]))
    ((1.0, 3.0), (0.0, 0.0))
    """
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def hits(time_ms: I64, at_ms: I64) -> I64:
    """Rows in which instants lie, the row being the first hour that is not before."""
    rows = np.searchsorted(time_ms, at_ms, side="left")
    return rows[rows < len(time_ms)].astype(np.int64)
