"""Figures for plotly.js, made as plain dicts: traces, axes, shaded spans.

Numbers go over as the bytes of typed arrays, which plotly.js reads: a third of what they take as
text, and nothing to parse. Times are ms since 1970, UTC.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Figure = dict[str, Any]
Trace = dict[str, Any]


def packed(values: NDArray[Any], kind: str = "f4") -> dict[str, str]:
    """An array as plotly.js takes it; ``kind`` is ``f4``, ``f8``, ``i4`` ..."""
    raw = np.ascontiguousarray(values, np.dtype(f"<{kind}")).tobytes()
    return {"dtype": kind, "bdata": base64.b64encode(raw).decode("ascii")}


def times(series: pl.Series) -> NDArray[np.int64]:
    """Times of a frame as ms since 1970."""
    return series.dt.epoch("ms").to_numpy()


def numbers(series: pl.Series) -> NDArray[np.float64]:
    """A column as numbers, NaN for null."""
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def line(
    name: str,
    time_ms: NDArray[Any],
    values: NDArray[Any],
    colour: str,
    *,
    hover: str = ",.2f",
    unit: str = "",
    axis: int = 1,
    **more: Any,
) -> Trace:
    """A line over time; gaps are left open.

    Parameters
    ----------
    colour : a role, as ``@1``
    hover : d3 format of its numbers; unit : what stands after them
    axis : number of its y axis
    more : anything else of a plotly.js scatter trace; ``line`` is merged
    """
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": packed(time_ms, "f8"),
        "y": packed(values, "f4" if _fits(values) else "f8"),
        "yaxis": "y" if axis == 1 else f"y{axis}",
        "connectgaps": False,
        "hovertemplate": f"%{{y:{hover}}}{unit}",
        **more,
        "line": {"color": colour, "width": 1.5, **more.get("line", {})},
    }


def _fits(values: NDArray[Any]) -> bool:
    """Whether single precision tells the numbers to a cent, and a rate to a millionth of it."""
    told = np.abs(values[np.isfinite(values)])
    return bool(told.size == 0 or told.max() < 1e5)


def bars(
    name: str,
    x: NDArray[Any] | Sequence[str],
    values: NDArray[Any] | Sequence[float],
    colour: str | Sequence[str],
    *,
    hover: str = ",.2f",
    unit: str = "",
    **more: Any,
) -> Trace:
    """Bars over time (ms) or over names."""
    return {
        "type": "bar",
        "name": name,
        "x": packed(x, "f8") if isinstance(x, np.ndarray) else list(x),
        "y": packed(np.asarray(values, np.float64), "f8"),
        "marker": {"color": colour if isinstance(colour, str) else list(colour)},
        "hovertemplate": f"%{{y:{hover}}}{unit}",
        **more,
    }


def marks(
    name: str,
    time_ms: NDArray[Any],
    values: NDArray[Any],
    colour: str,
    symbol: str,
    texts: Sequence[str] = (),
    **more: Any,
) -> Trace:
    """Single points, told by their shape as well as by their colour; ``texts`` on hovering."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": packed(time_ms, "f8"),
        "y": packed(values, "f8"),
        "marker": {"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1}},
        "text": list(texts),
        "hovertemplate": "%{text}" if texts else "%{y}",
        **more,
    }


def shaded(spans: Iterable[tuple[int, int]], colour: str = "@shade") -> list[dict[str, Any]]:
    """Shapes that shade spans of time (ms, ms) behind the lines: weekends, closed sessions."""
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": begun,
            "x1": ended,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"width": 0},
            "fillcolor": colour,
        }
        for begun, ended in spans
    ]


def shade(name: str, begun_ms: NDArray[Any], ended_ms: NDArray[Any], height: float = 1.0) -> Trace:
    """Spans of time shaded behind the lines, as one trace: a tenth of what shapes take.

    It lies on a y axis of its own, the ninth, which :func:`figure` adds.

    Parameters
    ----------
    begun_ms, ended_ms : (N,) ascending, none begins before another ends
    height : share of the chart's height, from its foot on: what tells two kinds of spans apart
    """
    edges = np.stack([begun_ms, ended_ms], axis=1).reshape(-1)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": packed(edges, "f8"),
        "y": packed(np.tile([round(100 * height), 0], len(begun_ms)), "i1"),  # %
        "yaxis": "y9",
        "line": {"shape": "hv", "width": 0},
        "fill": "tozeroy",
        "fillcolor": "@shade",
        "hoverinfo": "skip",
    }


def figure(
    traces: Sequence[Trace],
    *,
    y: str,
    fmt: str = "",
    time: bool = True,
    shapes: Sequence[dict[str, Any]] = (),
    **layout: Any,
) -> Figure:
    """A figure over the run's time, or over names.

    Parameters
    ----------
    y : title of the y axis with its unit
    fmt : d3 format of its ticks, as ``.1%``
    time : the x axis is the run's time
    layout : anything else of a plotly.js layout; ``xaxis`` and ``yaxis`` are merged. Further y axes
        are ``yaxis2`` ... with ``domain``, which the traces name by ``axis``.
    """
    behind = {}
    if any(trace.get("yaxis") == "y9" for trace in traces):
        behind = {"yaxis9": {"range": [0, 100], "visible": False, "fixedrange": True}}
        layout["yaxis"] = {"overlaying": "y9", "tickmode": "auto", **layout.get("yaxis", {})}
    return {
        "data": list(traces),
        "layout": {
            **layout,
            **behind,
            "xaxis": {**({"type": "date"} if time else {}), **layout.get("xaxis", {})},
            "yaxis": {"title": {"text": y}, "tickformat": fmt, **layout.get("yaxis", {})},
            "shapes": [*shapes, *layout.get("shapes", ())],
        },
    }
