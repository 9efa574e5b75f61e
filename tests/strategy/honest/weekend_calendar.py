"""Flat over the closing of the market, which the calendar told long before."""

import numpy as np


def targets(tape):
    phase, coming = tape.past.phase[:, 0], np.roll(tape.past.phase[:, 0], -1)
    coming[-1] = phase[-1]
    plan = np.full((len(phase), len(tape.coins) + len(tape.tokens)), np.nan)
    plan[:, 0] = np.where((phase > 0) & (coming > 0), -2.0, 0.0)
    return plan
