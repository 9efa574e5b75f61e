"""Short while the rate that has just settled is high."""


def decide(t, past, book, p, mine, target):
    for m in range(len(book.perps)):
        rate = past.funding[-1, m]
        if rate > 0.00002:
            target.perps[m] = -1.0
        elif rate < 0.0:
            target.perps[m] = 0.0
