"""Who may hold what: the files, the answer for a holder, and what a run refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, PerpkitError, RequestError
from perpkit.rulebook import (
    ELIGIBILITY_KEYS,
    JURISDICTIONS,
    issuer_names,
    load_eligibility,
    load_issuer,
    open_rulebook,
)
from perpkit.rulebook.document import document_eligibility
from perpkit.rulebook.eligibility import allows, over, place_of, products, verdict
from perpkit.rulebook.legal import fault
from perpkit.rulebook.reader import HOME
from perpkit.tape.build import form
from perpkit.units import to_ns

PAGE = Path(__file__).parents[2] / "docs" / "issuers.md"
FILES = sorted(path.stem for path in (HOME / "eligibility").glob("*.toml"))
LAST = 2**62
OF_FUNDS = {
    "blackrock": "token.BUIDL",
    "circle": "token.USYC",
    "franklin": "token.BENJI",
    "ondo_ousg": "token.OUSG",
    "ondo_usdy": "token.USDY",
    "superstate": "token.USTB",
}
DEMO = Path(__file__).parents[2] / "data" / "demo"


def ns(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))


def hold(product: str, place: str, when: str = "2026-08-15") -> object:
    return verdict(open_rulebook(), product, "", place, ns(when)).hold.value


# --- the files


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_of_a_product_of_the_rulebook(name: str) -> None:
    assert name in dict(products(open_rulebook()))
    told = load_eligibility(name)
    for place in ("", *JURISDICTIONS):
        for key, legal in ELIGIBILITY_KEYS.items():
            value = told.at(key, LAST, place)
            assert fault(legal, value.value) == ""
            assert value.source


@pytest.mark.parametrize("name", [name for name in issuer_names() if name != "formed"])
def test_an_issuer_blocks_where_nobody_may_hold(name: str) -> None:
    """The issuer's own list and the table of holders say the same of each jurisdiction."""
    issuer, product = load_issuer(name), OF_FUNDS.get(name, f"issuer.{name}")
    for place in JURISDICTIONS:
        told = issuer.at("blocked", LAST)
        if told.known and place in str(told.value).split(", "):
            found = verdict(open_rulebook(), product, "", place, LAST).hold.value
            assert found == "nobody"
    check = verdict(open_rulebook(), product, "", "US", LAST).receiver_check
    assert check.value == issuer.at("receiver_check", LAST).value


def test_funds_are_told_of_by_their_tokens() -> None:
    named = dict(products(open_rulebook()))
    for issuer, product in OF_FUNDS.items():
        assert product in named
        assert f"issuer.{issuer}" not in named


@pytest.mark.parametrize(
    ("product", "place", "value"),
    [
        ("issuer.ondo", "US", "nobody"),  # docs.ondo.finance, eligibility: Rule 902 persons
        ("issuer.ondo", "VG", "anyone"),
        ("issuer.ondo", "EU", "unknown"),
        ("issuer.backed", "US", "nobody"),  # docs.xstocks.com, FAQ
        ("issuer.backed", "EU", "anyone"),  # its prospectus
        ("issuer.securitize", "US", "accredited"),
        ("token.USYC", "US", "nobody"),  # Circle: not US persons
        ("token.USYC", "BM", "qualified"),
        ("token.USTB", "US", "qualified"),
        ("token.BTC", "CH", "anyone"),
        ("venue.kraken", "US", "nobody"),
        ("venue.lighter", "US", "unknown"),  # nothing is told of it
        ("venue.nowhere", "US", "unknown"),
        # Countries that the issuer lists as prohibited, and one that it does not.
        ("issuer.ondo", "RU", "nobody"),
        ("issuer.ondo", "ir", "nobody"),
        ("issuer.ondo", "SG", "unknown"),
        ("issuer.dinari", "CA", "nobody"),
        ("token.USDY", "CA", "nobody"),
        ("token.USDY", "SG", "unknown"),
        ("token.BTC", "RU", "anyone"),
    ],
)
def test_who_may_hold(product: str, place: str, value: str) -> None:
    assert hold(product, place) == value


def test_it_is_dated() -> None:
    assert hold("issuer.robinhood", "EU", "2026-06-30") == "basic"
    assert hold("issuer.robinhood", "EU", "2026-07-01") == "unknown"
    assert hold("issuer.coinbase", "US", "2026-08-05") == "unknown", "before the first word on it"
    span = (ns("2026-06-01"), ns("2026-08-01"))
    told = over(open_rulebook(), "issuer.robinhood", "EU", span)
    assert [value.value for value in told] == ["basic", "unknown"]


def test_tiers_take_in_those_after_them() -> None:
    tiers = ("none", "basic", "accredited", "qualified")
    for n, least in enumerate(("anyone", "basic", "accredited", "qualified", "nobody")):
        assert [allows(least, tier) for tier in tiers] == [m >= n for m in range(4)]
    assert {allows("unknown", tier) for tier in tiers} == {None}


def test_countries_of_the_european_economic_area_are_eu() -> None:
    assert [place_of(code) for code in ("de", "LI", "NO", "EU")] == ["EU"] * 4
    assert [place_of(code) for code in ("us", "CH", "BM", "VG")] == ["US", "CH", "BM", "VG"]
    assert [place_of(code) for code in ("GB", "SG")] == ["", ""]
    with pytest.raises(RequestError, match="jurisdiction Germany: write a country's code of two"):
        place_of("Germany")


def own(path: Path, body: str, name: str = "issuer.simulated") -> Path:
    head = f'schema = 1\neligibility = "{name}"\n[sources]\nME = "my counsel"\n'
    path.write_text(head + body)
    return path


US_BARRED = """[[jurisdictions]]
names = ["US"]
from = 2026-01-01
hold = { value = "accredited", source = "ME", confidence = "reported", note = "a letter" }
"""


def test_a_file_of_ones_own_is_laid_over(tmp_path: Path) -> None:
    book = open_rulebook(own(tmp_path / "x.toml", US_BARRED))
    told = [
        verdict(book, "issuer.simulated", "", "US", ns(d)).hold
        for d in ("2025-12-31", "2026-01-01")
    ]
    assert [value.value for value in told] == ["anyone", "accredited"]
    assert (told[1].place, told[1].source) == ("x.toml", "my counsel (a letter)")
    assert verdict(book, "issuer.simulated", "", "EU", LAST).hold.value == "anyone"


def test_a_wrong_file_is_refused(tmp_path: Path) -> None:
    body = US_BARRED.replace('"US"', '"USA"')
    with pytest.raises(DataError, match="a block of jurisdictions names USA, did you mean US"):
        open_rulebook(own(tmp_path / "x.toml", body)).eligibility("issuer.simulated")
    body = US_BARRED.replace("accredited", "rich")
    with pytest.raises(DataError, match='hold, must be "anyone" or "basic"'):
        open_rulebook(own(tmp_path / "y.toml", body)).eligibility("issuer.simulated")


# --- a run


def laid(tmp_path: Path, **holder: str) -> tuple[str, ...]:
    """Notes of a run of the demo in which US holders have to be accredited from 2026 on."""
    rulebook = own(tmp_path / "x.toml", US_BARRED)
    told = {"holder": holder, "rulebook": rulebook, "coins": ["sim:ORCA"]}
    config = check_config(told if holder else {**told, "holder": None})
    dataset = read_dataset(DEMO, ns("2025-12-30"), ns("2026-01-05"))
    return form(dataset, config, pure_python=True).notes


def test_nothing_is_tested_of_nobody(tmp_path: Path) -> None:
    assert not [note for note in laid(tmp_path) if "holder" in note]


@pytest.mark.parametrize("kyc", ["none", "basic"])
def test_a_run_is_refused_that_is_barred_on_one_of_its_days(tmp_path: Path, kyc: str) -> None:
    with pytest.raises(
        RequestError,
        match=rf"^holder: a holder of US with kyc {kyc} may not hold ORCAx: it takes accredited "
        r"\(issuer.simulated, x.toml, reported since 2026-01-01: my counsel \(a letter\)\); .*"
        r"holder.eligibility=warn",
    ) as e:
        laid(tmp_path, jurisdiction="us", kyc=kyc)
    assert e.value.exit_code == 2


@pytest.mark.parametrize("kyc", ["accredited", "qualified"])
def test_who_is_more_than_is_asked_for_is_let_in(tmp_path: Path, kyc: str) -> None:
    assert not [note for note in laid(tmp_path, jurisdiction="US", kyc=kyc) if "holder" in note]


def test_what_is_barred_may_be_said_alone(tmp_path: Path) -> None:
    told = laid(tmp_path, jurisdiction="US", eligibility="warn")
    (one,) = [note for note in told if "holder" in note]
    assert one.startswith("a holder of US with kyc none may not hold ORCAx: it takes accredited")


def unknown(tmp_path: Path) -> Path:
    body = US_BARRED.replace('"US"', '"CH"').replace('"accredited"', '"unknown"')
    return own(tmp_path / "x.toml", body)


@pytest.mark.parametrize("eligibility", ["known", "warn", "strict"])
def test_what_is_not_known_is_said_or_refused(tmp_path: Path, eligibility: str) -> None:
    holder = {"jurisdiction": "CH", "eligibility": eligibility}
    told = {"holder": holder, "rulebook": unknown(tmp_path), "coins": ["sim:ORCA"]}
    dataset = read_dataset(DEMO, ns("2025-12-30"), ns("2026-01-05"))
    sentence = "whether a holder of CH with kyc none may hold ORCAx is not known"
    if eligibility != "strict":
        notes = form(dataset, check_config(told), pure_python=True).notes
        assert [note for note in notes if note.startswith(sentence)]
        return
    with pytest.raises(PerpkitError, match=rf"^holder: {sentence} .*holder.eligibility=known"):
        form(dataset, check_config(told), pure_python=True)


def test_a_collateral_token_and_a_venue_are_asked_for_too(tmp_path: Path) -> None:
    body = US_BARRED.replace('"accredited"', '"nobody"')
    venue = own(tmp_path / "v.toml", body, "venue.baseline")
    dataset = read_dataset(DEMO, ns("2025-12-30"), ns("2026-01-05"))
    told = {"holder": {"jurisdiction": "US"}, "coins": ["sim:ORCA"]}
    with pytest.raises(RequestError, match="may not trade on baseline: nobody there may"):
        form(dataset, check_config({**told, "rulebook": venue}), pure_python=True)
    pledged = {"USYC": {"wallet_share": 0.1, "apr": 0.04}}
    with pytest.raises(RequestError, match=r"may not hold USYC: nobody .*token.USYC\.toml, docum"):
        form(dataset, check_config({**told, "collateral": pledged}), pure_python=True)


BLOCKED = """\
schema = 1
issuer = "simulated"

[sources]
X = "my counsel"

[[blocks]]
from = 2025-01-01
blocked = { value = "CH, RU", source = "X", confidence = "reported" }

[[blocks]]
from = 2026-01-03
blocked = { value = "DE", source = "X", confidence = "reported" }
"""


@pytest.mark.parametrize(
    ("country", "since"), [("RU", "2025-01-01"), ("DE", "2026-01-03"), ("SG", ""), ("FR", "")]
)
def test_a_holder_of_a_blocked_country_is_refused(tmp_path: Path, country: str, since: str) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "issuer.toml").write_text(BLOCKED, encoding="utf-8")
    own(tmp_path / "all" / "x.toml", US_BARRED.replace("accredited", "unknown").replace("US", "EU"))
    told = {"holder": {"jurisdiction": country}, "coins": ["sim:ORCA"]}
    config = check_config({**told, "rulebook": tmp_path / "all"})
    dataset = read_dataset(DEMO, ns("2025-12-30"), ns("2026-01-05"))
    if not since:
        form(dataset, config, pure_python=True)
        return
    says = rf"may not hold ORCAx: nobody there may .*issuer.toml, reported since {since}"
    with pytest.raises(RequestError, match=says):
        form(dataset, config, pure_python=True)


def test_what_is_told_of_a_jurisdiction_comes_before_the_list(tmp_path: Path) -> None:
    book = tmp_path / "issuer.toml"
    book.write_text(BLOCKED, encoding="utf-8")
    told = [verdict(open_rulebook(book), "issuer.simulated", "", c, ns("2026-01-02")).hold
            for c in ("CH", "RU")]  # fmt: skip
    assert [value.value for value in told] == ["anyone", "nobody"]


IDENTIFIED = US_BARRED.replace("hold =", "primary =").replace("accredited", "basic")


@pytest.mark.parametrize("way", ["quote", "issuer", "cheapest"])
@pytest.mark.parametrize("kyc", ["none", "basic"])
def test_who_mints_is_asked_what_the_issuer_asks(tmp_path: Path, way: str, kyc: str) -> None:
    rulebook = own(tmp_path / "x.toml", IDENTIFIED)
    holder = {"jurisdiction": "US", "kyc": kyc}
    told = {"holder": holder, "rulebook": rulebook, "coins": ["sim:ORCA"]}
    config = check_config({**told, "token_way": {"ORCAx": way}})
    dataset = read_dataset(DEMO, ns("2025-12-30"), ns("2026-01-05"))
    if way == "quote" or kyc == "basic":
        form(dataset, config, pure_python=True)
        return
    says = "may not mint or redeem ORCAx with the issuer: it takes basic"
    with pytest.raises(RequestError, match=says):
        form(dataset, config, pure_python=True)


@pytest.mark.parametrize("redeem", [False, True])
def test_who_redeems_for_a_call_is_asked_too(redeem: bool) -> None:
    # Ethena redeems for identified holders alone, whoever holds sUSDe.
    told = {"holder": {"jurisdiction": "CH"}, "coins": ["sim:ORCA"], "topup_at_ratio": 0.5}
    held = {"SUSDE": {"wallet_share": 0.1, "apr": 0.04}}
    config = check_config({**told, "collateral": held, "redeem": redeem})
    dataset = read_dataset(DEMO, ns("2025-12-30"), ns("2026-01-05"))
    if not redeem:
        form(dataset, config, pure_python=True)
        return
    says = "may not mint or redeem SUSDE with the issuer: it takes basic"
    with pytest.raises(RequestError, match=says):
        form(dataset, config, pure_python=True)


def test_the_page_is_up_to_date() -> None:
    assert document_eligibility() in PAGE.read_text(encoding="utf-8")
