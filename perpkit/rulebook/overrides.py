"""Terms that the run file and the dataset state in place of the rulebook's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from perpkit.errors import DataError, PerpkitError, RequestError, nearest
from perpkit.rulebook.keys import VENUE_KEYS, fault
from perpkit.rulebook.venue import Value

Stated = Mapping[str, Value]  # key -> value


class CoinTerms(NamedTuple):
    """A perp as the rulebook needs to know it."""

    coin: str
    venue: str
    dataset: Mapping[str, object]  # key -> value as dataset.toml states it


def stated_terms(coins: Sequence[CoinTerms], overrides: Mapping[str, object]) -> list[Stated]:
    """Gather what is stated outside the rulebook, for each coin the strongest word on each key.

    The run file's word on a coin wins over its word on all coins, and that over the dataset's.

    Parameters
    ----------
    coins : the run's perps
    overrides : the run file's ``[terms]``: keys for all coins, and a table of keys per coin

    Raises
    ------
    RequestError, DataError
        If the run file, or the dataset, states an unknown key or a value out of range.
    """
    names = [coin.coin for coin in coins]
    plain = {key: value for key, value in overrides.items() if not isinstance(value, Mapping)}
    for_all = _run_terms(plain, "terms.", names)
    for_one = {
        name: _run_terms(_table_of(name, value, names), f'terms."{name}".', [])
        for name, value in overrides.items()
        if isinstance(value, Mapping)
    }
    return [{**_dataset_terms(coin), **for_all, **for_one.get(coin.coin, {})} for coin in coins]


def _table_of(name: str, table: Mapping[str, object], names: list[str]) -> Mapping[str, object]:
    if name not in names:
        raise RequestError(
            f"run file: terms of {name}, which is not in the run; {nearest(name, names)}"
        )
    return table


def _run_terms(stated: Mapping[str, object], where: str, names: list[str]) -> Stated:
    for key, value in stated.items():
        _check(key, value, f"run file: {where}{key}", RequestError, names)
    # The caller's own word: nobody else vouches for it.
    return _values(stated, source="run file", confidence="assumed", place="run file")


def _dataset_terms(coin: CoinTerms) -> Stated:
    for key, value in coin.dataset.items():
        _check(key, value, f'dataset.toml: perps."{coin.coin}".{key}', DataError, [])
    return _values(coin.dataset, source="dataset.toml", confidence="reported", place="dataset.toml")


def _values(stated: Mapping[str, object], source: str, confidence: str, place: str) -> Stated:
    return {
        key: Value(value, source, confidence, 0, place)
        for key, value in stated.items()
        if isinstance(value, float | int | str | bool)  # held by _check
    }


def _check(
    key: str, value: object, where: str, error: type[PerpkitError], names: list[str]
) -> None:
    if key not in VENUE_KEYS:
        raise error(f"{where} is not a term of the rulebook, {nearest(key, [*VENUE_KEYS, *names])}")
    if problem := fault(VENUE_KEYS[key], value):
        raise error(f"{where} {problem}")
