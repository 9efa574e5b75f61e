"""The account side of the hour: fills, funding, margin, liquidation, transfers, the ledger row."""
