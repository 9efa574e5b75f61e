"""Hold nothing: what the capital earns while no strategy uses it.

Every other result is to be set against this one. The wallet's cash earns nothing by itself; with
`sweep_token` it lies in a T-bill token, with `collateral` a margin account is of one too.
"""


def decide(t, past, book, p, mine, target):
    return
