"""The market against its slow twin, hour by hour, on random scenes."""

import math

import adapter
import twin_market
from hypothesis import HealthCheck, given, settings
from scenes import scenes

SLOW = {"derandomize": True, "deadline": None, "suppress_health_check": list(HealthCheck)}


def same(made, told, scale):
    if told is None:
        return math.isnan(made)
    return abs(made - told) <= 1e-12 * scale


def compare(scene, tape):
    formed = []
    # recorded prices and rates: nothing asks for a premium that is not recorded
    needed = scene["external"] or any(any(perp["by_formula"]) for perp in scene["perps"])
    for m, perp in enumerate(scene["perps"]):
        terms = [scene["terms"][era][m] for era in scene["era"]]
        told = twin_market.form_perp(perp, terms)
        formed.append(told)
        for t in range(scene["hours"]):
            for name, column in (("oracle", tape.oracle_px), ("mark", tape.mark_px)):
                scale = told[name][t] or 1.0
                words = f"{name} of {m} at {t}: market {column[t, m]!r}, twin {told[name][t]!r}"
                assert same(column[t, m], told[name][t], scale), words
            premium, rate = tape.premium[t, m], tape.funding[t, m]
            words = f"premium of {m} at {t}: market {premium!r}, twin {told['premium'][t]!r}"
            assert not needed or same(premium, told["premium"][t], 1.0), words
            words = f"rate of {m} at {t}: market {rate!r}, twin {told['funding'][t]!r}"
            assert same(rate, told["funding"][t], 1.0), words
            if tape.short_funding.size:
                short = tape.short_funding[t, m]
                words = f"short's rate of {m} at {t}: market {short!r}, twin {told['short'][t]!r}"
                assert same(short, told["short"][t], 1.0), words
            assert tape.bound[t, m] == told["bound"][t], f"bound of {m} at {t}"
            for name, column in (("high", tape.high_px), ("low", tape.low_px)):
                extreme = told[name][t]
                words = f"{name} of {m} at {t}: market {column[t, m]!r}, twin {extreme!r}"
                assert extreme is None or same(column[t, m], extreme, extreme), words
    for k, token in enumerate(scene["tokens"]):
        oracle = None if token["perp"] is None else formed[token["perp"]]["oracle"]
        live, fair = twin_market.form_token(token, oracle, scene["settings"])
        for t in range(scene["hours"]):
            assert tape.live[t, k] == live[t], f"live of {k} at {t}"
            made = tape.fair_px[t, k]
            words = f"fair price of {k} at {t}: market {made!r}, twin {fair[t]!r}"
            assert same(made, fair[t], fair[t] or 1.0), words


@settings(max_examples=250, **SLOW)
@given(scenes(most_hours=30))
def test_uncompiled(scene):
    compare(scene, adapter.form(scene, fast=False))


@settings(max_examples=900, **SLOW)
@given(scenes(most_hours=60))
def test_compiled(scene):
    compare(scene, adapter.form(scene, fast=True))


MANY = {"external": True, "solved": True}


@settings(max_examples=3, **SLOW)
@given(scenes(most_hours=6, updates=1200, told=MANY))
def test_1200_updates_uncompiled(scene):
    compare(scene, adapter.form(scene, fast=False))


@settings(max_examples=60, **SLOW)
@given(scenes(most_hours=9, updates=1200, told=MANY))
def test_1200_updates_compiled(scene):
    compare(scene, adapter.form(scene, fast=True))
