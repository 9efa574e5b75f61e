"""Short in the hour before a high rate, which is known when it has settled and not before."""


def decide(t, past, book, p, mine, target):
    for m in range(len(book.perps)):
        target.perps[m] = -1.0 if past.funding[t + 1, m] > 0.00002 else 0.0
