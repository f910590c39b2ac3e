/* What happened in a round, as a flat list of events; Engine.spin makes records of it.
 *
 * A spin is, in this order:
 *   SPIN(state, sub_spin, special + 1, multiplier of the feature) INSIDE(state)* SPECIAL(symbol)* STRIPS(set)? HEIGHT(reel, rows)* LINKED(first, last)? STOP(reel, stop)* or CELL_STOP(cell, stop + 1)*
 *   MODIFIER(number)? NUDGED(reel, stop)* MARKED(cells)? FACTOR(-, -, -, spin multiplier)? GRID(which) CELL(reel, row, symbol, value)* ...
 *   then for every step WINs and awards, CHANGED(cell, symbol)*; a further step begins with GRID(2); CLOSING stands
 *   before closing wins.
 * GRID(0) is the grid as the reels stopped, GRID(1) the first that pays. Spins whose grid is just the windows of
 * the stops have neither. */

#ifndef RGS_LOG_H
#define RGS_LOG_H

#include <stdint.h>
#include <stdlib.h>

enum { RGS_OK = 0, RGS_ERROR_WORDS = -1, RGS_ERROR_MEMORY = -2, RGS_ERROR_WIN = -3 };

enum {
    RGS_EVENT_SPIN,        /* a state, b sub_spin, c special symbol + 1 or 0, amount multiplier of the feature */
    RGS_EVENT_STRIPS,      /* a index of the set */
    RGS_EVENT_HEIGHT,      /* a reel, b rows */
    RGS_EVENT_STOP,        /* a reel, b stop */
    RGS_EVENT_CELL_STOP,   /* a cell, b stop + 1, 0 when it is held */
    RGS_EVENT_FACTOR,      /* amount: multiplier of the spin by its transforms */
    RGS_EVENT_GRID,        /* a: 0 as stopped, 1 as it pays first, 2 a further step, 3 one of a charge */
    RGS_EVENT_CELL,        /* a reel, b row, c symbol, amount value */
    RGS_EVENT_WIN,         /* a evaluator, b line from 1 or 0, c entry | count << 16 | start << 24; cells: ways or cells */
    RGS_EVENT_CLOSING,
    RGS_EVENT_FREE_SPINS,  /* a trigger, b count, c spins, multiplier state, factor multiplier or 0, cells: symbol or entry */
    RGS_EVENT_PICK,        /* a trigger, b line from 1 or 0, amount */
    RGS_EVENT_PICKED,      /* a place, amount */
    RGS_EVENT_BONUS,       /* a trigger, b line from 1 or 0, c bonus, amount, cells: spins | state << 32, factor as before */
    RGS_EVENT_DRAWN,       /* a number drawn by the bonus */
    RGS_EVENT_JACKPOT,     /* a trigger; b bonus + 1, c segment where a segment won it */
    RGS_EVENT_GAMBLE,      /* after all spins: a step, amount win after it, factor what was drawn */
    RGS_EVENT_NUDGED,      /* a reel, b stop after nudges; only of reels that moved */
    RGS_EVENT_ACT,         /* a transform, b cell, c its symbol, amount by which it acts, cells that it acts on */
    RGS_EVENT_SPOT,        /* a reel, b row, amount: what the place holds, of the grid at hand */
    RGS_EVENT_LINKED,      /* a first, b last reel of those that stop as one */
    RGS_EVENT_MARKED,      /* cells: places that are marked so far */
    RGS_EVENT_CHANGED,     /* a cell of a win that is not removed, c the symbol that it shows instead */
    RGS_EVENT_INSIDE,      /* a state of a feature that is interrupted, the last one first */
    RGS_EVENT_MODIFIER,    /* a: number of the modifier of the spin */
    RGS_EVENT_SPECIAL,     /* a: a special symbol of the feature beside the first one */
};

enum { RGS_WIN_SPECIAL = 250, RGS_WIN_FINAL = 251, RGS_WIN_MINIMUM = 252 }; /* evaluator of wins that no evaluator pays */

typedef struct {
    uint32_t kind, a, b, c;
    int64_t multiplier, factor, amount;
    uint64_t cells;
} rgs_event;

typedef struct {
    rgs_event *events;
    size_t length, capacity;
} rgs_log;

/* Appends an event. Returns 0 (also without a log), or RGS_ERROR_MEMORY. */
static inline int rgs_log_event(rgs_log *log, rgs_event event)
{
    if (!log)
        return RGS_OK;
    if (log->length == log->capacity) {
        const size_t capacity = log->capacity ? 2 * log->capacity : 16;
        rgs_event *events = realloc(log->events, capacity * sizeof *events);
        if (!events)
            return RGS_ERROR_MEMORY;
        log->events = events;
        log->capacity = capacity;
    }
    log->events[log->length++] = event;
    return RGS_OK;
}

static inline int rgs_log_add(rgs_log *log, uint32_t kind, uint32_t a, uint32_t b, uint32_t c, int64_t amount)
{
    return log ? rgs_log_event(log, (rgs_event){kind, a, b, c, 1, 1, amount, 0}) : RGS_OK;
}

#endif
