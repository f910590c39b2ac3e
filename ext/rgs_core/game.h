/* A compiled build: flat integer tables, ready for the kernels. Pure C, no Python.h.
 *
 * The tables are made by rgs_core.tables and owned by the Python side; this struct only points into
 * them. All pays are in units and already carry the multiplier of their state. */

#ifndef RGS_GAME_H
#define RGS_GAME_H

#include <stdint.h>

enum {
    RGS_REELS_MAX = 6,
    RGS_ROWS_MAX = 6,
    RGS_CELLS_MAX = 36,
    RGS_STATES_MAX = 2,      /* the paid spin and the free spin */
    RGS_EVALUATORS_MAX = 8,
    RGS_TRIGGERS_MAX = 4,
    RGS_ANY_SYMBOL = 255,    /* in the pattern of a pick trigger */
};

enum { RGS_LINES = 0, RGS_SCATTER = 1 };
enum { RGS_FREE_SPINS = 0, RGS_PICK = 1 };

typedef struct {
    uint32_t length;            /* stops */
    uint32_t total;             /* sum of the stop weights */
    const uint8_t *symbols;     /* length + rows - 1 symbols: the window of stop s begins at symbols + s */
    const uint32_t *cumulative; /* running sums of the weights, NULL when every stop weighs 1 */
} rgs_strip;

typedef struct {
    uint32_t length;
    uint32_t total;
    const int64_t *values;
    const uint32_t *cumulative;
} rgs_table;

typedef struct {
    uint32_t kind;              /* RGS_LINES or RGS_SCATTER */
    uint32_t symbol;            /* scatter: the symbol counted */
    const int64_t *pays;        /* lines: [symbol][count 0..reels]; scatter: [count 0..cells] */
} rgs_evaluator;

typedef struct {
    uint32_t kind;              /* RGS_FREE_SPINS or RGS_PICK */
    uint32_t symbol;            /* free spins: the symbol counted */
    const uint32_t *spins;      /* free spins: award by count 0..cells */
    uint32_t pattern_length;    /* pick: symbols on the first reels of a payline */
    uint8_t pattern[RGS_REELS_MAX];
    rgs_table picks, prizes_per_pick, prizes; /* pick: the prizes are in units */
} rgs_trigger;

typedef struct {
    rgs_strip strips[RGS_REELS_MAX];
    uint32_t evaluators_count, triggers_count;
    rgs_evaluator evaluators[RGS_EVALUATORS_MAX];
    rgs_trigger triggers[RGS_TRIGGERS_MAX];
    uint32_t paylines_count;    /* of the line evaluator, 0 when the state has none */
    uint32_t pure_wild_run;     /* 1: a run of wilds alone may be read as any symbol it stands for */
    uint32_t count_min;         /* shortest run that pays anything */
    const uint8_t *paylines;    /* [line][reel] -> row */
    const uint64_t *readings;   /* [symbol] -> bit x set when a cell with the symbol can count as paying symbol x */
} rgs_state;

typedef struct {
    uint32_t reels, rows, symbols_count, states_count;
    uint32_t free_spins_max;
    int64_t win_units_max;      /* no round can win more; a larger result is a fault */
    uint8_t wild[64];           /* [symbol] -> 1 when it is a wild */
    int64_t wild_multiplier[64];
    uint8_t wild_product[64];   /* 1: the multiplier counts for each wild in the win, 0: once */
    uint32_t wilds_multiply;    /* 0 when every wild multiplier is 1 */
    rgs_state states[RGS_STATES_MAX];
} rgs_game;

#endif
