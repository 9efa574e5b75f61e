"""Trades the slope of a smoothed price: the smoothing is of the whole series at once."""

import numpy as np


def targets(tape):
    mark = tape.past.mark_px[:, 0]
    waves = np.fft.rfft(mark)
    waves[12:] = 0.0
    smooth = np.fft.irfft(waves, len(mark))
    plan = np.full((len(mark), len(tape.coins) + len(tape.tokens)), np.nan)
    plan[1:, 0] = np.where(np.diff(smooth) > 0.0, 2.0, -2.0)
    return plan
