"""From plain dicts to the package's arrays and back; nothing here computes a price or a dollar."""

import math
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from twin_world import SETTINGS, units_since, whole, whole_tokens

from perpkit.arrays import (
    TERM,
    Action,
    Collateral,
    Event,
    Settings,
    Shock,
    Tape,
    Tokens,
    Way,
)
from perpkit.book.loop import compiled as compiled_book
from perpkit.book.loop import run_hours
from perpkit.codes import State
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.market.loop import compiled as compiled_market
from perpkit.market.loop import form_market
from perpkit.play import Played, columns_of, set_up
from perpkit.strategy.door import compiled_entry
from perpkit.strategy.load import Strategy
from perpkit.tape import Market
from perpkit.tape.instruments import Instruments

HOUR_NS = 3_600_000_000_000
START_NS = 1_800_000_000_000_000_000 // HOUR_NS * HOUR_NS


def number(value):
    """``None`` becomes NaN."""
    return math.nan if value is None else float(value)


def numbered(value):
    """``None`` becomes -1."""
    return -1 if value is None else value


def unbounded(value):
    """``None`` becomes infinite."""
    return math.inf if value is None else float(value)


def columns(instruments, name, hours):
    """(T, n) array of one column of every instrument."""
    made = np.full((hours, len(instruments)), math.nan)
    for n, instrument in enumerate(instruments):
        made[:, n] = [number(x) for x in instrument[name]]
    return made


def flags(instruments, name, hours):
    made = np.zeros((hours, len(instruments)), bool)
    for n, instrument in enumerate(instruments):
        made[:, n] = instrument[name]
    return made


# ------------------------------------------------------------------ the book


def settings_of(told):
    told = SETTINGS | told
    return Settings(
        fill_delay_hours=told["fill_delay_hours"],
        pair_together=int(told["pair"] == "together"),
        trade_frozen_quotes=int(told["trade_frozen_quotes"]),
        stop_after_liquidation=int(told["after_liquidation"] == "stop"),
        liquidate_at_trigger=int(told["liq_fill"] == "trigger"),
        transfer_hours=told["transfer_hours"],
        transfer_cost_usd=told["transfer_cost_usd"],
        topup_at_ratio=unbounded(told["topup_at_ratio"]),
        topup_to_ratio=told["topup_to_ratio"],
        max_quote_spread_frac=told["max_quote_spread_frac"],
        max_frozen_hours=told["max_frozen_hours"],
        joint_paths=int(told["margin_paths"] == "joint"),
        sweep_at_ratio=told["sweep_at_ratio"],
        sweep_min_usd=told["sweep_min_usd"],
        sweep_token=numbered(told["sweep_token"]),
        wallet_cash_usd=told["wallet_cash_usd"],
        redeem=int(told["redeem"]),
        delever=int(told["delever"]),
        borrow_apr=told["borrow_apr"],
        mirror_hours=told["mirror_hours"],
        seize_cost_frac=told["seize_cost_frac"],
        adl_shock_frac=unbounded(told["adl_shock_frac"]),
        adl_index=told["adl_index"],
        impact_coefficient=told["impact_coefficient"],
        max_volume_frac=unbounded(told["max_volume_frac"]),
        locked_counts=int(told["locked_counts"]),
        max_pool_frac=told["max_pool_frac"],
    )


# Words of the twin's terms as the records hold them. A session that turns has a column of its own
# for each perp.
WORDS = {
    "oracle_closed": {"external": 0, "ewma": 1, "frozen": 2, "blend": 3, "own_mark": 4},
    "median_mark": {"book_mid": 0, "median": 1},
    "bound_always": {"closed": 0, "always": 1},
    "funding_formula": {"premium": 0, "ventuals": 1, "cfd_swap": 2},
}
LOCKS = {None: 0, "receive": 1, "sell": 2, "issuer": 3, "all": 4}
SESSIONS = {"always": 0, "never": 5}
WORD_OF = {"median_mark": "mark_rule", "bound_always": "bound_when"}
# Without these a venue is a plain one.
PLAIN = dict.fromkeys(
    (
        *("external_session", "oracle_closed", "oracle_tau_hours", "ewma_cap_frac"),
        *("blend_tau_hours", "median_mark", "mark_ema_seconds", "mark_step_frac", "bound_frac"),
        *("bound_threshold_frac", "bound_resets", "bound_always"),
        *("funding_formula", "funding_gap_frac", "swap_long_1d", "swap_short_1d"),
        *("initial2_frac", "initial2_off_usd", "initial3_frac", "initial3_off_usd"),
        *("maintenance2_frac", "maintenance2_off_usd"),
        *("maintenance3_frac", "maintenance3_off_usd"),
        *("partial_frac", "partial_above_usd", "max_order_usd"),
    ),
    0.0,
)


def terms_of(terms):
    """(E, M) records of a list of eras."""
    made = np.zeros((len(terms), len(terms[0])), TERM).view(np.recarray)
    for e, era in enumerate(terms):
        for m, told in enumerate(era):
            lined = told | tier_lines(told)
            for name in TERM.names:
                made[name][e, m] = term_of(lined, name, m)
    return made


def tier_lines(told):
    """Tiers as straight lines, each with the offset that makes it meet the one before."""
    made = {}
    for column, kind in ((1, "initial"), (2, "maintenance")):
        rate, off = told.get(f"{kind}_frac"), 0.0
        for n, tier in enumerate(told.get("tiers", ()), 2):
            off += tier[0] * (tier[column] - rate)
            rate = tier[column]
            made |= {f"{kind}{n}_frac": rate, f"{kind}{n}_off_usd": off}
    return made


def term_of(told, name, m):
    if name == "external_session" and "session" in told:
        return SESSIONS.get(told["session"], 1 + m)
    word = told.get(WORD_OF.get(name, name))
    if name in WORDS and isinstance(word, str):
        return WORDS[name][word]
    return number(told.get(name, PLAIN.get(name, 1.0)))


KINDS = {"DEBIT": Action.CASH, "SPLIT": Action.SPLIT, "SETTLE": Action.SETTLE}


def actions_of(world):
    """Row, instrument, kind and value; of an hour cash of tokens first."""
    made = [(t, len(world["perps"]) + k, 0, usd) for t, k, usd in sorted(world["dividends"])]
    made += [(x["row"], x["instrument"], KINDS[x["kind"]], x["value"]) for x in world["actions"]]
    return sorted(made, key=lambda one: one[0])


def restated(world, tape):
    """The same with last prices in the units of each hour."""
    started = []
    for px, first in ((tape.mark_px, 0), (tape.fair_px, len(world["perps"]))):
        units = [
            [units_since(world, t, first + n) for n in range(px.shape[1])]
            for t in range(world["hours"])
        ]
        started.append(np.vstack([px[:1], px[:-1]]) / np.array(units).reshape(px.shape))
    return tape._replace(start_px=started[0], token_start_px=started[1])


def tape_of(world):
    hours, perps, tokens = world["hours"], world["perps"], world["tokens"]
    events, shocks = actions_of(world), world["shocks"]
    sizes = {"T": hours, "M": len(perps), "K": len(tokens), "U": 1, "N": len(events)}
    sizes |= {"J": len(shocks), "Q": len(perps) if any(any(p["capped"]) for p in perps) else 0}
    sizes["D"] = len(world["cash"]) if any(px != 1.0 for a in world["cash_px"] for px in a) else 0
    issued = any(any(token["redeemable"]) or any(token["payday"]) for token in tokens)
    sizes["W"] = len(tokens) if issued else 0
    sizes["L"] = len(tokens) if any(any(token["lock"]) for token in tokens) else 0
    sizes["R"] = len(tokens) if any(any(token["liquidity"]) for token in tokens) else 0
    sizes["O"] = len(tokens) if any(token["mint_rows"] for token in tokens) else 0
    sizes["G"] = len(tokens) if any(token["settle_rows"] for token in tokens) else 0
    tape = blank(Tape, X=0, Y=0, **sizes)
    tape.time_ns[:] = START_NS + HOUR_NS * np.arange(hours)
    tape.era[:] = world["era"]
    for field, name in (
        ("mid_px", "mid"),
        ("oracle_px", "oracle"),
        ("mark_px", "mark"),
        ("high_px", "high"),
        ("low_px", "low"),
        ("funding", "funding"),
        ("volume_usd", "volume"),
    ):
        getattr(tape, field)[:] = columns(perps, name, hours)
    for field in ("impact_bid_px", "impact_ask_px"):
        getattr(tape, field)[:] = math.nan
    tape.funding_total[:] = np.cumsum(np.nan_to_num(tape.funding), axis=0)
    tape.due[:] = flags(perps, "due", hours)
    tape.stale[:] = flags(perps, "stale", hours)
    for field, name in (
        ("bid_px", "bid"),
        ("ask_px", "ask"),
        ("nav_px", "nav"),
        ("multiplier", "multiplier"),
        ("apr", "apr"),
        ("fair_px", "fair"),
    ):
        getattr(tape, field)[:] = columns(tokens, name, hours)
    for field, name in (
        ("token_stale", "stale"),
        ("halted", "halted"),
        ("quoted", "quoted"),
        ("live", "live"),
    ):
        getattr(tape, field)[:] = flags(tokens, name, hours)
    for n, event in enumerate(events):
        tape.action_row[n], tape.action_instrument[n] = event[:2]
        tape.action_kind[n], tape.action_value[n] = event[2:]
    if world["actions"]:
        tape = restated(world, tape)
    if sizes["Q"]:
        tape.capped[:] = flags(perps, "capped", hours)
    if sizes["W"]:
        tape.redeemable[:] = flags(tokens, "redeemable", hours)
        tape.redeem_rows[:] = [token["redeem_hours"] or 0 for token in tokens]
        tape.payday[:] = flags(tokens, "payday", hours)
    if sizes["L"]:
        tape.lock[:] = [[LOCKS[token["lock"][t]] for token in tokens] for t in range(hours)]
    if sizes["R"]:
        tape.liquidity_usd[:] = columns(tokens, "liquidity", hours)
    for k, token in enumerate(tokens):
        if token["mint_rows"]:
            tape.mint_rows[:, k] = [numbered(rows) for rows in token["mint_rows"]]
            tape.buyback_rows[:, k] = [numbered(rows) for rows in token["buyback_rows"]]
        elif sizes["O"]:
            tape.mint_rows[:, k] = tape.buyback_rows[:, k] = -1
        if token["settle_rows"]:
            tape.settle_rows[:, k] = token["settle_rows"]
            tape.settle_end[:, k] = token["settle_unwinds"]
            tape.settle_state[:, k] = State.UNWOUND
            tape.settle_cost_frac[:, k] = token["settle_costs"]
            tape.redeem_cost_frac[:, k] = token["redeem_costs"]
    if sizes["D"]:
        tape.cash_px[:] = np.array(world["cash_px"]).T
    for n, shock in enumerate(sorted(shocks, key=lambda shock: shock["row"])):
        tape.shock_row[n], tape.shock_value[n] = shock["row"], shock["value"]
        tape.shock_kind[n] = Shock[shock["kind"]]
        tape.shock_instrument[n] = numbered(shock["instrument"])
        tape.shock_account[n] = numbered(shock["account"])
    return tape


def tokens_of(tokens):
    made = blank(Tokens, K=len(tokens))
    for k, token in enumerate(tokens):
        made.perp[k] = -1 if token["perp"] is None else token["perp"]
        made.ways[k] = sum(1 << Way[way.upper()] for way in token["ways"])
        made.friction_frac[k] = token["friction"]
        made.mint_fee_frac[k] = token["mint_fee_frac"]
        made.mint_min_usd[k] = token["mint_min_usd"]
        made.inventory_usd[k] = unbounded(token["inventory"])
        made.drawn_day[k] = -1
        made.half_spread_frac[k] = token["half_spread_frac"]
        made.fee_frac[k] = token["fee_frac"]
        made.min_order_usd[k] = token["min_order_usd"]
        made.accrues[k] = token["accrues"]
        made.redeem_hours[k] = numbered(token["redeem_hours"])
        made.redeem_fee_frac[k] = token["redeem_fee_frac"]
        made.redeem_min_usd[k] = token["redeem_min_usd"]
    return made


def collateral_of(world):
    """What is pledged; empty where nothing is."""
    accounts = len(world["cash"]) if world["collateral"] or world["portfolio"] else 0
    made = blank(Collateral, C=accounts, K=len(world["tokens"]))
    for place, told in world["collateral"].items():
        made.units[place] = told["units"]
        made.haircut_frac[place] = told["haircut"]
        made.initial_haircut_frac[place] = told["initial_haircut"]
        made.mirrored[place] = told["mirrored"]
    made.told_frac[:] = made.haircut_frac
    made.told_initial_frac[:] = made.initial_haircut_frac
    return made


def lay_accounts(world, stage):
    """What a world's accounts start with, in the state that the loop plays."""
    accounts = stage.book.accounts
    accounts.cash_usd[:] = world["cash"]
    accounts.parent[:] = [numbered(parent) for parent in world["parent"]]
    accounts.strict[:] = world["strict"]
    if world["portfolio"]:
        venues = [a for a, parent in enumerate(world["parent"]) if a > 0 and parent is None]
        accounts.counted_frac[venues] = world["portfolio"]["counted"]
        accounts.buffer_usd[venues] = world["portfolio"]["buffer"]
        accounts.lent_usd[:] = world["portfolio"]["cap"]
    pledged = collateral_of(world)
    stage.book.tokens.units[:] = pledged.units.sum(axis=0)
    stage.book = stage.book._replace(collateral=pledged)
    kept = np.zeros((*pledged.units.shape, world["hours"]))
    rows = stage.ledger.rows._replace(pledged=kept)
    stage.ledger = stage.ledger._replace(rows=rows)


def names_of(world):
    perps, tokens = world["perps"], world["tokens"]
    return Instruments(
        coins=tuple(f"perp{m}" for m in range(len(perps))),
        tokens=tuple(f"token{k}" for k in range(len(tokens))),
        accounts=("wallet", *(f"venue{a}" for a in range(1, len(world["cash"])))),
        underlyings=("one",),
        kinds=tuple(token["kind"] for token in tokens),
        perp_account=np.array([perp["account"] for perp in perps], np.int64),
        perp_token=np.array(
            [-1 if perp["token"] is None else perp["token"] for perp in perps], np.int64
        ),
        perp_underlying=np.zeros(len(perps), np.int64),
        token_perp=np.array(
            [-1 if token["perp"] is None else token["perp"] for token in tokens], np.int64
        ),
        token_underlying=np.zeros(len(tokens), np.int64),
        account_parent=np.full(len(world["cash"]), -1),
        account_strict=np.zeros(len(world["cash"]), np.bool_),
    )


def market_of(world):
    return Market(
        dataset=SimpleNamespace(folder=Path("twin")),
        names=names_of(world),
        tape=tape_of(world),
        terms=terms_of(world["terms"]),
        tokens=tokens_of(world["tokens"]),
        resolved=None,
        funding_from="recorded",
    )


@cache
def compiled_player():
    """The compiled book loop, and the player of plans it calls."""
    player = Strategy("plan", Path("plan.py"), "", (), np.dtype([]), None, None, ())
    return compiled_book(), compiled_entry(player)


def scripted(plan):
    """A plain ``decide`` that writes the row of a plan."""

    def decide(t, past, book, params, memory, target):
        assert len(past.time_ns) == t + 1
        perps = len(target.perps)
        target.perps[:] = plan[t, :perps]
        target.tokens[:] = plan[t, perps:]

    return decide


def play(world, *, fast, chunk=17):
    """Play a world on the package's book: the market and what was played."""
    world = whole(world)
    market = market_of(world)
    plan = np.array([[number(x) for x in row] for row in world["plan"]])
    none = np.zeros(0, np.uint8)
    stage = set_up(market, RunConfig(), none, np.dtype("u1"), plan if fast else None)
    lay_accounts(world, stage)
    loop, entry = compiled_player() if fast else (run_hours, scripted(plan))
    settings, out = settings_of(world["settings"]), stage.ledger.out
    parts, row = [], 0
    while row < world["hours"]:
        last = min(row + chunk, world["hours"])
        with np.errstate(all="ignore"):
            row = int(
                loop(
                    entry,
                    stage.tape,
                    market.terms,
                    stage.book,
                    stage.ledger,
                    settings,
                    stage.door,
                    row,
                    last,
                )
            )
        parts.append([np.asarray(x[:n]).copy() for x, n in zip(out[:3], out.used, strict=True)])
        out.used[:] = 0
        if np.isin(parts[-1][2]["kind"], (Event.FUNDING_MISSING, Event.BAD_TARGET)).any():
            break
    fills, payments, events = (np.concatenate(x) for x in zip(*parts, strict=True))
    return market, Played(columns_of(stage.ledger.rows), fills, payments, events)


# ------------------------------------------------------------------ the market


def form(scene, *, fast):
    """Form the market of a scene (see ``test_twin_market``) with the package's loop."""
    hours, perps, tokens = scene["hours"], scene["perps"], scene["tokens"]
    formed = scene["external"]
    sizes = {"T": hours, "M": len(perps), "K": len(tokens), "U": 1, "N": 0, "S": 6}
    has_formula = any(any(perp["by_formula"]) for perp in perps)
    rated = len(perps) if has_formula else 0
    tape = blank(Tape, X=len(perps) if formed else 0, Y=rated, Z=rated, **sizes)
    tape.time_ns[:] = START_NS + HOUR_NS * np.arange(hours)
    tape.era[:] = scene["era"]
    for field, name in (
        ("impact_bid_px", "impact_bid"),
        ("impact_ask_px", "impact_ask"),
        ("mid_px", "mid"),
        ("oracle_px", "oracle"),
        ("mark_px", "mark"),
        ("premium", "premium"),
        ("funding", "funding"),
    ):
        getattr(tape, field)[:] = columns(perps, name, hours)
    if formed:
        tape.external_px[:] = columns(perps, "external", hours)
        tape.opened[:, 1 : 1 + len(perps)] = flags(perps, "opened", hours)
        for field, name in (("first_frac", "first"), ("second_frac", "second")):
            getattr(tape, field)[:, 1 : 1 + len(perps)] = columns(perps, name, hours)
    if has_formula:
        tape.by_formula[:] = flags(perps, "by_formula", hours)
    tape.due[:] = flags(perps, "due", hours)
    tape.short_funding[:] = tape.funding[:, :rated]
    for field, name in (
        ("bid_px", "bid"),
        ("ask_px", "ask"),
        ("nav_px", "nav"),
        ("multiplier", "multiplier"),
    ):
        getattr(tape, field)[:] = columns(tokens, name, hours)
    for field, name in (("token_stale", "stale"), ("halted", "halted"), ("quoted", "quoted")):
        getattr(tape, field)[:] = flags(tokens, name, hours)
    tape.fair_px[:] = math.nan
    settings = settings_of(scene["settings"])
    issuers = tokens_of(whole_tokens(tokens, hours))
    call = (tape, terms_of(scene["terms"]), issuers, settings)
    loop = _compiled_market() if fast else form_market
    with np.errstate(all="ignore"):
        for first in range(0, hours, 7):
            loop(*call, first, min(first + 7, hours))
    return tape


@cache
def _compiled_market():
    return compiled_market()
