"""Keys that need each other."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from perpkit.errors import DataError, RequestError
from perpkit.rulebook import CoinTerms, TermChoice, load_venue, resolve_terms
from perpkit.rulebook.consistency import ALLOWED, LINKED, NEEDED, inconsistencies
from perpkit.rulebook.keys import VENUE_KEYS, fault
from perpkit.units import to_ns

XYZ = {
    key: load_venue("xyz").at(key, to_ns(datetime(2026, 8, 15, tzinfo=UTC)), "xyz:NVDA").value
    for key in LINKED
}


def found(**changed):
    return dict(inconsistencies(XYZ | changed))


def test_the_links_name_keys_and_legal_words():
    assert set(VENUE_KEYS) >= LINKED
    for key, (on, words) in (*NEEDED.items(), *ALLOWED.items()):
        assert all(not fault(VENUE_KEYS[on], word) for word in words)
        assert not fault(VENUE_KEYS[key], "none")


def test_what_xyz_states_goes_together():
    assert found() == {}


@pytest.mark.parametrize(
    ("changed", "key", "problem"),
    [
        ({"clamp_8h": "none"}, "clamp_8h", "must be a number in [0, 1), not 'none', where"),
        ({"premium": "none"}, "premium", 'where funding_formula is "premium"'),
        ({"funding_formula": "ventuals"}, "funding_gap_frac", "must be a number above 0"),
        ({"funding_gap_frac": 0.19}, "funding_gap_frac", 'must be "none", not 0.19'),
        ({"funding_formula": "cfd_swap"}, "interest_8h", 'must be "none", not 0.0001'),
        ({"funding_formula": "cfd_swap"}, "swap_long_1d", "must be a number in (-1, 1)"),
        ({"oracle_tau_hours": "none"}, "oracle_tau_hours", 'where oracle_closed is "ewma"'),
        ({"oracle_closed": "frozen"}, "oracle_tau_hours", 'must be "none", not 0.5'),
        ({"oracle_closed": "frozen"}, "ewma_cap_frac", 'must be "none", not 0.1'),
        ({"oracle_closed": "blend"}, "blend_tau_hours", "must be a number above 0"),
        ({"mark_rule": "book_mid"}, "mark_ema_seconds", 'must be "none", not 150'),
        ({"oracle_closed": "external"}, "oracle_closed", 'where external_session is "us_24_5"'),
        ({"external_session": "24/7"}, "oracle_closed", 'cannot be "ewma"'),
        ({"external_session": "none"}, "oracle_closed", 'must be "own_mark"'),
        ({"bound_frac": "none"}, "bound_resets", 'must be "none", not 2'),
        ({"bound_resets": "none"}, "bound_resets", "must be a whole number from 0 to 100"),
        ({"bound_when": "none"}, "bound_when", "where bound_frac is 0.05"),
        ({"bound_threshold_frac": "none"}, "bound_resets", "must be 0, not 2"),
    ],
)
def test_what_does_not_go_together(changed, key, problem):
    assert problem in found(**changed)[key]


@pytest.mark.parametrize(
    "changed",
    [
        {"ewma_cap_frac": "none"},  # an average without a cap
        {"impact_usd": "none"},
        {"bound_threshold_frac": "none", "bound_resets": 0},
        {"bound_threshold_frac": "unknown"},
        {"funding_formula": "unknown"},
        {"oracle_closed": "unknown", "external_session": "24/7"},
        {"oracle_closed": "own_mark"},
        {"funding_formula": "ventuals", "funding_gap_frac": "unknown"},
    ],
)
def test_what_does(changed):
    assert found(**changed) == {}


def test_a_run_that_changes_one_of_two_is_told_the_other():
    hours = np.array([to_ns(datetime(2026, 8, 15, tzinfo=UTC))])

    def resolve(terms):
        coins = [CoinTerms("xyz:NVDA", "xyz", {})]
        return resolve_terms(coins, hours, terms, TermChoice("taker", None, 0, 0), frozenset())

    told = {"oracle_closed": "frozen"}
    with pytest.raises(
        RequestError,
        match=r'^xyz: oracle_tau_hours of xyz:NVDA on 2026-08-15 must be "none", not 0\.5, where '
        r'oracle_closed is "frozen"; set terms\.oracle_tau_hours in the run file too',
    ):
        resolve(told)
    resolve(told | {"oracle_tau_hours": "none", "ewma_cap_frac": "none"})


def test_a_file_that_contradicts_itself_is_refused(tmp_path):
    from perpkit.rulebook import open_rulebook

    path = tmp_path / "mine.toml"
    path.write_text(
        'schema = 1\nvenue = "xyz"\n[sources]\nME = "me"\n[[coins]]\nnames = ["xyz:NVDA"]\n'
        "from = 2026-03-01\n"
        'bound_frac = { value = "none", source = "ME", confidence = "assumed" }\n',
        encoding="utf-8",
    )
    with pytest.raises(
        DataError,
        match=r'mine\.toml: bound_\w+ of xyz:NVDA must be "none", .* is "none", on 2026-03-01; ',
    ):
        open_rulebook(path).venue("xyz")
