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

enum { RGS_COUNTS_MAX = 8, RGS_LIMBS_MAX = 3, RGS_MASK_CHUNK = 32 };

/* Tables of one state for the kernels that evaluate by transposed line masks (lanes/kernel.h), made by
 * rgs_core.lanes. A row belongs to one stop of one reel: 8 count bytes, padding up to RGS_MASK_CHUNK, then
 * `chunks` chunks of fields. A field is a set of paylines, one bit a line: of the lines whose cell on this
 * reel reads as a certain symbol, or does not rule an alarm out. */
typedef struct {
    uint32_t bounds[RGS_REELS_MAX];       /* sum of the stop weights, at most 65536 */
    uint32_t rejects[RGS_REELS_MAX];      /* 2^32 mod bound: smaller low halves are rejected */
    const uint16_t *stops[RGS_REELS_MAX]; /* drawn number -> stop, NULL when every stop weighs 1 */
    const uint8_t *rows[RGS_REELS_MAX];   /* [stop][row_bytes] */
    uint32_t row_bytes, chunks, limbs;
    uint32_t count_from;                  /* runs from this length on are weighed */
    int64_t pay_unit;                     /* weights are in this many units */
    const int8_t *weights;                /* [count 1..reels][limb][chunks * RGS_MASK_CHUNK]: base-128 digits of
                                             what a run of `count` pays more than one of count - 1 */
    const uint8_t *alarm;                 /* [chunks * RGS_MASK_CHUNK]: 0xff in the bytes of alarm fields */
    uint64_t counts_bias;                 /* added to the counts it sets bit 7 of a byte whose count matters */
    uint64_t counts_flags;                /* the bits 7 that ask for awards and scatter pays */
    uint64_t wild_flag;                   /* the bit 7 of "a multiplying wild is in view", or 0 */
    uint32_t exact_alarm;                 /* 1: an alarm needs words beyond the stops (pick bonuses) */
    uint8_t evaluator_slot[RGS_EVALUATORS_MAX]; /* count byte of a scatter */
    uint8_t trigger_slot[RGS_TRIGGERS_MAX];     /* count byte of a free-spin trigger */
} rgs_lanes;

typedef struct {
    uint32_t reels, rows, symbols_count, states_count;
    uint32_t free_spins_max;
    int64_t win_units_max;      /* no round can win more; a larger result is a fault */
    uint8_t wild[64];           /* [symbol] -> 1 when it is a wild */
    int64_t wild_multiplier[64];
    uint8_t wild_product[64];   /* 1: the multiplier counts for each wild in the win, 0: once */
    uint32_t wilds_multiply;    /* 0 when every wild multiplier is 1 */
    rgs_state states[RGS_STATES_MAX];
    uint32_t has_lanes;         /* 1: `lanes` is filled and kernels may use it */
    rgs_lanes lanes[RGS_STATES_MAX];
} rgs_game;

#endif
