"""Enters at a quantile of the funding of all hours, those to come included."""

import numpy as np


class Params:
    share: float = 0.8


def targets(tape, p):
    rate = np.nan_to_num(tape.past.funding)
    high = np.quantile(rate, min(max(p.share, 0.0), 1.0), axis=0)
    plan = np.full((len(rate), len(tape.coins) + len(tape.tokens)), np.nan)
    plan[:, : len(tape.coins)] = np.where(rate > high, -1.0, 0.0)
    return plan
