"""Strategies: one plain Python file each, reached through one door.

>>> from perpkit.strategy import field, rule
"""

from __future__ import annotations

from perpkit.rule import rule
from perpkit.strategy.params import field

__all__ = ["field", "rule"]
