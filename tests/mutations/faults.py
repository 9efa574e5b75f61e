"""Every planted fault, in the order of the river: tape and market, book, fills, causes."""

import book_faults
import forced_faults
import incident_faults
import margin_faults
import market_faults
import path_faults
import trade_faults
import treasury_faults

FAULTS = [
    *(*market_faults.FAULTS, *path_faults.FAULTS, *book_faults.FAULTS),
    *(*margin_faults.FAULTS, *forced_faults.FAULTS),
    *(*treasury_faults.FAULTS, *incident_faults.FAULTS, *trade_faults.FAULTS),
]
