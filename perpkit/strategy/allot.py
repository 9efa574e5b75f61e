"""Whose a fill is, and what opposite orders do to each other before the book sees the rest.

Every fill of the book is shared out, whole, in the row in which it happens; what orders of one
member ask for and another's have to give changes hands between them. So the units of the sub-books
always add up to the book's.
"""

from __future__ import annotations

import math

from perpkit.arrays import Reason, View
from perpkit.rule import rule
from perpkit.strategy.subbooks import (
    FAILED,
    LOCKED,
    MEMBERS,
    NEXT_TURN,
    PAIR,
    SETTLED,
    SPLIT,
    Sub,
)

TARGET, SWEPT = int(Reason.TARGET), int(Reason.SWEPT)
ACTION, SHOCK, SETTLEMENT = int(Reason.ACTION), int(Reason.SHOCK), int(Reason.SETTLEMENT)
LOT_SLACK = 1e-6  # of a lot
SLACK = 1e-9  # of units: what is no order, and no part of a fill
ROUNDING = 1e-12  # of units that are added
SELL = 2  # the lock from which a token may not be sold


# --------------------------------------------------------------------------- shares


@rule
def order_of(n: int, i: int, sub: Sub) -> float:
    """What a sub-book's target still asks for; nothing where it has none."""
    want, held = sub.want[n, i], sub.held[n, i]
    gap = want - held
    return gap if abs(gap) > SLACK * (abs(want) + abs(held)) else 0.0


@rule
def by_orders(i: int, sign: float, sub: Sub) -> float:
    """Weigh the sub-books by what their targets still ask for in one direction; the sum."""
    total = 0.0
    for n in range(sub.weight.shape[0]):
        sub.weight[n] = max(order_of(n, i, sub) * sign, 0.0)
        total += sub.weight[n]
    return total


@rule
def by_held(i: int, sign: float, sub: Sub) -> float:
    """Weigh the sub-books by the units that a fill of this sign reduces; the sum."""
    total = 0.0
    for n in range(sub.weight.shape[0]):
        sub.weight[n] = max(-sign * sub.held[n, i], 0.0)
        total += sub.weight[n]
    return total


@rule
def by_units(i: int, rows: int, sub: Sub) -> float:
    """Weigh the sub-books by the units they had, signed, from a row of ``booked`` on; the sum."""
    total = 0.0
    for n in range(sub.weight.shape[0]):
        sub.weight[n] = sub.booked[rows + n, i] if rows >= 0 else 0.0
        total += sub.weight[n]
    return total


@rule
def by_share(sub: Sub) -> float:
    """Weigh the sub-books by their share of the capital."""
    total = 0.0
    for n in range(sub.weight.shape[0]):
        sub.weight[n] = sub.share[n]
        total += sub.weight[n]
    return total


@rule
def deal(size: float, total: float, lots: float, sub: Sub) -> None:
    """Share a size out by the weights, in whole lots where ``lots`` a unit is not 0.

    Each has what the running sum, rounded, adds: the parts are the size, whatever the rounding.
    """
    last = -1
    for n in range(sub.weight.shape[0]):
        if sub.weight[n] != 0.0:
            last = n
    summed, given = 0.0, 0.0
    for n in range(sub.weight.shape[0]):
        sub.part[n] = 0.0
        if sub.weight[n] != 0.0:
            summed += sub.weight[n]
            upto = size
            if n != last:
                upto = size * (summed / total)
                if lots > 0.0:
                    upto = math.copysign(math.floor(abs(upto) * lots + 0.5) / lots, upto)
            sub.part[n] = upto - given
            given = upto


@rule
def move(i: int, px: float, lots: float, sub: Sub) -> None:
    """Give every sub-book its part at a price."""
    for n in range(sub.part.shape[0]):
        part = sub.part[n]
        if part == 0.0:
            continue
        before = sub.held[n, i]
        after = before + part
        if lots > 0.0:
            whole = math.floor(after * lots + 0.5) / lots
            after = whole if abs(whole - after) * lots < LOT_SLACK else after
        want, size = sub.want[n, i], abs(before) + abs(part)
        if abs(after - want) < ROUNDING * size:
            after = want
        elif abs(after) < ROUNDING * size:
            after = 0.0
        entry = sub.entry[n, i]
        if after == 0.0:
            entry = 0.0
        elif before * after < 0.0:
            entry = px
        elif abs(after) > abs(before):
            entry = (before * entry + part * px) / after
        sub.entry[n, i] = entry
        sub.held[n, i] = after


# --------------------------------------------------------------------------- what the book did


@rule
def withdraw(i: int, book: View, sub: Sub) -> None:
    """Forget what was asked of an instrument, as the book does, and purchases that hedge it."""
    for n in range(sub.want.shape[0]):
        sub.want[n, i] = math.nan
    sub.sent[i] = math.nan
    if i < book.perps.shape[0]:
        k = book.perps[i].token
        if k >= 0:
            j = book.perps.shape[0] + k
            for n in range(sub.want.shape[0]):
                if sub.want[n, j] > sub.held[n, j]:
                    sub.want[n, j] = math.nan


@rule
def is_over(t: int, i: int, sub: Sub) -> bool:
    """Whether every position in an instrument ended in this row, whoever's it was."""
    found = False
    for n in range(sub.turn_row.shape[0]):
        if sub.turn_row[n] == t and sub.turn_at[n] == i:
            kind = sub.turn_kind[n]
            found |= kind in (SETTLED, FAILED)
    return found


@rule
def share_out(t: int, n: int, book: View, sub: Sub) -> None:
    """Share the fill of row ``n`` of the buffer out."""
    fill = sub.fills[n]
    i, reason = int(fill["instrument"]), int(fill["reason"])
    size, px = float(fill["size"]), float(fill["px"])
    perps, books = book.perps.shape[0], sub.weight.shape[0]
    lots = float(book.perps[i].lots_per_unit) if i < perps else 0.0
    sign, before = math.copysign(1.0, size), (t - 1) * books
    restated = reason == ACTION and px == 0.0
    over = i < perps and reason in (ACTION, SHOCK) and is_over(t, i, sub)
    moves = not (restated or over)
    total, forced = 0.0, reason != TARGET
    if not moves:
        total, lots = by_units(i, before, sub), 0.0
    elif reason == SETTLEMENT:
        for s in range(books):
            sub.weight[s] = sub.leg[s, i]
            total += sub.leg[s, i]
        lots = 0.0
    elif reason == TARGET:
        total = by_orders(i, sign, sub)
        if total * (1.0 + SLACK) < abs(size):
            total = 0.0
    if total == 0.0 and reason != SWEPT:
        total = by_held(i, sign, sub)
        if total * (1.0 + SLACK) < abs(size):
            total = 0.0
    if total == 0.0:
        total = by_share(sub)
    deal(size, total, lots, sub)
    for s in range(books):
        sub.shares[n, s] = sub.part[s]
        if reason == TARGET and fill["settlement_id"] > 0:
            sub.leg[s, i] = sub.part[s]
    if moves:
        move(i, px, lots, sub)
        if forced and reason != SETTLEMENT:
            withdraw(i, book, sub)


@rule
def hand_out(t: int, book: View, sub: Sub) -> None:
    """Share out the fills of the row, in their order, and book what each made of its price."""
    first = sub.used[0]
    while first > 0 and sub.fills[first - 1]["row"] == t:
        first -= 1
    for n in range(first, sub.used[0]):
        share_out(t, n, book, sub)
        fill = sub.fills[n]
        size, px = float(fill["size"]), float(fill["px"])
        if size == 0.0 or px == 0.0:
            continue
        lost, fee = float(fill["value_px"]) - px, float(fill["fee_usd"])
        for s in range(sub.equity.shape[0]):
            part = sub.shares[n, s]
            sub.equity[s] += part * lost - fee * (part / size)


@rule
def restate(i: int, ratio: float, book: View, sub: Sub) -> None:
    """An instrument in new units."""
    lots = float(book.perps[i].lots_per_unit) if i < book.perps.shape[0] else 0.0
    sub.px[i] /= ratio
    sub.sent[i] = whole(sub.sent[i] * ratio, lots)
    for n in range(sub.held.shape[0]):
        sub.held[n, i] *= ratio
        sub.entry[n, i] /= ratio
        sub.leg[n, i] *= ratio
        sub.want[n, i] = whole(sub.want[n, i] * ratio, lots)


@rule
def whole(units: float, lots: float) -> float:
    """Units cut to whole lots, towards zero, as the book restates targets; NaN stays NaN."""
    if lots == 0.0 or math.isnan(units):
        return units
    return math.copysign(math.floor(abs(units) * lots + LOT_SLACK) / lots, units)


@rule
def turn(t: int, book: View, sub: Sub) -> None:
    """Do to the sub-books what the row does to instruments as a whole."""
    n = sub.state[NEXT_TURN]
    while n < sub.turn_row.shape[0] and sub.turn_row[n] <= t:
        i, kind = int(sub.turn_at[n]), sub.turn_kind[n]
        if kind == SPLIT:
            restate(i, float(sub.turn_value[n]), book, sub)
        elif kind == LOCKED:
            lock(i, float(sub.turn_value[n]), book, sub)
        n += 1
    sub.state[NEXT_TURN] = n


@rule
def lock(i: int, level: float, book: View, sub: Sub) -> None:
    """Withdraw what a lock touches: all of it, or where it bars receipt alone, what would buy."""
    buys = 0.0
    for n in range(sub.held.shape[0]):
        gap = sub.want[n, i] - sub.held[n, i]
        buys += 0.0 if math.isnan(gap) else gap
    if level >= SELL or buys > 0.0:
        withdraw(i, book, sub)
        for m in range(book.perps.shape[0] if sub.head[PAIR] == 1 else 0):
            if book.perps[m].token == i - book.perps.shape[0]:
                withdraw(m, book, sub)


@rule
def finish(t: int, book: View, sub: Sub) -> None:
    """Close what ended in the row, for every sub-book: two that are opposite have no fill of it."""
    books = sub.held.shape[0]
    for n in range(sub.turn_row.shape[0]):
        if sub.turn_row[n] != t or sub.turn_kind[n] not in (SETTLED, FAILED):
            continue
        i, net = int(sub.turn_at[n]), 0.0
        for s in range(books):
            net += sub.held[s, i]
        for s in range(books):
            if abs(net) < SLACK * abs(sub.held[s, i]):
                sub.crossed[t * books + s, i] -= sub.held[s, i]
                sub.decided[t * books + s, i] = t
            sub.held[s, i] = 0.0
            sub.entry[s, i] = 0.0
        withdraw(i, book, sub)


@rule
def reconcile(i: int, actual: float, perp: bool, sub: Sub) -> None:
    """Let the sub-books add up to the book: units without a fill are yield, the rest rounding."""
    total, size, most, holders = 0.0, 0.0, 0, 0
    for n in range(sub.held.shape[0]):
        total += sub.held[n, i]
        size += abs(sub.held[n, i])
        if abs(sub.held[n, i]) > abs(sub.held[most, i]):
            most = n
        if sub.held[n, i] != 0.0:
            holders += 1
    rest = actual - total
    if rest == 0.0:
        return
    if abs(rest) > SLACK * max(size, abs(actual)):
        weights = 0.0
        for n in range(sub.weight.shape[0]):
            sub.weight[n] = abs(sub.held[n, i])
            weights += sub.weight[n]
        if weights == 0.0:
            weights = by_share(sub)
        deal(rest, weights, 0.0, sub)
        for n in range(sub.part.shape[0]):
            sub.held[n, i] += sub.part[n]
    elif holders == 1:
        sub.held[most, i] = actual
    elif not perp:
        sub.held[most, i] += rest


# --------------------------------------------------------------------------- crossing


@rule
def may_cross(t: int, book: View, sub: Sub) -> None:
    """Say where orders cross in the row: both legs of a hedge, or neither."""
    perps = book.perps.shape[0]
    for i in range(sub.may.shape[0]):
        sub.may[i] = float(sub.open[t, i])
    for m in range(perps):
        if book.perps[m].barred:
            sub.may[m] = 0.0
        k = book.perps[m].token
        if sub.head[PAIR] == 0 or k < 0:
            continue
        j, hedge = perps + k, False
        for n in range(sub.head[MEMBERS]):
            gap = (sub.want[n, m] - sub.held[n, m]) * (sub.want[n, j] - sub.held[n, j])
            hedge |= gap < 0.0
        if hedge and (sub.may[m] == 0.0 or sub.may[j] == 0.0):
            sub.may[m] = 0.0
            sub.may[j] = 0.0


@rule
def opposite(i: int, sub: Sub) -> float:
    """What the smaller of the two sides asks for."""
    buys, sales = 0.0, 0.0
    for n in range(sub.held.shape[0]):
        order = order_of(n, i, sub)
        buys += max(order, 0.0)
        sales += max(-order, 0.0)
    return min(buys, sales)


@rule
def cross(t: int, i: int, px: float, lots: float, sub: Sub) -> None:
    """Let opposite orders meet, as far as the smaller side goes, in whole lots."""
    size = opposite(i, sub)
    if lots > 0.0:
        size = math.floor(size * lots + LOT_SLACK) / lots
    if not size > 0.0:
        return
    row = t * sub.held.shape[0]
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        total = by_orders(i, sign, sub)
        deal(sign * size, total, lots, sub)
        for n in range(sub.part.shape[0]):
            if sub.part[n] != 0.0:
                sub.crossed[row + n, i] += sub.part[n]
                sub.decided[row + n, i] = sub.since[n, i]
        move(i, px, lots, sub)


@rule
def cross_all(t: int, book: View, sub: Sub) -> None:
    """Cross what is opposite in every instrument, at the mark, or a token's fair price."""
    may_cross(t, book, sub)
    perps = book.perps.shape[0]
    for i in range(sub.may.shape[0]):
        if sub.may[i] > 0.0:
            px = book.perps[i].mark_px if i < perps else book.tokens[i - perps].fair_px
            lots = book.perps[i].lots_per_unit if i < perps else 0.0
            cross(t, i, float(px), float(lots), sub)
