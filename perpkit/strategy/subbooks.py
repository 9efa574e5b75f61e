"""Where the sub-books of a portfolio lie: within the bytes that pass a strategy's door.

A portfolio reaches the book as one strategy. What its members hold, want and are shown is kept in
the bytes of its memory, and what it needs to know of the market in those of its parameters; so the
book, and its compiled loop, know nothing of members. The buffer of the hour's fills lies in the
memory too: the loop writes it, and the portfolio reads from it what was done for whom.

Axes: ``S`` members, ``R`` = S + 1 sub-books, the last of which nobody manages: what is left of the
capital; ``I`` = M + K instruments.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perpkit.arrays import F64, FILL, I64
from perpkit.layout import Axes
from perpkit.rule import rule

# What happens to an instrument at a row, by kind.
SPLIT, SETTLED, FAILED, LOCKED = range(4)

(MEMBERS, PERPS, TOKENS, ACCOUNTS, HOURS, FILLS, TURNS, PAIR) = range(8)  # counts, and a flag
# Offsets within the parameters, and within the memory.
_OF_PARAMS = range(8, 16)
(SHARE, TURN_ROW, TURN_AT, TURN_KIND, TURN_VALUE, OPEN, PARAMS_AT, MEMORY_AT) = _OF_PARAMS
_OF_MEMORY = range(16, 35)
(
    HELD, WANT, SINCE, ENTRY, EQUITY, PX, SENT, LEG, SEEN, WEIGHT, PART, MAY, WROTE, STATE, BOOKED,
    CROSSED, DECIDED, SHARES, BUFFER,
) = _OF_MEMORY  # fmt: skip
HEAD = 35
NEXT_TURN, BAD = range(2)  # of STATE; BAD: 1 + the member that asked for what cannot be
_WORD = 8  # bytes
FILL_BYTES = FILL.itemsize
_ROOM = 64  # what every section begins at a multiple of, as no record asks for more


class Sub(NamedTuple):
    """The sub-books, carved out of parameters and memory."""

    head: I64  # (HEAD,)
    params_at: I64  # (R,) where the parameters and memory of each member begin
    memory_at: I64
    share: F64  # (R,) of the capital
    turn_row: I64  # ascending, like the next three one a turn
    turn_at: I64  # instrument
    turn_kind: I64
    turn_value: F64
    open: Annotated[NDArray[np.uint8], Axes("u1", ("T", "I"))]  # opposite orders may cross
    held: F64  # (R, I) units
    want: F64  # (R, I) standing targets, NaN for none
    since: I64  # (R, I) row at which they were set
    entry: F64  # (R, I) average of the open position
    equity: F64  # (R,) USD
    px: F64  # (I,) mark or fair price of the row before
    sent: F64  # (I,) what the book was last asked for, NaN for nothing
    leg: F64  # (R, I) whose the last trade was that took time
    seen: F64  # what the book showed, while a member is shown its own
    weight: F64  # (R,)
    part: F64  # (R,)
    may: F64  # (I,) 1 where orders cross in this row
    wrote: F64  # (I,) 1 where a member set a target in this row
    state: I64  # (2,)
    booked: F64  # (T * R, I) units at the end of each row
    crossed: F64  # (T * R, I) units that changed hands within the book
    decided: I64  # (T * R, I) and the row at which that was asked for
    shares: F64  # (fills, R) units of each fill
    fills: Any  # records of arrays.FILL, which the book loop writes
    used: I64  # (3,) rows of it in use


@rule
def carve(params: Any, memory: Any) -> Sub:
    """The sub-books as arrays; they share the bytes' memory.

    Written out: code that counts no references returns tuples, but no array of its own making.
    """
    head = params[: 8 * HEAD].view(np.int64)
    books, perps, tokens = head[MEMBERS] + 1, head[PERPS], head[TOKENS]
    hours, fills, turns = head[HOURS], head[FILLS], head[TURNS]
    every = perps + tokens
    buffer = head[BUFFER]
    rows = buffer + FILL_BYTES * fills
    told = head[OPEN]
    return Sub(
        head,
        params[head[PARAMS_AT] : head[PARAMS_AT] + 8 * books].view(np.int64),
        params[head[MEMORY_AT] : head[MEMORY_AT] + 8 * books].view(np.int64),
        params[head[SHARE] : head[SHARE] + 8 * books].view(np.float64),
        params[head[TURN_ROW] : head[TURN_ROW] + 8 * turns].view(np.int64),
        params[head[TURN_AT] : head[TURN_AT] + 8 * turns].view(np.int64),
        params[head[TURN_KIND] : head[TURN_KIND] + 8 * turns].view(np.int64),
        params[head[TURN_VALUE] : head[TURN_VALUE] + 8 * turns].view(np.float64),
        params[told : told + hours * every].reshape((hours, every)),
        memory[head[HELD] : head[HELD] + 8 * books * every]
        .view(np.float64)
        .reshape((books, every)),
        memory[head[WANT] : head[WANT] + 8 * books * every]
        .view(np.float64)
        .reshape((books, every)),
        memory[head[SINCE] : head[SINCE] + 8 * books * every]
        .view(np.int64)
        .reshape((books, every)),
        memory[head[ENTRY] : head[ENTRY] + 8 * books * every]
        .view(np.float64)
        .reshape((books, every)),
        memory[head[EQUITY] : head[EQUITY] + 8 * books].view(np.float64),
        memory[head[PX] : head[PX] + 8 * every].view(np.float64),
        memory[head[SENT] : head[SENT] + 8 * every].view(np.float64),
        memory[head[LEG] : head[LEG] + 8 * books * every].view(np.float64).reshape((books, every)),
        memory[head[SEEN] : head[SEEN] + 8 * (2 * perps + 3 * tokens + 3 * head[ACCOUNTS])].view(
            np.float64
        ),
        memory[head[WEIGHT] : head[WEIGHT] + 8 * books].view(np.float64),
        memory[head[PART] : head[PART] + 8 * books].view(np.float64),
        memory[head[MAY] : head[MAY] + 8 * every].view(np.float64),
        memory[head[WROTE] : head[WROTE] + 8 * every].view(np.float64),
        memory[head[STATE] : head[STATE] + 8 * 2].view(np.int64),
        memory[head[BOOKED] : head[BOOKED] + 8 * hours * books * every]
        .view(np.float64)
        .reshape((hours * books, every)),
        memory[head[CROSSED] : head[CROSSED] + 8 * hours * books * every]
        .view(np.float64)
        .reshape((hours * books, every)),
        memory[head[DECIDED] : head[DECIDED] + 8 * hours * books * every]
        .view(np.int64)
        .reshape((hours * books, every)),
        memory[head[SHARES] : head[SHARES] + 8 * fills * books]
        .view(np.float64)
        .reshape((fills, books)),
        memory[buffer:rows].view(FILL),
        memory[rows : rows + 8 * 3].view(np.int64),
    )


class Turns(NamedTuple):
    """What happens to instruments, ascending by row."""

    row: I64
    instrument: I64
    kind: I64
    value: F64


class Bytes(NamedTuple):
    """A portfolio's parameters and memory, as the door passes them."""

    params: NDArray[np.uint8]
    memory: NDArray[np.uint8]


def lay_out(
    sizes: dict[int, int],
    members: list[tuple[NDArray[np.uint8], int]],
    told: tuple[F64, Turns, NDArray[np.uint8]],
) -> Bytes:
    """Lay the sub-books of a run into bytes.

    Parameters
    ----------
    sizes : members, perps, tokens, accounts, hours, fills, and whether legs move together
    members : the parameters of each, and the bytes of its memory
    told : (R,) shares of the capital, what happens to instruments, (T, I) where orders may cross
    """
    share, turns, may = told
    books, every = sizes[MEMBERS] + 1, sizes[PERPS] + sizes[TOKENS]
    hours, fills = sizes[HOURS], sizes[FILLS]
    head = np.zeros(HEAD, np.int64)
    for number, size in sizes.items():
        head[number] = size
    head[TURNS] = len(turns.row)
    own = [len(params) for params, _ in members]
    sections: list[NDArray[Any]] = [share, *turns, may]
    places, end = _places([x.nbytes for x in sections] + [8 * books] * 2 + own, 8 * HEAD)
    head[SHARE : MEMORY_AT + 1] = places[:8]
    params = _blank(end)
    for at, section in zip(places, sections, strict=False):
        params[at : at + section.nbytes] = np.ascontiguousarray(section).reshape(-1).view(np.uint8)
    _at(params, head[PARAMS_AT], books)[:-1] = places[8:]
    for at, (bound, _) in zip(places[8:], members, strict=True):
        params[at : at + len(bound)] = bound
    seen = 2 * sizes[PERPS] + 3 * sizes[TOKENS] + 3 * sizes[ACCOUNTS]
    state = [books * every] * 4 + [books, every, every, books * every, seen, books, books]
    state += [every, every, 2] + [hours * books * every] * 3 + [fills * books]
    words = [_WORD * count for count in state] + [FILL_BYTES * fills + 3 * _WORD]
    places, end = _places(words + [size for _, size in members], 0)
    head[HELD : BUFFER + 1] = places[: len(words)]
    memory = _blank(end)
    _at(params, head[MEMORY_AT], books)[:-1] = places[len(words) :]
    params[: 8 * HEAD] = head.view(np.uint8)
    sub = carve(params, memory)
    sub.want[:] = np.nan
    sub.sent[:] = np.nan
    sub.px[:] = np.nan
    return Bytes(params, memory)


def _places(sizes: list[int], start: int) -> tuple[list[int], int]:
    """Where sections of so many bytes begin, and where the last one ends."""
    made, at = [], start
    for size in sizes:
        at = -(-at // _ROOM) * _ROOM
        made.append(at)
        at += size
    return made, at


def _blank(size: int) -> NDArray[np.uint8]:
    return np.zeros(-(-size // _WORD) + 1, np.int64).view(np.uint8)


def _at(told: NDArray[np.uint8], at: int, length: int) -> Any:
    return told[at : at + _WORD * length].view(np.int64)
