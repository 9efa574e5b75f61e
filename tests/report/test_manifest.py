"""Manifest: what the result was made of, and which settings are the run's own."""

from __future__ import annotations

import json
from typing import Any

from perpkit.config import RunConfig, check_config
from perpkit.report.panel import Table
from perpkit.report.panels.manifest import panel
from perpkit.report.reading import Run
from perpkit.report.settings import defaults, flat, own

from .small import EVIL, column, every, small


def config(**told: Any) -> dict[str, Any]:
    """Settings as a manifest has them."""
    made = check_config(told).model_dump(mode="json", exclude={"data", "params", "rulebook"})
    return dict(json.loads(json.dumps(made)))


def made(**told: Any) -> Run:
    return small(
        3,
        manifest={
            "config": config(**told),
            "strategy": {
                "name": "made",
                "file": "made.py",
                "doc": "Does it.",
                "digest": "abc",
                "params": {"enter_apr": 0.05, "on": True},
            },
            "dataset": {"name": "tiny", "source": EVIL, "digest": "d" * 64},
            "funding": "recorded",
            "seed": 3,
            "rules_digest": "r1",
            "rulebook_own": [{"file": "u.toml", "kind": "venue", "name": "v", "digest": "e1"}],
            "facts": {"stale_perp_hours": 1234, "oracle_hours_bound": None},
            "timings_s": {"reading data": 0.0419},
        },
    )


def tables(run: Run) -> dict[str, Table]:
    return {table.caption.split(",")[0]: table for table in every(panel(run), Table)}


def named(table: Table) -> dict[str, Any]:
    return dict(zip(column(table, "name"), column(table, "value"), strict=True))


def test_everything_that_made_it_is_told() -> None:
    found = tables(made())
    assert named(found["Versions"]) == {"schema": "1", "python": "3.11", "perpkit": "0.1.0"}
    assert named(found["Strategy"])["digest"] == "abc"
    assert named(found["Parameters of the strategy"]) == {"enter_apr": "0.05", "on": "true"}
    assert named(found["Dataset"])["digest"] == "d" * 64
    whole = named(found["The run"])
    assert whole["first hour"] == "2026-03-02 00:00Z"
    assert whole["coins"] == "v:AAA, v:BBB"
    assert (whole["seed"], whole["rules_digest"]) == ("3", "r1")
    assert whole["own rulebook file u.toml"] == "venue v, e1"
    facts = found["What the forming of the market found"]
    assert column(facts, "value") == [1234.0, None]
    assert "0.0419" not in str(found), "two equal runs have the same page"


def test_settings_of_the_run_come_first_beside_their_defaults() -> None:
    run = made(
        margin_share=0.2,
        collateral={"BILL": {"share": 0.5}},
        token_settlement={"AAAx": {"mode": "sequential"}},
        terms={"v:AAA": {"max_leverage": 5}},
    )
    table = tables(run)["Settings of the run file"]
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert list(rows)[:4] == [
        "margin_share",
        "collateral.BILL.share",
        "token_settlement.AAAx.mode",
        "terms.v:AAA.max_leverage",
    ]
    assert rows["margin_share"] == ["0.2", "0.3333333333", "this run"]
    assert rows["collateral.BILL.share"] == ["0.5", "0", "this run"]
    assert rows["token_settlement.AAAx.mode"] == ["sequential", "atomic", "this run"]
    assert rows["token_settlement.AAAx.fail_prob"] == ["0.02", "0.02", "default"]
    assert rows["terms.v:AAA.max_leverage"] == ["5", "–", "this run"]
    assert rows["leverage"] == ["–", "–", "default"]
    assert "4 settings differ" in panel(run).lead
    assert "every setting is at its default" in panel(made()).lead


def test_every_setting_has_its_default() -> None:
    assert set(flat(config())) == set(defaults())
    assert own(config()) == {}
    top = {name.partition(".")[0] for name in defaults()}
    assert top == set(RunConfig.model_fields) - {"data", "params", "rulebook"}


def test_a_holder_is_the_runs_own() -> None:
    assert own(config(holder={"jurisdiction": "US", "kyc": "none"})) == {
        "holder.jurisdiction": "US",
    }


def test_a_source_is_text() -> None:
    assert named(tables(made())["Dataset"])["source"] == EVIL


def test_an_empty_manifest_says_so() -> None:
    assert "neither a strategy nor a dataset" in panel(small(1, manifest={"strategy": {}})).empty
