"""Two processes that write to one folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from perpkit.dataset.lock import Busy
from perpkit.dataset.store import Store
from perpkit.sources.hyperliquid.commit import committing


def pauses_until(told: int, other: ExitStack) -> tuple[list[float], object]:
    """Pauses that are taken, the other writer ending in one of them."""
    taken: list[float] = []

    def pause(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == told:
            other.close()

    return taken, pause


@pytest.mark.parametrize("patience", [300, None])
def test_a_writer_waits_for_another_to_end(tmp_path: Path, patience: int | None) -> None:
    with ExitStack() as other:
        other.enter_context(Store(tmp_path / "d").writer())
        taken, pause = pauses_until(7, other)
        with committing(Store(tmp_path / "d"), patience=patience, sleep=pause):
            assert len(taken) == 7


def test_patience_ends_but_for_what_cannot_be_had_again(tmp_path: Path) -> None:
    with ExitStack() as other:
        other.enter_context(Store(tmp_path / "d").writer())
        taken, pause = pauses_until(1_000, other)
        with pytest.raises(Busy), committing(Store(tmp_path / "d"), sleep=pause):
            pass
        assert len(taken) == 300
        with committing(Store(tmp_path / "d"), patience=None, sleep=pause):
            assert len(taken) == 1_000
