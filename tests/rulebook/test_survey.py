"""How much is known, the terms of a day, and what changed between two."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from perpkit.errors import DataError
from perpkit.rulebook import VENUE_KEYS, load_venue
from perpkit.rulebook.reader import read_venue
from perpkit.rulebook.survey import changes, completeness, terms_at
from perpkit.units import to_ns


def ns(text):
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def said(key, value, confidence="assumed"):
    return f'{key} = {{ value = {value}, source = "DOC", confidence = "{confidence}" }}'


@pytest.fixture
def venue(tmp_path):
    """A venue that knows four keys, one of them by coin alone."""
    lines = {key: said(key, '"unknown"') for key in VENUE_KEYS}
    lines["clamp_8h"] = said("clamp_8h", 0.1, "verified")
    lines["cap_1h"] = said("cap_1h", 0.2, "documented")
    lines["interval_hours"] = said("interval_hours", 8, "verified")
    path = tmp_path / "v.toml"
    path.write_text(
        "\n".join(
            [
                'schema = 1\nvenue = "v"\ntitle = "V"\n[sources]\nDOC = "a document"',
                "[[blocks]]\nfrom = 2026-01-01",
                *lines.values(),
                "[[blocks]]\nfrom = 2026-02-01",
                said("clamp_8h", 0.2, "verified"),
                said("cap_1h", 0.2, "verified"),
                "[[blocks]]\nfrom = 2026-03-01",
                said("interval_hours", 4),
                '[[coins]]\nnames = ["v:A", "v:B"]\nfrom = 2026-01-15',
                said("clamp_8h", 0.3, "reported"),
                said("sz_decimals", 2),
                '[[coins]]\nnames = ["v:C"]\nfrom = 2026-01-15',
                said("clamp_8h", 0.1),
                '[[coins]]\nnames = ["v:A", "v:B"]\nfrom = 2026-04-01',
                said("clamp_8h", 0.4),
            ]
        ),
        encoding="utf-8",
    )
    return read_venue(path)


def test_completeness_counts_keys_and_the_weakest_word(venue):
    found = completeness(venue)
    assert (found.known, found.keys, found.coins) == (4, len(VENUE_KEYS), 3)
    # clamp: verified for the venue, assumed for A and B; interval: assumed in the end; lots: A, B.
    assert dict(found.confidence) == {"verified": 1, "documented": 0, "reported": 0, "assumed": 3}
    assert set(found.unknown) == VENUE_KEYS.keys() - {
        "clamp_8h", "cap_1h", "interval_hours", "sz_decimals",
    }  # fmt: skip
    assert (found.venue, found.title, found.closed_ns) == ("v", "V", None)


def test_terms_of_a_day(venue):
    (clamp,) = [s for s in terms_at(venue, ns("2026-02-15")) if s.key == "clamp_8h"]
    assert clamp.value.value == 0.2
    assert {coin: v.value for coin, v in clamp.others.items()} == {
        "v:A": 0.3,
        "v:B": 0.3,
        "v:C": 0.1,
    }
    one = terms_at(venue, ns("2026-02-15"), "v:A")
    assert [s.key for s in one] == list(VENUE_KEYS)
    (clamp,) = [s for s in one if s.key == "clamp_8h"]
    assert (clamp.value.value, clamp.others) == (0.3, {})
    with pytest.raises(DataError, match="starts on 2026-01-01"):
        terms_at(venue, ns("2025-12-31"))


def listed(found):
    return [(c.ns, c.key, c.coins, c.apart, c.old.value, c.new.value) for c in found]


def test_changes_between_two_days(venue):
    whole = listed(changes(venue, ns("2026-01-01"), ns("2026-05-01")))
    assert whole == [
        (ns("2026-01-15"), "clamp_8h", ("v:A", "v:B"), 0, 0.1, 0.3),  # C states what held
        (ns("2026-01-15"), "sz_decimals", ("v:A", "v:B"), 0, "unknown", 2),
        (ns("2026-02-01"), "clamp_8h", (), 3, 0.1, 0.2),  # the better sourced cap is no change
        (ns("2026-03-01"), "interval_hours", (), 0, 8, 4),
        (ns("2026-04-01"), "clamp_8h", ("v:A", "v:B"), 0, 0.3, 0.4),
    ]
    for start, end in (("2026-01-15", "2026-02-01"), ("2026-02-01", "2026-03-15")):
        part = listed(changes(venue, ns(start), ns(end)))
        assert part == [c for c in whole if ns(start) < c[0] <= ns(end)]


def test_changes_of_one_coin(venue):
    found = listed(changes(venue, ns("2026-01-01"), ns("2026-05-01"), "v:A"))
    assert [(c[0], c[1], c[4], c[5]) for c in found] == [
        (ns("2026-01-15"), "clamp_8h", 0.1, 0.3),
        (ns("2026-01-15"), "sz_decimals", "unknown", 2),
        (ns("2026-03-01"), "interval_hours", 8, 4),
        (ns("2026-04-01"), "clamp_8h", 0.3, 0.4),
    ]
    with pytest.raises(DataError, match="starts on 2026-01-01"):
        changes(venue, ns("2025-12-31"), ns("2026-05-01"))


def test_changes_add_up_to_the_terms_of_the_later_day():
    venue, coin = load_venue("xyz"), "xyz:NVDA"
    start, end = ns("2025-11-20"), ns("2026-09-30")
    held = {s.key: s.value.value for s in terms_at(venue, start, coin)}
    for change in changes(venue, start, end, coin):
        assert held[change.key] == change.old.value
        held[change.key] = change.new.value
    assert held == {s.key: s.value.value for s in terms_at(venue, end, coin)}
    assert held["max_leverage"] == 20
