"""Lines of a table on standard output, at most 100 columns; plain where it is no terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100


class Lines:
    """Prints lines as they are, with styles where standard output is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        plain = None if os.environ.get("NO_COLOR") else "auto"
        self._console = Console(highlight=False, color_system=plain)  # type: ignore[arg-type]

    @property
    def drawn(self) -> bool:
        """Whether characters beyond ASCII are welcome: standard output surely shows them."""
        from perpkit.report.spark import BLOCKS, marks_for

        return marks_for(sys.stdout) == BLOCKS

    def say(self, text: str = "", style: str = "") -> None:
        """Print one line as it is."""
        self._console.print(text, style=style or None, soft_wrap=True, markup=False)

    def wrap(self, bullet: str, text: str, style: str = "") -> None:
        """Print a text under a bullet, its further lines indented as far."""
        for n, line in enumerate(textwrap.wrap(text, WIDTH - len(bullet)) or [""]):
            self.say((bullet if n == 0 else " " * len(bullet)) + line, style)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
        """Print columns as wide as they need, the first `left` of them flush left."""
        body = [tuple(row) for row in rows]
        wide = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        for n, row in enumerate((tuple(head), *body)):
            cells = [
                f"{cell:<{w}}" if i < left else f"{cell:>{w}}"
                for i, (cell, w) in enumerate(zip(row, wide, strict=True))
            ]
            self.say(f"  {'  '.join(cells)}".rstrip(), "dim" if n == 0 else "")
