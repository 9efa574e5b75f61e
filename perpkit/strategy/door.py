"""The door: how the book loop reaches a strategy, compiled or plain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba.core.errors import NumbaError

from perpkit.arrays import F64, Past, Target, View
from perpkit.errors import StrategyError
from perpkit.rule import DECIDE, compile_cached, is_cached, rule, rule_sources
from perpkit.strategy.load import Strategy
from perpkit.strategy.params import params_dtype

Entry = Callable[[int, Past, View, Any, Any, Target], None]


class Plan(NamedTuple):
    """What ``targets(tape)`` reads: every row of :class:`perpkit.arrays.Past`, and the names."""

    past: Past
    coins: tuple[str, ...]
    tokens: tuple[str, ...]
    token_of: tuple[int, ...]  # for each coin the number of its paired token, -1 for none


def is_compiled(strategy: Strategy) -> bool:
    """Whether the strategy's compiled entry is in the cache."""
    return is_cached("strategy", _sources(strategy))


def _sources(strategy: Strategy) -> list[Path]:
    own = [] if strategy.decide is None else list(strategy.sources)
    return [*own, Path(__file__), *rule_sources()]


def compiled_entry(strategy: Strategy) -> Entry:
    """The strategy's entry under the one signature, from the cache where it is there.

    Raises
    ------
    StrategyError
        If ``decide`` uses something that cannot be compiled.
    """
    if strategy.decide is None:
        return compile_cached(play, DECIDE, "strategy", _sources(strategy), counted=False)
    user = rule(strategy.decide)
    params, memory = params_dtype(strategy.parameters), strategy.memory

    def decide(
        t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
    ) -> None:
        user(t, past, book, params_bytes.view(params)[0], memory_bytes.view(memory), target)

    try:
        return compile_cached(decide, DECIDE, "strategy", _sources(strategy), counted=True)
    except NumbaError as e:
        raise StrategyError(_in_words(e, strategy)) from e


def _in_words(error: NumbaError, strategy: Strategy) -> str:
    text = str(error)
    line = ""
    for part in text.split(f'{strategy.file.name}", line ')[1:]:
        line = ":" + part.partition(":")[0].strip()
    reason = next((x.strip() for x in text.splitlines() if x.strip() and "Failed in" not in x), "")
    return (
        f"{strategy.file.name}{line}: decide cannot be compiled: {reason}; "
        "use numbers, loops and the arrays of past and book, or try --pure-python"
    )


def plain_entry(strategy: Strategy) -> Entry:
    """The strategy's entry in plain Python: the same numbers, slowly."""
    if strategy.decide is None:
        return play
    user = strategy.decide
    params, memory = params_dtype(strategy.parameters), strategy.memory

    def decide(
        t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
    ) -> None:
        p = params_bytes.view(params).view(np.recarray)[0]
        user(t, past, book, p, memory_bytes.view(memory).view(np.recarray), target)

    return decide


def play(
    t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
) -> None:
    """Copy row ``t`` of a plan, which stands in the place of the parameters."""
    plan = params_bytes.view(np.float64)
    perps = target.perps.shape[0]
    width = perps + target.tokens.shape[0]
    for m in range(perps):
        target.perps[m] = plan[t * width + m]
    for k in range(width - perps):
        target.tokens[k] = plan[t * width + perps + k]


def plan_of(strategy: Strategy, plan: Plan, values: dict[str, Any]) -> F64:
    """The plan of a ``targets`` strategy, (T, M + K) total units, NaN leaves.

    Raises
    ------
    StrategyError
        If it raises, or returns another shape.
    """
    if strategy.targets is None:
        raise StrategyError(f"{strategy.file.name}: defines no targets(tape)")
    width = len(plan.coins) + len(plan.tokens)
    try:
        if strategy.parameters:
            record = np.zeros(1, params_dtype(strategy.parameters)).view(np.recarray)
            for name, value in values.items():
                record[name] = value
            told = strategy.targets(plan, record[0])
        else:
            told = strategy.targets(plan)
        made = np.ascontiguousarray(told, dtype=np.float64)
    except Exception as e:
        raise StrategyError(f"{strategy.file.name}: targets: {type(e).__name__}: {e}") from e
    wanted = (len(plan.past.time_ns), width)
    if made.shape != wanted:
        raise StrategyError(
            f"{strategy.file.name}: targets returned shape {made.shape}, the tape needs {wanted}: "
            "one column a perp, then one a token"
        )
    return made
