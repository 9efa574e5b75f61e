"""The external price, and how far perps lean from it while the market is shut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.sources.simulated.draws import Draw, normals
from perpkit.sources.simulated.events import Event, of, span
from perpkit.sources.simulated.hours import Hours
from perpkit.sources.simulated.parameters import BP, Values
from perpkit.sources.simulated.stocks import Stock, column
from perpkit.sources.simulated.truth import Truth


class Action(NamedTuple):
    """A dividend or a split: its row, its stock, and USD a share or new shares per old."""

    row: int
    stock: int
    kind: str
    amount: float


class Path(NamedTuple):
    """Prices of the shares, each (T, S).

    Attributes
    ----------
    external_px : USD a share, frozen while the market is shut; as told, wrong prints and all
    true_px : USD a share, without them
    lean : what perps know beyond it while it is frozen, as a log move; 0 while open
    multiplier : shares a token stands for
    shares : shares that one share of the first row has become, by splits
    """

    external_px: F64
    true_px: F64
    lean: F64
    multiplier: F64
    shares: F64
    actions: tuple[Action, ...]


def lay_path(
    hours: Hours,
    stocks: Sequence[Stock],
    truth: Truth,
    events: Sequence[Event],
    values: Values,
    seed: int,
) -> Path:
    """Lay the external price and what perps make of the closed hours.

    Returns
    -------
    Path of shape (T, S)
    """
    seen, learnt, missed = truth.seen.copy(), truth.learnt.copy(), truth.missed.copy()
    _jump(of(events, "jump"), hours, seen, learnt, missed)
    moves = seen + _by_reopening(hours, learnt) + missed
    moves[0] = 0.0
    external = column(stocks, "start_px") * np.exp(np.cumsum(moves, axis=0))
    lean = _leaning(hours, learnt, [stock.ticker for stock in stocks], values, seed)
    planned = planned_actions(hours, stocks, events)
    external, multiplier, shares, actions = _act(external, stocks, planned, values)
    true = cents(external, stocks)
    told = true.copy()
    for event in of(events, "print"):
        told[span(event), event.stock] *= 1.0 + event.size
    return Path(cents(told, stocks), true, lean, multiplier, shares, actions)


def cents(px: F64, stocks: Sequence[Stock]) -> F64:
    """Prices as they are quoted: cents, tenths below 20 USD. Also what exp leaves must not show."""
    small = column(stocks, "start_px") < 20.0
    made: F64 = np.where(small, np.round(px, 3), np.round(px, 2))
    return made


def _jump(jumps: Sequence[Event], hours: Hours, seen: F64, learnt: F64, missed: F64) -> None:
    """Lay jumps into the open hour, or into the closed spell, that they fall in."""
    reopens = np.flatnonzero(hours.reopens)
    for event in jumps:
        move = float(np.log1p(event.size))
        if not hours.shut[event.row]:
            seen[event.row, event.stock] = move  # all that the hour brings: a gap is exact
            continue
        learnt[event.row, event.stock] += event.learnt * move
        after = reopens[reopens > event.row]
        if len(after):
            missed[after[0], event.stock] += (1.0 - event.learnt) * move


def _by_reopening(hours: Hours, learnt: F64) -> F64:
    """All that was learnt in a closed spell, in the row that reopens."""
    total = np.cumsum(learnt, axis=0)
    made = np.zeros_like(learnt)
    ends = np.flatnonzero(hours.reopens)
    made[ends] = np.diff(total[ends], axis=0, prepend=np.zeros((1, learnt.shape[1])))
    return made


def _leaning(hours: Hours, learnt: F64, names: Sequence[str], values: Values, seed: int) -> F64:
    """Follow what can be learnt by a share of the distance an hour, with noise."""
    noise = normals(seed, Draw.LEAN, names, len(learnt)) * values.closed_noise_bp * BP
    out = np.zeros_like(learnt)
    true, lean = np.zeros(learnt.shape[1]), np.zeros(learnt.shape[1])
    for t in np.flatnonzero(hours.shut).tolist():
        if t == 0 or not hours.shut[t - 1]:
            true, lean = np.zeros_like(true), np.zeros_like(lean)
        true = true + learnt[t]
        lean = lean + values.adjust_share * (true - lean) + noise[t]
        out[t] = lean
    return out


# --------------------------------------------------------------------------- corporate actions

_QUARTER_HOURS: Final = 91 * 24


def planned_actions(hours: Hours, stocks: Sequence[Stock], events: Sequence[Event]) -> list[Action]:
    """Four dividends a year, on the evening before the stock trades without, and those on purpose.

    A dividend's amount is 0 here where it follows from the yield and the price.
    """
    evenings: I64 = np.flatnonzero((hours.et_hour == 20) & ~hours.shut & ~hours.closed)
    made = []
    for s, stock in enumerate(stocks):
        first = 24 * (10 + sum(stock.ticker.encode()) % 80)
        for wanted in range(first, len(hours.time_ns), _QUARTER_HOURS):
            at = np.searchsorted(evenings, wanted)
            if stock.dividend_yield > 0.0 and at < len(evenings):
                made.append(Action(int(evenings[at]), s, "dividend", 0.0))
    meant = [
        Action(e.row, e.stock, kind, e.size)
        for kind in ("dividend", "split")
        for e in of(events, kind)
    ]
    # One on purpose takes the place of the usual one of its evening.
    taken = {one[:3] for one in meant}
    return sorted([one for one in made if one[:3] not in taken] + meant)


def _act(
    external: F64, stocks: Sequence[Stock], planned: Sequence[Action], values: Values
) -> tuple[F64, F64, F64, tuple[Action, ...]]:
    """Prices, multipliers and shares after every action, and the actions with their amounts."""
    multiplier = np.tile(column(stocks, "multiplier"), (len(external), 1))
    shares = np.ones_like(external)
    made: list[Action] = []
    for one in planned:
        t, s = one.row, one.stock
        if one.kind == "split":
            external[t:, s] /= one.amount
            multiplier[t:, s] *= one.amount
            shares[t:, s] *= one.amount
            made.append(one)
            continue
        before = float(external[t, s])
        usual = round(stocks[s].dividend_yield / 4.0 * before, 2)
        amount = one.amount or max(usual, 0.01)
        external[t:, s] *= (before - amount) / before
        paid = (1.0 - values.withholding_frac) * amount
        multiplier[t:, s] *= 1.0 + paid / round(float(external[t, s]), 2)
        made.append(one._replace(amount=amount))
    return external, np.round(multiplier, 9), shares, tuple(made)
