"""Waits for its turn at a store, so that a fetch and a watch of one folder get along."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Final

from perpkit.dataset.lock import Busy
from perpkit.dataset.store import Store
from perpkit.dataset.writer import Writer

_PAUSE_S: Final = 0.1
_PATIENCE: Final = 300  # pauses; a commit takes a small part of a second


@contextmanager
def committing(
    store: Store,
    *,
    replace: bool = False,
    patience: int | None = _PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Writer]:
    """Open the writer of a store, waiting while another process has it.

    Parameters
    ----------
    store : to write to
    replace : as `Store.writer`
    patience : pauses of a tenth of a second to wait; None: as long as it takes, for what nobody
        can ask for a second time

    Raises
    ------
    RequestError
        If the other one does not end within `patience`, or the folder cannot be written.
    DataError
        As `Store.writer`.
    """
    with ExitStack() as stack:
        for waited in count():
            try:
                writer = stack.enter_context(store.writer(replace=replace))
                break
            except Busy:
                if waited == patience:
                    raise
                sleep(_PAUSE_S)
        yield writer
