"""What the package's book wrote down, as the plain dicts of the twin."""

import math

import numpy as np

from perpkit.arrays import Event, Flow, Reason


def plain(value):
    """NaN becomes ``None``."""
    return None if math.isnan(value) else float(value)


def hour_of(played, t):
    """One row of the package's ledger in the twin's words."""
    rows = played.rows
    return {
        "position": rows.position[t].tolist(),
        "units": rows.units[t].tolist(),
        "pledged": rows.pledged[t].tolist(),
        "cash": rows.cash_usd[t].tolist(),
        "under_way": rows.transit_usd[t].tolist(),
        "value": rows.value_usd[t].tolist(),
        "initial": rows.initial_usd[t].tolist(),
        "maintenance": rows.maintenance_usd[t].tolist(),
        "liquidation": [plain(x) for x in rows.liquidation_px[t]],
        "equity": float(rows.equity_usd[t]),
    }


def records(array, codes):
    """Records as dicts, codes by name and -1 as ``None``."""
    made = []
    for record in array:
        row = {name: record[name].item() for name in array.dtype.names}
        for name in ("instrument", "account", "decided"):
            if row.get(name) == -1:
                row[name] = None
        for name, code in codes.items():
            row[name] = code(row[name]).name
        made.append(row)
    return made


def fills_of(played):
    made = records(played.fills, {"reason": Reason})
    for row in made:
        row["fee"] = row.pop("fee_usd")
    return made


def payments_of(market, played):
    """All payments; funding is kept apart, a column a perp."""
    made = records(played.payments, {"flow": Flow})
    position, tape = played.rows.position, market.tape
    held = np.vstack([np.zeros_like(position[:1]), position[:-1]])
    for fill in played.fills[played.fills["reason"] == Reason.SHOCK]:
        if fill["instrument"] < held.shape[1]:  # settled before funding
            held[fill["row"], fill["instrument"]] = 0.0
    for fill in played.fills[played.fills["reason"] == Reason.ACTION]:
        if fill["instrument"] < held.shape[1]:  # and so are splits
            place, was = (fill["row"], fill["instrument"]), held[fill["row"], fill["instrument"]]
            held[place] = 0.0 if abs(was + fill["size"]) < 1e-12 else was + fill["size"]
    for row, m in np.argwhere((held != 0.0) & tape.due & ~np.isnan(tape.funding)):
        made.append(
            {
                "row": int(row),
                "flow": "FUNDING",
                "instrument": int(m),
                "account": int(market.names.perp_account[m]),
                "quantity": float(held[row, m]),
                "rate": float(tape.funding[row, m]),
                "usd": float(played.rows.funding_usd[row, m]),
            }
        )
    return made


def events_of(played):
    return records(played.events, {"kind": Event})
