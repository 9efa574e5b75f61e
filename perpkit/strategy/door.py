"""The door: how the book loop reaches a strategy, compiled or plain."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numba
import numpy as np

from perpkit.arrays import F64, Past, Target, View
from perpkit.errors import StrategyError, nearest
from perpkit.layout import layout
from perpkit.rule import DECIDE, CacheError, compile_cached, is_cached, rule, rule_sources
from perpkit.rule import Entry as CacheEntry
from perpkit.strategy.chain import decide_of
from perpkit.strategy.load import HELPERS, Strategy, in_place, place_of
from perpkit.strategy.params import params_dtype
from perpkit.strategy.wording import reads_of_params

PLAIN, ALLOCATING = "strategy", "strategy-allocating"  # kinds of cache entry

Entry = Callable[[int, Past, View, Any, Any, Target], None]


class Plan(NamedTuple):
    """What ``targets(tape)`` reads: every row of :class:`perpkit.arrays.Past`, and the names."""

    past: Past
    coins: tuple[str, ...]
    tokens: tuple[str, ...]
    token_of: tuple[int, ...]  # for each coin the number of its paired token, -1 for none


def is_compiled(strategy: Strategy) -> bool:
    """Whether the strategy's compiled entry is in the cache."""
    with _checked():
        return any(is_cached(_entry(strategy, kind)) for kind in (PLAIN, ALLOCATING))


@contextmanager
def _checked() -> Iterator[None]:
    """Compile with every index checked, as the flag in the cache's key tells.

    A strategy that reads past now, or asks for an instrument that is not there, would otherwise
    read the next hour, or write where something else lies. What it costs a run cannot be measured.
    """
    before = numba.config.BOUNDSCHECK
    numba.config.BOUNDSCHECK = 1
    try:
        yield
    finally:
        numba.config.BOUNDSCHECK = before


def _entry(strategy: Strategy, kind: str) -> CacheEntry:
    own = () if strategy.decide is None else (*strategy.sources, HELPERS)
    told = "" if strategy.decide is None else strategy.constants
    return CacheEntry(kind, (*own, Path(__file__), *rule_sources()), told)


@lru_cache(maxsize=16)
def compiled_entry(strategy: Strategy) -> Entry:
    """The strategy's entry under the one signature, from the cache where it is there.

    Raises
    ------
    StrategyError
        If ``decide`` uses something that cannot be compiled.
    """
    entry: Entry
    with _checked(), in_place(strategy):
        if strategy.decide is None:
            entry = compile_cached(idle, DECIDE, _entry(strategy, PLAIN), counted=False)
        else:
            entry = _compiled_decide(strategy)
    _answer_at_once(entry)
    return entry


def _answer_at_once(entry: Any) -> None:
    """Spare a call of the book loop the search for the entry's only compiled form.

    Numba hashes the signature for it, a hundred arrays, twice a call: half of what a call costs.
    """
    forms = list(getattr(entry, "overloads", {}).values())
    if forms:  # uncompiled there is none
        entry.get_compile_result = lambda _: forms[0]


def _compiled_decide(strategy: Strategy) -> Entry:
    try:
        if strategy.members:
            return _compile(decide_of(strategy), strategy, decide_of(strategy, counted=True))
        decide = _of_one(strategy)
        return _compile(decide, strategy, decide)
    except CacheError:
        raise
    except Exception as e:  # a misspelt field is a bare KeyError of numba, not an error of its own
        raise StrategyError(_in_words(e, strategy)) from e


def _of_one(strategy: Strategy) -> Entry:
    user = rule(cast("Entry", strategy.decide))
    params, memory = params_dtype(strategy.parameters), strategy.memory

    def decide(
        t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
    ) -> None:
        user(t, past, book, params_bytes.view(params)[0], memory_bytes.view(memory), target)

    return decide


def _compile(decide: Entry, strategy: Strategy, counted: Entry) -> Entry:
    """Compile without reference counting; with it where ``decide`` makes arrays of its own.

    Counting the arrays of ``past`` costs a run on one market more than all its rules.
    """
    allocating = _entry(strategy, ALLOCATING)
    effort = 1 if strategy.members else 3  # more gains a portfolio's hour nothing
    if not is_cached(allocating):
        try:
            plain = _entry(strategy, PLAIN)
            return compile_cached(decide, DECIDE, plain, counted=False, effort=effort)
        except CacheError:
            raise
        except Exception as e:  # most of what fails here fails counted too, and says why there
            first = e
        try:
            return compile_cached(counted, DECIDE, allocating, counted=True, effort=effort)
        except CacheError:
            raise
        except Exception:
            raise first from None
    return compile_cached(counted, DECIDE, allocating, counted=True, effort=effort)


def _in_words(error: Exception, strategy: Strategy) -> str:
    """What the compiler has to say, without its types, and the line it says it of."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # numba writes in colours beside colorama
    told = plain.rpartition("raised a specific error:")[2]
    lines = [x.strip() for x in told.splitlines() if x.strip() and "Failed in" not in x]
    reason = lines[0] if lines else type(error).__name__
    name = ""
    if isinstance(error, KeyError):
        name = str(error.args[0])
        reason = f"there is no field {name}: {nearest(name, _fields(strategy))}"
        if strategy.decide is not None and reads_of_params(strategy.decide, name):
            known = [p.name for p in strategy.parameters]
            reason = f"Params declares no {name}: {nearest(name, known)}"
    elif found := re.match(r"Unknown attribute '(\w+)' of type (\w+)", reason):
        name, owner = found.groups()
        near = nearest(name, Past._fields) if owner == "Past" else "check its name"
        reason = f"{owner.lower()} has no field {name}: {near}"
    elif found := re.match(r"Untyped global name '(\w+)'.*'function'", reason):
        name, reason = found[1], f"{found[1]} is a plain function; write @rule above it"
    elif found := re.match(r"NameError: name '(\w+)'", reason):
        name, reason = found[1], f"there is no {found[1]}; define or import it"
    elif reason.startswith("No implementation of function"):
        call = next((x.removeprefix(">>> ") for x in lines if x.startswith(">>> ")), "a call in it")
        reason = f"{call} is not something numbers can do"
    else:
        reason = reason.removesuffix(". Raised from None").rstrip(".")
    place = _place(told, name, strategy.sources) or strategy.file.name
    remedy = "" if name else "; use numbers, loops and the arrays of past and book"
    return f"{place}: decide cannot be compiled: {reason}{remedy}"


def _fields(strategy: Strategy) -> list[str]:
    one = [member.strategy for member in strategy.members] or [strategy]
    own = [p.name for s in one for p in s.parameters]
    own += [name for s in one for name in s.memory.names or ()]
    views = [name for axes in layout(View).values() for name in axes.dtype.names]
    return own + views


def _place(told: str, name: str, sources: tuple[Path, ...]) -> str:
    """File and line: where the compiler says it was, else where a name first stands."""
    own = {path.name for path in sources}
    for file, line in re.findall(r'File "([^"]+)", line (\d+)', told):
        if Path(file).name in own:
            return f"{Path(file).name}:{line}"
    for path in sources if name else ():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if name in (getattr(node, "attr", None), getattr(node, "id", None)):
                return f"{path.name}:{getattr(node, 'lineno', 0)}"
    return ""


def plain_entry(strategy: Strategy) -> Entry:
    """The strategy's entry in plain Python: the same numbers, slowly."""
    if strategy.members:
        return decide_of(strategy, plain=True)
    if strategy.decide is None:
        return idle
    user = strategy.decide
    params, memory = params_dtype(strategy.parameters), strategy.memory

    def decide(
        t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
    ) -> None:
        p = params_bytes.view(params).view(np.recarray)[0]
        user(t, past, book, p, memory_bytes.view(memory).view(np.recarray), target)

    return decide


def idle(
    t: int, past: Past, book: View, params_bytes: Any, memory_bytes: Any, target: Target
) -> None:
    """The entry of a plan, which the book reads itself and asks nothing."""


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
        place = place_of(e, strategy.sources) or strategy.file.name
        raise StrategyError(f"{place}: targets: {type(e).__name__}: {e}") from e
    wanted = (len(plan.past.time_ns), width)
    if made.shape != wanted:
        raise StrategyError(
            f"{strategy.file.name}: targets returned shape {made.shape}, the tape needs {wanted}: "
            "one column a perp, then one a token"
        )
    return made
