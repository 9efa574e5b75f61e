"""Settings of tokens that would do nothing in a run, or name a token that it does not have."""

from __future__ import annotations

from typing import Final

from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import RequestError, nearest
from perpkit.rulebook import open_rulebook
from perpkit.tape.collateral import FORMED
from perpkit.tape.instruments import Instruments
from perpkit.tape.ways import at_quote, refuse_ways

# A table by token each.
_BY_TOKEN: Final = ("token_way", "ways", "cross_chain_gap_frac", "token_session", "multiplier")
# What is decided of tokens alone. Costs and limits of theirs, as of perps, are for what there is.
_OF_TOKENS: Final = (
    *("settlement", "max_pool_frac", "after_revoke", "locked_margin"),
    *("pause_hours", "pause_above_frac"),
)
# What a token is that is pledged, of which nothing is where its share is 0.
_OF_PLEDGES: Final = ("accounts", "haircut_frac", "haircut_on", "mirrored")


def refuse_idle(dataset: Dataset, config: RunConfig, names: Instruments, first_ns: int) -> None:
    """Refuse what was told of tokens and would do nothing.

    Parameters
    ----------
    first_ns : first hour of the run

    Raises
    ------
    RequestError
        Naming the setting, why it does nothing, and what to do.
    """
    for setting in _BY_TOKEN:
        for token in getattr(config, setting):
            if token not in names.tokens:
                raise RequestError(
                    f"{setting}: {token} is no token of this run: {nearest(token, names.tokens)}"
                )
    told = config.model_fields_set
    for setting in _OF_TOKENS:
        if setting in told and not names.tokens:
            raise RequestError(_idle(setting, "the run has no token", "name one with tokens"))
    if "settlement" in told and set(names.tokens) <= set(config.token_settlement):
        own = "every token of the run has a path of its own in token_settlement"
        raise RequestError(_idle("settlement", own, "leave one of them out there"))
    if "after_revoke" in told and config.shocks == "ignore":
        played = 'shocks = "ignore", so that nobody is revoked'
        raise RequestError(_idle("after_revoke", played, 'set shocks = "play"'))
    refuse_ways(config, names)
    _refuse_quotes(dataset, config, names)
    _refuse_sessions(dataset, config)
    _refuse_minimum(dataset, config, names, first_ns)
    _refuse_pledges(config)


def _idle(setting: str, why: str, wakes: str) -> str:
    return f"{setting} does nothing: {why}; {wakes}, or leave {setting} out"


def _refuse_quotes(dataset: Dataset, config: RunConfig, names: Instruments) -> None:
    """How quotes are traded is said of tokens that may take theirs; a pool has its mid of one."""
    told, tokens = config.model_fields_set, names.tokens
    if config.trade_frozen_quotes and not any(at_quote(dataset, config, t) for t in tokens):
        why = "no token of the run takes its quote"
        raise RequestError(_idle("trade_frozen_quotes", why, "set token_way.TOKEN to quote"))
    formed = {token for token in tokens if dataset.tokens_meta[token].issuer == FORMED}
    priced = [t for t in tokens if t not in formed and config.token_way.get(t) != "issuer"]
    if "token_half_spread_frac" in told and tokens and not priced:
        why = "no token of the run is traded at a quote or against a pool"
        raise RequestError(_idle("token_half_spread_frac", why, "set token_way.TOKEN to quote"))


def _refuse_sessions(dataset: Dataset, config: RunConfig) -> None:
    """Tokens that the run forms are traded in the hours in which their issuer takes requests."""
    for token in config.token_session:
        if dataset.tokens_meta[token].issuer == FORMED:
            raise RequestError(
                f"token_session: {token} is formed from a rate and is traded while its issuer "
                f"redeems; leave token_session.{token} out, or state redeem_session in a file of "
                "your own that rulebook names"
            )


def _refuse_minimum(dataset: Dataset, config: RunConfig, names: Instruments, first_ns: int) -> None:
    """The smallest order of the run stands in for issuers that publish none."""
    if "token_min_order_usd" not in config.model_fields_set:
        return
    book = open_rulebook(config.rulebook, config.data)
    issuers = [book.issuer(dataset.tokens_meta[token].issuer) for token in names.tokens]
    if issuers and all(issuer.at("min_order_usd", first_ns).known for issuer in issuers):
        own = "every issuer of the run publishes a smallest order"
        raise RequestError(_idle("token_min_order_usd", own, "name a token of another with tokens"))


def _refuse_pledges(config: RunConfig) -> None:
    """How a token counts as margin is said of tokens that are pledged."""
    shares = [pledge.share for pledge in config.collateral.values()]
    for token, pledge in config.collateral.items():
        for name in _OF_PLEDGES:
            off = name == "mirrored" and not pledge.mirrored
            if name in pledge.model_fields_set and pledge.share == 0.0 and not off:
                setting = f"collateral.{token}.{name}"
                raise RequestError(_idle(setting, "nothing of it is pledged", "set its share"))
    if "locked_margin" in config.model_fields_set and not any(shares):
        wakes = "set collateral.TOKEN.share"
        raise RequestError(_idle("locked_margin", "the run pledges no token", wakes))
