"""A dataset: a folder with ``dataset.toml`` and Parquet tables, read and checked.

What stands in a file is checked here, whole and before any span is cut out of it. What needs more
than the file (gaps, settlement times, terms of a venue) is the tape's and the rulebook's business.
"""

from perpkit.dataset.description import PerpMeta, TokenMeta
from perpkit.dataset.reader import Dataset, prices_of, read_dataset, read_settlements

__all__ = ["Dataset", "PerpMeta", "TokenMeta", "prices_of", "read_dataset", "read_settlements"]
