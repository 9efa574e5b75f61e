"""Step 9 of the hour: what the strategy asks for becomes the standing targets."""

from __future__ import annotations

import math

from perpkit.arrays import Event, Out, Perps, Target, Tokens
from perpkit.book.write import write_event
from perpkit.rule import rule

BAD_TARGET = int(Event.BAD_TARGET)


@rule
def forget(target: Target) -> None:
    """NaN everywhere: what the strategy does not write is left as it stands."""
    for m in range(target.perps.shape[0]):
        target.perps[m] = math.nan
    for k in range(target.tokens.shape[0]):
        target.tokens[k] = math.nan


@rule
def adopt(t: int, target: Target, perps: Perps, tokens: Tokens, out: Out) -> None:
    """Let written targets stand; an impossible one is an event that ends the run."""
    count = target.perps.shape[0]
    for m in range(count):
        wanted = target.perps[m]
        if math.isinf(wanted):
            write_event(t, BAD_TARGET, m, perps.account[m], wanted, out)
        elif not math.isnan(wanted):
            perps.trimmed[m] = perps.trimmed[m] and wanted == perps.target[m]
            perps.target[m] = wanted
            perps.decided[m] = t
    for k in range(target.tokens.shape[0]):
        wanted = target.tokens[k]
        if math.isinf(wanted) or wanted < 0.0:
            write_event(t, BAD_TARGET, count + k, tokens.account[k], wanted, out)
        elif not math.isnan(wanted):
            tokens.trimmed[k] = tokens.trimmed[k] and wanted == tokens.target[k]
            tokens.target[k] = wanted
            tokens.decided[k] = t
