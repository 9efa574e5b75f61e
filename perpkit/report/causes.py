"""What the equity is put down to, as the panels add it up, name it and draw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import F64
from perpkit.codes import CAUSES
from perpkit.headline import CAUSE_NAMES
from perpkit.metrics.reading import add_up, codes, floats, found_all
from perpkit.report.panel import Cell, Column
from perpkit.report.reading import Run
from perpkit.report.said import usd

WIDE: Final = "account as a whole"  # what is booked on no instrument
LEGS: Final = ("perp_price", "token_price")
LEGS_NAME: Final = "price moves, both legs"
# A colour and a dash each: lines of one colour differ in their dash.
LOOKS: Final = {
    "funding": ("@1", "solid"),
    "yield": ("@3", "solid"),
    "dividend": ("@3", "dash"),
    LEGS_NAME: ("@4", "solid"),
    "perp_price": ("@4", "dash"),
    "token_price": ("@4", "dot"),
    "fees": ("@2", "solid"),
    "slippage": ("@2", "dash"),
    "interest": ("@5", "solid"),
    "transfer": ("@5", "dash"),
    "settlement": ("@5", "dot"),
    "liquidation": ("@7", "dashdot"),
    "bad_debt": ("@6", "longdash"),
}


class Sums(NamedTuple):
    """The attribution added up over the run."""

    strategies: list[str]
    instruments: list[str]  # perps, tokens, and "" for what is booked on the account as a whole
    usd: F64  # (strategies, instruments, causes)


def added_up(run: Run) -> Sums:
    """The attribution by strategy, instrument and cause.

    Raises
    ------
    DataError
        If the attribution names an instrument or a cause that the run has not.
    """
    booked = run.frames["attribution"]
    strategies = [str(s) for s in booked["strategy"].unique(maintain_order=True)]
    instruments = [*run.coins, *run.tokens, ""]
    key = codes(booked["strategy"], strategies)
    for column, known in (("instrument", instruments), ("cause", CAUSES)):
        found = found_all(codes(booked[column], known), booked[column], f"attribution.{column}")
        key = key * len(known) + found
    shape = (len(strategies), len(instruments), len(CAUSES))
    total = add_up(key, floats(booked["usd"]), int(np.prod(shape)))
    return Sums(strategies, instruments, total.reshape(shape))


def by_hour(run: Run) -> dict[str, F64]:
    """The causes that ever booked anything, USD by the hour: (T,) each."""
    frame = run.frames["equity"]
    every = {cause: floats(frame[f"{cause}_usd"]) for cause in CAUSES}
    return {cause: told for cause, told in every.items() if told.any()}


def cause_columns(causes: Sequence[str]) -> list[Column]:
    """Their sum, and a column a cause."""
    net = Column("net", "USD", number=True, about="sum of the causes")
    return [net, *(Column(CAUSE_NAMES[c], "USD", number=True) for c in causes)]


def cause_cells(told: F64, causes: Sequence[str]) -> list[Cell]:
    """Cells for :func:`cause_columns` from the sums of all :data:`CAUSES`."""
    return [usd(float(told.sum())), *(usd(float(told[CAUSES.index(c)])) for c in causes)]


def total_cells(run: Run, causes: Sequence[str]) -> list[Cell]:
    """The sums as ``summary.json`` has them, sorted last."""
    every = [run.metric(f"{cause}_usd") or 0.0 for cause in CAUSES]
    told = [sum(every), *(run.metric(f"{cause}_usd") or 0.0 for cause in causes)]
    return [Cell(usd(value).text, None) for value in told]
