"""Waits for its turn at a store, so that a fetch and a watch of one folder get along."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from perpkit.dataset.lock import Busy
from perpkit.dataset.store import Store
from perpkit.dataset.writer import Writer

_PAUSE_S: Final = 0.1
_PATIENCE: Final = 300  # pauses; a commit takes a small part of a second


@contextmanager
def committing(
    store: Store, *, replace: bool = False, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Writer]:
    """Open the writer of a store, waiting while another process has it.

    Raises
    ------
    RequestError
        If the other one does not end within half a minute, or the folder cannot be written.
    DataError
        As `Store.writer`.
    """
    with ExitStack() as stack:
        for again in range(_PATIENCE, -1, -1):
            try:
                writer = stack.enter_context(store.writer(replace=replace))
                break
            except Busy:
                if not again:
                    raise
                sleep(_PAUSE_S)
        yield writer
