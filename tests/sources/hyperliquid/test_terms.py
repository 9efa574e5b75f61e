"""What the API tells of terms becomes dated blocks of the rulebook that a run uses."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from info_server import Api, Fault
from info_venue import NOW_MS, NVDA, TSLA, Venue, ms

from perpkit.assumptions import _formed_of_trades, own_files
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError
from perpkit.rulebook import open_rulebook
from perpkit.sources.hyperliquid import Client, Wanted, fetch
from perpkit.sources.hyperliquid.markets import Market, read_markets
from perpkit.sources.hyperliquid.rules import keep_terms
from perpkit.sources.hyperliquid.terms import Term, terms_of
from perpkit.tape import lay
from perpkit.units import HOUR_NS

DAY_MS = 86_400_000
TODAY = ms("2026-11-20")


def market(listed: dict[str, Any], settings: dict[str, Any] | None = None) -> Market:
    entry = {"name": NVDA, "szDecimals": 3, "maxLeverage": 20, "marginTableId": 20, **listed}
    return Market(NVDA, "xyz", entry, {}, settings or {})


def value(folder: Path, key: str, at_ms: int, coin: str = NVDA) -> object:
    return open_rulebook(dataset=folder).venue("xyz").at(key, at_ms * 1_000_000, coin).value


def test_terms_hold_from_the_day_they_were_asked_for(
    client: Client, venue: Venue, tmp_path: Path
) -> None:
    venue.multiplier, venue.clamps = "0.25", [[NVDA, "0.0004"]]
    markets = read_markets(client, (NVDA, TSLA), open_rulebook())

    assert keep_terms(tmp_path, markets, NOW_MS) == []

    assert value(tmp_path, "funding_multiplier", TODAY) == 0.25
    assert value(tmp_path, "funding_multiplier", TODAY - 1) == 0.5
    assert value(tmp_path, "clamp_8h", TODAY) == 0.0004
    assert value(tmp_path, "clamp_8h", TODAY, TSLA) == 0.0003
    assert value(tmp_path, "oi_cap_usd", TODAY) == 50_000_000.0
    assert value(tmp_path, "interest_8h", TODAY) == 0.0001
    found = open_rulebook(dataset=tmp_path).venue("xyz").at("clamp_8h", TODAY * 1_000_000, TSLA)
    assert found.confidence == "documented"  # not listed, so the protocol's default


def test_a_change_gets_a_block_of_its_own_and_is_told(
    client: Client, venue: Venue, tmp_path: Path
) -> None:
    def keep(now_ms: int) -> list[str]:
        return keep_terms(tmp_path, read_markets(client, (NVDA,), open_rulebook()), now_ms)

    keep(NOW_MS)
    first = (tmp_path / "rules" / "xyz.toml").read_text(encoding="utf-8")
    assert keep(NOW_MS + 3_600_000) == []
    assert keep(NOW_MS + DAY_MS) == []
    assert (tmp_path / "rules" / "xyz.toml").read_text(encoding="utf-8") == first
    venue.multiplier = "0.3"
    told = keep(NOW_MS + 2 * DAY_MS + 5)

    assert told == ["xyz:NVDA: funding_multiplier is now 0.3, it was 0.5"]
    blocks = tomllib.loads((tmp_path / "rules" / "xyz.toml").read_text(encoding="utf-8"))["coins"]
    assert [str(block["from"]) for block in blocks] == ["2026-11-20", "2026-11-22"]
    assert [sorted(block) for block in blocks[1:]] == [["from", "funding_multiplier", "names"]]
    venue.multiplier = "0.4"
    keep(NOW_MS + 2 * DAY_MS + 60_000)  # again on that day: from the second it was seen
    at = NOW_MS + 2 * DAY_MS
    assert value(tmp_path, "funding_multiplier", at) == 0.3
    assert value(tmp_path, "funding_multiplier", at + 60_000) == 0.4


def test_a_run_uses_them_and_says_so(client: Client, venue: Venue, tmp_path: Path) -> None:
    folder = tmp_path / "xyz"
    venue.cap = "7000000.0"
    fetch(client, Wanted((NVDA,), ms("2026-11-18")), folder)

    config = check_config({"data": folder, "max_volume_frac": None})
    laid = lay(read_dataset(folder), config)

    caps = laid.market.resolved.oi_cap_usd[laid.market.resolved.era, 0]
    hours = laid.market.tape.time_ns // HOUR_NS * HOUR_NS
    assert set(caps[hours >= TODAY * 1_000_000]) == {7_000_000.0}
    assert 7_000_000.0 not in set(caps[hours < TODAY * 1_000_000])
    assert [file.file for file in own_files(laid.market, config)] == ["rules/xyz.toml"]
    assert _formed_of_trades(laid.market) == [
        (
            f"{len(hours)} coin-hours have no recorded oracle and mark: the last trade stands for "
            "the mark, and the oracle is that price / (1 + the hour's premium)"
        )
    ]


def test_a_users_own_file_is_laid_over_them(client: Client, venue: Venue, tmp_path: Path) -> None:
    keep_terms(tmp_path, read_markets(client, (NVDA,), open_rulebook()), NOW_MS)
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'schema = 1\nvenue = "xyz"\n[sources]\nME = "me"\n[[coins]]\nnames = ["xyz:NVDA"]\n'
        "from = 2026-11-20\n"
        'max_leverage = { value = 5, source = "ME", confidence = "assumed" }\n',
        encoding="utf-8",
    )

    book = open_rulebook(mine, tmp_path).venue("xyz")
    assert book.at("max_leverage", TODAY * 1_000_000, NVDA).value == 5


@pytest.mark.parametrize(
    ("listed", "settings", "key", "term"),
    [
        ({"marginMode": "strictIsolated"}, {}, "margin_modes", ("strict_isolated", "verified")),
        ({"marginMode": "noCross"}, {}, "margin_modes", ("isolated", "verified")),
        ({}, {}, "margin_modes", ("cross_isolated", "verified")),
        ({"onlyIsolated": True}, {}, "margin_modes", None),
        ({"marginMode": "new"}, {}, "margin_modes", None),
        ({"growthMode": "enabled"}, {}, "growth_mode", (True, "verified")),
        ({}, {}, "growth_mode", (False, "verified")),
        ({}, {}, "margin_tiers", ("none", "verified")),
        ({"marginTableId": None}, {}, "margin_tiers", None),
        ({"marginTableId": 77}, {}, "margin_tiers", None),
        ({}, {}, "funding_multiplier", None),
        ({}, {"assetToFundingMultiplier": []}, "funding_multiplier", (1.0, "documented")),
        (
            {},
            {"assetToFundingInterestRate": [[NVDA, "-0.0002"]]},
            "interest_8h",
            (-0.0002, "verified"),
        ),
        ({}, {"assetToStreamingOiCap": [["xyz:AAPL", "1.0"]]}, "oi_cap_usd", None),
    ],
)
def test_a_term(
    listed: dict[str, Any], settings: dict[str, Any], key: str, term: tuple[object, str] | None
) -> None:
    found = terms_of(market(listed, settings)).get(key)
    assert found == (None if term is None else Term(*term))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "none"), (2, "1000000: 10"), (3, "1000000: 10, 2000000: 9"), (4, "unknown")],
)
def test_margin_tiers(count: int, told: str) -> None:
    tiers = [{"lowerBound": f"{n}000000.0", "maxLeverage": 11 - n} for n in range(count)]
    tables = {60: {"description": "", "marginTiers": tiers}}
    made = market({"marginTableId": 60})._replace(tables=tables)
    assert terms_of(made)["margin_tiers"].value == told


@pytest.mark.parametrize("multiplier", ["11", "-1", "lots"])
def test_a_term_that_cannot_be_is_refused(multiplier: str) -> None:
    with pytest.raises(
        DataError, match=r"the answer holds as (assetToFundingM|funding_m)ultiplier"
    ):
        terms_of(market({}, {"assetToFundingMultiplier": [[NVDA, multiplier]]}))


def test_a_file_changed_by_hand_is_refused(client: Client, tmp_path: Path) -> None:
    markets = read_markets(client, (NVDA,), open_rulebook())
    keep_terms(tmp_path, markets, NOW_MS)
    path = tmp_path / "rules" / "xyz.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("0.5", "0.6"), encoding="utf-8")
    keep_terms(tmp_path, markets, NOW_MS + DAY_MS)  # a value is read as it stands
    assert value(tmp_path, "funding_multiplier", TODAY + DAY_MS) == 0.5
    path.write_text("# mine\n" + path.read_text(encoding="utf-8"), encoding="utf-8")

    with pytest.raises(DataError, match="was changed by hand; move your own terms to a file for"):
        keep_terms(tmp_path, markets, NOW_MS)


def test_terms_that_contradict_the_rulebook_are_not_written(
    api: Api, client: Client, tmp_path: Path
) -> None:
    def change(meta: dict[str, Any]) -> dict[str, Any]:
        tiers = [{"lowerBound": low, "maxLeverage": 30} for low in ("0.0", "5.0")]
        meta["marginTables"] = [[60, {"description": "", "marginTiers": tiers}]]
        return {**meta, "universe": [{**e, "marginTableId": 60} for e in meta["universe"]]}

    api.always = Fault("meta", change=change)
    markets = read_markets(client, (NVDA,), open_rulebook())

    with pytest.raises(DataError, match="the API tells terms that do not go with the rulebook of"):
        keep_terms(tmp_path, markets, NOW_MS)
    assert not list(tmp_path.rglob("*.*"))
