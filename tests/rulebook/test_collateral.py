"""Tokens as collateral: what is told of each, what venues say otherwise, one's own files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from perpkit.config_table import document
from perpkit.errors import DataError
from perpkit.rulebook import (
    COLLATERAL_KEYS,
    UNKNOWN,
    collateral_names,
    load_collateral,
    open_rulebook,
)
from perpkit.rulebook.document import document_collateral, document_collateral_keys
from perpkit.rulebook.survey import asset_completeness
from perpkit.told import Pledge
from perpkit.units import to_ns

ROOT = Path(__file__).parents[2]
NOW = to_ns(datetime(2026, 8, 15, tzinfo=UTC))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))


def own(tmp_path, body, name="USTB"):
    path = tmp_path / "mine.toml"
    head = f'schema = 1\ncollateral = "{name}"\n[sources]\nME = "my custodian"\n'
    path.write_text(head + body, encoding="utf-8")
    return path


def test_every_token_asked_for_is_there_and_states_every_key():
    assert set(collateral_names()) == {
        *("BUIDL", "BENJI", "USYC", "USTB", "OUSG", "USDY", "USDE", "SUSDE"),
        *("USDC", "USDT", "USDH", "BTC", "ETH", "STOCK"),
    }
    for name in collateral_names():
        assert load_collateral(name).blocks.keys() == COLLATERAL_KEYS.keys()


@pytest.mark.parametrize(
    ("token", "key", "value"),
    [
        ("BUIDL", "form", "unit_monthly"),
        ("BENJI", "form", "unit_daily"),
        ("USYC", "form", "price"),
        ("USTB", "nav_clock", "second"),
        ("OUSG", "nav_clock", "market_day"),
        ("OUSG", "redeem_cutoff", "16:00"),
        ("USDY", "redeem_min_usd", 500),
        ("SUSDE", "redeem_delay_hours", 168),
        ("USDC", "form", "fixed"),
        ("ETH", "form", "market"),
        # The harsh end of the documented ranges.
        ("USDC", "haircut_frac", 0.01),
        ("USTB", "haircut_frac", 0.05),
        ("SUSDE", "haircut_frac", 0.1),
        ("STOCK", "haircut_frac", 0.4),
        ("USDC", "redeem_session", UNKNOWN),
    ],
)
def test_terms(token, key, value):
    assert load_collateral(token).at(key, NOW).value == value


@pytest.mark.parametrize(("token", "haircut"), [("USDC", 0.01), ("BTC", 0.03), ("ETH", 0.03)])
def test_a_venue_has_a_word_of_its_own(token, haircut):
    found = load_collateral(token).at("haircut_frac", NOW, "kraken")
    assert (found.value, found.confidence) == (haircut, "documented")
    assert load_collateral(token).at("haircut_frac", NOW, "xyz").confidence == "assumed"


def test_deribit_reduces_initial_margin_alone_by_what_it_does_not_publish():
    buidl = load_collateral("BUIDL")
    assert buidl.at("haircut_on", NOW, "deribit").value == "initial"
    assert buidl.at("haircut_frac", NOW, "deribit").value == UNKNOWN
    assert buidl.at("haircut_on", NOW).value == "both"


def test_there_are_no_terms_before_the_token():
    with pytest.raises(DataError, match=r"haircut_frac is not known on 2023-01-01.*own"):
        load_collateral("USTB").at("haircut_frac", to_ns(datetime(2023, 1, 1, tzinfo=UTC)))


def test_an_own_file_is_laid_over_the_shipped_one(tmp_path):
    body = (
        "[[blocks]]\nfrom = 2026-01-01\n"
        'redeem_min_usd = { value = 1000, source = "ME", confidence = "reported" }\n'
        '[[venues]]\nnames = ["xyz"]\nfrom = 2026-01-01\n'
        'haircut_frac = { value = 0.02, source = "ME", confidence = "reported" }\n'
    )
    book = open_rulebook(own(tmp_path, body))
    mine = book.collateral("USTB")
    assert mine.at("redeem_min_usd", NOW).value == 1000
    assert load_collateral("USTB").at("redeem_min_usd", NOW).value == UNKNOWN
    assert mine.at("haircut_frac", NOW, "xyz").value == 0.02
    assert mine.at("haircut_frac", NOW, "km").value == 0.05
    assert mine.at("form", NOW) is load_collateral("USTB").at("form", NOW)
    assert [x.kind for x in book.own_files([], [], ["USTB"])] == ["collateral"]
    assert book.own_files([], [], ["BUIDL"]) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("haircut_frac = 1.0", r"haircut_frac, must be a number in \[0, 1\), not 1.0"),
        ("haircut_frac = -0.1", "haircut_frac, must be a number"),
        ('redeem_cutoff = "25:00"', "redeem_cutoff, must be a time"),
        ('redeem_session = "always"', "redeem_session, must be"),
        ("hair_frac = 0.1", "unknown key hair_frac, did you mean haircut_frac"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(tmp_path, line, words):
    key, _, value = line.partition(" = ")
    body = f'[[blocks]]\nfrom = 2026-01-01\n{key} = {{ value = {value}, source = "ME", '
    path = own(tmp_path, body + 'confidence = "assumed" }\n')
    with pytest.raises(DataError, match=f"mine.toml: .*{words}"):
        open_rulebook(path).collateral("USTB")


def test_a_block_of_venues_names_them(tmp_path):
    path = own(tmp_path, "[[venues]]\nfrom = 2026-01-01\n")
    with pytest.raises(DataError, match=r'venues lacks names; write names = \["kraken"\]'):
        open_rulebook(path).collateral("USTB")


def test_a_new_token_states_every_key(tmp_path):
    with pytest.raises(DataError, match="the first block lacks kind"):
        open_rulebook(own(tmp_path, "", "TBILL")).collateral("TBILL")


def test_what_is_known_is_counted():
    one = asset_completeness(load_collateral("USTB"))
    assert (one.known, one.keys, one.unknown) == (10, 11, ("redeem_min_usd",))
    assert sum(one.confidence.values()) == one.known


def test_the_page_holds_the_tables():
    page = (ROOT / "docs" / "collateral.md").read_text(encoding="utf-8")
    assert document_collateral() in page
    assert document_collateral_keys() in page
    run_file = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    assert document(Pledge) in run_file
