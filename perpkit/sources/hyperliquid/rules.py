"""Keeps what the API told of terms, by day, in files of the rulebook beside the dataset.

The API knows only what is now. A value holds from the day on which it was first seen, a changed
one from the second on which the change was seen; one that did not change is not written again.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from perpkit.errors import DataError
from perpkit.rulebook import dataset_rules, open_rulebook
from perpkit.sources.hyperliquid.markets import Market
from perpkit.sources.hyperliquid.terms import Term, terms_of

_HEAD: Final = """\
# Terms as the info API of Hyperliquid told them. The API knows only what is now, so each holds from
# the day on which it was first seen. perpkit data fetch and watch write this file; state terms of
# your own in another one.
schema = 1
"""
_Blocks = list[dict[str, Any]]  # names, from, and an entry by key


def keep_terms(folder: Path, markets: Sequence[Market], now_ms: int) -> list[str]:
    """Write what is new or changed into ``rules/<venue>.toml`` of a dataset.

    Parameters
    ----------
    folder : of the dataset
    markets : as the API tells them now
    now_ms : the server's time

    Returns
    -------
    one sentence for each term that changed since an earlier day

    Raises
    ------
    DataError
        If a file there was not written by this function, or a term contradicts the rulebook.
    """
    told: list[str] = []
    for venue in dict.fromkeys(market.venue for market in markets):
        path = dataset_rules(folder) / f"{venue}.toml"
        blocks = _read(path, venue)
        ours = [market for market in markets if market.venue == venue]
        before = len(blocks)
        for market in ours:
            told += _note(blocks, market, datetime.fromtimestamp(now_ms // 1_000, UTC))
        if len(blocks) > before:
            _write(path, venue, blocks)
    return told


def _note(blocks: _Blocks, market: Market, now: datetime) -> list[str]:
    """Add a block with the terms of a perp that differ from the last ones known."""
    last: dict[str, Mapping[str, Any]] = {}
    dates: list[datetime] = []
    for block in blocks:
        if block["names"] == [market.coin]:
            dates.append(_moment(block["from"]))
            last |= {key: value for key, value in block.items() if isinstance(value, dict)}
    today = datetime(now.year, now.month, now.day, tzinfo=UTC)
    since: date = now.date() if not dates or dates[-1] < today else now
    terms = terms_of(market)
    new = {key: term for key, term in terms.items() if _differs(last.get(key), term)}
    if not new:
        return []
    if dates and _moment(since) <= dates[-1]:
        raise DataError(
            f"rules/{market.venue}.toml: the terms of {market.coin} are from {dates[-1]}, later "
            f"than the server's time {now}; correct the file, or run again later"
        )
    source = f"API-{now.date()}"
    entries = {key: _entry(term, source) for key, term in new.items()}
    blocks.append({"names": [market.coin], "from": since, **entries})
    return [
        f"{market.coin}: {key} is now {term.value}, it was {last[key]['value']}"
        for key, term in new.items()
        if key in last
    ]


def _differs(last: Mapping[str, Any] | None, term: Term) -> bool:
    return last is None or (last["value"], last["confidence"]) != tuple(term)


def _entry(term: Term, source: str) -> dict[str, object]:
    return {"value": term.value, "source": source, "confidence": term.confidence}


def _moment(since: date) -> datetime:
    if isinstance(since, datetime):
        return since
    return datetime(since.year, since.month, since.day, tzinfo=UTC)


def _read(path: Path, venue: str) -> _Blocks:
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
        blocks: _Blocks = table["coins"]
        mine = _text(venue, blocks) == text
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        mine = False
    if not mine:
        raise DataError(
            f"{path}: the file was changed by hand; move your own terms to a file for --rules, and "
            "remove this one"
        )
    return blocks


def _write(path: Path, venue: str, blocks: _Blocks) -> None:
    """Replace the file at once; a killed run leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_text(venue, blocks))
        file.flush()
        os.fsync(file.fileno())
    _check(beside, venue)
    beside.replace(path)


def _check(path: Path, venue: str) -> None:
    """Refuse terms that do not go with the rulebook's before they are there."""
    try:
        open_rulebook(path).venue(venue)
    except DataError as error:
        path.unlink()
        raise DataError(
            f"the API tells terms that do not go with the rulebook of {venue} ({error}); check "
            "whether this perpkit is the latest"
        ) from error


def _text(venue: str, blocks: _Blocks) -> str:
    sources = dict.fromkeys(
        entry["source"] for block in blocks for entry in block.values() if isinstance(entry, dict)
    )
    lines = [f"{_HEAD}venue = {json.dumps(venue)}", "", "[sources]"]
    for tag in sources:
        day = tag.removeprefix("API-")
        lines.append(f'{tag} = "info API of Hyperliquid, meta and perpDexs, asked on {day}"')
    for block in blocks:
        lines += ["", "[[coins]]", f"names = {json.dumps(block['names'])}"]
        lines.append(f"from = {_toml_date(block['from'])}")
        for key, entry in block.items():
            if isinstance(entry, dict):
                parts = ", ".join(f"{k} = {json.dumps(value)}" for k, value in entry.items())
                lines.append(f"{key} = {{ {parts} }}")
    return "\n".join(lines) + "\n"


def _toml_date(since: date) -> str:
    if isinstance(since, datetime):
        return since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return since.isoformat()
