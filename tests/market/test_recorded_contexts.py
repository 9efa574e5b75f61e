"""Premiums of recorded messages of the public info API, from the prices beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perpkit.market.premium import premium_of

ONE_SIDED, TWO_SIDED = 0.0, 1.0
ROUNDED = 5e-11 + 1e-15  # premiums come with ten decimals


def misses(contexts: list[Any], sides: float) -> list[float]:
    """Error of every context that has a premium and is not the formula's."""
    found = []
    for row in contexts:
        if row is None or row["premium"] is None or row["impactPxs"] is None:
            continue
        bid, ask = (float(px) for px in row["impactPxs"])
        oracle, mark = float(row["oraclePx"]), float(row["markPx"])
        error = abs(premium_of(oracle, mark, bid, ask, sides) - float(row["premium"]))
        if error > ROUNDED:
            found.append(error)
    return found


def with_premium(contexts: list[Any]) -> int:
    return sum(row["premium"] is not None and row["impactPxs"] is not None for row in contexts)


@pytest.mark.shared
def test_every_context_of_the_all_dex_message(shared_data: Path) -> None:
    text = (shared_data / "api" / "allDexsAssetCtxs_ws.json").read_text(encoding="utf-8")
    dexes = dict(json.loads(text)["data"]["ctxs"])
    core = dexes.pop("")
    assert with_premium(core) == 179
    assert misses(core, ONE_SIDED) == []
    # Rows in which the other formula gives the same are those of an oracle beyond a closed spread.
    assert len(misses(core, TWO_SIDED)) > 170
    counts = {dex: with_premium(rows) for dex, rows in dexes.items()}
    assert {dex: n for dex, n in counts.items() if n} == {
        "cash": 15,
        "flx": 15,
        "hyna": 22,
        "km": 22,
        "para": 4,
        "vntl": 13,
        "xyz": 64,
    }
    for dex, rows in dexes.items():
        assert misses(rows, TWO_SIDED) == [], dex
        assert len(misses(rows, ONE_SIDED)) >= counts[dex] - 1, dex


@pytest.mark.shared
def test_every_context_of_december_2025(shared_data: Path) -> None:
    text = (shared_data / "api" / "metaAndAssetCtxs_2025-12-13.json").read_text(encoding="utf-8")
    asked = [one for one in json.loads(text) if one["request"]["type"] == "metaAndAssetCtxs"]
    checked = {}
    for one in asked:
        dex, contexts = one["request"].get("dex", ""), one["response"][1]
        name = f"{dex or 'core'} of {len(contexts)}"
        checked[name] = with_premium(contexts)
        assert misses(contexts, TWO_SIDED if dex else ONE_SIDED) == [], name
        assert len(misses(contexts, ONE_SIDED if dex else TWO_SIDED)) > 0.9 * checked[name], name
    assert checked == {"core of 203": 171, "core of 228": 190, "xyz of 43": 33}
