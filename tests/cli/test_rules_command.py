"""``perpkit rules``: what it lists, shows, compares and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perpkit.rulebook import VENUE_KEYS, venue_names

Command = Callable[..., Any]


@pytest.fixture
def rules(inside: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("PERPKIT_HOME", str(work / "home"))
    return lambda *arguments: inside("rules", *arguments, cwd=work)


def printed(ran: Any) -> str:
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out, "plain where it is no terminal"
    return str(ran.out)


def data(ran: Any) -> Any:
    told = json.loads(printed(ran))
    assert told["schema"] == 1
    return told


def refused(ran: Any, code: int, *words: str) -> None:
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("perpkit: ")
    assert ran.err.count("\n") == 1
    for word in words:
        assert word in ran.err


# --------------------------------------------------------------------------- the list


def test_every_venue_has_a_line(rules: Command) -> None:
    lines = printed(rules()).splitlines()
    assert [line.split()[0] for line in lines[1 : len(venue_names()) + 1]] == venue_names()
    (flx,) = [line for line in lines if line.startswith("flx ")]
    assert "2025-12-13 2026-06-20 Felix: HIP-3 dex flx on Hyperliquid" in flx
    (baseline,) = [line for line in lines if line.startswith("baseline ")]
    assert f"{len(VENUE_KEYS)}/{len(VENUE_KEYS)}" in baseline


def test_the_list_as_data(rules: Command) -> None:
    venues = {v["venue"]: v for v in data(rules("--json"))["venues"]}
    assert list(venues) == venue_names()
    for venue in venues.values():
        assert venue["known"] == sum(venue["confidence"].values())
        assert venue["known"] + len(venue["unknown"]) == venue["keys"] == len(VENUE_KEYS)
    assert venues["xyz"]["from"] == "2025-10-13T00:00:00Z"
    assert venues["xyz"]["until"] is None
    assert venues["km"]["until"] == "2026-09-24T00:00:00Z"
    assert "impact_usd" in venues["xyz"]["unknown"]


# --------------------------------------------------------------------------- the terms of a day


def test_terms_of_a_coin(rules: Command) -> None:
    out = printed(rules("xyz", "--at", "2026-08-15", "--coin", "xyz:NVDA"))
    assert out == printed(rules("xyz", "--at", "2026-08-15", "--coin", "NVDA"))
    assert "(xyz, xyz:NVDA), terms on 2026-08-15 UTC" in out
    lines = out.splitlines()
    assert max(len(line) for line in lines) <= 100
    row = next(n for n, line in enumerate(lines) if line.startswith("  max_leverage "))
    assert lines[row].split() == ["max_leverage", "20", "since", "2026-08-07,", "assumed"]
    assert lines[row + 1].startswith("      meta of dex xyz as embedded in a public trading client")
    unknown = next(line for line in lines if line.startswith("  impact_usd "))
    assert unknown.split() == ["impact_usd", "unknown"]
    assert [line.split()[0] for line in lines if line[:2] == "  " and line[2] != " "] == list(
        VENUE_KEYS
    )


def test_terms_of_a_venue_name_the_coins_that_differ(rules: Command) -> None:
    out = printed(rules("xyz", "--at", "2026-08-15"))
    assert "but 0.005: xyz:UNITREE" in out
    assert "50: xyz:EUR, xyz:GBP, xyz:JPY,\n      xyz:SP500; 25: xyz:GOLD, xyz:SILVER; 30:" in out
    assert "closed on 2026-06-20, assumed: GitHub" in printed(rules("flx", "--at", "2026-06-01"))


def test_terms_as_data(rules: Command) -> None:
    told = data(rules("xyz", "--at", "2025-12-18T23:00", "--json"))
    assert (told["venue"], told["coin"], told["at"]) == ("xyz", None, "2025-12-18T23:00:00Z")
    terms = {term["key"]: term for term in told["terms"]}
    assert list(terms) == list(VENUE_KEYS)
    m = terms["funding_multiplier"]
    assert (m["value"], m["since"], m["confidence"]) == (1.0, "2025-10-13T00:00:00Z", "documented")
    assert m["coins"]["xyz:UNITREE"]["value"] == 0.005
    assert m["source"].startswith("docs.trade.xyz, changelog/")
    assert terms["impact_usd"]["confidence"] is None
    later = data(rules("xyz", "--at", "2025-12-19", "--coin", "NVDA", "--json"))
    assert {t["key"]: t["value"] for t in later["terms"]}["funding_multiplier"] == 0.5
    assert later["coin"] == "xyz:NVDA"


def test_now_is_the_default(rules: Command) -> None:
    assert data(rules("xyz", "--json"))["at"] > "2026-01-01"


# --------------------------------------------------------------------------- what changed


def test_diff(rules: Command) -> None:
    out = printed(rules("binance", "--diff", "2026-01-29", "2026-06-01"))
    assert "changes after 2026-01-29 and up to 2026-06-01 UTC" in out
    assert "  2026-01-30 12:15Z  interval_hours          4 -> 8 hours\n      all coins\n" in out
    assert "  2026-05-15 21:00Z  oracle_closed           frozen -> ewma\n" in out
    assert printed(rules("binance", "--diff", "2026-04-15", "2026-05-15")).endswith("  none\n")


def test_diff_names_the_coins(rules: Command) -> None:
    out = printed(rules("xyz", "--diff", "2025-12-18", "2025-12-20"))
    assert "funding_multiplier      1 -> 0.5\n      all coins but 1 with a word of their own" in out
    assert "growth_mode             false -> true\n      xyz:EUR, xyz:JPY, xyz:SKHX, xyz:TSM" in out
    nvda = printed(rules("xyz", "--diff", "2025-12-18", "2025-12-20", "--coin", "NVDA"))
    assert "growth_mode" not in nvda
    assert "funding_multiplier" in nvda


def test_diff_as_data(rules: Command) -> None:
    told = data(rules("binance", "--diff", "2026-01-29", "2026-02-01", "--json"))
    assert (told["after"], told["until"]) == ("2026-01-29T00:00:00Z", "2026-02-01T00:00:00Z")
    (interval,) = [c for c in told["changes"] if c["key"] == "interval_hours"]
    assert interval["time"] == "2026-01-30T12:15:00Z"
    assert (interval["old"]["value"], interval["new"]["value"]) == (4, 8)
    assert interval["coins"] == []


# --------------------------------------------------------------------------- own files


OWN = """\
schema = 1
venue = "xyz"
[sources]
ME = "my own reading"
[[blocks]]
from = 2026-08-01
clamp_8h = { value = 0.0004, source = "ME", confidence = "assumed" }
"""


def test_own_files_are_shown(rules: Command, work: Path) -> None:
    (work / "mine.toml").write_text(OWN, encoding="utf-8")
    told = data(rules("xyz", "--at", "2026-08-15", "--rules", "mine.toml", "--json"))
    (clamp,) = [t for t in told["terms"] if t["key"] == "clamp_8h"]
    assert (clamp["value"], clamp["place"]) == (0.0004, "mine.toml")
    folder = work / "home" / "rules"
    folder.mkdir(parents=True)
    (work / "mine.toml").rename(folder / "mine.toml")
    told = data(rules("xyz", "--diff", "2026-07-01", "2026-08-15", "--json"))
    assert 0.0004 in [c["new"]["value"] for c in told["changes"]]


def test_a_run_takes_them_by_option_and_by_run_file(
    inside: Command, month: Path, work: Path
) -> None:
    text = OWN.replace('"xyz"', '"baseline"').replace("2026-08-01", "2020-01-01")
    (work / "mine.toml").write_text(text.replace("clamp_8h", "taker_frac"), encoding="utf-8")
    (work / "run.toml").write_text('rulebook = "mine.toml"\n', encoding="utf-8")
    told = ("backtest", "funding_carry", "--data", month, "--json", "--out")
    plain, option, file = (
        json.loads(printed(inside(*told, out, *more, cwd=work)))["metrics"]["fees_usd"]["value"]
        for out, more in (
            ("a", ()),
            ("b", ("--rules", "mine.toml")),
            ("c", ("--config", "run.toml")),
        )
    )
    assert plain < 0
    assert option == file == pytest.approx(plain * 0.0004 / 0.00045)
    manifests = [json.loads((work / f / "manifest.json").read_text()) for f in "abc"]
    assert manifests[0]["rulebook_own"] == []
    (own,) = manifests[1]["rulebook_own"]
    assert (own["file"], own["kind"], own["name"]) == ("mine.toml", "venue", "baseline")
    assert manifests[1]["rulebook_digest"] == manifests[2]["rulebook_digest"]
    assert manifests[1]["rulebook_digest"] != manifests[0]["rulebook_digest"]


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["xyx"], ["no venue xyx", "did you mean xyz?"]),
        (["xyz", "--coin", "NVDIA"], ["NVDIA", "did you mean xyz:NVDA?"]),
        (["xyz", "--coin", "QQ"], ["QQ alone, of ", " names the nearest are xyz:", "; what holds"]),
        (["xyz", "--at", "soon"], ["--at soon", "2026-08-15"]),
        (["xyz", "--at", "2020-01-01"], ["start on 2025-10-13"]),
        (["xyz", "--diff", "2026-01-01", "then"], ["--diff then"]),
        (["xyz", "--diff", "2026-03-01", "2026-02-01"], ["swap the dates"]),
        (["xyz", "--diff", "2025-01-01", "2026-02-01"], ["start on 2025-10-13"]),
        (["xyz", "--diff", "2026-03-01"], ["--diff", "2 arguments"]),
        (["xyz", "--at", "2026-03-01", "--diff", "2026-03-01", "2026-04-01"], ["one of them"]),
        (["--at", "2026-03-01"], ["--at needs a venue"]),
        (["--coin", "NVDA"], ["--coin needs a venue"]),
        (["xyz", "abc"], ["abc"]),
        (["xyz", "--rules", "nowhere.toml"], ["nowhere.toml", "no such file"]),
        (["--nothing"], ["--nothing"]),
    ],
)
def test_a_wrong_request(rules: Command, arguments: list[str], words: list[str]) -> None:
    refused(rules(*arguments), 2, *words)


def test_a_wrong_own_file_is_wrong_data(rules: Command, work: Path) -> None:
    (work / "mine.toml").write_text(OWN.replace("clamp_8h", "clamp"), encoding="utf-8")
    refused(rules("xyz", "--rules", "mine.toml"), 3, "mine.toml", "did you mean clamp_8h")


def test_help_names_the_options(rules: Command) -> None:
    for arguments in (["--help"], ["show", "--help"]):
        out = rules(*arguments).out
        assert "--diff" in out
        assert "--coin" in out


# --------------------------------------------------------------------------- an unknown term


def test_the_line_that_is_asked_for_is_the_one_that_helps(
    inside: Command, broken: Path, work: Path
) -> None:
    about = broken / "dataset.toml"
    text = about.read_text(encoding="utf-8")
    about.write_text(
        text.replace('[perps."sim:ORCA"]', '[perps."sim:ORCA"]\nmin_order_usd = "unknown"'),
        encoding="utf-8",
    )
    told = ("backtest", "funding_carry", "--data", broken)
    ran = inside(*told, cwd=work)
    refused(ran, 3, "baseline: min_order_usd of sim:ORCA is unknown on 2025-10-13")
    line = ran.err.partition("; write ")[2].partition(" in the run file")[0]
    option = ran.err.partition(", or --set ")[2].partition(", where")[0]
    assert line == 'terms."sim:ORCA".min_order_usd = VALUE'
    assert option == "terms.sim:ORCA.min_order_usd=VALUE"
    (work / "run.toml").write_text(line.replace("VALUE", "8") + "\n", encoding="utf-8")
    by_file = inside(*told, "--config", "run.toml", "--out", "a", cwd=work)
    by_option = inside(*told, "--set", option.replace("VALUE", "8"), "--out", "b", cwd=work)
    assert (by_file.code, by_option.code) == (0, 0)
    terms = json.loads((work / "a" / "manifest.json").read_text(encoding="utf-8"))["terms"]
    assert {t["value"] for t in terms if t["key"] == "min_order_usd"} == {8, 10}


def test_collateral_is_listed_and_shown(rules: Command) -> None:
    assert any(line.startswith("BUIDL ") for line in printed(rules()).splitlines())
    tokens = {one["token"]: one for one in data(rules("--json"))["collateral"]}
    assert tokens["USTB"]["known"] == 10
    assert tokens["USTB"]["unknown"] == ["redeem_min_usd"]
    out = printed(rules("ustb", "--at", "2026-08-15"))
    assert out == printed(rules("USTB", "--at", "2026-08-15"))
    assert "market_days" in out
    told = data(rules("BTC", "--at", "2026-08-15", "--json"))
    (haircut,) = [term for term in told["terms"] if term["key"] == "haircut_frac"]
    assert (haircut["value"], haircut["venues"]["kraken"]["value"]) == (0.5, 0.03)


def test_collateral_has_no_coins(rules: Command) -> None:
    refused(rules("USTB", "--coin", "NVDA"), 2, "USTB is collateral", "--coin")
    refused(rules("USTB", "--at", "2020-01-01"), 2, "start on 2024-02-01")
