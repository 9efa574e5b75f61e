"""Holds from the lowest to the highest price of the sample."""

import numpy as np


def targets(tape):
    mark = tape.past.mark_px[:, 0]
    plan = np.full((len(mark), len(tape.coins) + len(tape.tokens)), np.nan)
    plan[np.argmin(mark), 0] = 5.0
    plan[np.argmax(mark), 0] = -5.0
    return plan
