"""Step 9 of the hour: what the strategy asks for becomes the standing targets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from perpkit.arrays import (
    F64,
    Book,
    Door,
    Event,
    Out,
    Past,
    Perps,
    Replay,
    Target,
    Tokens,
    View,
)
from perpkit.book.view import look, past_until
from perpkit.book.write import write_event
from perpkit.rule import rule

Decide = Callable[[int, Past, View, Any, Any, Target], None]

BAD_TARGET = int(Event.BAD_TARGET)


@rule
def forget(target: Target) -> None:
    """NaN everywhere: what the strategy does not write is left as it stands."""
    for m in range(target.perps.shape[0]):
        target.perps[m] = math.nan
    for k in range(target.tokens.shape[0]):
        target.tokens[k] = math.nan


@rule
def copy_plan(t: int, plan: F64, target: Target) -> None:
    """Take row ``t`` of a plan."""
    count = target.perps.shape[0]
    for m in range(count):
        target.perps[m] = plan[t, m]
    for k in range(target.tokens.shape[0]):
        target.tokens[k] = plan[t, count + k]


@rule
def consult(t: int, decide: Decide, tape: Replay, book: Book, door: Door) -> None:
    """Ask the strategy; a plan has said it all beforehand and needs to be shown nothing."""
    if door.plan.shape[0] > 0:
        copy_plan(t, door.plan, door.target)
    else:
        look(book, door.mirror)
        forget(door.target)
        decide(t, past_until(tape, t), door.mirror, door.params, door.memory, door.target)


@rule
def adopt(t: int, target: Target, perps: Perps, tokens: Tokens, out: Out) -> None:
    """Let written targets stand; an impossible one is an event that ends the run."""
    count = target.perps.shape[0]
    for m in range(count):
        wanted = target.perps[m]
        if math.isnan(wanted):
            continue
        if math.isinf(wanted):
            write_event(t, BAD_TARGET, m, perps.account[m], wanted, out)
        else:
            perps.trimmed[m] = perps.trimmed[m] and wanted == perps.target[m]
            perps.target[m] = wanted
            perps.decided[m] = t
    for k in range(target.tokens.shape[0]):
        wanted = target.tokens[k]
        if math.isnan(wanted):
            continue
        if math.isinf(wanted) or wanted < 0.0:
            write_event(t, BAD_TARGET, count + k, tokens.account[k], wanted, out)
        else:
            tokens.trimmed[k] = tokens.trimmed[k] and wanted == tokens.target[k]
            tokens.target[k] = wanted
            tokens.decided[k] = t
