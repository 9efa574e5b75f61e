"""Assumptions: every warning, every assumption, every term with its date, source and confidence."""

from __future__ import annotations

from typing import Any

from perpkit.report.panel import Table, Text
from perpkit.report.panels.assumptions import TERMS_SHOWN, panel
from perpkit.report.reading import Run

from .small import EVIL, cards, column, every, small

DAY_NS = 86_400_000_000_000


def term(key: str, confidence: str, **more: Any) -> dict[str, Any]:
    return {
        "venue": "v",
        "coins": ["v:AAA"],
        "scope": "v",
        "key": key,
        "value": 0.0001,
        "source": f"source of {key}",
        "confidence": confidence,
        "place": "venues/v.toml",
        "from_ns": 20_000 * DAY_NS,
        "needed": True,
        **more,
    }


def assumed(name: str, value: str = "1") -> dict[str, str]:
    return {"name": name, "value": value, "why": f"why {name}"}


def told() -> Run:
    return small(
        1,
        warnings=["nothing was traded", "3 orders cut"],
        manifest={
            "config": {"margin_share": 1 / 3, "topup_at_ratio": 0.5, "collateral": {}},
            "assumptions": [
                *(assumed(name) for name in ("pairs of all", "margin_share", "topup_at_ratio")),
                assumed("v step_frac"),
            ],
            "terms": [
                term("interest_8h", "verified"),
                term("growth_mode", "assumed", value=False, needed=False),
                term("step_frac", "assumed", from_ns=0),
                term("taker_frac", "documented"),
                term("own_key", "reported", value=[1, 2]),
            ],
        },
    )


def tables(run: Run) -> dict[str, Table]:
    return {table.caption.split(":")[0]: table for table in every(panel(run), Table)}


def test_every_warning_is_a_paragraph() -> None:
    found = every(panel(told()), Text)
    assert [(text.text, text.tone) for text in found] == [
        ("nothing was traded", "warn"),
        ("3 orders cut", "warn"),
    ]


def test_assumptions_say_whether_the_run_set_them() -> None:
    table = every(panel(told()), Table)[0]
    assert column(table, "assumption") == ["pairs of all", "margin_share", "topup_at_ratio"]
    assert column(table, "set by") == ["–", "default", "this run"]
    assert column(table, "why, or what it means")[0] == "why pairs of all"


def test_terms_are_grouped_by_confidence_the_weakest_first() -> None:
    found = tables(told())
    assert [name for name in found if name.startswith("Terms")] == [
        "Terms that are assumed",
        "Terms that are reported",
        "Terms that are documented",
        "Terms that are verified",
    ]
    weak = found["Terms that are assumed"]
    assert column(weak, "term") == ["step_frac", "growth_mode"], "those that were read first"
    assert column(weak, "read") == ["yes", "no"]
    assert column(weak, "since") == ["–", "2024-10-04"]
    assert column(weak, "value") == ["0.0001 fraction", "false"]
    assert column(weak, "source") == [
        f"source of {key} (venues/v.toml)" for key in ("step_frac", "growth_mode")
    ]
    assert "furthest move of the oracle" in column(weak, "what it is")[0]
    assert column(found["Terms that are verified"], "value") == ["0.0001 fraction per 8 h"]
    own = found["Terms that are reported"]
    assert (column(own, "value"), column(own, "what it is")) == (["1, 2"], [""])


def test_counts_and_the_sentence() -> None:
    found = cards(panel(told()))
    assert {name: card.value for name, card in found.items()} == {
        "Warnings": "2",
        "Assumptions": "3",
        "Terms assumed": "2",
        "Terms reported": "1",
        "Terms documented": "1",
        "Terms verified": "1",
    }
    assert "1 read by this run" in found["Terms assumed"].note
    lead = panel(told()).lead
    assert "rests on 3 assumptions and 4 terms of the rulebook, 1 of which are assumed" in lead
    assert "2 warnings are to be read" in lead


def test_long_tables_show_their_head() -> None:
    many = [term("interest_8h", "documented", scope=f"v:{n}") for n in range(40)]
    table = every(panel(small(1, manifest={"terms": many})), Table)[0]
    assert (len(table.rows), table.shown) == (40, TERMS_SHOWN)
    assert "(40)" in table.caption


def test_a_manifest_without_any_says_so() -> None:
    assert "names no term" in panel(small(1)).empty


def test_sources_are_text() -> None:
    run = small(
        1,
        warnings=[EVIL],
        manifest={
            "assumptions": [{"name": EVIL, "value": EVIL, "why": EVIL}],
            "terms": [term("interest_8h", "reported", source=f"https://x.test/{EVIL}")],
        },
    )
    assert every(panel(run), Text)[0].text == EVIL
    assert column(every(panel(run), Table)[1], "source") == [
        f"https://x.test/{EVIL} (venues/v.toml)"
    ]
