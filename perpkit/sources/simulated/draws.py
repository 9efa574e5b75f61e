"""Random streams: one a purpose and a stock, so that none depends on what else is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final
from zlib import crc32

import numpy as np

from perpkit.arrays import F64


class Draw(IntEnum):
    """What a stream is for; numbers stay as they are, for files to stay as they are."""

    OPEN = 1
    NEWS = 2
    EARNINGS = 3
    CLOSED = 4
    CLOSED_NEWS = 5
    MISSED = 6
    VOLATILITY = 7
    LEAN = 8
    REGIME = 9
    NOISE = 10
    SPIKES = 11
    IMPACT = 12
    VOLUME = 13
    INTEREST = 14
    QUOTE = 15
    WIDTH = 16
    DEPTH = 17
    HALTS = 18
    BILLS = 19
    CHARACTER = 20
    ACTIONS = 21
    NEWS_SIZE = 22
    CLOSED_NEWS_SIZE = 23


MARKET: Final = ""  # the stream that all stocks share


def stream(seed: int, draw: Draw, name: str = MARKET) -> np.random.Generator:
    """The random stream of one purpose and one stock, or perp.

    >>> one = stream(7, Draw.OPEN, "NVDA").standard_normal(2)
    >>> bool((one == stream(7, Draw.OPEN, "NVDA").standard_normal(3)[:2]).all())
    True
    """
    entropy = [seed, int(draw), crc32(name.encode())]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def normals(seed: int, draw: Draw, names: Sequence[str], rows: int) -> F64:
    """Standard normals, (rows, names)."""
    made = [stream(seed, draw, name).standard_normal(rows) for name in names]
    return np.stack(made, axis=1)


def uniforms(seed: int, draw: Draw, names: Sequence[str], rows: int) -> F64:
    """Uniforms in [0, 1), (rows, names)."""
    return np.stack([stream(seed, draw, name).random(rows) for name in names], axis=1)


def leaky(pulses: F64, keep: F64 | float) -> F64:
    """Each row's pulse and what is kept of the row before; (T, S).

    >>> leaky(np.array([[1.0], [0.0], [1.0]]), 0.5).ravel()
    array([1.  , 0.5 , 1.25])
    """
    out = np.empty_like(pulses)
    level = np.zeros(pulses.shape[1])
    for t in range(len(pulses)):
        level = level * keep + pulses[t]
        out[t] = level
    return out


def wandering(normal: F64, phi: float) -> F64:
    """AR(1) of unit variance from unit noise, from the first row on; (T, S)."""
    pulses = normal * (1.0 - phi * phi) ** 0.5
    pulses[0] = normal[0]
    return leaky(pulses, phi)
