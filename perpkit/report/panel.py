"""What a panel of the report is made of; how it looks is the page's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from perpkit.report.reading import Run


class Column(NamedTuple):
    """A column of a table."""

    name: str
    unit: str = ""
    number: bool = False  # set to the right, and sorted by its key
    about: str = ""  # what it is, where the name does not say it
    wide: bool = False  # holds sentences, and takes the room that the others leave


class Cell(NamedTuple):
    """A number of a table: how it is told, and what it is sorted by; None is sorted last."""

    text: str
    key: float | None


class Card(NamedTuple):
    """A number that leads."""

    label: str
    value: str
    note: str = ""
    tone: str = ""  # "gain", "loss", "warn" or none; always said by the value or the note too


@dataclass(frozen=True, slots=True)
class Cards:
    """Numbers that lead, side by side."""

    cards: Sequence[Card]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, sortable by each column.

    Attributes
    ----------
    columns : its columns
    rows : one text or :class:`Cell` a column
    caption : what it is
    shown : rows that are seen before the rest is asked for; 0: all
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Cell]]
    caption: str = ""
    shown: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, and what it is in words for who cannot see it.

    Attributes
    ----------
    figure : ``{"data": [...], "layout": {...}}`` of plotly.js, as :mod:`perpkit.report.chart` makes
        it. A colour is the name of a role (``"@1"`` to ``"@8"``, ``"@gain"``, ``"@loss"``,
        ``"@warn"``, ``"@ink"``, ``"@muted"``, ``"@grid"``, ``"@shade"``), which the page turns into
        that of its theme; ``"@1/0.3"`` is 0.3 opaque.
    label : what it shows
    height : px
    linked : its x axis is the run's time, and zooms with those of the others
    note : how to read it, shown under it
    """

    figure: Mapping[str, Any]
    label: str
    height: int = 300
    linked: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Parts of which one is seen at a time, by the name that is chosen: a market, a token."""

    label: str
    parts: Mapping[str, Sequence[Chart | Table | Text]]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; escaped, as everything is."""

    text: str
    tone: str = ""  # "warn" or none


Part = Cards | Table | Chart | Choice | Text


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes
    ----------
    key : its anchor on the page, as ``equity``
    title : its heading
    parts : what is in it; none: ``empty`` says why
    lead : one sentence under the heading: what to see here
    empty : why there is nothing to show
    """

    key: str
    title: str
    parts: Sequence[Part] = ()
    lead: str = ""
    empty: str = ""

    def __post_init__(self) -> None:
        """A panel shows something or says why not."""
        if bool(self.parts) == bool(self.empty):
            raise ValueError(f"panel {self.key}: give it parts, or say why it is empty")


Make = Callable[[Run], Panel]  # one function a file in perpkit/report/panels
