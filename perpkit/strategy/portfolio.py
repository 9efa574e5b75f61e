"""Portfolios: several strategies in one book, told in a TOML file, a table each.

.. code-block:: toml

    [carry]
    strategy = "funding_carry"      # a name, or a path from this file's folder
    capital_share = 0.6
    params = {enter_apr = 0.08}
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perpkit.config import RunConfig
from perpkit.errors import RequestError, StrategyError, nearest
from perpkit.strategy import allot, chain, subbooks, together
from perpkit.strategy.load import PORTFOLIO, Member, Strategy
from perpkit.strategy.load import load as load_one
from perpkit.strategy.params import bind

CROSSING = "crossing"  # the strategy whose rows are what crossing saved
WHOLE = 1e-9  # by which shares may miss 1
KEYS = ("strategy", "capital_share", "params")
RULES = tuple(Path(str(m.__file__)) for m in (allot, chain, subbooks, together))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def load(what: str) -> Strategy:
    """Load a portfolio by its file, or a strategy by path, by name or by entry point.

    Raises
    ------
    StrategyError
        If it cannot be found, does not import, or does not define what it needs.
    """
    return load_portfolio(what) if what.endswith(PORTFOLIO) else load_one(what)


def load_portfolio(what: str) -> Strategy:
    """The portfolio of a file, its members loaded.

    Raises
    ------
    StrategyError
        If the file cannot be read, or a member of it is wrong: which, and what to do.
    """
    file = Path(what)
    told = _read(file)
    members = tuple(_member(file, name, table) for name, table in told.items())
    if not members:
        raise StrategyError(
            f"{file.name}: has no member; write a table each, with strategy and capital_share"
        )
    total = math.fsum(member.share for member in members)
    if total > 1.0 + WHOLE:
        raise StrategyError(
            f"{file.name}: the shares of capital add up to {total:g}; they may add up to 1 at most"
        )
    parameters = tuple(
        p._replace(name=f"{member.name}.{p.name}", default=member.params[p.name])
        for member in members
        for p in member.strategy.parameters
    )
    sources = dict.fromkeys(s for member in members for s in member.strategy.sources)
    names = " and ".join(f"{m.name} ({m.strategy.name}, {m.share:g})" for m in members)
    return Strategy(
        file.stem,
        file.resolve(),
        f"Portfolio of {names}",
        parameters,
        np.dtype([("_", "i8")], align=True),
        _of_members,
        None,
        (*sources, *RULES),
        repr([m.strategy.digest for m in members]),
        members=members,
        modules=tuple(module for member in members for module in member.strategy.modules),
    )


def _of_members(*_: Any) -> None:
    """Stands for the deciding of the members, which :mod:`perpkit.strategy.chain` makes one of."""


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise StrategyError(
            f"{file}: cannot be read ({e.strerror}); check the path of the portfolio"
        ) from e
    except UnicodeDecodeError as e:
        raise StrategyError(f"{file}: not UTF-8 text; save it as UTF-8") from e
    except tomllib.TOMLDecodeError as e:
        hint = "; give each member a name of its own" if "declare" in str(e).lower() else ""
        raise StrategyError(f"{file}: not TOML: {e}{hint}") from e


def _member(file: Path, name: str, told: Any) -> Member:
    where = f"{file.name}: [{name}]"
    if not isinstance(told, Mapping):
        raise StrategyError(f"{file.name}: {name} is no table; write each member as [{name}]")
    if not _NAME.fullmatch(name):
        raise StrategyError(f"{where}: a member's name is letters, digits, _ and -; rename it")
    if name in RunConfig.model_fields or name == CROSSING:
        taken = "what crossing saves" if name == CROSSING else "a setting of the run"
        raise StrategyError(f"{where}: {name} is also {taken}; rename the member")
    for key in told:
        if key not in KEYS:
            raise StrategyError(f"{where} has no {key}: {nearest(key, KEYS)}")
    what, share = told.get("strategy"), told.get("capital_share")
    if not isinstance(what, str) or not what:
        raise StrategyError(f'{where}: says no strategy; write strategy = "NAME", or a path')
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 < share <= 1.0:
        raise StrategyError(
            f"{where}: capital_share was {share!r}; write a number above 0, and 1 at most"
        )
    params = told.get("params", {})
    if not isinstance(params, Mapping):
        raise StrategyError(f"{where}: params was {params!r}; write a table of values by name")
    if what.endswith(PORTFOLIO):
        raise StrategyError(f"{where}: {what} is a portfolio itself; name its members here")
    strategy = _load(file, where, what)
    try:
        bound = bind(strategy.parameters, params, f"{where} {strategy.name}")
    except RequestError as e:
        raise StrategyError(str(e)) from e
    return Member(name, float(share), strategy, bound)


def _load(file: Path, where: str, what: str) -> Strategy:
    """A member's strategy: by name, or by a path from the portfolio's folder."""
    path = Path(what).expanduser()
    if what.endswith(".py") or "/" in what or "\\" in what:
        what = str(path if path.is_absolute() else file.resolve().parent / path)
    try:
        return load_one(what)
    except StrategyError as e:
        raise StrategyError(f"{where}: {e}") from e
