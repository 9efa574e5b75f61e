"""Every planted fault, in the order of the river: tape and market, book, fills, causes."""

import book_faults
import market_faults
import path_faults
import trade_faults

FAULTS = [*market_faults.FAULTS, *path_faults.FAULTS, *book_faults.FAULTS, *trade_faults.FAULTS]
