"""Faults in how a dataset becomes a tape and how the market forms its prices and rates."""

from runner import Fault

FUNDING = [
    Fault(
        "the interest pulls the premium the wrong way",
        "market/funding.py",
        "clip(term.interest_8h - premium,",
        "clip(premium - term.interest_8h,",
    ),
    Fault(
        "the rate of eight hours is paid every hour",
        "market/funding.py",
        "clip(rate_8h / 8.0 * hours,",
        "clip(rate_8h * hours,",
    ),
    Fault(
        "an interval of eight hours settles the rate of one",
        "market/funding.py",
        "clip(rate_8h / 8.0 * hours,",
        "clip(rate_8h / 8.0,",
    ),
    Fault(
        "the multiplier scales the premium and not the interest",
        "market/funding.py",
        "rate_8h = multiplier * (premium + pull)",
        "rate_8h = multiplier * premium + pull",
    ),
    Fault(
        "the multiplier is applied twice",
        "market/funding.py",
        "return clip(rate_8h / 8.0",
        "return clip(term.funding_multiplier * rate_8h / 8.0",
    ),
    Fault(
        "a negative rate has no cap",
        "market/funding.py",
        "* hours, -term.cap_1h, term.cap_1h)",
        "* hours, -math.inf, term.cap_1h)",
    ),
    Fault(
        "the average premium takes in the hour before the interval",
        "market/funding.py",
        "range(max(t - hours + 1, 0), t + 1)",
        "range(max(t - hours, 0), t + 1)",
    ),
    Fault(
        "an hour before the listing counts as a premium of zero",
        "market/funding.py",
        "return total / count if count > 0",
        "return total / hours if count > 0",
    ),
    Fault(
        "the premium of the last hour stands for the interval",
        "market/loop.py",
        "mean_premium(t, m, tape.premium, hours)",
        "tape.premium[t, m]",
        "tests/market/test_intervals.py",
    ),
]

PRICES = [
    Fault(
        "so many steps down are added and not compounded",
        "market/steps.py",
        "base_px * (1.0 - frac) ** updates",
        "base_px * (1.0 - frac * updates)",
    ),
    Fault(
        "an hour is one update of the oracle",
        "market/oracle.py",
        "within_steps(path.told_px, base, term.step_frac, term.updates_per_hour)",
        "within_steps(path.told_px, base, term.step_frac, 1.0)",
    ),
    Fault(
        "the oracle steps from the mark where it should from itself",
        "market/oracle.py",
        "base = path.mark_px if term.step_on_mark == 1.0 else",
        "base = path.mark_px if term.step_on_mark == 0.0 else",
    ),
    Fault(
        "the mark steps from the oracle",
        "market/oracle.py",
        "within_steps(mid, path.mark_px,",
        "within_steps(mid, path.oracle_px,",
    ),
    Fault(
        "without a book the mark jumps to the external price",
        "market/oracle.py",
        "        mark = oracle\n",
        "        mark = path.told_px\n",
    ),
    Fault(
        "the mid is the impact bid",
        "market/oracle.py",
        "path.mid_px = 0.5 * (path.bid_px + path.ask_px)",
        "path.mid_px = path.bid_px",
    ),
    Fault(
        "the premium is over the mark",
        "market/premium.py",
        "return 0.5 * (bid_px + ask_px) / oracle_px - 1.0",
        "return 0.5 * (bid_px + ask_px) / mark_px - 1.0",
    ),
    Fault(
        "a discount is a premium",
        "market/premium.py",
        "- max(oracle_px - ask_px, 0.0)",
        "+ max(oracle_px - ask_px, 0.0)",
    ),
    Fault(
        "without a book the premium is upside down",
        "market/premium.py",
        "return mark_px / oracle_px - 1.0",
        "return oracle_px / mark_px - 1.0",
    ),
    Fault(
        "the updates after arrival are one too few",
        "market/premium.py",
        "sample * (updates - update + 1)",
        "sample * (updates - update)",
    ),
    Fault(
        "the hour's first update has not moved yet",
        "market/premium.py",
        "for update in range(1, updates + 1):",
        "for update in range(updates):",
    ),
    Fault(
        "a formed premium replaces the recorded one",
        "market/loop.py",
        "if math.isnan(tape.premium[t, m]):",
        "if m < priced or math.isnan(tape.premium[t, m]):",
        "tests/market/test_premium.py",
    ),
]

QUOTES = [
    Fault(
        "a quote moves only when both its sides do",
        "market/quotes.py",
        "bid_px[row, k] != before_bid or ask",
        "bid_px[row, k] != before_bid and ask",
    ),
    Fault(
        "a frozen quote lives an hour longer",
        "market/quotes.py",
        "range(t, max(t - hours, 0), -1)",
        "range(t, max(t - hours - 1, 0), -1)",
    ),
    Fault(
        "a live quote may be twice as wide",
        "market/quotes.py",
        "frac * 0.5 * (ask_px + bid_px)",
        "frac * (ask_px + bid_px)",
    ),
    Fault(
        "a quote is live while the issuer's session is closed",
        "market/quotes.py",
        "live = tape.quoted[t, k] and not tape.token_stale[t, k]",
        "live = not tape.token_stale[t, k]",
    ),
    Fault(
        "the mid of a frozen quote is the fair price",
        "market/quotes.py",
        "if not live and t > 0",
        "if not tape.quoted[t, k] and t > 0",
    ),
    Fault(
        "a carried fair price moves against the oracle",
        "market/quotes.py",
        "fair_px * float(oracle_px / before_px)",
        "fair_px * float(before_px / oracle_px)",
    ),
    Fault(
        "a multiplier that grew makes a carried fair price smaller",
        "market/quotes.py",
        "fair_px * float(shares / before)",
        "fair_px * float(before / shares)",
        "tests/twin/test_twin_market.py",
    ),
]

SETTLEMENTS = [
    Fault(
        "a settlement is booked one hour late",
        "tape/settlements.py",
        "return at_ns - late, late",
        "return at_ns - late + interval_ns, late",
        "tests/tape/test_settlements.py::test_snap_is_to_the_boundary_at_or_before",
    ),
    Fault(
        "a settlement is due only on its exact stamp",
        "tape/settlements.py",
        "LATEST_NS = 600 * 1_000_000_000",
        "LATEST_NS = 0",
        "tests/tape/test_settlements.py::test_late_stamps_are_booked_on_their_own_hour",
    ),
    Fault(
        "one double settlement passes",
        "tape/settlements.py",
        "if doubled.size:",
        "if doubled.size > 1:",
    ),
    Fault(
        "the first interval of a coin holds for ever",
        "tape/settlements.py",
        "interval_hours[near, m]",
        "interval_hours[np.zeros_like(near), m]",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "intervals are counted from the first row and not from midnight",
        "tape/build.py",
        "time_ns[:, None] // HOUR_NS % interval",
        "(time_ns[:, None] - time_ns[0]) // HOUR_NS % interval",
    ),
    Fault(
        "the formula wins over a recorded rate",
        "tape/build.py",
        "by_formula=due & np.isnan(tape.funding)",
        "by_formula=due",
    ),
    Fault(
        "the premium of the prices table wins over that of the settlement",
        "tape/build.py",
        "np.where(np.isnan(premiums), prices.premium, premiums)",
        "np.where(np.isnan(prices.premium), premiums, prices.premium)",
    ),
    Fault(
        "one hour without a rate makes the running sum NaN",
        "tape/build.py",
        "np.cumsum(np.nan_to_num(tape.funding),",
        "np.cumsum(tape.funding,",
    ),
    Fault(
        "the running sum of rates lags an hour",
        "tape/build.py",
        "axis=0, out=tape.funding_total)\n",
        "axis=0, out=tape.funding_total)\n"
        "    tape.funding_total[1:] = tape.funding_total[:-1].copy()\n",
    ),
]

LAYING = [
    Fault(
        "a run that starts later pays its dividends on the rows of the whole",
        "tape/build.py",
        "action_row=tape.action_row[kept] - first",
        "action_row=tape.action_row[kept]",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "a run that starts later starts with the rates before it",
        "tape/build.py",
        "    cut.funding_total[:] = np.cumsum(np.nan_to_num(cut.funding), axis=0)\n",
        "",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the high forgets the mark of the hour before",
        "tape/build.py",
        "np.fmax(np.fmax(before, tape.mark_px), high)",
        "np.fmax(tape.mark_px, high)",
        "tests/book/test_hour.py",
    ),
    Fault(
        "the low forgets what was recorded",
        "tape/build.py",
        "low = np.where(np.isnan(told_low), tape.low_px, told_low)",
        "low = tape.low_px.copy()",
        "tests/tape/test_form.py",
    ),
    Fault(
        "an hour without a recorded high has none",
        "tape/build.py",
        "np.fmax(np.fmax(before, tape.mark_px), high)",
        "np.maximum(np.fmax(before, tape.mark_px), high)",
        "tests/book/test_hour.py",
    ),
    Fault(
        "a price is carried an hour too long",
        "tape/grid.py",
        "too_old = age > limit",
        "too_old = age > limit + 1",
    ),
    Fault(
        "a gap is bridged with the price after it",
        "tape/grid.py",
        "np.arange(grid.shape[0])[:, None] - np.maximum(age, 0)",
        "np.minimum(np.arange(grid.shape[0])[:, None] + (age > 0), len(grid) - 1)",
    ),
    Fault(
        "a carried price counts as recorded",
        "tape/prices.py",
        "stale=age != 0,",
        "stale=age < 0,",
    ),
    Fault(
        "a recorded hour without a book takes the mid of the hour before",
        "tape/prices.py",
        'mid_px=carry(column("mid_px"), age)',
        'mid_px=carry(column("mid_px"), rows_since(~np.isnan(column("mid_px"))))',
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the run goes on after a coin's data has ended",
        "tape/prices.py",
        "            if ends < last:\n",
        "            if ends < first:\n",
        "tests/tape/test_settlements.py",
    ),
    Fault(
        "a rate is paid beside the NAV that holds it",
        "tape/quotes.py",
        'np.where(np.isnan(nav), np.nan_to_num(column("apr")), 0.0)',
        'np.nan_to_num(column("apr"))',
        "tests/book/test_hour.py",
    ),
    Fault(
        "a halted token is quoted",
        "tape/quotes.py",
        "_sessions(dataset, config, names, time_ns) & ~halted",
        "_sessions(dataset, config, names, time_ns)",
        "tests/tape/test_instruments.py::test_halted_token_is_not_quoted",
    ),
    Fault(
        "the last open interest chooses the perp of a token",
        "tape/instruments.py",
        'pl.col("time") == pl.col("time").min()',
        'pl.col("time") == pl.col("time").max()',
        "tests/mutations/test_gaps.py",
    ),
]

FAULTS = FUNDING + PRICES + QUOTES + SETTLEMENTS + LAYING
