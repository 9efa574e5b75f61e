"""The one ``decide`` of a portfolio, made of its members'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perpkit.arrays import Past, Target, View
from perpkit.lend import lend
from perpkit.rule import rule
from perpkit.strategy.load import Strategy
from perpkit.strategy.params import params_dtype
from perpkit.strategy.subbooks import Sub, carve
from perpkit.strategy.together import begin, end, prepare, take

Ask = Callable[[int, int, Past, View, Any, Any, Target, Sub], None]


def decide_of(
    strategy: Strategy, *, plain: bool = False, counted: bool = False
) -> Callable[..., None]:
    """The function that asks every member in turn, to be compiled, or for plain Python.

    Where references are ``counted`` nothing may be lent.
    """
    ask: Ask = nobody
    for n, member in enumerate(strategy.members):
        make = _asks_plan if member.strategy.decide is None else _asks
        ask = rule(make(n, member.strategy, plain, ask))
    members = len(strategy.members)
    pass_on = same if counted or plain else lend

    def decide(
        t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
    ) -> None:
        sub = pass_on(carve(params_bytes, memory_bytes))
        total = begin(t, past, book, sub)
        for n in range(members):
            prepare(n, total, book, target, sub)
            ask(n, t, past, book, params_bytes, memory_bytes, target, sub)
            take(t, n, target, sub)
        end(book, target, sub)

    return decide


@rule
def same(sub: Sub) -> Sub:
    """The sub-books as they are."""
    return sub


def idle(*_: Any) -> None:
    """What a plan decides: its rows are copied."""


@rule
def nobody(
    n: int,
    t: int,
    past: Past,
    book: View,
    params: Any,
    memory: Any,
    target: Target,
    sub: Sub,
) -> None:
    """Where the chain of members ends."""


def _asks(number: int, strategy: Strategy, plain: bool, rest: Ask) -> Ask:
    decide: Callable[..., None] = strategy.decide or idle
    user = decide if plain else rule(decide)
    declared, kept = params_dtype(strategy.parameters), strategy.memory
    wide, record = declared.itemsize, kept.itemsize

    def ask(
        n: int, t: int, past: Past, book: View, params: Any, memory: Any, target: Target, sub: Sub
    ) -> None:
        if n != number:
            rest(n, t, past, book, params, memory, target, sub)
            return
        at = sub.params_at[number]
        of = sub.memory_at[number]
        p = params[at : at + wide].view(declared)
        mine = memory[of : of + record * book.perps.shape[0]].view(kept)
        user(t, past, book, p[0], mine, target)

    def ask_plain(
        n: int, t: int, past: Past, book: View, params: Any, memory: Any, target: Target, sub: Sub
    ) -> None:
        if n != number:
            rest(n, t, past, book, params, memory, target, sub)
            return
        at = int(sub.params_at[number])
        of = int(sub.memory_at[number])
        p = params[at : at + wide].view(declared).view(np.recarray)
        mine = memory[of : of + record * book.perps.shape[0]].view(kept).view(np.recarray)
        user(t, past, book, p[0], mine, target)

    return ask_plain if plain else ask


def _asks_plan(number: int, strategy: Strategy, plain: bool, rest: Ask) -> Ask:
    """A member that has said it all beforehand: its row is copied."""

    def ask(
        n: int, t: int, past: Past, book: View, params: Any, memory: Any, target: Target, sub: Sub
    ) -> None:
        if n != number:
            rest(n, t, past, book, params, memory, target, sub)
            return
        perps, tokens = target.perps.shape[0], target.tokens.shape[0]
        at = sub.params_at[number]
        at += 8 * t * (perps + tokens)
        row = params[at : at + 8 * (perps + tokens)].view(np.float64)
        for m in range(perps):
            target.perps[m] = row[m]
        for k in range(tokens):
            target.tokens[k] = row[perps + k]

    return ask
