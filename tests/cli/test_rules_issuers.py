"""``perpkit rules`` of issuers, and ``perpkit rules eligibility``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perpkit.rulebook import ISSUER_KEYS, JURISDICTIONS, issuer_names
from perpkit.rulebook.eligibility import products
from perpkit.rulebook.library import shipped_rulebook

Command = Callable[..., Any]
WIDE = 100


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


def test_every_issuer_has_a_line_and_is_in_the_data(rules: Command) -> None:
    lines = printed(rules()).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("issuer "))
    assert [
        line.split()[0] for line in lines[start + 1 : start + 1 + len(issuer_names())]
    ] == issuer_names()
    told = {one["issuer"]: one for one in data(rules("--json"))["issuers"]}
    assert list(told) == issuer_names()
    assert told["ondo"]["unknown"] == ["inventory_usd"]


def test_the_terms_of_an_issuer(rules: Command) -> None:
    text = printed(rules("backed", "--at", "2026-08-15"))
    head = (
        "xStocks by Backed (NVDAx), tracker certificates (backed, issuer), terms on 2026-08-15 UTC"
    )
    assert text.startswith(head)
    for word in ("Primary market", "split_at", "00:00", "documented", "docs.xstocks.com"):
        assert word in text
    assert max(map(len, text.splitlines())) <= WIDE
    told = data(rules("backed", "--at", "2026-08-15", "--json"))
    assert [term["key"] for term in told["terms"]] == list(ISSUER_KEYS)
    (mint,) = [term for term in told["terms"] if term["key"] == "mint_fee_frac"]
    assert (mint["value"], mint["confidence"]) == ("unknown", None)


def test_a_venue_and_an_issuer_of_one_name_are_both_shown(rules: Command) -> None:
    text = printed(rules("ondo", "--at", "2026-08-15"))
    assert text.index("(ondo), terms on") < text.index("(ondo, issuer), terms on")
    assert max(map(len, text.splitlines())) <= WIDE
    told = data(rules("ondo", "--at", "2026-08-15", "--json"))
    assert (told["venue"], told["issuer_terms"]["issuer"]) == ("ondo", "ondo")
    changed = data(rules("binance", "--diff", "2026-02-01", "2026-09-01", "--json"))
    assert changed["changes"]
    assert changed["issuer_terms"]["changes"] == []


def test_what_changed_of_an_issuer(rules: Command) -> None:
    dates = ("2025-07-01", "2026-09-01")
    text = printed(rules("robinhood", "--diff", *dates))
    assert "2026-01-01" in text
    assert "cash -> multiplier" in text
    told = data(rules("robinhood", "--diff", *dates, "--json"))["changes"]
    assert ("transferable", True) in [(c["key"], c["new"]["value"]) for c in told]
    assert [c["time"] for c in told] == sorted(c["time"] for c in told)
    assert "none" in printed(rules("backed", "--diff", "2026-01-01", "2026-02-01"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backed", "--coin", "NVDA"), "backed is an issuer, --coin is of venues"),
        (("backed", "--at", "2025-06-29"), "the terms of backed start on 2025-06-30"),
        (("backed", "--diff", "2026-02-01", "2026-01-01"), "swap the dates"),
        (("dinary",), "did you mean dinari"),
        (("eligibility", "--jurisdiction", "Germany"), "a country's code of two letters"),
        (("eligibility", "--at", "soon"), "write a date such as"),
        (("eligibility", "--product", "ondoo"), "no product has this in its name"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(
    rules: Command, arguments: tuple[str, ...], words: str
) -> None:
    refused(rules(*arguments), 2, words)


def test_eligibility_is_a_table_of_products_and_jurisdictions(rules: Command) -> None:
    lines = printed(rules("eligibility", "--at", "2026-08-15")).splitlines()
    names = [name for name, _ in products(shipped_rulebook())]
    body = {line.split()[0]: line.split()[1:] for line in lines[3 : 3 + len(names)]}
    assert lines[2].split() == ["product", *JURISDICTIONS]
    assert list(body) == names
    assert body["issuer.ondo"] == ["nobody", "unknown", "unknown", "anyone", "anyone"]
    assert max(map(len, lines[: 3 + len(names)])) <= 80
    assert max(map(len, lines)) <= WIDE
    assert lines == [line.rstrip() for line in lines]
    source = "      US nobody, documented since 2025-06-30: docs.xstocks.com/frequently-asked"
    assert [line for line in lines if line.startswith(source)]


def test_eligibility_of_one_jurisdiction(rules: Command) -> None:
    text = printed(rules("eligibility", "--jurisdiction", "de", "--at", "2026-08-15"))
    assert text.startswith("DE: European Economic Area, under MiCA and MiFID II, on 2026-08-15 UTC")
    assert "transfers: allowlist" in text
    other = printed(rules("eligibility", "--jurisdiction", "SG", "--product", "USYC"))
    assert "anywhere else" in other
    assert "token.USYC            qualified" in other


def test_eligibility_as_data_with_a_file_of_ones_own(rules: Command, work: Path) -> None:
    (work / "mine.toml").write_text(
        'schema = 1\neligibility = "venue.lighter"\n[sources]\nME = "counsel"\n[[blocks]]\n'
        'from = 2026-01-01\nhold = { value = "basic", source = "ME", confidence = "reported" }\n'
        'primary = { value = "none", source = "ME", confidence = "reported" }\n'
        'receiver_check = { value = "none", source = "ME", confidence = "reported" }\n'
    )
    asked = ("eligibility", "--rules", "mine.toml", "--product", "lighter", "--json")
    told = data(rules(*asked, "--at", "2026-08-15"))["eligibility"]
    assert [one["jurisdiction"] for one in told] == list(JURISDICTIONS)
    assert {(one["hold"]["value"], one["hold"]["place"]) for one in told} == {
        ("basic", "mine.toml")
    }
    before = data(rules(*asked, "--at", "2025-08-15"))["eligibility"]
    assert {(one["hold"]["value"], one["hold"]["since"]) for one in before} == {("unknown", None)}


def test_a_backtest_tells_whose_it_is(inside: Command, work: Path) -> None:
    told = ("backtest", "funding_carry", "--pure-python", "--from", "2026-01-01")
    told = (*told, "--to", "2026-01-05", "--out", "a")
    text = printed(inside(*told, "--set", "holder.jurisdiction=CH", cwd=work))
    assert "holder                 CH, kyc none" in text
    plain = printed(inside(*told[:-1], "b", cwd=work))
    assert "holder                 none told, who may hold and trade this was not tested" in plain
    pledge = ("--set", "collateral.USYC.wallet_share=0.1", "--set", "collateral.USYC.apr=0.04")
    ran = inside(*told[:-1], "c", "--set", "holder.jurisdiction=US", *pledge, cwd=work)
    refused(ran, 2, "holder: a holder of US with kyc none may not hold USYC", "developers.circle")
    assert not (work / "c").exists()
