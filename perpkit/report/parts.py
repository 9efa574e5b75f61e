"""Parts of a panel as HTML. Every text is escaped, for HTML and for plotly.js, which reads some."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from perpkit.report.panel import Cards, Cell, Chart, Choice, Column, Panel, Part, Table, Text

_TABS = 6  # more options are a list to choose from
_KEPT = ("<br>", "<extra></extra>")  # of what plotly.js reads in a text, what panels may say


def panel_html(panel: Panel) -> str:
    """One panel: its heading, what to see, its parts, or why there are none."""
    key = escape(panel.key)
    lead = f'<p class="lead">{escape(panel.lead)}</p>' if panel.lead else ""
    parts = "\n".join(part_html(part, f"{panel.key}-{n}") for n, part in enumerate(panel.parts))
    empty = f'<p class="empty">{escape(panel.empty)}</p>' if panel.empty else ""
    return (
        f'<section class="panel" id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">{escape(panel.title)}</h2>{lead}\n{parts}{empty}</section>'
    )


def part_html(part: Part, name: str) -> str:
    """One part; ``name`` is its own on the page."""
    match part:
        case Cards():
            return _cards(part)
        case Table():
            return _table(part, name)
        case Chart():
            return _chart(part)
        case Choice():
            return _choice(part, name)
        case Text():
            return f"<p{_tone(part.tone)}>{escape(part.text)}</p>"


def _tone(tone: str) -> str:
    return f' class="tone-{escape(tone)}"' if tone else ""


def _cards(part: Cards) -> str:
    cards = "".join(
        f"<div{_tone(card.tone)}><dt>{escape(card.label)}</dt><dd><b>{escape(card.value)}</b>"
        + (f"<span>{escape(card.note)}</span>" if card.note else "")
        + "</dd></div>"
        for card in part.cards
    )
    return f'<dl class="cards">{cards}</dl>'


# --------------------------------------------------------------------------- tables


def _table(part: Table, name: str) -> str:
    # Beside the table and not in it: there it would be as wide, and be cut off where that scrolls.
    caption = f'<p class="caption" id="{name}-caption">{escape(part.caption)}</p>'
    labelled = f' aria-labelledby="{name}-caption"'
    region = f' role="region"{labelled}'  # which has to have a name
    if not part.caption:
        caption = labelled = region = ""
    head = "".join(_head(column) for column in part.columns)
    hidden = part.shown if 0 < part.shown < len(part.rows) else 0
    rows = "\n".join(
        f"<tr{' hidden' if hidden and n >= hidden else ''}>{_row(part.columns, row)}</tr>"
        for n, row in enumerate(part.rows)
    )
    more = f'<button type="button" class="more">Show all {len(part.rows):,} rows</button>'
    return (
        f'<div class="table" data-shown="{hidden}">{caption}'
        f'<div class="scroll" tabindex="0"{region}>'
        f"<table{labelled}><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
        f"{more if hidden else ''}</div>"
    )


def _head(column: Column) -> str:
    unit = f' <span class="unit">{escape(column.unit)}</span>' if column.unit else ""
    about = f' title="{escape(column.about)}"' if column.about else ""
    return (
        f'<th scope="col"{_kind(column)} aria-sort="none"{about}>'
        f'<button type="button">{escape(column.name)}{unit}</button></th>'
    )


def _kind(column: Column) -> str:
    """Numbers stand to the right, a time is never broken, and sentences have room."""
    told = "t" if column.unit == "UTC" else "n" if column.number else "w" if column.wide else ""
    return f' class="{told}"' if told else ""


def _row(columns: Iterable[Column], row: Iterable[str | Cell]) -> str:
    cells = []
    for column, cell in zip(columns, row, strict=True):
        kind = _kind(column)
        if isinstance(cell, Cell):
            key = "" if cell.key is None or math.isnan(cell.key) else f"{cell.key:.12g}"
            cells.append(f'<td{kind} data-key="{key}">{escape(cell.text)}</td>')
        else:
            cells.append(f"<td{kind}>{escape(cell)}</td>")
    return "".join(cells)


# --------------------------------------------------------------------------- charts


def _chart(part: Chart) -> str:
    note = f"<figcaption>{escape(part.note)}</figcaption>" if part.note else ""
    linked = " data-linked" if part.linked else ""
    return (
        f'<figure class="chart"{linked}><div class="plot" role="img" '
        f'aria-label="{escape(part.label)}" style="height:{part.height:d}px"></div>'
        f'<script type="application/json">{as_script(plotted(part.figure))}</script>'
        f"{note}</figure>"
    )


def as_script(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends that, or a line of it."""
    told = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        told = told.replace(sign, f"\\u{ord(sign):04x}")
    return told


def plotted(value: Any) -> Any:
    """A figure as JSON has it: no NaN, and no text that plotly.js would read as more than text."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {str(k): v if k == "bdata" else plotted(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plotted(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plotted(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _text(text: str) -> str:
    if "<" not in text and "&" not in text:
        return text
    told = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for kept in _KEPT:
        told = told.replace(kept.replace("<", "&lt;").replace(">", "&gt;"), kept)
    return told


# --------------------------------------------------------------------------- one of several


def _choice(part: Choice, name: str) -> str:
    names = list(part.parts)
    tabs = len(names) <= _TABS and sum(map(len, names)) <= 80
    bodies = "\n".join(_option(part, name, n, tabs) for n in range(len(names)))
    if tabs:
        buttons = "".join(
            f'<button type="button" role="tab" id="{name}-tab-{n}" aria-controls="{name}-{n}" '
            f'aria-selected="{"false" if n else "true"}" tabindex="{-1 if n else 0}">'
            f"{escape(told)}</button>"
            for n, told in enumerate(names)
        )
        head = f'<div class="tabs" role="tablist" aria-label="{escape(part.label)}">{buttons}</div>'
    else:
        options = "".join(
            f'<option value="{name}-{n}">{escape(told)}</option>' for n, told in enumerate(names)
        )
        head = f'<label class="pick">{escape(part.label)} <select>{options}</select></label>'
    return f'<div class="choice">{head}\n{bodies}</div>'


def _option(part: Choice, name: str, n: int, tabs: bool) -> str:
    told = list(part.parts)[n]
    inner = "\n".join(part_html(one, f"{name}-{n}-{m}") for m, one in enumerate(part.parts[told]))
    role = f' role="tabpanel" aria-labelledby="{name}-tab-{n}"' if tabs else ""
    hidden = " hidden" if n else ""
    return (
        f'<div class="option" id="{name}-{n}"{role}{hidden}>'
        f'<h3 class="printed">{escape(part.label)}: {escape(told)}</h3>{inner}</div>'
    )


def links(panels: Iterable[Panel]) -> Iterator[str]:
    """A link to each panel."""
    for panel in panels:
        yield f'<a href="#{escape(panel.key)}">{escape(panel.title)}</a>'
