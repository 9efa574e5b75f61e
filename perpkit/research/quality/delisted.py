"""Funding that goes on after a coin's prices have ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from perpkit.dataset.schema import FUNDING, PERPS
from perpkit.research.quality.raw import Found, Raw
from perpkit.research.quality.telling import (
    Place,
    first_ms,
    found,
    hour_ms,
    moment,
    places,
    removed,
    rows,
)
from perpkit.units import HOUR_MS

NAME = "delisted"
_CARRIED_MS: Final = 3 * HOUR_MS  # prices may be carried for so long (max_stale_hours)


def check(raw: Raw) -> Iterator[Found]:
    """Settlements of a coin after its last price, where others show that it was delisted.

    A record of funding may be longer than all prices. It tells a delisting where the prices of
    other coins go on, or where this coin alone is settled after the end of its prices.
    """
    if not (raw.described and raw.has("perps") and raw.has("funding", "funding")):
        return
    funding = raw.tables[FUNDING.name]
    last = raw.tables[PERPS.name].group_by("coin").agg(hour_ms().max().alias("last"))
    late = funding.join(last, on="coin").with_columns((hour_ms() - pl.col("last")).alias("past"))
    over = late.filter(pl.col("past") > _CARRIED_MS)
    if over.is_empty():
        return
    end = last["last"].max()
    settled = late.group_by("coin").agg(pl.col("past").max(), pl.col("last").first())
    quiet = settled.filter(pl.col("past") <= _CARRIED_MS)
    for place in places(raw, FUNDING.name, over):
        if place.bad["last"][0] == end and quiet.is_empty():
            continue
        yield _told(raw, place, funding)


def _told(raw: Raw, place: Place, funding: pl.DataFrame) -> Found:
    bad = place.bad
    ended = int(bad["last"][0])
    before = funding.filter(
        (pl.col("coin") == place.instrument) & (hour_ms() <= ended + _CARRIED_MS)
    )
    carried = bad["funding"].n_unique() == 1 and before.height > 0
    carried = carried and bad["funding"][0] == before["funding"][-1]
    word = ", all at the last rate" if carried else ""
    verb = "follows" if bad.height == 1 else "follow"
    say = (
        f"{rows(bad.height)} of funding {verb} the coin's last price of {moment(ended)}{word}, "
        f"first {moment(first_ms(bad))}; --fix drops them, as nothing is settled after a delisting"
    )
    edit = removed(place.table, bad, "settled after the coin's last price", sure=True)
    return found(raw, NAME, place, say, edit)
