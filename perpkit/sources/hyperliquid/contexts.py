"""What the API says of perps at this moment: oracle, mark, book and open interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perpkit.sources.hyperliquid import answers
from perpkit.sources.hyperliquid.history import Asks
from perpkit.sources.hyperliquid.markets import read_meta
from perpkit.units import HOUR_MS

CHAIN: Final = "chain"  # oracle_source of an oracle that the chain told
_SECOND_MS: Final = 1_000

Cells = dict[str, float]  # column of `perps` -> value; what is not known is left out


def poll(client: Asks, dex: str) -> dict[str, Cells]:
    """Ask for the contexts of a dex, "" for the core perps: cells by coin, without delisted ones.

    The running estimate of the coming settlement is left out: it is no settled rate.

    Raises
    ------
    DataError
        If the API does not answer, or answers something else.
    """
    answer = client.ask({"type": "metaAndAssetCtxs", **({"dex": dex} if dex else {})})
    if not isinstance(answer, list) or len(answer) != 2:
        raise answers.fault("as metaAndAssetCtxs", answer)
    listed, _ = read_meta(answer[0])
    told = answers.rows(answer[1], "contexts")
    if len(told) != len(listed):
        raise answers.fault(f"{len(listed)} perps and as contexts", len(told))
    pairs = zip(listed.items(), told, strict=True)
    return {
        name: cells(context)
        for (name, entry), context in pairs
        if entry.get("isDelisted") is not True
    }


def cells(context: Mapping[str, Any]) -> Cells:
    """Cells of one context.

    >>> cells({"oraclePx": "10.0", "markPx": "10.1", "midPx": None, "impactPxs": None})
    {'oracle_px': 10.0, 'mark_px': 10.1}
    """
    made = {
        "oracle_px": answers.positive(context, "oraclePx"),
        "mark_px": answers.positive(context, "markPx"),
    }
    told = {
        "mid_px": answers.maybe(context, "midPx"),
        **_impact(context.get("impactPxs")),
        "premium": None if context.get("premium") is None else answers.rate(context, "premium"),
        "open_interest": answers.maybe(context, "openInterest"),
        "day_ntl_vlm": answers.maybe(context, "dayNtlVlm"),
    }
    return made | {name: value for name, value in told.items() if value is not None}


def hour_of(date_ms: int) -> int:
    """The hour that a poll belongs to: the first one by which it was surely known.

    The server tells its time in whole seconds, so the poll may be almost a second later.

    >>> [hour_of(ms) // 3_600_000 for ms in (7_199_000, 7_200_000, 7_201_000)]
    [2, 3, 3]
    """
    return -(-(date_ms + _SECOND_MS) // HOUR_MS) * HOUR_MS


def _impact(told: object) -> Cells:
    if told is None:
        return {}
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) != 2:
        raise answers.fault("as impactPxs", told)
    sides = {"impact_bid_px": told[0], "impact_ask_px": told[1]}
    return {name: answers.positive(sides, name) for name in sides}
