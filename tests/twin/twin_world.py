"""A world with everything it leaves out: a feature that is not told is off."""

SETTINGS = {
    "margin_paths": "own_worst",
    "sweep_at_ratio": 0.0,
    "sweep_min_usd": 0.0,
    "sweep_token": None,
    "wallet_cash_usd": 0.0,
    "redeem": False,
    "delever": False,
    "borrow_apr": 0.0,
    "mirror_hours": 0,
    "seize_cost_frac": 0.0,
    "adl_shock_frac": None,
    "adl_index": 0.0,
    "impact_coefficient": 0.0,
    "max_volume_frac": None,
    "locked_counts": False,
    "max_pool_frac": 0.5,
}
PLEDGE = {"units": 0.0, "haircut": 0.0, "initial_haircut": 0.0, "mirrored": False}


def whole(world):
    """The same world, and nothing in it left to be looked up in vain."""
    hours, accounts = world["hours"], len(world["cash"])
    never = [False] * hours
    tokens = whole_tokens(world["tokens"], hours)
    return dict(world) | {
        "may_be_late": any(x["mint_rows"] or x["settle_rows"] for x in tokens),
        "settings": SETTINGS | world["settings"],
        "parent": world.get("parent") or [None] * accounts,
        "strict": world.get("strict") or [False] * accounts,
        "shocks": world.get("shocks") or [],
        "portfolio": world.get("portfolio"),
        "actions": world.get("actions") or [],
        "cash_px": world.get("cash_px") or [[1.0] * hours for _ in range(accounts)],
        "collateral": {place: PLEDGE | told for place, told in world.get("collateral", {}).items()},
        "perps": [{"capped": never, "volume": [None] * hours} | perp for perp in world["perps"]],
        "tokens": tokens,
    }


def whole_tokens(tokens, hours):
    never = [False] * hours
    off = {"accrues": False, "payday": never, "redeemable": never, "redeem_hours": None}
    off |= {"redeem_fee_frac": 0.0, "redeem_min_usd": 0.0}
    off |= {"lock": [None] * hours}  # or "receive", "sell", "issuer", "all"
    off |= {"ways": ("quote",), "friction": 0.0, "liquidity": [None] * hours}
    off |= {"mint_rows": None, "buyback_rows": None, "mint_fee_frac": 0.0, "mint_min_usd": 0.0}
    off |= {"inventory": None, "settle_rows": None, "settle_unwinds": None, "settle_costs": None}
    off |= {"redeem_costs": None}
    return [off | token for token in tokens]


def terms_of(world, t, m):
    return world["terms"][world["era"][t]][m]


def pledge_of(world, a, k):
    """The terms on which a token is pledged in an account."""
    return world["collateral"].get((a, k), PLEDGE)


def portfolio_of(world, a):
    """The terms of portfolio margin of an account; ``None`` where it has none."""
    is_venue = a > 0 and world["parent"][a] is None
    return world["portfolio"] if is_venue else None


def margin_accounts(world):
    return range(1, len(world["cash"]))


def payer_of(world, m):
    """The account whose free margin an increase of a perp takes."""
    account = world["perps"][m]["account"]
    parent = world["parent"][account]
    return account if parent is None else parent


def rows_of(world, a):
    """Isolated positions' accounts below a venue's."""
    return [b for b in margin_accounts(world) if world["parent"][b] == a]


def units_since(world, t, instrument):
    """How many units of this row one of the row before has become."""
    made = 1.0
    for action in world["actions"]:
        if (action["row"], action["instrument"]) == (t, instrument) and action["kind"] != "DEBIT":
            made *= action["value"]
    return made


def known(px, other):
    return other if px is None else px


# What the holder may not do with a token under each lock; nobody moves it under the last.
LOCKS = {
    None: (),
    "receive": ("buy",),
    "sell": ("buy", "sell"),
    "issuer": ("buy", "sell", "redeem"),
    "all": ("buy", "sell", "redeem", "seize"),
}


def is_locked(world, t, k, what):
    """Whether a lock of the hour forbids to buy, sell, redeem or seize a token."""
    return what in LOCKS[world["tokens"][k]["lock"][t]]
