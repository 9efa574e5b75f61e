"""From a dataset and a run's choices to the arrays that the loops read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64, Session, Settings, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError
from perpkit.layout import blank, layout
from perpkit.market.loop import compiled, form_market
from perpkit.rulebook import (
    ALWAYS,
    FORMULA,
    OPEN_INTEREST,
    PRICES,
    CoinTerms,
    Resolved,
    TermChoice,
    open_rulebook,
    resolve_terms,
)
from perpkit.tape.actions import lay_actions
from perpkit.tape.caps import lay_caps, refuse_limits
from perpkit.tape.collateral import FORMED, Pledges, pledges_of, with_collateral
from perpkit.tape.currencies import Currencies, lay_currencies
from perpkit.tape.formula import formula_rates, has_swaps
from perpkit.tape.holder import check_holder
from perpkit.tape.hours import lay_hours
from perpkit.tape.idle import refuse_idle
from perpkit.tape.instruments import Instruments, choose
from perpkit.tape.modes import margin, refuse_portfolio, refuse_unified
from perpkit.tape.prices import Prices, lay_prices, span
from perpkit.tape.quotes import Quotes, lay_quotes
from perpkit.tape.redemption import lay_clocks, lay_formed, value_formed
from perpkit.tape.settlements import lay_settlements, settlements
from perpkit.tape.settling import lay_settlement
from perpkit.tape.shocks import (
    Struck,
    incidents,
    lay_shocks,
    refuse_inside,
    stand_still,
    stopped,
)
from perpkit.tape.splits import premiums, restated_before, restated_extremes
from perpkit.tape.switches import lay_switches, mid_for_impact, priced_inside, sessions_with_turns
from perpkit.tape.ways import form_navs, lay_ways
from perpkit.units import HOUR_NS, stamp


@dataclass(frozen=True, slots=True)
class Market:
    """A formed market: what every run on it shares."""

    dataset: Dataset
    names: Instruments
    tape: Tape
    terms: Any  # (E, M) records of arrays.TERM
    tokens: Tokens
    resolved: Resolved
    funding_from: str  # "recorded" or "formula"
    # (T, M) a high of the mark is recorded; a market made in memory has none
    extremes: B8 = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    # (T, M) a high of the mark is formed within the hour; empty before that
    solved: B8 = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    # (T, M) rates by the formula where funding is recorded; empty unless both were asked for
    formula_rates: F64 = field(default_factory=lambda: np.zeros((0, 0)))
    pledges: Pledges | None = None  # what is held as collateral from the start
    notes: tuple[str, ...] = ()
    # of a market made in memory every account is in USD
    currencies: Currencies = field(default_factory=lambda: Currencies((), ()))
    facts: dict[str, float | int | None] = field(default_factory=dict)
    # What corporate actions had to assume: name, value, what it means.
    assumed: tuple[tuple[str, str, str], ...] = ()


def settings_of(config: RunConfig, names: Instruments | None = None) -> Settings:
    """The run's choices as the loops read them; the market loop needs no names."""
    tokens = () if names is None else names.tokens
    sweep = config.sweep_token
    return Settings(
        fill_delay_hours=config.fill_delay_hours,
        pair_together=int(config.pair == "together"),
        trade_frozen_quotes=int(config.trade_frozen_quotes),
        stop_after_liquidation=int(config.after_liquidation == "stop"),
        liquidate_at_trigger=int(config.liq_fill == "trigger"),
        transfer_hours=config.transfer_hours,
        transfer_cost_usd=config.transfer_cost_usd,
        topup_at_ratio=np.inf if config.topup_at_ratio is None else config.topup_at_ratio,
        topup_to_ratio=config.topup_to_ratio,
        max_quote_spread_frac=config.max_quote_spread_frac,
        max_frozen_hours=config.max_frozen_hours,
        joint_paths=int(config.margin_paths == "joint"),
        adl_shock_frac=np.inf if config.adl_shock_frac is None else config.adl_shock_frac,
        adl_index=config.adl_index,
        impact_coefficient=config.impact_coefficient,
        max_volume_frac=np.inf if config.max_volume_frac is None else config.max_volume_frac,
        max_pool_frac=config.max_pool_frac,
        sweep_at_ratio=config.sweep_at_ratio or 0.0,
        sweep_min_usd=config.sweep_min_usd,
        sweep_token=tokens.index(sweep) if sweep in tokens else -1,
        wallet_cash_usd=config.wallet_cash_usd,
        redeem=int(config.redeem),
        delever=int(config.delever),
        borrow_apr=config.borrow_apr,
        seize_cost_frac=config.seize_cost_frac,
        mirror_hours=config.mirror_hours,
        locked_counts=int(config.locked_margin == "counted"),
    )


@dataclass(frozen=True, slots=True)
class Laid:
    """A market laid on the clock, before what it does not record is formed."""

    market: Market
    prices: Prices
    premiums: F64  # (T, M) recorded with a settlement


def lay(dataset: Dataset, config: RunConfig, *, end_ns: int | None = None) -> Laid:
    """Lay a dataset on the clock; everything that a run could be refused for is refused here.

    Parameters
    ----------
    dataset : checked dataset
    config : the run's choices
    end_ns : last hour asked for

    Raises
    ------
    DataError, RequestError
        If the data lacks something the run needs, or a choice does not fit it.
    """
    book = open_rulebook(config.rulebook, config.data)
    dataset = with_collateral(dataset, config, book)
    names = choose(dataset, config)
    record, file = settlements(dataset)
    funding_from = _funding_from(dataset, config, record)
    cut = span(dataset, record if funding_from == "recorded" else None, names, end_ns)
    time_ns = cut.time_ns
    refuse_idle(dataset, config, names, int(time_ns[0]))
    doubted = check_holder(dataset, config, names, time_ns, book)
    resolved = _terms(dataset, config, names, time_ns, funding_from)
    names = margin(names, config, resolved)
    told = incidents(dataset, config)
    still = stopped(dataset, told, names, time_ns)
    prices = lay_prices(dataset, config, names, time_ns, resolved)
    prices = stand_still(prices, still, formed=dataset.prices == "external")
    refuse_limits(dataset, config, names, resolved, (time_ns, prices))
    quotes = lay_quotes(dataset, config, names, time_ns)
    interval = resolved.terms["interval_hours"][resolved.era]
    rates, premiums = lay_settlements(record, file, names.coins, time_ns, interval)
    due = (time_ns[:, None] // HOUR_NS % interval.astype(np.int64) == 0) & prices.listed
    book = open_rulebook(config.rulebook, config.data)
    currencies, cash_px = lay_currencies(dataset, config, names, time_ns, book)
    tape = _assemble(dataset, names, resolved, prices, quotes, time_ns)._replace(cash_px=cash_px)
    acted = lay_actions(tape, prices, quotes.told, (dataset, config, names))
    tape = acted.tape
    resolved = resolved._replace(used=[*resolved.used, *acted.used])
    tape = lay_shocks(tape, told, dataset, names, config.after_revoke)
    if dataset.prices == "external":
        refuse_inside(tape, resolved.terms, still, names)
    tape.funding[:] = np.where(due, rates, np.nan)
    tape.premium[:] = np.where(np.isnan(premiums), prices.premium, premiums)
    tape.due[:] = due
    if config.oi_cap:
        tape = tape._replace(capped=np.zeros_like(tape.stale))
    if funding_from == "formula":
        tape = tape._replace(by_formula=due & np.isnan(tape.funding))
        if has_swaps(resolved.terms):
            tape = tape._replace(short_funding=tape.funding.copy())
    lay_formed(tape, dataset, config, names, book)
    tokens = _tokens(dataset, config, names, time_ns)
    tape = lay_clocks((tape, tokens), dataset, config, names, book)
    tape = lay_settlement(tape, config, names)
    tape = lay_ways((tape, tokens), dataset, config, names)
    notes = (*dataset.notes, *cut.notes, *doubted)
    extremes = ~np.isnan(prices.mark_high_px)
    market = Market(
        *(dataset, names, tape, resolved.terms, tokens, resolved, funding_from, extremes),
        notes=notes,
        currencies=currencies,
        assumed=acted.assumed,
    )
    market = replace(market, pledges=pledges_of(dataset, config, names, time_ns, book))
    return Laid(market, prices, premiums)


def form(
    dataset: Dataset, config: RunConfig, *, end_ns: int | None = None, pure_python: bool = False
) -> Market:
    """Lay a dataset on the clock and form what it does not record; both halves in one call."""
    return complete(lay(dataset, config, end_ns=end_ns), config, pure_python=pure_python)


def complete(laid: Laid, config: RunConfig, *, pure_python: bool = False) -> Market:
    """Form what the dataset does not record: prices, premiums, rates, fair prices.

    Parameters
    ----------
    laid : what :func:`lay` made; its tape is written to
    config : the run's choices
    pure_python : run the market loop uncompiled
    """
    market = laid.market
    loop: Callable[..., None] = form_market if pure_python else compiled()
    hours = len(market.tape.time_ns)
    with np.errstate(all="ignore"):
        loop(market.tape, market.terms, market.tokens, settings_of(config), 0, hours)
    value_formed(market.tape, market.dataset, market.names)
    form_navs(market.tape, market.tokens, market.names)
    if config.funding == "both":
        others = (market.tokens, settings_of(config))
        rates = formula_rates(market.tape, market.terms, laid.premiums, loop, others)
        market = replace(market, formula_rates=rates)
    solved = np.isfinite(market.tape.high_px)
    _finish(market.tape, laid.prices)
    lay_caps(market.tape, market.resolved, laid.prices)
    return replace(market, solved=solved, facts=_facts(market.tape, market))


def settles_over_hours(market: Market, config: RunConfig) -> bool:
    """Whether the formula makes a rate from more than the premium of its own row."""
    by_formula = market.funding_from == "formula" or config.funding == "both"
    return by_formula and bool((market.terms["interval_hours"] > 1.0).any())


_OF_ACTION = ("instrument", "kind", "value")


def cut_before(market: Market, start_ns: int) -> Market:
    """The same market from an hour on: what was formed before it is not formed anew.

    Raises
    ------
    DataError
        If fewer than two hours are left.
    """
    tape = market.tape
    first = int(np.searchsorted(tape.time_ns, start_ns, side="left"))
    if first == 0:
        return market
    if first > len(tape.time_ns) - 2:
        raise DataError(
            f"{market.dataset.folder.name}: ends at {stamp(int(tape.time_ns[-1]))}, not two hours "
            f"after the start, {stamp(start_ns)}; start earlier"
        )
    hourly = {
        name: getattr(tape, name)[first:]
        for name, axes in layout(Tape).items()
        if "T" in axes.names
    }
    # What falls on the first row came before it: what is held from the start is bought in it.
    kept, struck = tape.action_row > first, tape.shock_row >= first
    cut = tape._replace(
        **hourly,
        action_row=tape.action_row[kept] - first,
        **{f"action_{name}": getattr(tape, f"action_{name}")[kept] for name in _OF_ACTION},
        **{name: getattr(tape, name)[struck] for name in Struck._fields},
    )
    cut.shock_row[:] -= first
    cut.funding_total[:] = np.cumsum(np.nan_to_num(cut.funding), axis=0)
    extremes = market.extremes[first:]
    return replace(
        market,
        tape=cut,
        extremes=extremes,
        solved=market.solved[first:],
        formula_rates=market.formula_rates[first:],
        facts=_facts(cut, replace(market, extremes=extremes)),
    )


def _funding_from(dataset: Dataset, config: RunConfig, record: pl.DataFrame) -> str:
    if config.funding is not None:
        return "recorded" if config.funding == "both" else config.funding
    return "recorded" if dataset.prices == "onchain" or record.height else "formula"


def _terms(
    dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64, funding_from: str
) -> Resolved:
    coins = [
        CoinTerms(c, dataset.perps_meta[c].venue, dataset.perps_meta[c].terms) for c in names.coins
    ]
    needs = ALWAYS
    if funding_from == "formula" or config.funding == "both":
        needs |= FORMULA
    if dataset.prices == "external":
        needs |= PRICES
    if config.margin_mode is None:
        needs |= {"margin_modes"}
    if config.oi_cap:
        needs |= OPEN_INTEREST
    choice = TermChoice(
        config.liquidity,
        config.leverage,
        config.half_spread_frac,
        config.slippage_frac,
        config.max_order_usd,
    )
    book = open_rulebook(config.rulebook, config.data)
    refuse_unified(config, book, int(time_ns[0]))
    refuse_portfolio(config, list(dict.fromkeys(c.venue for c in coins)), int(time_ns[0]))
    return resolve_terms(coins, time_ns, config.terms, choice, needs, book)


def _assemble(
    dataset: Dataset,
    names: Instruments,
    resolved: Resolved,
    prices: Prices,
    quotes: Quotes,
    time_ns: I64,
) -> Tape:
    hours, coins, tokens = len(time_ns), len(names.coins), len(names.tokens)
    formed = coins if dataset.prices == "external" else 0
    turning = sessions_with_turns(resolved.terms) if formed else np.zeros(0, np.int64)
    tape = blank(
        Tape,
        T=hours,
        M=coins,
        K=tokens,
        U=len(names.underlyings),
        N=0,
        X=formed,
        Y=0,
        S=len(Session) if turning.size else 0,
    )
    tape.time_ns[:] = time_ns
    tape.era[:] = resolved.era
    lay_hours(tape, names, resolved)
    lay_switches(tape, turning)
    tape.hours_to_ex_dividend[:] = np.inf
    tape.hours_to_earnings[:] = np.inf
    tape.high_px[:] = np.nan
    tape.low_px[:] = np.nan
    if formed:
        tape.external_px[:] = prices.external_px
        tape.oracle_px[:] = np.nan
        tape.mark_px[:] = np.nan
    else:
        tape.oracle_px[:] = prices.oracle_px
        tape.mark_px[:] = prices.mark_px
    for name in ("mid_px", "impact_bid_px", "impact_ask_px", "volume_usd", "stale"):
        getattr(tape, name)[:] = getattr(prices, name)
    for name in ("bid_px", "ask_px", "nav_px", "multiplier", "apr", "halted", "quoted"):
        getattr(tape, name)[:] = getattr(quotes, name)
    tape.token_stale[:] = quotes.stale
    return tape


def _finish(tape: Tape, prices: Prices) -> None:
    """Running sum of rates, and the hour's extremes of the mark: recorded, else as formed."""
    np.cumsum(np.nan_to_num(tape.funding), axis=0, out=tape.funding_total)
    before, fair = restated_before(tape)
    if tape.start_px.shape[1]:
        tape.start_px[:] = before
    if tape.token_start_px.shape[1]:
        tape.token_start_px[:] = fair
    told_high = restated_extremes(tape, prices.mark_high_px)
    told_low = restated_extremes(tape, prices.mark_low_px)
    high = np.where(np.isnan(told_high), tape.high_px, told_high)
    low = np.where(np.isnan(told_low), tape.low_px, told_low)
    tape.high_px[:] = np.fmax(np.fmax(before, tape.mark_px), high)
    tape.low_px[:] = np.fmin(np.fmin(before, tape.mark_px), low)


def _tokens(dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64) -> Tokens:
    tokens = blank(Tokens, K=len(names.tokens))
    tokens.perp[:] = names.token_perp
    tokens.half_spread_frac[:] = config.token_half_spread_frac or 0.0
    first_ns = int(time_ns[0])
    book = open_rulebook(config.rulebook, config.data)
    for k, token in enumerate(names.tokens):
        issuer = book.issuer(dataset.tokens_meta[token].issuer)
        fee = config.token_fee_frac
        told = issuer.at("trade_fee_frac", first_ns).value if fee is None else fee
        if isinstance(told, str):
            raise DataError(
                f"issuer {issuer.name}: trade_fee_frac of {token} is unknown; set it with "
                "--set token_fee_frac=VALUE (0.003 for 30 bp)"
            )
        smallest = issuer.at("min_order_usd", first_ns).value
        tokens.fee_frac[k] = told
        if issuer.name == FORMED:
            tokens.half_spread_frac[k] = 0.0
        tokens.min_order_usd[k] = (
            config.token_min_order_usd if isinstance(smallest, str) else smallest
        )
    return tokens


def _facts(tape: Tape, market: Market) -> dict[str, float | int | None]:
    """What the forming of the market has to say for itself."""
    terms, extremes = market.terms, market.extremes
    formed = tape.external_px.shape[1] > 0
    lag: F64 | None = None
    if formed:
        lag = np.where(tape.bound, np.abs(tape.external_px / tape.oracle_px - 1.0), 0.0)
    listed = ~np.isnan(tape.mark_px)
    one_sided = np.isnan(tape.impact_bid_px) | np.isnan(tape.impact_ask_px)
    no_book: B8 = np.isnan(tape.mid_px) & one_sided & listed
    return {
        "oracle_hours_bound": int(tape.bound.sum()) if formed else None,
        "oracle_largest_lag_frac": float(lag.max()) if lag is not None else None,
        "oracle_hours_internal": int(priced_inside(tape, terms).sum()) if formed else None,
        "hours_without_book": int(no_book.sum()) if formed else None,
        "oracle_hours_mid_for_impact": int(mid_for_impact(tape, terms).sum()) if formed else None,
        "stale_perp_hours": int((tape.stale & listed).sum()),
        "stale_token_hours": int(tape.token_stale.sum()),
        "rates_by_formula": int(tape.by_formula.sum()),
        "rates_recorded": int((~np.isnan(tape.funding)).sum() - tape.by_formula.sum()),
        "hours_with_extremes": int(extremes.sum()),
        "settlements_missing": int((tape.due & np.isnan(tape.funding)).sum()),
        "token_hours_not_live": int((~tape.live).sum()),
        **_premiums(tape, market.names),
    }


def _premiums(tape: Tape, names: Instruments) -> dict[str, float | None]:
    """Premium of each token over what it stands for: mean, farthest, and at its last live quote."""
    made: dict[str, float | None] = {}
    for token, column in zip(names.tokens, premiums(tape, names.token_perp).T, strict=True):
        told = column[np.isfinite(column)]
        worst = told[np.argmax(np.abs(told))] if told.size else None
        for name, value in (("mean", told.mean() if told.size else None), ("worst", worst)):
            made[f"premium_{name}_frac {token}"] = None if value is None else float(value)
        made[f"premium_last_frac {token}"] = float(told[-1]) if told.size else None
    return made
