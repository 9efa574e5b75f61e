"""Why a run's terms are refused: closed, unknown, at odds with each other, or too low for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perpkit.arrays import I64
from perpkit.errors import DataError, RequestError, nearest
from perpkit.rulebook.consistency import inconsistencies
from perpkit.rulebook.keys import NONE, UNPLAYED, VENUE_KEYS
from perpkit.rulebook.overrides import CoinTerms
from perpkit.rulebook.record import Found, is_read
from perpkit.rulebook.venue import Venue, day


def refuse_closed(coin: CoinTerms, venue: Venue, time_ns: I64) -> None:
    """Refuse a run with hours after the venue's end."""
    closed = venue.closed
    if closed is None or int(time_ns[-1]) <= closed.ns:
        return
    late = int(time_ns[time_ns > closed.ns][0])
    date = day(closed.ns)
    raise DataError(
        f"{venue.name}: {coin.coin} cannot be played on {day(late)}, the venue closed on {date} "
        f"({closed.source}); end the run by then with end = {date} in the run file (or --to {date})"
    )


def refuse_unknown(
    coins: Sequence[CoinTerms], row: Sequence[Found], needs: frozenset[str], ns: int
) -> None:
    """Refuse a needed term that is unknown, or known and beyond what the loops play."""
    wanting = {
        key: [coin for coin, found in zip(coins, row, strict=True) if not _usable(key, found)]
        for key in VENUE_KEYS
        if key in needs
    }
    wanting = {key: lacking for key, lacking in wanting.items() if lacking}
    for key, lacking in wanting.items():
        first = lacking[0]
        value = row[coins.index(first)][key]
        what = f'is "{value.value}", which perpkit does not play,' if value.known else "is unknown"
        also = f" (and of {', '.join(c.coin for c in lacking[1:])})" if lacking[1:] else ""
        more = [other for other in wanting if other != key]
        rest = f"; {', '.join(more)} must be set too" if more else ""
        raise DataError(
            f"{first.venue}: {key} of {first.coin}{also} {what} on {day(ns)}, and this run needs "
            f"it; {remedy(key, '' if len(lacking) == len(coins) else first.coin)}{rest}"
        )


def _usable(key: str, found: Found) -> bool:
    if not is_read(key, found):
        return True
    return found[key].known and found[key].value not in UNPLAYED.get(key, ())


def remedy(key: str, coin: str) -> str:
    """The end of a sentence that asks for a term: of one coin, or with "" of all.

    >>> remedy("premium", "xyz:NVDA")  # doctest: +ELLIPSIS
    'write terms."xyz:NVDA".premium = VALUE in the run file, or --set terms.xyz:NVDA.premium=...'
    """
    line, option = (f'"{coin}".{key}', f"{coin}.{key}") if coin else (key, key)
    legal = VENUE_KEYS[key].legal
    return (
        f"write terms.{line} = VALUE in the run file, or --set terms.{option}=VALUE, where VALUE "
        f"is {legal}"
    )


def refuse_inconsistent(coin: CoinTerms, found: Found, ns: int) -> None:
    """Refuse terms that do not go together.

    A file is consistent in itself: what is found here came with the run file or the dataset.
    """
    for key, problem in inconsistencies({k: v.value for k, v in found.items()}):
        raise RequestError(
            f"{coin.venue}: {key} of {coin.coin} on {day(ns)} {problem}; set terms.{key} in the "
            f"run file too (or --set terms.{key}=VALUE)"
        )


def refuse_names(coins: Sequence[CoinTerms], leverage: float | Mapping[str, float] | None) -> None:
    """Refuse a leverage of a coin that is not in the run."""
    names = [coin.coin for coin in coins]
    for coin in leverage if isinstance(leverage, Mapping) else ():
        if coin not in names:
            raise RequestError(
                f"leverage: {coin} is not traded in this run: {nearest(coin, names)}"
            )


def refuse_leverage(coin: CoinTerms, found: Found, leverage: float | None, ns: int) -> None:
    """Refuse a leverage that is no number of at least one, or above what the coin allows."""
    if leverage is None:
        return
    told = found["max_leverage"]
    if not 1 <= leverage < float("inf"):
        raise RequestError(f"leverage must be a number of at least 1, not {leverage:g}")
    if told.known and told.value != NONE and leverage > float(told.value):
        raise RequestError(
            f"leverage {leverage:g} is above the {float(told.value):g} that {coin.venue} allows "
            f"{coin.coin} from {day(ns)}; set leverage to {float(told.value):g} or less, or leave "
            "it out to use each coin's maximum"
        )
