"""Whether the holder of a run may hold its tokens and trade on its venues, before it is played.

The rules of every day of the run count: one day on which it is barred is enough. Tokens that the
rulebook knows as collateral are asked for by their own name, the others by their issuer's.
"""

from __future__ import annotations

from typing import NamedTuple

from perpkit.arrays import I64
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import RequestError
from perpkit.rulebook import Rulebook, Value
from perpkit.rulebook.eligibility import allows, over
from perpkit.rulebook.venue import day
from perpkit.tape.collateral import asset_name
from perpkit.tape.instruments import Instruments
from perpkit.tape.redemption import must_redeem
from perpkit.tape.ways import CHEAPEST, unknown_terms
from perpkit.told import Holder

_NAMED = 2  # tokens named before the rest is counted


class Doubt(NamedTuple):
    """What a holder may not hold or trade, or what is not known of it."""

    does: str  # "hold NVDAon", "trade on xyz"
    product: str
    value: Value
    barred: bool  # not known else


def _product(k: int, dataset: Dataset, names: Instruments, book: Rulebook) -> str:
    """The product that a token of the run is."""
    token, kind = names.tokens[k], names.kinds[k]
    asset = None if kind == "equity" else asset_name(token, kind, book)
    issuer = dataset.tokens_meta[token].issuer
    return f"issuer.{issuer}" if asset is None else f"token.{asset}"


def products_of(dataset: Dataset, names: Instruments, book: Rulebook) -> dict[str, str]:
    """What the run does with each product that it touches, tokens before venues."""
    held: dict[str, list[str]] = {}
    for k, token in enumerate(names.tokens):
        held.setdefault(_product(k, dataset, names, book), []).append(token)
    made = {product: f"hold {_listed(tokens)}" for product, tokens in held.items()}
    for coin in names.coins:
        venue = dataset.perps_meta[coin].venue
        made[f"venue.{venue}"] = f"trade on {venue}"
    return made


def dealt_in(
    dataset: Dataset, config: RunConfig, names: Instruments, span_ns: tuple[int, int]
) -> list[int]:
    """Tokens that the run mints or redeems with their issuers: its ways, and what meets calls."""
    made = []
    for k, token in enumerate(names.tokens):
        way = config.token_way.get(token)
        cheapest = way == CHEAPEST and not unknown_terms(token, dataset, config, span_ns)
        if way == "issuer" or cheapest or must_redeem(token, config):
            made.append(k)
    return made


def _listed(tokens: list[str]) -> str:
    if len(tokens) <= _NAMED:
        return " and ".join(tokens)
    return f"{tokens[0]} and {len(tokens) - 1} more of its issuer"


def doubts(
    chosen: tuple[Dataset, RunConfig, Instruments],
    holder: Holder,
    span_ns: tuple[int, int],
    book: Rulebook,
) -> list[Doubt]:
    """Every product that the holder may not hold, trade or mint for certain, by what is done."""
    dataset, config, names = chosen
    asked = [(*one, "hold") for one in products_of(dataset, names, book).items()]
    dealt: dict[str, list[str]] = {}
    for k in dealt_in(dataset, config, names, span_ns):
        dealt.setdefault(_product(k, dataset, names, book), []).append(names.tokens[k])
    for product, tokens in dealt.items():
        asked.append((product, f"mint or redeem {_listed(tokens)} with the issuer", "primary"))
    made: list[Doubt] = []
    for product, does, key in asked:
        told = over(book, product, holder.jurisdiction, span_ns, key)
        answers = [allows(value.value, holder.kyc) for value in told]
        for answer in (False, None):  # a day on which it is barred is worse than one not known
            if answer in answers:
                value = told[answers.index(answer)]
                made.append(Doubt(does, product, value, answer is False))
                break
    return made


def sentence(doubt: Doubt, holder: Holder) -> str:
    """One doubt in words, with rule and source."""
    who = f"a holder of {holder.jurisdiction.upper()} with kyc {holder.kyc}"
    value = doubt.value
    if not doubt.barred:
        return (
            f"whether {who} may {doubt.does} is not known ({doubt.product}, {value.place}: "
            f"{value.source})"
        )
    least = "nobody there may" if value.value == "nobody" else f"it takes {value.value}"
    return (
        f"{who} may not {doubt.does}: {least} ({doubt.product}, {value.place}, {value.confidence} "
        f"since {day(value.since_ns)}: {value.source})"
    )


def check_holder(
    dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64, book: Rulebook
) -> tuple[str, ...]:
    """Refuse what the holder may not do, by the setting; what is left to be said.

    Raises
    ------
    RequestError
        With the rule, its source and what to set.
    """
    holder = config.holder
    if holder is None:
        return ()
    span = (int(time_ns[0]), int(time_ns[-1]))
    found = doubts((dataset, config, names), holder, span, book)
    refused = [one for one in found if one.barred or holder.eligibility == "strict"]
    if refused and holder.eligibility != "warn":
        others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        lighter = "warn" if refused[0].barred else "known"
        raise RequestError(
            f"holder: {sentence(refused[0], holder)}{others}; leave it out of the run, state what "
            f"holds for you in a rulebook of your own, or set holder.eligibility={lighter} to "
            "only be told"
        )
    return tuple(sentence(one, holder) for one in found)
