"""The hour of a portfolio: what was done is shared out, every member decides, and the net is asked.

The members are asked one after the other through the one door: each sees its own positions and its
own part of cash and equity in the mirror of the book, which is put back as it was.
"""

from __future__ import annotations

import math
from typing import Any

from perpkit.arrays import Past, Target, View
from perpkit.rule import rule
from perpkit.strategy.allot import cross_all, finish, hand_out, reconcile, turn
from perpkit.strategy.subbooks import BAD, MEMBERS, Sub, carve

TINY = 1e-12  # of the units wanted: rounding of a sum
SAME = 1e-9


# --------------------------------------------------------------------------- equity


@rule
def earn(past: Past, sub: Sub) -> None:
    """Book what prices and funding made of the units of the row before, now in units of this."""
    perps = past.mark_px.shape[1]
    for i in range(sub.px.shape[0]):
        now = past.mark_px[-1, i] if i < perps else past.fair_px[-1, i - perps]
        rate = past.funding[-1, i] if i < perps else math.nan
        paid = past.oracle_px[-1, i] * rate if i < perps else math.nan
        for n in range(sub.held.shape[0]):
            units = sub.held[n, i]
            if units == 0.0:
                continue
            if not math.isnan(now - sub.px[i]):
                sub.equity[n] += units * (now - sub.px[i])
            if not math.isnan(paid):
                sub.equity[n] -= units * paid
        sub.px[i] = now


@rule
def divide(book: View, sub: Sub) -> float:
    """Share out, by capital, what no sub-book earned for itself; the sum of their equities."""
    total, summed = 0.0, 0.0
    for a in range(book.accounts.shape[0]):
        total += book.accounts[a].equity_usd
    for n in range(sub.equity.shape[0]):
        total -= sub.equity[n]
    for n in range(sub.equity.shape[0]):
        sub.equity[n] += sub.share[n] * total
        summed += sub.equity[n]
    return summed


# --------------------------------------------------------------------------- what a member sees


@rule
def remember(book: View, seen: Any) -> None:
    """Keep what the mirror shows of the whole book."""
    at = 0
    for m in range(book.perps.shape[0]):
        seen[at] = book.perps[m].position
        seen[at + 1] = book.perps[m].entry_px
        at += 2
    for k in range(book.tokens.shape[0]):
        seen[at] = book.tokens[k].units
        seen[at + 1] = book.tokens[k].pledged
        seen[at + 2] = book.tokens[k].pending
        at += 3
    for a in range(book.accounts.shape[0]):
        seen[at] = book.accounts[a].cash_usd
        seen[at + 1] = book.accounts[a].equity_usd
        seen[at + 2] = book.accounts[a].free_usd
        at += 3


@rule
def show(n: int, part: float, book: View, sub: Sub) -> None:
    """Show a member its positions, and its part of what accounts hold; the margin ratio is one."""
    at, perps, seen = 0, book.perps.shape[0], sub.seen
    for m in range(perps):
        own, whole = sub.held[n, m], seen[at]
        book.perps[m].position = own
        book.perps[m].entry_px = seen[at + 1] if own == whole else sub.entry[n, m]
        at += 2
    for k in range(book.tokens.shape[0]):
        own, whole = sub.held[n, perps + k], seen[at]
        of = own / whole if whole != 0.0 else 0.0
        book.tokens[k].units = own
        book.tokens[k].pledged = seen[at + 1] * of
        book.tokens[k].pending = seen[at + 2] * of
        at += 3
    for a in range(book.accounts.shape[0]):
        book.accounts[a].cash_usd = seen[at] * part
        book.accounts[a].equity_usd = seen[at + 1] * part
        book.accounts[a].free_usd = seen[at + 2] * part
        at += 3


@rule
def put_back(book: View, seen: Any) -> None:
    """Show the whole book again."""
    at = 0
    for m in range(book.perps.shape[0]):
        book.perps[m].position = seen[at]
        book.perps[m].entry_px = seen[at + 1]
        at += 2
    for k in range(book.tokens.shape[0]):
        book.tokens[k].units = seen[at]
        book.tokens[k].pledged = seen[at + 1]
        book.tokens[k].pending = seen[at + 2]
        at += 3
    for a in range(book.accounts.shape[0]):
        book.accounts[a].cash_usd = seen[at]
        book.accounts[a].equity_usd = seen[at + 1]
        book.accounts[a].free_usd = seen[at + 2]
        at += 3


# --------------------------------------------------------------------------- targets


@rule
def clear(target: Target) -> None:
    """NaN everywhere: nothing is asked for yet."""
    for m in range(target.perps.shape[0]):
        target.perps[m] = math.nan
    for k in range(target.tokens.shape[0]):
        target.tokens[k] = math.nan


@rule
def take(t: int, n: int, target: Target, sub: Sub) -> None:
    """Let what a member wrote stand as its own target; what cannot be is kept as it is told."""
    perps = target.perps.shape[0]
    for i in range(sub.wrote.shape[0]):
        wanted = target.perps[i] if i < perps else target.tokens[i - perps]
        if math.isnan(wanted):
            continue
        if sub.state[BAD] == 0 and (math.isinf(wanted) or (i >= perps and wanted < 0.0)):
            sub.state[BAD] = n + 1
        sub.want[n, i] = wanted
        sub.since[n, i] = t
        sub.wrote[i] = 1.0


@rule
def net_of(i: int, actual: float, lots: float, sub: Sub) -> float:
    """What all sub-books together are to hold: a member's target, else what it has."""
    net, size = 0.0, 0.0
    for n in range(sub.held.shape[0]):
        own = sub.want[n, i]
        if math.isnan(own):
            own = sub.held[n, i]
        net += own
        size += abs(own) + abs(sub.held[n, i])
    if sub.head[MEMBERS] == 1:
        return net
    if lots > 0.0 and not math.isinf(net):
        lot = math.floor(net * lots + 0.5) / lots
        if abs(lot - net) <= TINY * size:
            net = lot
    return actual if abs(net - actual) <= TINY * size else net


@rule
def ask_book(book: View, target: Target, sub: Sub) -> None:
    """Ask the book for the net of all targets, where one was written or the net has changed."""
    perps = target.perps.shape[0]
    for i in range(sub.wrote.shape[0]):
        stands = sub.head[MEMBERS] > 1 and not math.isnan(sub.sent[i])
        if sub.wrote[i] == 0.0 and not stands:
            continue
        lots = float(book.perps[i].lots_per_unit) if i < perps else 0.0
        actual = book.perps[i].position if i < perps else book.tokens[i - perps].units
        net = net_of(i, actual, lots, sub)
        if sub.wrote[i] == 0.0 and not abs(net - sub.sent[i]) > SAME * (abs(net) + abs(actual)):
            continue
        sub.sent[i] = net
        if i < perps:
            target.perps[i] = net
        else:
            target.tokens[i - perps] = net


@rule
def refuse(target: Target, sub: Sub) -> None:
    """Hand on the first target that cannot be, so that the book ends the run with it."""
    perps, n = target.perps.shape[0], sub.state[BAD] - 1
    for i in range(sub.wrote.shape[0]):
        wanted = sub.want[n, i]
        if i < perps and math.isinf(wanted):
            target.perps[i] = wanted
        elif i >= perps and (math.isinf(wanted) or wanted < 0.0):
            target.tokens[i - perps] = wanted


# --------------------------------------------------------------------------- the hour


@rule
def begin(t: int, past: Past, book: View, sub: Sub) -> float:
    """Share out all that happened since the last hour; the sum of the sub-books' equities."""
    turn(t, book, sub)
    earn(past, sub)
    hand_out(t, book, sub)
    finish(t, book, sub)
    perps, books = book.perps.shape[0], sub.held.shape[0]
    for i in range(sub.wrote.shape[0]):
        actual = book.perps[i].position if i < perps else book.tokens[i - perps].units
        reconcile(i, float(actual), i < perps, sub)
    cross_all(t, book, sub)
    for n in range(books):
        for i in range(sub.wrote.shape[0]):
            if sub.held[n, i] != 0.0:
                sub.booked[t * books + n, i] = sub.held[n, i]
    for i in range(sub.wrote.shape[0]):
        sub.wrote[i] = 0.0
    remember(book, sub.seen)
    return divide(book, sub)


@rule
def prepare(n: int, total: float, book: View, target: Target, sub: Sub) -> None:
    """Make the door ready for a member."""
    part = sub.equity[n] / total if total != 0.0 else sub.share[n]
    show(n, part, book, sub)
    clear(target)


@rule
def end(book: View, target: Target, sub: Sub) -> None:
    """Put the mirror back and ask the book for the net."""
    put_back(book, sub.seen)
    clear(target)
    if sub.state[BAD] != 0:
        refuse(target, sub)
    else:
        ask_book(book, target, sub)


__all__ = ["begin", "carve", "end", "prepare", "take"]
