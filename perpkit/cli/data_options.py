"""What the commands that ask a venue share: their options, and how they read them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perpkit.errors import RequestError

Coins = Annotated[str, typer.Option(help="Perps by name, with commas: xyz:NVDA,xyz:TSLA.")]
Out = Annotated[Path, typer.Option(help="Dataset folder; one that is there is added to.")]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", help="Another address of the API.", metavar="URL")
]


def coins_of(told: str) -> tuple[str, ...]:
    """Names of perps, each once, in their order.

    >>> coins_of("xyz:NVDA, xyz:TSLA,xyz:NVDA")
    ('xyz:NVDA', 'xyz:TSLA')
    """
    names = tuple(dict.fromkeys(name for part in told.split(",") if (name := part.strip())))
    if not names:
        raise RequestError("--coins names no perp; write --coins xyz:NVDA,xyz:TSLA")
    return names


def moment_ms(told: str, option: str) -> int:
    """An instant in milliseconds since 1970; without a zone it is UTC.

    >>> moment_ms("2025-11-12", "--from"), moment_ms("2025-11-12T05:00+01:00", "--from")
    (1762905600000, 1762920000000)
    """
    from datetime import datetime

    from perpkit.units import to_ns

    try:
        return to_ns(datetime.fromisoformat(told.strip())) // 1_000_000
    except (ValueError, OverflowError) as error:
        raise RequestError(
            f"{option} {told} is no date; write 2025-11-12 or 2025-11-12T05:00"
        ) from error
