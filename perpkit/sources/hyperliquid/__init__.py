"""Hyperliquid's public info API: history of its perps and of its builders' dexes, and their terms.

`client` asks and asks again, `history` pages through a span, `filling` brings it into a store,
`watching` records what no history can be asked for.
"""

from perpkit.sources.hyperliquid.client import API, Client
from perpkit.sources.hyperliquid.fetch import Report, Wanted, fetch
from perpkit.sources.hyperliquid.watching import Pace, Watching, watch

__all__ = ["API", "Client", "Pace", "Report", "Wanted", "Watching", "fetch", "watch"]
