"""What a result rests on that is not known, and what a reader must be warned of."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import Closed, Lock, Session
from perpkit.collateral import Assumption, collateral_assumptions, collateral_used
from perpkit.config import ASSUMED, RunConfig
from perpkit.delivery import Delivery, assumed
from perpkit.rulebook import OwnFile, open_rulebook
from perpkit.tape import Market, has_swaps, sessions_unknown, sessions_used
from perpkit.tape.holder import products_of
from perpkit.tape.settling import path_of
from perpkit.tape.shocks import played
from perpkit.traded import way_assumptions
from perpkit.units import HOUR_NS, stamp, to_ns

__all__ = ["Assumption", "assumptions", "own_files", "warnings"]

NAKED_FRAC = 0.05  # of capital: beyond what lots, drift and a band of rebalancing leave


def assumptions(market: Market, config: RunConfig) -> tuple[Assumption, ...]:
    """Every choice in force that is assumed rather than known, settings first."""
    made = {a.name: a for a in _standing(market, config)}
    standing = set(ASSUMED) if market.names.tokens else set(ASSUMED) - _OF_TOKENS
    for name, field in RunConfig.model_fields.items():
        told = getattr(config, name)
        own = name in standing or (told != field.default and name not in _NO_ASSUMPTIONS)
        if own and name not in made:
            made[name] = Assumption(name, _text(told), str(field.description))
    terms = [
        Assumption(f"{term.scope} {term.key}", _text(term.value), term.source)
        for term in market.resolved.used
        if term.needed and term.confidence == "assumed"
    ]
    own = [
        Assumption(
            f"rulebook {file.name}", file.file, f"{_whose(file)}, laid over the {file.kind}'s terms"
        )
        for file in own_files(market, config)
    ]
    acted = [Assumption(*one) for one in market.assumed]
    return (*made.values(), *_issuers(market, config), *acted, *own, *terms)


def _whose(file: OwnFile) -> str:
    return "recorded with the dataset" if "/" in file.file else "own file"


def own_files(market: Market, config: RunConfig) -> list[OwnFile]:
    """The user's own rulebook files that speak of the run's venues and issuers."""
    perps, tokens = market.dataset.perps_meta, market.dataset.tokens_meta
    book = open_rulebook(config.rulebook, config.data)
    return book.own_files(
        [perps[c].venue for c in market.names.coins],
        [tokens[t].issuer for t in market.names.tokens],
        collateral_used(market, config),
        () if config.holder is None else products_of(market.dataset, market.names, book),
    )


_OF_TOKENS = frozenset({"max_quote_spread_frac", "max_frozen_hours", "token_min_order_usd"})
_NO_ASSUMPTIONS = frozenset(
    {
        *("data", "start", "end", "capital", "params", "terms", "rulebook", "chunk_rows"),
        *("settlement", "token_settlement", "seed"),
        *("token_way", "ways"),  # each token's are told
        # Where they decided something they are told: by _locks, and by what was laid.
        *("after_revoke", "locked_margin", "pause_hours", "pause_above_frac"),
    }
)


def _standing(market: Market, config: RunConfig) -> list[Assumption]:
    """Choices that are named in every result, with what they mean for it."""
    names = market.names
    pairs = ", ".join(
        f"{coin}/{names.tokens[k]}"
        for coin, k in zip(names.coins, names.perp_token, strict=True)
        if k >= 0
    )
    late = config.fill_delay_hours == 1
    delay = "on the row after the decision" if late else "at the prices they were decided on"
    hard = config.liq_fill == "extreme"
    price = "at the hour's extreme" if hard else "at the trigger, which is optimistic"
    leverage = "the highest" if config.leverage is None else _leverage(config.leverage)
    topup = "never" if config.topup_at_ratio is None else _text(config.topup_at_ratio)
    moves = (
        "no cash moves from the wallet to a margin account"
        if config.topup_at_ratio is None
        else f"transfers take {config.transfer_hours} h and cost {config.transfer_cost_usd:g} USD"
    )
    return [
        Assumption("pairs", pairs or "none", "token of each perp, the first free one"),
        Assumption("fill_delay_hours", str(config.fill_delay_hours), f"targets fill {delay}"),
        Assumption("funding", market.funding_from, "where rates come from"),
        Assumption("leverage", leverage, "of each coin, for the initial margin"),
        _margin(market, config),
        Assumption(
            "liq_fill",
            config.liq_fill,
            f"a failing account is closed {price}, large positions in part first",
        ),
        Assumption("topup_at_ratio", topup, moves),
        *_sweeping(config),
        _clock(market),
        *_settling(market),
        *_delivery(market, config),
        *_price_path(market),
        *collateral_assumptions(market, config),
        _holder(config),
        *_locks(market, config),
        *way_assumptions(market, config),
    ]


def _sweeping(config: RunConfig) -> list[Assumption]:
    """What goes back to the wallet at least, where anything does."""
    if config.sweep_at_ratio is None:
        return []
    least = f"{config.sweep_min_usd:g}"
    return [Assumption("sweep_min_usd", least, "least that is swept to the wallet, a choice")]


def _holder(config: RunConfig) -> Assumption:
    """Whose eligibility was tested."""
    holder = config.holder
    if holder is None:
        return Assumption("holder", "none told", "who may hold and trade this was not tested")
    barred = {
        "strict": "what is barred and what is not known are refused",
        "known": "what is barred is refused, what is not known is said",
        "warn": "what is barred or not known is only said",
    }[holder.eligibility]
    told = f"{holder.jurisdiction.upper()}, kyc {holder.kyc}"
    return Assumption("holder", told, f"{holder.eligibility}: {barred}; no legal advice")


def _locks(market: Market, config: RunConfig) -> list[Assumption]:
    """What a holder keeps of a token of the run that its issuer locks in an hour of it."""
    lock, made = market.tape.lock, []
    if ((lock > Lock.NONE) & (lock < Lock.ALL)).any():  # a revoked holder's, whatever is left
        left = {
            "locked": "neither bought, sold nor redeemed; the harshest reading",
            "redeem": "not bought and not sold; the issuer takes it back",
            "sell": "not bought; sold and redeemed, as the sender of a transfer is not tested",
        }[config.after_revoke]
        why = f"a token of a revoked holder: {left}"
        made.append(Assumption("after_revoke", config.after_revoke, why))
    pledged = np.zeros(0, np.bool_) if market.pledges is None else market.pledges.share.any(axis=0)
    if lock.size and (lock[:, np.flatnonzero(pledged)] == Lock.ALL).any():
        counted = config.locked_margin == "counted"
        left = "at its carried price" if counted else "for nothing; no venue publishes its rule"
        why = f"a pledged token that nobody may move counts {left}"
        made.append(Assumption("locked_margin", config.locked_margin, why))
    return made


def _leverage(told: float | dict[str, float]) -> str:
    if isinstance(told, dict):
        return ", ".join(f"{coin} {_text(value)}" for coin, value in told.items())
    return _text(told)


def _margin(market: Market, config: RunConfig) -> Assumption:
    """Which coins are margined in isolation, and on which path accounts are tested."""
    names = market.names
    alone = names.account_parent[names.perp_account] >= 0
    strict = names.account_strict[names.perp_account]
    told = []
    for which, word in ((~alone, "cross"), (alone & ~strict, "isolated"), (strict, "strict")):
        coins = [coin for coin, own in zip(names.coins, which, strict=True) if own]
        if coins:
            told.append(word if len(coins) == len(names.coins) else f"{word} {', '.join(coins)}")
    joint = config.margin_paths == "joint"
    path = "all prices at their highs, lows or marks" if joint else "every leg at its own extreme"
    why = f"{config.margin_paths}: tested with {path}"
    if alone.any():
        why += "; a mode that changes in the run holds throughout at its tightest"
    return Assumption("margin", "; ".join(told), why)


def _clock(market: Market) -> Assumption:
    """What phases rest on; a coin priced at all hours or at none has a word of its own."""
    names, resolved = market.names, market.resolved
    used = sessions_used(names, resolved, market.tape.time_ns)
    told, session = [], market.terms["external_session"]
    if (session == Session.ALWAYS).all():
        told.append("phases alone; external prices hold at all hours")
    elif used != ("none",):
        told.append("phases and hours to the next open, early closes end pricing at 13:00")
    if "none" in used:
        told.append("none: never an external price, closed at all hours")
    unnamed = sessions_unknown(names, resolved)
    if unnamed:
        told.append(f"taken for {', '.join(unnamed)}, whose session is unknown")
    return Assumption("clock", ", ".join(used), "; ".join(told))


def _settling(market: Market) -> list[Assumption]:
    """What each account settles in, where a currency of the run has a price of its own."""
    found = market.currencies
    if not found.told:
        return []
    settle = zip(market.names.accounts, found.names, strict=True)
    named = ", ".join(f"{account} {currency}" for account, currency in settle)
    others = [c for c in dict.fromkeys(found.names) if c not in found.told]
    why = f"price told of {', '.join(found.told)}"
    if others:
        why += f"; {', '.join(others)} taken at one USD"
    return [Assumption("settle currencies", named, why)]


def _delivery(market: Market, config: RunConfig) -> list[Assumption]:
    """What each path rests on that trades do not settle on at once."""
    if not market.tape.settle_rows.shape[1]:
        return []
    taken: dict[Delivery, list[str]] = {}
    for token in market.names.tokens:
        taken.setdefault(path_of(token, config), []).append(token)
    return [
        Assumption(
            f"settlement of {', '.join(tokens)}",
            path.mode,
            f"drawn with seed {config.seed}, by {', '.join(assumed(path))}",
        )
        for path, tokens in taken.items()
    ]


def _price_path(market: Market) -> list[Assumption]:
    """What the prices within an hour rest on, where more than a step limit forms them."""
    terms = market.terms
    if not market.tape.external_px.shape[1]:
        return []
    closed = set(np.unique(terms["oracle_closed"]).tolist())
    solved = closed - {Closed.EXTERNAL} or (terms["median_mark"] == 1.0).any()
    made = []
    if solved or (terms["bound_frac"] > 0.0).any():
        held = (
            "a row's external price and book stand for its hour, also the closed one before a "
            "reopening; the mid for the last trade too"
        )
        made.append(Assumption("price path", "every update of the hour", held))
    if Closed.BLEND in closed:
        start = "where the average of the book starts is not published"
        made.append(Assumption("blend", "from the last external price", start))
    if Closed.OWN_MARK in closed:
        first = "without an external price; the venue sets one of its own"
        made.append(Assumption("first oracle", "the book's mid", first))
    if has_swaps(terms):
        night = "the hour of the night is not published, nor nights that count threefold"
        made.append(Assumption("swap", "settles at 00:00 UTC", night))
    return made


def _issuers(market: Market, config: RunConfig) -> list[Assumption]:
    """What is assumed of each issuer, one line each."""
    first_ns = int(market.tape.time_ns[0])
    issuers = dict.fromkeys(market.dataset.tokens_meta[t].issuer for t in market.names.tokens)
    book = open_rulebook(config.rulebook, config.data)
    made = []
    for name in issuers:
        values = {k: book.issuer(name).at(k, first_ns) for k in ("quote_session", "trade_fee_frac")}
        own = {k: v for k, v in values.items() if v.confidence == "assumed" and v.known}
        if own:
            told = ", ".join(f"{k} {_text(v.value)}" for k, v in own.items())
            sources = dict.fromkeys(v.source for v in own.values())
            made.append(Assumption(f"issuer {name}", told, "; ".join(sources)))
    return made


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _formed_of_trades(market: Market) -> list[str]:
    """Say how many prices were never recorded as such; such rows say so themselves."""
    time_ms = market.tape.time_ns // 1_000_000
    of_run = pl.col("time").cast(pl.Int64).is_between(int(time_ms[0]), int(time_ms[-1]))
    mine = pl.col("coin").is_in(list(market.names.coins))
    formed = pl.col("oracle_source") == "premium"
    hours = market.dataset.perps.filter(of_run & mine & formed).height
    if not hours:
        return []
    return [
        (
            f"{hours:,} coin-hours have no recorded oracle and mark: the last trade stands for the "
            "mark, and the oracle is that price / (1 + the hour's premium)"
        )
    ]


def warnings(market: Market, config: RunConfig, frames: dict[str, pl.DataFrame]) -> tuple[str, ...]:
    """Sentences a reader must see before the numbers."""
    facts, names = market.facts, market.names
    made = list(market.notes)
    if facts["oracle_hours_bound"]:
        made.append(
            f"the oracle step limit bound in {facts['oracle_hours_bound']} coin-hours; the oracle "
            f"lagged by up to {facts['oracle_largest_lag_frac']:.1%}"
        )
    if facts["hours_without_book"]:
        made.append(
            f"{facts['hours_without_book']} coin-hours have no book: the mark is the oracle, the "
            "premium 0, and fills are done around that mark"
        )
    if facts["oracle_hours_mid_for_impact"]:
        made.append(
            f"{facts['oracle_hours_mid_for_impact']} coin-hours without an external price have no "
            "impact prices: the mid stands for both in the internal oracle"
        )
    if facts["stale_perp_hours"]:
        made.append(
            f"{facts['stale_perp_hours']} coin-hours carry an older price: no fills, funding paid"
        )
    made += _formed_of_trades(market)
    known = market.extremes | market.solved if market.solved.size else market.extremes
    if int(known.sum()) < market.tape.mark_px.size - int(facts["stale_perp_hours"] or 0):
        neither = "neither recorded nor formed" if market.solved.any() else "not recorded"
        made.append(
            f"highs and lows of the mark are {neither} in every hour; there the margin test sees "
            "the hourly marks alone and may miss a liquidation"
        )
    made += _incidents(market, config)
    if facts["settlements_missing"]:
        made.append(
            f"{facts['settlements_missing']} settlements are not recorded; trailing sums of "
            "funding count them as zero"
        )
    made += _off_span(market, config)
    single = [c for c, k in zip(names.coins, names.perp_token, strict=True) if k < 0]
    if single:
        made.append(f"no token is left for {', '.join(single)}: not paired")
    loose = np.flatnonzero((names.token_perp < 0) & np.isin(names.kinds, ("equity", "crypto")))
    made += [
        f"{names.tokens[k]} has no perp to carry its price when its quote is not live"
        for k in loose
    ]
    made += [
        f"{names.tokens[k]} is not paired; {names.coins[m]} carries its price when it is not live"
        for k, m in enumerate(names.token_perp)
        if m >= 0 and names.perp_token[m] != k
    ]
    tape, widened = market.tape, market.tokens.half_spread_frac > 0.0  # none that is formed
    if widened.any() and not (tape.bid_px == tape.ask_px)[:, widened].any():
        made.append(
            "token_half_spread_frac widens quotes with bid = ask alone, and no token of the run "
            "has one: it changes nothing"
        )
    naked = float((frames["equity"]["net_delta_usd"] / config.capital).abs().max() or 0.0)  # type: ignore[arg-type]
    if naked > NAKED_FRAC:
        made.append(
            f"the net exposure to the underlyings reached {naked:.1%} of the capital: not hedged "
            "throughout"
        )
    made += _from_events(frames["events"])
    if not frames["fills"].height:
        made.append("nothing was traded: no target was set, or none could be filled")
    return tuple(made)


def _incidents(market: Market, config: RunConfig) -> list[str]:
    """How many shocks of the dataset were played."""
    held = market.dataset.shocks.height
    if not held:
        return []
    if config.shocks == "ignore":
        said = "the run is as if they had not happened"
        return [
            f'shocks.parquet holds {held} incidents and none is played: {said} (shocks = "ignore")'
        ]
    settle = market.currencies.names
    counts = played(market.dataset, config, market.names, market.tape.time_ns, settle)
    others = held - counts.total()
    rest = f"; {others} strike nothing of the run in its hours" if others else ""
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return [f"incidents of shocks.parquet that were played: {told or 'none'}{rest}"]


def _off_span(market: Market, config: RunConfig) -> list[str]:
    first, last = int(market.tape.time_ns[0]), int(market.tape.time_ns[-1])
    made = []
    if config.start is not None and to_ns(config.start) < first:
        made.append(f"the data begins at {stamp(first)}, after the start asked for")
    if config.end is not None and to_ns(config.end) > last + HOUR_NS:
        made.append(f"the run ends at {stamp(last)}, before the end asked for")
    return made


def _from_events(events: pl.DataFrame) -> list[str]:
    words = {
        "liquidation": "forced closes of a position on the book",
        "backstop": "positions taken over by the venue's backstop",
        "bad_debt": "times an account ended below zero",
        "trimmed": "orders cut by margin or cash",
        "reentry_refused": "entries refused after a liquidation",
        "adl": "positions closed by auto-deleveraging",
        "capped": "targets held back by an open-interest cap",
        "venue_failed": "failures of a venue",
        "locked": "times that issuers locked tokens held: frozen, paused, or their holder revoked",
        "forced_transfer": "forced transfers of tokens held",
        "unwound": "trades that failed to settle and were undone",
        "transfer_refused": "transfers refused: no cash was there, or none might leave",
    }
    counts = dict(events.group_by("kind").len().iter_rows())
    return [f"{counts[kind]} {text}; see events" for kind, text in words.items() if kind in counts]
