"""Issuers: what their files state, what is left unsaid, and the page on them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from perpkit.errors import DataError
from perpkit.rulebook import ISSUER_KEYS, issuer_names, load_issuer, open_rulebook
from perpkit.rulebook.document import document_issuer_keys, document_issuers
from perpkit.rulebook.keys import CONFIDENCES
from perpkit.rulebook.legal import fault
from perpkit.rulebook.survey import issuer_changes, issuer_completeness, issuer_terms
from perpkit.units import to_ns

PAGE = Path(__file__).parents[2] / "docs" / "issuers.md"
FIVE = ("quote_session", "trade_fee_frac", "min_order_usd", "dividends", "withholding_frac")


def ns(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize("name", issuer_names())
def test_every_value_of_a_shipped_file_is_legal_and_sourced(name: str) -> None:
    issuer = load_issuer(name)
    assert issuer.blocks.keys() == ISSUER_KEYS.keys()
    for key, series in issuer.blocks.items():
        for value in series:
            assert fault(ISSUER_KEYS[key], value.value) == ""
            assert value.source
            assert value.confidence in CONFIDENCES


@pytest.mark.parametrize("name", issuer_names())
def test_what_has_no_multiplier_has_no_pause_by_its_change(name: str) -> None:
    issuer = load_issuer(name)
    last = 2**62
    if issuer.at("multiplier_kind", last).value in ("none", "rebase"):
        assert issuer.at("premium_pause_frac", last).value == "none"
    if issuer.at("transferable", last).value is False:
        assert issuer.at("receiver_check", last).value == "none"


def test_an_own_file_of_an_issuer_may_leave_out_what_is_new(tmp_path: Path) -> None:
    lines = ["quote_session", '"24/7"'], ["trade_fee_frac", "0.0"], ["min_order_usd", "1"]
    lines += ["dividends", '"cash"'], ["withholding_frac", "0.15"]
    body = "\n".join(
        f'{key} = {{ value = {value}, source = "ME", confidence = "assumed" }}'
        for key, value in lines
    )
    path = tmp_path / "mine.toml"
    head = 'schema = 1\nissuer = "mine"\n[sources]\nME = "my own reading"\n[[blocks]]\n'
    path.write_text(f"{head}from = 2026-01-01\n{body}\n")
    issuer = open_rulebook(path).issuer("mine")
    assert [issuer.at(key, ns("2026-02-01")).known for key in FIVE] == [True] * 5
    told = issuer.at("mint_session", ns("2026-02-01"))
    assert (told.value, told.source) == ("unknown", "the file does not state it")
    with pytest.raises(DataError, match="mint_session is not known on 2025-12-31"):
        issuer.at("mint_session", ns("2025-12-31"))
    path.write_text(path.read_text().replace("dividends", "dividend"))
    with pytest.raises(DataError, match="the first block lacks dividends"):
        open_rulebook(path).issuer("mine")


def test_an_own_file_wins_over_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "ondo.toml"
    head = 'schema = 1\nissuer = "ondo"\n[sources]\nME = "my desk"\n[[blocks]]\n'
    told = 'inventory_usd = { value = 5e6, source = "ME", confidence = "reported" }\n'
    path.write_text(f"{head}from = 2026-03-01\n{told}")
    issuer = open_rulebook(path).issuer("ondo")
    assert issuer.at("inventory_usd", ns("2026-02-28")).value == "unknown"
    assert issuer.at("inventory_usd", ns("2026-03-01")).value == 5e6
    assert issuer.at("mint_min_usd", ns("2026-03-01")).value == 1


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ('mint_session = "24/6"', 'must be "24/7" or'),
        ("pause_hours = -1", "must be a number in"),
        ("inventory_usd = 0", "must be a number above 0"),
        ('blocked = "usa"', "must be codes of countries"),
        ('split_at = "25:00"', "must be a time such as"),
        ('transferable = "yes"', "must be true or false"),
    ],
)
def test_a_value_out_of_range_is_refused(tmp_path: Path, told: str, why: str) -> None:
    key, value = told.split(" = ")
    path = tmp_path / "ondo.toml"
    head = 'schema = 1\nissuer = "ondo"\n[sources]\nME = "x"\n[[blocks]]\nfrom = 2026-03-01\n'
    path.write_text(f'{head}{key} = {{ value = {value}, source = "ME", confidence = "assumed" }}\n')
    with pytest.raises(DataError, match=f"block 1, {key}, {why}"):
        open_rulebook(path).issuer("ondo")


def test_how_much_is_known_and_what_changed() -> None:
    ondo = load_issuer("ondo")
    one = issuer_completeness(ondo)
    assert (one.known, one.keys, one.unknown) == (27, 28, ("inventory_usd",))
    assert [shown.key for shown in issuer_terms(ondo, ns("2026-01-01"))] == list(ISSUER_KEYS)
    found = issuer_changes(load_issuer("robinhood"), ns("2025-07-01"), ns("2026-01-01"))
    told = {change.key: (change.old.value, change.new.value) for change in found}
    assert told["dividends"] == ("cash", "multiplier")
    assert told["form"] == ("contract", "tracker")
    assert {change.ns for change in found} == {ns("2026-01-01")}
    assert issuer_changes(ondo, ns("2026-01-01"), ns("2026-10-01")) == []


@pytest.mark.parametrize("made", [document_issuers, document_issuer_keys])
def test_the_page_is_up_to_date(made: object) -> None:
    assert made() in PAGE.read_text(encoding="utf-8")  # type: ignore[operator]
