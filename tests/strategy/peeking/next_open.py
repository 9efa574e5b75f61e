"""Trades on the next hour's price, found behind the array that it is given."""


def decide(t, past, book, p, mine, target):
    whole = past.mark_px.base
    if t + 1 < len(whole):
        target.perps[0] = 1.0 if whole[t + 1, 0] > whole[t, 0] else -1.0
