"""A user's own rulebook files: what they add, what they override, what is told of them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, RequestError
from perpkit.rulebook import VENUE_KEYS, digest, load_venue, open_rulebook
from perpkit.rulebook.reader import HOME
from perpkit.tape.build import form
from perpkit.units import to_ns

HEAD = 'schema = 1\n{kind} = "{name}"\n[sources]\nME = "my own reading"\n'


def ns(text):
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def own(path: Path, body: str, name="xyz", kind="venue", top="") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = HEAD.format(kind=kind, name=name).replace("[sources]", f"{top}[sources]")
    path.write_text(head + body, encoding="utf-8")
    return path


def block(date, coins="", **values):
    table = f'[[coins]]\nnames = ["{coins}"]' if coins else "[[blocks]]"
    lines = [
        f'{key} = {{ value = {value}, source = "ME", confidence = "assumed" }}'
        for key, value in values.items()
    ]
    return "\n".join([table, f"from = {date}", *lines, ""])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


# --- what wins


def test_an_override_states_only_what_it_changes(tmp_path):
    path = own(tmp_path / "any-name.toml", block("2026-07-01", clamp_8h=0.0004))
    mine, shipped = open_rulebook(path).venue("xyz"), load_venue("xyz")
    assert mine.at("clamp_8h", ns("2026-06-30"), "xyz:NVDA").value == 0.0003
    found = mine.at("clamp_8h", ns("2026-07-01"), "xyz:NVDA")
    assert (found.value, found.source, found.place) == (0.0004, "my own reading", "any-name.toml")
    for key in VENUE_KEYS.keys() - {"clamp_8h"}:
        for when in ("2025-12-01", "2026-07-02", "2026-10-01"):
            for coin in ("xyz:NVDA", "xyz:GOLD", "xyz:NEW"):
                assert mine.find(key, ns(when), coin) is shipped.find(key, ns(when), coin)
    assert (mine.title, mine.first_ns) == (shipped.title, shipped.first_ns)
    assert load_venue("xyz").at("clamp_8h", ns("2026-07-01")).value == 0.0003, "untouched"


def test_it_wins_over_later_days_and_single_coins_of_the_shipped_file(tmp_path):
    body = block("2026-07-01", clamp_8h=0.0004, max_leverage=5) + block("2026-09-01", clamp_8h=0.1)
    mine = open_rulebook(own(tmp_path / "x.toml", body)).venue("xyz")
    assert mine.at("clamp_8h", ns("2026-08-15")).value == 0.0004  # shipped: a block of 2026-08-01
    assert mine.at("clamp_8h", ns("2026-09-01")).value == 0.1
    assert mine.at("max_leverage", ns("2026-06-30"), "xyz:NVDA").value == 10
    assert mine.at("max_leverage", ns("2026-08-15"), "xyz:NVDA").value == 5  # shipped: 20


def test_a_coin_of_its_own(tmp_path):
    body = block("2026-03-01", max_leverage=5) + block("2026-04-01", "xyz:NVDA", max_leverage=7)
    mine = open_rulebook(own(tmp_path / "x.toml", body)).venue("xyz")
    seen = [
        [mine.at("max_leverage", ns(day), coin).value for day in ("2026-03-15", "2026-04-15")]
        for coin in ("xyz:NVDA", "xyz:TSLA")
    ]
    assert seen == [[5, 7], [5, 5]]


def test_it_may_reach_further_back(tmp_path):
    path = own(tmp_path / "x.toml", block("2025-01-01", clamp_8h=0.0004))
    mine = open_rulebook(path).venue("xyz")
    assert mine.at("clamp_8h", ns("2025-02-01")).value == 0.0004
    with pytest.raises(DataError, match=r"cap_1h is not known .* starts on 2025-10-13"):
        mine.at("cap_1h", ns("2025-02-01"))


def test_a_new_venue_is_whole(tmp_path):
    whole = (HOME / "venues" / "baseline.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(whole.replace('venue = "baseline"', 'venue = "mine"'), encoding="utf-8")
    book = open_rulebook(path)
    assert {"mine", "xyz"} <= set(book.names("venue"))
    assert book.venue("mine").at("step_frac", ns("2026-01-01")).value == 0.01
    own(path, block("2026-01-01", clamp_8h=0.0004), name="mine")
    with pytest.raises(DataError, match=r"mine\.toml: the first block lacks funding_formula; sta"):
        open_rulebook(path).venue("mine")


def test_an_end_may_be_moved(tmp_path):
    late = 'closed = { from = 2026-06-25, source = "ME", confidence = "reported" }\n'
    mine = open_rulebook(own(tmp_path / "x.toml", "", name="flx", top=late)).venue("flx")
    assert mine.closed is not None
    assert mine.closed.ns == ns("2026-06-25")
    same = open_rulebook(own(tmp_path / "x.toml", "", name="flx")).venue("flx")
    assert same.closed == load_venue("flx").closed


def test_issuers_too(tmp_path):
    body = block("2026-03-01", trade_fee_frac=0.002)
    mine = open_rulebook(own(tmp_path / "x.toml", body, "ondo", "issuer")).issuer("ondo")
    assert mine.at("trade_fee_frac", ns("2026-02-28")).value == 0.0
    assert mine.at("trade_fee_frac", ns("2026-03-01")).value == 0.002
    assert mine.at("dividends", ns("2026-03-01")).value == "multiplier"
    assert mine.dates("trade_fee_frac") == [ns("2025-09-01"), ns("2026-03-01")]


# --- where they lie


def test_the_users_folder_holds_in_every_run_and_the_runs_file_over_it(tmp_path, home):
    own(home / "rules" / "a.toml", block("2026-03-01", clamp_8h=0.0004, cap_1h=0.02))
    assert open_rulebook().venue("xyz").at("clamp_8h", ns("2026-03-01")).value == 0.0004
    path = own(tmp_path / "run.toml", block("2026-03-01", clamp_8h=0.0005))
    both = open_rulebook(path).venue("xyz")
    assert both.at("clamp_8h", ns("2026-03-01")).value == 0.0005
    assert both.at("cap_1h", ns("2026-03-01")).value == 0.02
    told = [(f.file, f.kind, f.name) for f in open_rulebook(path).own_files(["xyz"], [])]
    assert told == [("a.toml", "venue", "xyz"), ("run.toml", "venue", "xyz")]
    assert open_rulebook(path).own_files(["baseline"], ["ondo"]) == []


def test_a_folder_names_all_its_files(tmp_path):
    own(tmp_path / "all" / "a.toml", block("2026-03-01", clamp_8h=0.0004))
    own(tmp_path / "all" / "b.toml", block("2026-03-01", cap_1h=0.01), name="baseline")
    book = open_rulebook(tmp_path / "all")
    assert book.venue("xyz").at("clamp_8h", ns("2026-03-01")).value == 0.0004
    assert book.venue("baseline").at("cap_1h", ns("2026-03-01")).value == 0.01
    own(tmp_path / "all" / "c.toml", block("2026-03-01", cap_1h=0.01), name="baseline")
    with pytest.raises(RequestError, match=r"c\.toml: states venue baseline, as b\.toml does; k"):
        open_rulebook(tmp_path / "all")


def test_an_edited_file_is_read_again(tmp_path):
    path = own(tmp_path / "x.toml", block("2026-03-01", clamp_8h=0.0004))
    (before,) = open_rulebook(path).own_files(["xyz"], [])
    assert open_rulebook(path).venue("xyz").at("clamp_8h", ns("2026-03-01")).value == 0.0004
    own(path, block("2026-03-01", clamp_8h=0.0005))
    (after,) = open_rulebook(path).own_files(["xyz"], [])
    assert open_rulebook(path).venue("xyz").at("clamp_8h", ns("2026-03-01")).value == 0.0005
    assert len({digest(), digest([before]), digest([after])}) == 3


# --- what is refused


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (block("2026-03-01", clmap_8h=1), "unknown key clmap_8h, did you mean clamp_8h"),
        (block("2026-03-01", clamp_8h=5), r"clamp_8h, must be a number in \[0, 1\)"),
        (block("2026-03-01", "NVDA", clamp_8h=0.1), "names NVDA; write xyz:NVDA"),
        (block("2026-03-01").replace("2026-03-01", "1"), "lacks a from date"),
        ("[[block]]\n", "unknown key block, did you mean blocks"),
        ("[terms]\n", "unknown key terms"),
        ("closed = { from = 2026-06-20 }\n", "sources closed must be a text"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path(tmp_path, body, message):
    path = own(tmp_path / "x.toml", body)
    with pytest.raises(DataError, match=message) as refusal:
        open_rulebook(path).venue("xyz")
    assert str(refusal.value).startswith(f"{path}: ")


def test_no_such_file(tmp_path):
    with pytest.raises(RequestError, match=r"there is no such file or folder; check rulebook, or"):
        open_rulebook(tmp_path / "nowhere.toml")
    with pytest.raises(RequestError, match="holds no TOML file"):
        open_rulebook(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"schema = 1\n", 'must say venue = "NAME" or issuer = "NAME", one of them'),
        (b'venue = "a"\nissuer = "b"\n', "one of them"),
        (b"venue = \n", "is not TOML"),
        (b'venue = "\xff"\n', "not UTF-8"),
    ],
)
def test_a_file_that_says_nothing_usable(tmp_path, text, message):
    (tmp_path / "x.toml").write_bytes(text)
    with pytest.raises(DataError, match=message):
        open_rulebook(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("closed", "message"),
    [
        ("closed = 2026-06-20\n", "closed must be a table of from, source and confidence"),
        ('closed = { source = "ME", confidence = "assumed" }\n', "closed lacks a from date"),
        ("closed = { from = 2026-06-20 }\n", "closed lacks source"),
        (
            'closed = { from = 2020-01-01, source = "ME", confidence = "assumed" }\n',
            "closed from 2020-01-01 must come later than the first block",
        ),
    ],
)
def test_a_wrong_end_is_refused(tmp_path, closed, message):
    path = own(tmp_path / "x.toml", "", top=closed)
    with pytest.raises(DataError, match=message):
        open_rulebook(path).venue("xyz")


# --- in a run


def test_a_run_uses_it_and_says_so(tmp_path, tiny_dataset):
    from perpkit.assumptions import assumptions, own_files

    folder = shutil.copytree(tiny_dataset, tmp_path / "data")
    (folder / "actions.parquet").unlink()
    path = own(tmp_path / "mine.toml", block("2026-08-12T08:00:00Z", taker_frac=0.002))
    config = RunConfig(rulebook=path)
    market = form(read_dataset(folder), config, pure_python=True)
    fees = market.terms.fee_frac[market.tape.era][:, 0]
    assert fees.tolist() == pytest.approx([0.00009] * 3 + [0.0002] * 3)  # growth mode: a tenth
    (used,) = [u for u in market.resolved.used if u.key == "taker_frac" and u.value == 0.002]
    assert (used.place, used.source) == ("mine.toml", "my own reading")
    assert [file.file for file in own_files(market, config)] == ["mine.toml"]
    told = {a.name: a.value for a in assumptions(market, config)}
    assert told["rulebook xyz"] == "mine.toml"
    plain = assumptions(form(read_dataset(folder), RunConfig(), pure_python=True), RunConfig())
    assert not [a for a in plain if a.name.startswith("rulebook")]
