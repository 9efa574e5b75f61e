"""The twin alone against cases worked by hand: what proves the package must itself be right."""

import pytest
import twin_book
from test_twin_cases import HOURS, perp_of, terms, token_of, world_of
from twin_margin import end_prices, liquidation_price, requirement, slack
from twin_world import whole


def told(world, name, *columns):
    """What the twin wrote down, some columns of it."""
    return [tuple(row[c] for c in columns) for row in twin_book.play(world)[name]]


def holding(position, cash, rules, **prices):
    """A world and its book with one position entered at 200."""
    world = whole(world_of([perp_of(200.0, **prices)], [], [], terms=[rules]))
    book = twin_book.start(world)
    book["position"][0], book["entry"][0], book["cash"][1] = position, 200.0, cash
    return world, book


# facts/hyperliquid.md 4.2: entry = price = 200, size 10.
TABLE = [
    (10, 20, 1, 184.6154, 183.0508, 180.0),
    (20, 20, 1, 194.8718, 193.2203, 190.0),
    (10, 10, 1, 189.4737, 186.2069, 180.0),
    (5, 10, 1, 168.4211, 165.5172, 160.0),
    (10, 20, -1, 214.6341, 216.3934, 220.0),
    (20, 20, -1, 204.8780, 206.5574, 210.0),
    (10, 10, -1, 209.5238, 212.9032, 220.0),
    (5, 10, -1, 228.5714, 232.2581, 240.0),
]


@pytest.mark.parametrize(("leverage", "most", "side", "liquidated", "taken", "bankrupt"), TABLE)
def test_liquidation_table(leverage, most, side, liquidated, taken, bankrupt):
    rules = terms(maintenance_frac=0.5 / most, backstop_frac=2 / 3)
    far = [200.0, 200.0 - 100.0 * side, *[200.0] * 4]
    prices = {"low": far} if side > 0 else {"high": far}
    world, book = holding(10.0 * side, 2000.0 / leverage, rules, **prices)
    assert liquidation_price(world, book, 0, 0) == pytest.approx(liquidated, abs=5e-5)
    broke = {"perps": {0: bankrupt}, "tokens": {}}
    assert slack(world, book, 0, 1, broke, 0.0) == pytest.approx(0.0, abs=1e-9)
    twin_book.margin_test(world, book, 1)
    (fill,) = book["fills"]
    assert fill["reason"] == "BACKSTOP"
    assert fill["px"] == pytest.approx(taken, abs=5e-5)
    assert book["cash"][1] == 0.0


def test_two_hundred_million_of_btc_asks_for_3_125_million():
    # 40x to $150m, then 20x: 200m * 2.5% - 1.875m.
    rules = terms(maintenance_frac=0.0125, tiers=[(150e6, 0.05, 0.025)])
    assert requirement(rules, "maintenance", 200e6) == pytest.approx(3.125e6, abs=0.005)
    assert requirement(rules, "maintenance", 150e6) == pytest.approx(1.875e6, abs=0.005)


@pytest.mark.parametrize(
    ("low", "kept", "reasons"),
    [
        # 4,000 left; 1,000 units at 194 ask for 4,850, 800 of them for 3,880.
        (194.0, 800.0, ["PARTIAL"]),
        # 3,000 left; 800 units at 193 ask for 3,860.
        (193.0, 0.0, ["PARTIAL", "LIQUIDATION"]),
    ],
)
def test_a_fifth_of_a_large_position_goes_first(low, kept, reasons):
    rules = terms(maintenance_frac=0.025, partial_frac=0.2, partial_above_usd=1e5)
    world, book = holding(1000.0, 10000.0, rules, low=[200.0, low, *[200.0] * 4])
    twin_book.margin_test(world, book, 1)
    assert book["position"] == [kept]
    assert [event["kind"] for event in book["events"]] == reasons
    assert [fill["px"] for fill in book["fills"]] == [low] * len(reasons)


def test_at_the_trigger_the_rest_closes_where_it_fails_anew():
    # 800 left at the first trigger; after 200 units less the account fails again further on.
    rules = terms(maintenance_frac=0.025, partial_frac=0.2, partial_above_usd=1e5)
    world, book = holding(1000.0, 10000.0, rules, low=[200.0, 150.0, *[200.0] * 4])
    world["settings"]["liq_fill"] = "trigger"
    twin_book.margin_test(world, book, 1)
    first, second = (fill["px"] for fill in book["fills"])
    # 10,000 + 1,000 (p - 200) = 25 p, then 10,000 + 200 (p1 - 200) + 800 (p - 200) = 20 p.
    assert first == pytest.approx(190_000 / 975)
    assert second == pytest.approx((190_000 - 200 * first) / 780)


def test_joint_ends_move_all_prices_one_way():
    # A long and a short of the same size lose at their own worst, and nothing where both rise.
    perps = [perp_of(10.0, low=[8.0] * HOURS, high=[12.0] * HOURS) for _ in range(2)]
    world = whole(world_of(perps, [], [], margin_paths="joint"))
    book = twin_book.start(world)
    book["position"], book["entry"] = [10.0, -10.0], [10.0, 10.0]
    end = end_prices(world, book, 1, 1)
    assert end["perps"] == {0: 12.0, 1: 12.0}  # asks for more margin than 8 does
    world["settings"]["margin_paths"] = "own_worst"
    assert end_prices(world, book, 1, 1)["perps"] == {0: 8.0, 1: 12.0}


# ------------------------------------------------------------------ auto-deleveraging


@pytest.mark.parametrize(
    ("target", "mark", "extreme", "index"),
    [
        # 100 / 80 of profit times 800 of notional over 1,200 of value.
        (-10.0, 80.0, {"low": 70.0}, 100 / 80 * 800 / 1200),
        # 125 / 100 times 1,250 over 1,250.
        (10.0, 125.0, {"high": 140.0}, 1.25),
    ],
)
def test_adl_reaches_who_is_profitable_and_levered_enough(target, mark, extreme, index):
    px = [100.0, 100.0, mark, *[mark] * 3]
    perp = perp_of(100.0, mark=px, mid=px, oracle=px, high=list(px), low=list(px))
    ((name, far),) = extreme.items()
    perp[name][3] = far
    for least, closed in ((index - 1e-9, [("ADL", -target, mark)]), (index + 1e-9, [])):
        world = world_of([perp], [], [[target]], adl_shock_frac=0.1, adl_index=least)
        fills = told(world, "fills", "reason", "size", "px")
        assert fills[1:] == closed


def test_a_record_of_adl_closes_its_share_of_any_position():
    shock = {"row": 2, "kind": "ADL", "instrument": 0, "account": None, "value": 0.25}
    world = world_of([perp_of(100.0)], [], [[-10.0]]) | {"shocks": [shock]}
    assert told(world, "fills", "reason", "size", "px")[1:] == [("ADL", 2.0, 100.0)]


# ------------------------------------------------------------------ collateral and treasury


def test_pledged_tokens_are_seized_at_what_they_bring():
    # Closed at 125 the account owes 240; tokens of 1 USD sell for 0.9, whatever their haircut.
    perp = perp_of(100.0, high=[100.0, 100.0, 125.0, *[100.0] * 3])
    pledge = {(1, 0): {"units": 300.0, "haircut": 0.3, "initial_haircut": 0.3}}
    world = world_of([perp], [token_of(1.0)], [[-10.0, None]])
    world |= {"cash": [0.0, 10.0], "collateral": pledge}
    world["settings"]["seize_cost_frac"] = 0.1
    fills = told(world, "fills", "reason", "size", "px")
    assert fills[1:] == [("LIQUIDATION", 10.0, 125.0), ("SEIZED", pytest.approx(-240 / 0.9), 0.9)]
    last = twin_book.play(world)["hours"][-1]
    assert last["pledged"][1][0] == pytest.approx(300 - 240 / 0.9)
    assert last["cash"] == [0.0, 0.0]


def test_cash_owed_on_mirrored_collateral_is_called_in_time():
    # 40 are owed from hour 3 on: a loss of 50 realised, 10 of cash. Two hours are allowed.
    px = [100.0, 100.0, 105.0, 105.0, 105.0, 105.0]
    perp = perp_of(100.0, mark=px, mid=px, oracle=px, high=px, low=px)
    pledge = {(1, 0): {"units": 300.0, "mirrored": True}}
    world = world_of([perp], [token_of(1.0)], [[-10.0, None], [None] * 2, [0.0, None]])
    world |= {"cash": [0.0, 10.0], "collateral": pledge}
    world["settings"]["mirror_hours"] = 1
    owed = [event for event in told(world, "events", "row", "kind") if event[1] == "OWED"]
    assert owed == [(5, "OWED")]
    assert told(world, "fills", "row", "reason", "size")[-1] == (5, "SEIZED", pytest.approx(-40.0))


def test_a_call_waits_for_the_issuers_hours():
    px = [100.0, 100.0, *[105.0] * 4]
    perp = perp_of(100.0, mark=px, mid=px, oracle=px, high=px, low=px)
    issuer = {"kind": "treasury", "nav": [1.0] * HOURS, "redeem_hours": 1}
    issuer["redeemable"] = [True, False, False, True, True, True]
    world = world_of([perp], [token_of(1.0, **issuer)], [[-10.0, None]], sweep_token=0)
    world["settings"] |= {"redeem": True, "topup_at_ratio": 0.8, "topup_to_ratio": 0.5}
    world["cash"] = [1000.0, 110.0]
    events = told(world, "events", "row", "kind")
    assert events == [
        (0, "SWEPT"),
        # 60 of value against 52.5 asked for: 45 wanted, and the wallet is all in the token.
        (2, "TRANSFER_REFUSED"),
        (2, "REDEEM_REFUSED"),
        (3, "REDEEM_SENT"),
        (4, "REDEEM_PAID"),
        (4, "TRANSFER_SENT"),
        (5, "TRANSFER_ARRIVED"),
    ]
    hours = twin_book.play(world)["hours"]
    assert [hour["cash"][1] for hour in hours] == [110.0] * 5 + [155.0]
    assert [hour["units"][0] for hour in hours] == [1000.0] * 3 + [955.0] * 3


def test_a_failed_venue_keeps_its_share_and_settles_at_mark():
    px = [100.0, 100.0, *[95.0] * 4]
    perp = perp_of(100.0, mark=px, mid=px, oracle=px, high=px, low=px)
    pledges = {(1, 0): {"units": 50.0}, (1, 1): {"units": 70.0, "mirrored": True}}
    world = world_of([perp], [token_of(1.0), token_of(1.0)], [[-10.0, None, None]] * 4)
    shock = {"row": 2, "kind": "VENUE_FAILURE", "instrument": None, "account": 1, "value": 0.6}
    world |= {"cash": [1000.0, 110.0], "collateral": pledges, "shocks": [shock]}
    assert told(world, "fills", "row", "reason", "size", "px")[1:] == [
        (2, "SHOCK", 10.0, 95.0),
        (2, "SHOCK", -30.0, 0.0),
    ]
    assert told(world, "payments", "flow", "account", "usd")[-1] == ("VENUE_LOSS", 1, -96.0)
    for hour in twin_book.play(world)["hours"][2:]:
        assert hour["cash"] == [1000.0, 64.0]
        assert hour["units"] == [20.0, 70.0]
        assert hour["pledged"] == [[0.0, 0.0], [0.0, 0.0]]
        assert hour["equity"] == pytest.approx(1000.0 + 64.0 + 90.0)


def test_delevering_cuts_both_legs_by_what_margin_is_short_of():
    px = [100.0, 100.0, *[106.0] * 4]
    perp = perp_of(100.0, token=0, mark=px, mid=px, oracle=px, high=px, low=px)
    token = token_of(100.0, perp=0, fair=px, bid=px, ask=px)
    rules = [terms(maintenance_frac=0.03)]
    world = world_of([perp], [token], [[-10.0, 10.0]], delever=True, terms=rules)
    world["settings"] |= {"topup_at_ratio": 0.7, "topup_to_ratio": 0.5}
    world["cash"] = [1000.0, 100.0]
    # 31.8 asked for at 106 and 40 there: a share of 1 - 40 * 0.5 / 31.8 = 0.371 goes, whole lots.
    fills = told(world, "fills", "row", "reason", "size", "px")
    assert [fill for fill in fills if fill[1] == "DELEVERED"] == [
        (2, "DELEVERED", 3.0, 106.0),
        (2, "DELEVERED", pytest.approx(-3.0), 106.0),
    ]


def test_an_isolated_position_takes_its_margin_and_gives_it_back_pro_rata():
    world = world_of([perp_of(100.0, account=2)], [], [[-10.0], [None], [-4.0], [0.0]])
    world |= {"cash": [0.0, 300.0, 0.0], "parent": [None, None, 1]}
    world["strict"] = [False, False, True]
    hours = twin_book.play(world)["hours"]
    assert [hour["cash"][1:] for hour in hours] == [
        [300.0, 0.0],
        [200.0, 100.0],
        [200.0, 100.0],
        [pytest.approx(260.0), pytest.approx(40.0)],
        [300.0, 0.0],
        [300.0, 0.0],
    ]


def test_a_depeg_takes_its_toll_of_all_that_an_account_holds():
    world = world_of([perp_of(100.0)], [], [[-10.0]])
    world["cash_px"] = [[1.0] * HOURS, [1.0, 1.0, 0.9, 0.9, 0.9, 0.9]]
    hours = twin_book.play(world)["hours"]
    assert [hour["equity"] for hour in hours] == [2000.0] * 2 + [1900.0] * 4
    assert hours[2]["causes"][1, None, "token_price"] == pytest.approx(-100.0)
