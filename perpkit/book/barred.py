"""How far a token is kept from moving, by whom it is moved."""

from __future__ import annotations

from perpkit.arrays import Lock, Tokens
from perpkit.rule import rule

RECEIVE = int(Lock.RECEIVE)
SELL = int(Lock.SELL)
ISSUER = int(Lock.ISSUER)
ALL = int(Lock.ALL)


@rule
def lock_of(k: int, tokens: Tokens) -> int:
    """Code of the lock on a token in this hour."""
    return int(tokens.lock[k]) if k < tokens.lock.shape[0] else 0


@rule
def is_barred(k: int, size: float, tokens: Tokens) -> bool:
    """Whether a lock keeps the holder from buying (size above 0) or selling a token in a market."""
    lock = lock_of(k, tokens)
    return bool(lock >= SELL or (lock >= RECEIVE and size > 0.0))


@rule
def is_barred_at_issuer(k: int, size: float, tokens: Tokens) -> bool:
    """Whether a lock keeps the holder from having a token of its issuer, or giving it back."""
    lock = lock_of(k, tokens)
    return bool(lock >= ISSUER or (lock >= RECEIVE and size > 0.0))


@rule
def is_stuck(k: int, tokens: Tokens) -> bool:
    """Whether nobody may move a token, a venue that it is pledged at neither."""
    return bool(lock_of(k, tokens) >= ALL)
