"""What a run has for a strategy to trade, and the strategy's word on whether that is enough."""

from __future__ import annotations

from typing import NamedTuple

from perpkit.errors import DataError, StrategyError
from perpkit.strategy.load import Strategy, line_of
from perpkit.tape import Market


class Supply(NamedTuple):
    """What ``requires(supply)`` reads: what the run trades, by name, in the order of the book."""

    coins: tuple[str, ...]
    venues: tuple[str, ...]  # one a coin
    underlyings: tuple[str, ...]  # one a coin
    interval_hours: tuple[float, ...]  # one a coin: hours between settlements as the run begins
    tokens: tuple[str, ...]  # paired with a coin, asked for, or held as collateral
    kinds: tuple[str, ...]  # one a token: equity, treasury, stable or crypto
    token_of: tuple[int, ...]  # one a coin: number of its paired token, -1 for none


def supply_of(market: Market) -> Supply:
    """What a laid market has to trade."""
    names, perps = market.names, market.dataset.perps_meta
    first = market.resolved.terms["interval_hours"][market.resolved.era[0]]
    return Supply(
        names.coins,
        tuple(perps[c].venue for c in names.coins),
        tuple(perps[c].underlying for c in names.coins),
        tuple(float(hours) for hours in first),
        names.tokens,
        names.kinds,
        tuple(int(k) for k in names.perp_token),
    )


def check_supply(strategy: Strategy, market: Market) -> None:
    """Ask the strategy, where it says what it needs, whether the run has it.

    Raises
    ------
    DataError
        If it lacks something; the strategy's words are in the message.
    StrategyError
        If ``requires`` raises, or returns anything but one line of text.
    """
    for member in strategy.members:
        check_supply(member.strategy, market)
    if strategy.requires is None:
        return
    where = f"{strategy.file.name}:{strategy.requires.__code__.co_firstlineno}"
    try:
        missing = strategy.requires(supply_of(market))
    except (Exception, SystemExit) as e:
        line = line_of(e, strategy.file)
        raise StrategyError(
            f"{strategy.file.name}{line}: requires raised {type(e).__name__}: {e}"
        ) from e
    if not isinstance(missing, str) or "\n" in missing:
        raise StrategyError(
            f"{where}: requires returned {missing!r}; return one line of text that says what is "
            'missing, or ""'
        )
    if missing:
        raise DataError(f"{market.dataset.folder.name}: {strategy.name} needs {missing}")
