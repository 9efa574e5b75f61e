"""A result as HTML, for a notebook: plain tables that take their colours from the page.

No script, no style sheet and nothing from the network. Every text is escaped: a strategy or a coin
may have any name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape

from perpkit.headline import (
    CHECK_COLUMNS,
    PART_COLUMNS,
    Cause,
    Found,
    assumed,
    assumed_terms,
    attribution,
    check_row,
    headline,
    part_row,
    parts,
    plain,
    span,
)
from perpkit.metrics import METRICS

_TABLE = '<table style="color: inherit">'  # a page in quirks mode hands tables no colour
_SIDES = {"l": "left", "r": "right"}
_HALF_EM = 5.0  # longest bar, either side of its axis


def result_html(found: Found) -> str:
    """The headline, attribution by cause, warnings and assumptions of a result."""
    money, earned = headline(found)
    name, dataset = escape(found.strategy), escape(str(found.manifest["dataset"]["name"]))
    made = [
        f"<p><b>{name}</b> on <b>{dataset}</b>, {escape(span(found))}</p>",
        _table("", ("", "", ""), ((n.label, n.value, n.note) for n in money + earned), "lrl"),
        _attribution(found),
    ]
    if of_members := parts(found):
        capital = float(found.manifest["config"]["capital"])
        rows_of = (part_row(part, capital) for part in of_members)
        made.append(_table("By member", PART_COLUMNS, rows_of, "lrrrrrrr"))
    if found.funding_checks:
        rows = map(check_row, found.funding_checks)
        made.append(
            _table("Recorded funding against the formula", CHECK_COLUMNS, rows, "lrrrr"),
        )
    if found.warnings:
        told = "".join(f"<li>{escape(warning)}</li>" for warning in found.warnings)
        made.append(f"<p><b>Warnings</b></p><ul>{told}</ul>")
    rest = _table("", ("", "", ""), _assumed(found), "lll")
    made.append(f"<details><summary><b>Assumed</b></summary>{rest}</details>")
    return _page(made)


def summary_html(summary: Mapping[str, float | int | str | None]) -> str:
    """Every metric with its unit and definition, a table each group."""
    groups = dict.fromkeys(metric.group for metric in METRICS)
    return _page(
        _table(
            group.capitalize(),
            ("metric", "value", "unit", "definition"),
            (
                (m.name, _value(summary[m.name], m.unit), m.unit, m.definition)
                for m in METRICS
                if m.group == group and m.name in summary
            ),
            "lrll",
        )
        for group in groups
    )


def _page(parts: Iterable[str]) -> str:
    return "<div>\n{}\n</div>".format("\n".join(parts))


def _value(value: float | str | None, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or "n/a"
    return plain(value) if unit == "USD" else f"{value:,.6g}"


def _table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]], sides: str) -> str:
    """A table of texts, each column set to the left or to the right."""
    names = "".join(_cells("th", head, sides))
    caption = f"<caption><b>{escape(title)}</b></caption>" if title else ""
    top = f"<thead><tr>{names}</tr></thead>" if any(head) else ""
    body = "\n".join(f"<tr>{''.join(_cells('td', row, sides))}</tr>" for row in rows)
    return f"{_TABLE}{caption}{top}<tbody>\n{body}\n</tbody></table>"


def _cells(tag: str, texts: Iterable[str], sides: str) -> Iterator[str]:
    for text, side in zip(texts, sides, strict=True):
        yield f'<{tag} style="text-align: {_SIDES[side]}">{escape(text)}</{tag}>'


# --------------------------------------------------------------------------- attribution


def _attribution(found: Found) -> str:
    causes, net = attribution(found)
    largest = max((abs(cause.usd) for cause in causes), default=0.0)
    head = "".join(_cells("th", ("", "USD", "of capital"), "lrr"))
    rows = "\n".join(
        f"<tr>{''.join(_cells('td', _money(cause), 'lrr'))}{_bar(cause.usd / largest)}</tr>"
        for cause in causes
    )
    total = "".join(_cells("th", _money(net), "lrr"))
    return (
        f"{_TABLE}<caption><b>Where it came from</b></caption>"
        f"<thead><tr>{head}<th></th></tr></thead>"
        f"<tbody>\n{rows}\n<tr>{total}<td></td></tr>\n</tbody></table>"
    )


def _money(cause: Cause) -> tuple[str, str, str]:
    return cause.name, f"{cause.usd:,.2f}", f"{cause.of_capital:.2%}"


def _bar(share: float) -> str:
    """A bar to the right of its axis for what was earned, to the left for what was lost."""
    left = _HALF_EM * (1.0 + min(share, 0.0))
    bar = (
        f"margin-left: {left:.2f}em; width: {_HALF_EM * abs(share):.2f}em; height: 0.7em; "
        f"background: currentColor; opacity: {0.6 if share > 0.0 else 0.3}"
    )
    return f'<td style="min-width: {2 * _HALF_EM:g}em"><div style="{bar}"></div></td>'


def _assumed(found: Found) -> Iterator[tuple[str, str, str]]:
    yield from assumed(found)
    for scope, terms in assumed_terms(found):
        yield f"terms of {scope}", terms, ""
