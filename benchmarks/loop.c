// The same hour as perpkit's book loop with the carry inlined, as one would write it by hand for
// this workload alone: one wallet, one cross-margin account, token m paired with perp m, targets
// filled on the next row, pairs traded together, no re-entry after a liquidation. Dividends, yield
// and transfers, which this workload switches off, are left out; so are event records.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    double initial, maintenance, backstop, fee, cost, lots, least;
} Term;

typedef struct {
    int64_t hours, markets;
    const int64_t *era;
    const Term *terms;
    const double *oracle, *mark, *mid, *high, *low, *funding, *total;
    const double *bid, *ask, *fair, *multiplier;
    const double *token_fee, *token_half_spread, *token_least;
    const uint8_t *due, *stale, *live;
    const double *plan; // targets to copy instead of deciding, hours x 2 markets, or NULL
} Tape;

typedef struct {
    double wallet, cash;
    int64_t lookback;
    double enter, exit, rebalance, notional, max_gross;
} Carry;

typedef struct { int64_t row, decided, instrument, account, reason; double size, px, value_px, fee;
                 int64_t way, settlement_id; } Fill; // both zero: quotes, settled at once
typedef struct { int64_t row, flow, instrument, account; double quantity, rate, usd; } Payment;
_Static_assert(sizeof(Fill) == FILL_BYTES && sizeof(Payment) == PAYMENT_BYTES,
               "records of perpkit.arrays and of this loop differ");

typedef struct {
    double *equity;
    double *position; // NULL: equity alone is kept
    double *liquidation, *funding_usd, *units, *cash, *value, *initial, *maintenance;
    Fill *fills;
    Payment *payments;
    int64_t n_fills, n_payments;
} Out;

typedef struct {
    double position, entry, target, units, token_target;
    double order, order_px, token_order, token_order_px;
    int64_t decided, token_decided;
    int on, barred;
} Pair;

typedef struct {
    const Tape *tape;
    Out *out;
    Pair *pairs;
    double wallet, cash, value, initial, maintenance;
    double gross, least; // of the carry: what its pairs take of the limit, the least of one
} Run;

enum { TARGET, LIQUIDATION, BACKSTOP };
enum { MARGIN_LOST = 4, BAD_DEBT };

static double whole_lots(double size, double lots) {
    return copysign(floor(fabs(size) * lots + 1e-6) / lots, size);
}

static void pay(Out *out, int64_t t, int flow, int64_t m, const double *what) {
    if (out->position)
        out->payments[out->n_payments++] = (Payment){t, flow, m, 1, what[0], what[1], what[2]};
}

// ------------------------------------------------------------------------------------------ fills

static void fill_perp(Run *run, int64_t t, int64_t m, double asked, double px, int reason) {
    const Tape *tape = run->tape;
    const Term *term = &tape->terms[tape->era[t] * tape->markets + m];
    Pair *pair = &run->pairs[m];
    double before = pair->position;
    double after = floor((before + asked) * term->lots + 0.5) / term->lots, size = after - before;
    double fee = reason == BACKSTOP ? 0.0 : fabs(size) * px * term->fee;
    run->cash -= fee;
    if (fabs(after) < fabs(before))
        run->cash -= size * (px - pair->entry);
    else
        pair->entry = (before * pair->entry + size * px) / after;
    if (after == 0.0)
        pair->entry = 0.0;
    pair->position = after;
    if (run->out->position)
        run->out->fills[run->out->n_fills++] = (Fill){
            t, pair->decided, m, 1, reason, size, px, tape->mark[t * tape->markets + m], fee};
}

static void fill_token(Run *run, int64_t t, int64_t m) {
    const Tape *tape = run->tape;
    Pair *pair = &run->pairs[m];
    double size = pair->token_order, px = pair->token_order_px;
    double fee = fabs(size) * px * tape->token_fee[m];
    pair->units += size;
    run->wallet -= size * px + fee;
    if (run->out->position)
        run->out->fills[run->out->n_fills++] = (Fill){
            t, pair->token_decided, tape->markets + m, 0, TARGET, size, px,
            tape->fair[t * tape->markets + m], fee};
}

// ------------------------------------------------------------------------------------ liquidation

// Margin value less a share of maintenance, with every position at its worst price of the hour, at
// that price as it would be filled, or at the mark of the hour before.
enum { WORST, FILLED, START };

static double path_px(const Run *run, int64_t t, int64_t m, int place) {
    const Tape *tape = run->tape;
    int64_t at = t * tape->markets + m;
    double position = run->pairs[m].position;
    if (place == START)
        return t > 0 ? tape->mark[at - tape->markets] : 0.0;
    double px = position < 0.0 ? tape->high[at] : tape->low[at];
    double cost = tape->terms[tape->era[t] * tape->markets + m].cost;
    return place == WORST ? px : px * (1.0 - copysign(cost, position));
}

static double slack(const Run *run, int64_t t, double share, int place) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    double usd = run->cash;
    for (int64_t m = 0; m < tape->markets; m++) {
        double position = run->pairs[m].position;
        if (position != 0.0) {
            double px = path_px(run, t, m, place);
            usd += position * (px - run->pairs[m].entry);
            usd -= share * fabs(position) * px * terms[m].maintenance;
        }
    }
    return usd;
}

static void liquidate(Run *run, int64_t t) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    int reason = LIQUIDATION;
    double along = 1.0, share = NAN;
    for (int64_t m = 0; m < tape->markets; m++)
        if (run->pairs[m].position != 0.0) {
            share = fmax(share, terms[m].backstop); // of the two the number, where one is NaN
        }
    if (!isnan(share)) {
        double filled = slack(run, t, share, FILLED);
        if (filled < 0.0) {
            double start = slack(run, t, share, START);
            reason = BACKSTOP;
            along = start > 0.0 ? start / (start - filled) : 0.0;
        }
    }
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        if (pair->position == 0.0)
            continue;
        double start = path_px(run, t, m, START), end = path_px(run, t, m, FILLED);
        pair->barred = 1;
        pair->decided = t;
        pair->target = NAN;
        if (pair->position < 0.0 && pair->token_target > pair->units)
            pair->token_target = NAN;
        fill_perp(run, t, m, -pair->position, start + along * (end - start), reason);
    }
    double left = run->cash;
    if (left < 0.0 || (reason == BACKSTOP && left > 0.0)) {
        pay(run->out, t, left < 0.0 ? BAD_DEBT : MARGIN_LOST, -1, (double[]){0.0, 0.0, -left});
        run->cash = 0.0;
    }
}

// ----------------------------------------------------------------------------------------- orders

static int plan_orders(Run *run, int64_t t) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    int some = 0;
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        int64_t at = t * tape->markets + m;
        double gap = pair->target - pair->position, token_gap = pair->token_target - pair->units;
        pair->order = pair->token_order = 0.0;
        if (gap != 0.0 && !isnan(gap)) {
            double reference = isnan(tape->mid[at]) ? tape->mark[at] : tape->mid[at];
            double px = reference * (1.0 + copysign(terms[m].cost, gap));
            double size = whole_lots(gap, terms[m].lots);
            if (isnan(px) || fabs(size) * px >= terms[m].least) {
                pair->order = size;
                pair->order_px = px;
                some = 1;
            }
        }
        if (token_gap != 0.0 && !isnan(token_gap)) {
            double px = token_gap > 0.0 ? tape->ask[at] : tape->bid[at];
            if (tape->bid[at] == tape->ask[at])
                px *= 1.0 + copysign(tape->token_half_spread[m], token_gap);
            if (isnan(px) || fabs(token_gap) * px >= tape->token_least[m]) {
                pair->token_order = token_gap;
                pair->token_order_px = px;
                some = 1;
            }
        }
    }
    return some;
}

static void drop_orders(Run *run, int64_t t) {
    const Tape *tape = run->tape;
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        int64_t at = t * tape->markets + m;
        int hedge = pair->order * pair->token_order < 0.0;
        int closes = pair->position * pair->order < 0.0 && fabs(pair->order) <= fabs(pair->position);
        if (pair->barred && pair->order != 0.0 && !closes) {
            if (hedge && pair->token_order > 0.0) {
                pair->token_target = NAN;
                pair->token_order = 0.0;
            }
            pair->order = pair->position * pair->order < 0.0 ? -pair->position : 0.0;
            hedge = pair->order * pair->token_order < 0.0;
        }
        if (tape->stale[at] || (hedge && !tape->live[at])) {
            pair->order = 0.0;
            if (hedge)
                pair->token_order = 0.0;
        }
        if (!tape->live[at])
            pair->token_order = 0.0;
    }
}

// Value and requirements of the margin account; what the tokens are worth.
static double assess(Run *run, int64_t t) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    double value = run->cash, initial = 0.0, maintenance = 0.0;
    double gross = 0.0, worth = 0.0, notional;
    for (int64_t m = 0; m < tape->markets; m++) {
        const Pair *pair = &run->pairs[m];
        int64_t at = t * tape->markets + m;
        notional = 0.0;
        if (pair->position != 0.0) {
            notional = fabs(pair->position) * tape->mark[at];
            value += pair->position * (tape->mark[at] - pair->entry);
            initial += notional * terms[m].initial;
            maintenance += notional * terms[m].maintenance;
        }
        gross += pair->on && notional < run->least ? run->least : notional;
        if (pair->units != 0.0)
            worth += pair->units * tape->fair[at];
    }
    run->value = value;
    run->initial = initial;
    run->maintenance = maintenance;
    run->gross = gross;
    return worth;
}

static double cut_perp(double order, double px, double free_usd, double need, const Term *term) {
    if (fabs(order) * need <= free_usd)
        return order;
    double size = whole_lots(copysign(fmax(free_usd, 0.0) / need, order), term->lots);
    return fabs(size) * px >= term->least ? size : 0.0;
}

static double cut_token(double order, double px, double cash, double fee, double least) {
    if (order * px * (1.0 + fee) <= cash)
        return order;
    double size = fmax(cash, 0.0) / (px * (1.0 + fee));
    return size * px >= least ? size : 0.0;
}

// Cuts what margin and cash do not allow; both legs of a hedge to the smaller.
static void trim(Run *run, int64_t t) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    double free_usd = run->value - run->initial, cash = run->wallet;
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        const Term *term = &terms[m];
        double order = pair->order, px = pair->order_px, mark = tape->mark[t * tape->markets + m];
        if (order == 0.0)
            continue;
        double need = mark * term->initial + fmax(copysign(1.0, order) * (px - mark), 0.0) + px * term->fee;
        double size = cut_perp(order, px, free_usd, need, term);
        double token = pair->token_order, at = pair->token_order_px;
        if (order * token < 0.0 && token > 0.0) {
            double units = cut_token(token, at, cash, tape->token_fee[m], tape->token_least[m]);
            double share = fmin(size / order, units / token);
            size = order;
            if (share < 1.0) {
                size = whole_lots(order * share, term->lots);
                share = size / order;
                if (fabs(size) * px < term->least || token * share * at < tape->token_least[m])
                    size = share = 0.0;
                pair->token_order = token * share;
            }
            cash -= pair->token_order * at * (1.0 + tape->token_fee[m]);
        }
        pair->order = size;
        free_usd -= fabs(size) * need;
    }
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        double token = pair->token_order, px = pair->token_order_px, fee = tape->token_fee[m];
        if (token <= 0.0 || pair->order * token < 0.0)
            continue;
        pair->token_order = cut_token(token, px, cash, fee, tape->token_least[m]);
        cash -= pair->token_order * px * (1.0 + fee);
    }
}

static void trade(Run *run, int64_t t) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    drop_orders(run, t);
    for (int64_t m = 0; m < tape->markets; m++)
        if (run->pairs[m].token_order < 0.0)
            fill_token(run, t, m);
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        if (pair->order * pair->position < 0.0) {
            double size = copysign(fmin(fabs(pair->order), fabs(pair->position)), pair->order);
            pair->order = whole_lots(pair->order - size, terms[m].lots);
            fill_perp(run, t, m, size, pair->order_px, TARGET);
        }
    }
    assess(run, t);
    trim(run, t);
    for (int64_t m = 0; m < tape->markets; m++)
        if (run->pairs[m].token_order > 0.0)
            fill_token(run, t, m);
    for (int64_t m = 0; m < tape->markets; m++)
        if (run->pairs[m].order != 0.0)
            fill_perp(run, t, m, run->pairs[m].order, run->pairs[m].order_px, TARGET);
}

// --------------------------------------------------------------------------------- ledger, choice

static void write_row(const Run *run, int64_t t) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    Out *out = run->out;
    double available = run->value - run->maintenance;
    for (int64_t m = 0; m < tape->markets; m++) {
        const Pair *pair = &run->pairs[m];
        int64_t at = t * tape->markets + m;
        double px = NAN;
        if (pair->position != 0.0) {
            double side = pair->position > 0.0 ? 1.0 : -1.0, rate = terms[m].maintenance;
            px = tape->mark[at] - side * available / fabs(pair->position) / (1.0 - rate * side);
            px = px > 0.0 ? px : NAN;
        }
        out->position[at] = pair->position;
        out->liquidation[at] = px;
        out->units[at] = pair->units;
    }
    out->cash[2 * t] = out->value[2 * t] = run->wallet;
    out->cash[2 * t + 1] = run->cash;
    out->value[2 * t + 1] = run->value;
    out->initial[2 * t + 1] = run->initial;
    out->maintenance[2 * t + 1] = run->maintenance;
}

static void decide(Run *run, int64_t t, const Carry *carry, double equity) {
    const Tape *tape = run->tape;
    const Term *terms = tape->terms + tape->era[t] * tape->markets;
    if (t < carry->lookback)
        return;
    double room = carry->max_gross * equity - run->gross;
    for (int64_t m = 0; m < tape->markets; m++) {
        Pair *pair = &run->pairs[m];
        int64_t at = t * tape->markets + m;
        double apr = (tape->total[at] - tape->total[at - carry->lookback * tape->markets]) * 8760.0 / carry->lookback;
        double share = tape->multiplier[at], held = pair->units * share, lots = terms[m].lots;
        if (pair->on) {
            int lost = held > 0.0 && pair->position == 0.0;
            if (apr < carry->exit || (lost && tape->live[at])) {
                pair->on = 0;
                pair->target = pair->token_target = 0.0;
                pair->decided = pair->token_decided = t;
            } else if (fabs(held + pair->position) > carry->rebalance * held) {
                pair->target = -((double)(int64_t)(held * lots + 0.5) / lots);
                pair->decided = t;
            }
        } else if (apr > carry->enter && tape->live[at] && room >= carry->notional && !pair->barred) {
            double units = (double)(int64_t)(carry->notional / tape->mark[at] * lots + 0.5) / lots;
            pair->on = 1;
            room -= carry->notional;
            pair->target = -units;
            pair->token_target = units / share;
            pair->decided = pair->token_decided = t;
        }
    }
}

static void copy_plan(Run *run, int64_t t) {
    int64_t markets = run->tape->markets;
    const double *row = run->tape->plan + t * 2 * markets;
    for (int64_t m = 0; m < markets; m++) {
        Pair *pair = &run->pairs[m];
        if (!isnan(row[m])) {
            pair->target = row[m];
            pair->decided = t;
        }
        if (!isnan(row[markets + m])) {
            pair->token_target = row[markets + m];
            pair->token_decided = t;
        }
    }
}

// Plays every hour; 0, or 1 where a settlement is due on a position and its rate is not known.
int run_hours(const Tape *tape, const Carry *carry, Out *out) {
    int64_t markets = tape->markets;
    Run run = {.tape = tape, .out = out, .pairs = calloc(markets, sizeof(Pair))};
    run.wallet = carry->wallet;
    run.cash = carry->cash;
    run.least = carry->notional;
    for (int64_t m = 0; m < markets; m++)
        run.pairs[m].target = run.pairs[m].token_target = NAN;
    for (int64_t t = 0; t < tape->hours; t++) {
        const Term *terms = tape->terms + tape->era[t] * markets;
        double left = 0.0;
        for (int64_t m = 0; m < markets; m++) {
            double position = run.pairs[m].position;
            int64_t at = t * markets + m;
            if (position == 0.0)
                continue;
            if (tape->due[at]) {
                double rate = tape->funding[at], usd = -position * tape->oracle[at] * rate;
                if (isnan(rate)) {
                    free(run.pairs);
                    return 1;
                }
                run.cash += usd;
                if (out->funding_usd)
                    out->funding_usd[at] = usd;
            }
            double px = position < 0.0 ? tape->high[at] : tape->low[at];
            left += position * (px - run.pairs[m].entry) - fabs(position) * px * terms[m].maintenance;
        }
        if (run.cash + left < 0.0)
            liquidate(&run, t);
        if (plan_orders(&run, t))
            trade(&run, t);
        double worth = assess(&run, t), equity = run.wallet + run.value + worth;
        out->equity[t] = equity;
        if (out->position)
            write_row(&run, t);
        if (tape->plan)
            copy_plan(&run, t);
        else
            decide(&run, t, carry, equity);
    }
    free(run.pairs);
    return 0;
}
