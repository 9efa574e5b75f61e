"""Every planted fault: tape and market, book, fills, causes, and how trades settle."""

import action_faults
import book_faults
import calm_faults
import forced_faults
import incident_faults
import lock_faults
import margin_faults
import market_faults
import offer_faults
import path_faults
import settlement_faults
import trade_faults
import treasury_faults
import way_faults

FAULTS = [
    *(*market_faults.FAULTS, *path_faults.FAULTS, *book_faults.FAULTS),
    *(*margin_faults.FAULTS, *forced_faults.FAULTS),
    *(*treasury_faults.FAULTS, *incident_faults.FAULTS, *lock_faults.FAULTS, *trade_faults.FAULTS),
    *(*settlement_faults.FAULTS, *action_faults.FAULTS, *way_faults.FAULTS, *calm_faults.FAULTS),
    *offer_faults.FAULTS,
]
