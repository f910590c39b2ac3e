/* A compiled build: flat integer tables, ready for the kernels. Pure C, no Python.h.
 *
 * The tables are made by rgs_core.tables and owned by the Python side; these structs only point into
 * them. All pays are in units and already carry the multiplier of their state. */

#ifndef RGS_GAME_H
#define RGS_GAME_H

#include <stddef.h>
#include <stdint.h>

/* Draws are inlined everywhere. Functions of one mechanic are not: the spin stays small, whatever the language
 * learns. */
#define RGS_ALWAYS inline __attribute__((always_inline))
#define RGS_APART __attribute__((noinline, unused)) static

enum {
    RGS_REELS_MAX = 8,
    RGS_ROWS_MAX = 12,
    RGS_CELLS_MAX = 64,      /* reels x rows; a cell is reel * rows + row */
    RGS_STATES_MAX = 32,
    RGS_SETS_MAX = 8,        /* strip sets of a state */
    RGS_EVALUATORS_MAX = 8,
    RGS_TRANSFORMS_MAX = 16,
    RGS_TRIGGERS_MAX = 16,
    RGS_MATCHES_MAX = 4,     /* triggers of a state that lines decide, where lines are merged */
    RGS_COLLECTED_MAX = 8,   /* names under which a feature collects symbols */
    RGS_BONUSES_MAX = 8,
    RGS_MULTIPLIED_MAX = 64, /* features with multipliers that awards give them: state and multiplier */
    RGS_LEVELS_MAX = 64,
    RGS_LEAVES_MAX = 8,
    RGS_SPECIALS_MAX = 8,    /* special symbols of a feature */
    RGS_GAMBLE_STEPS_MAX = 16,
    RGS_ANY_SYMBOL = 255,    /* in a pattern; elsewhere: no symbol */
};

/* Kinds, directions and ways to combine, numbered as in rgs_core.tables. */
enum { RGS_LINES, RGS_SCATTER, RGS_COMBINATIONS, RGS_WAYS, RGS_COUNT, RGS_CLUSTER, RGS_COLLECT, RGS_MATCH };
enum { RGS_LEFT, RGS_RIGHT, RGS_BOTH, RGS_ADJACENT };
enum { RGS_IGNORE, RGS_PRODUCT, RGS_SUM, RGS_HIGHEST, RGS_ONCE };
enum { RGS_REVEAL, RGS_EXPAND, RGS_REPLACE, RGS_ADD, RGS_VALUES, RGS_STICK, RGS_MULTIPLIER, RGS_NUDGE,
       RGS_ACT, RGS_FILL, RGS_MARK };
enum { RGS_ADD_TO_ALL, RGS_MULTIPLY_ALL, RGS_MULTIPLY_SOME, RGS_COLLECT_ALL };
enum { RGS_EACH_SPIN, RGS_EACH_REEL, RGS_EACH_CELL, RGS_EACH_FEATURE, RGS_EACH_STEP, RGS_EACH_NEVER };
enum { RGS_FREE_SPINS, RGS_PICK, RGS_WIN_SPINS, RGS_COLLECTED, RGS_BONUS, RGS_JACKPOT, RGS_FULL_REELS };
enum { RGS_ALWAYS_FIRES, RGS_WHEN_WIN, RGS_WHEN_NO_WIN };
enum { RGS_COUNTS_SYMBOLS, RGS_COUNTS_VALUES, RGS_COUNTS_WINS, RGS_COUNTS_LOSSES, RGS_COUNTS_SPINS };
enum { RGS_BONUS_PICK, RGS_BONUS_TAKE, RGS_BONUS_WHEEL, RGS_BONUS_TRAIL };

typedef struct {
    uint32_t length;            /* stops */
    uint32_t total;             /* sum of the stop weights */
    const uint8_t *symbols;     /* length + rows - 1 symbols: the window of stop s begins at symbols + s */
    const uint64_t *shows;      /* [stop] -> bits of the symbols in its window */
    const uint32_t *cumulative; /* running sums of the weights, NULL when every stop weighs 1 */
    uint32_t distinct;          /* stops with different windows, for visiting combinations */
    const uint32_t *distinct_stops;
    const uint64_t *distinct_weights;
} rgs_strip;

/* A weighted table. With `fixed` its only entry is taken without a draw. */
typedef struct {
    uint32_t length;
    uint32_t total;
    uint32_t fixed;
    const int64_t *values;
    const uint32_t *cumulative;
} rgs_table;

typedef struct {
    uint32_t kind;
    uint32_t symbol;            /* scatter, collect: the entry counted, for records */
    uint64_t symbols;           /* the same as bits: its symbols, and the doubles of them */
    const int64_t *pays;        /* [entry][count]: ways 0..reels; lines 0..reels, count, cluster 0..cells, times the
                                   most that a cell counts for; scatter [count]; collect [count]: of a value of 1 */
    const uint8_t *exempt;      /* as pays: 1 where no step or spin multiplier applies; NULL: everywhere they do */
    uint32_t counts;            /* length of a row of pays */
    uint32_t direction, cell_values, neighbours, wilds, stopped, at_end;
    uint32_t along;             /* match: bit 0 along rows, bit 1 along columns */
    uint32_t count_min;         /* fewest cells that pay anything; collect: smallest count that pays */
    uint32_t pure_wild_run;     /* 1: a run of wilds alone may be read as any entry it stands for */
    const uint64_t *readings;   /* [symbol] -> bit x set when a cell with the symbol can count as entry x */
    const uint64_t *naturals;   /* [symbol] -> bit x set when it is entry x, or of its group, itself */
    const int64_t *full_grid;   /* [symbol] -> multiplier of a grid full of it; NULL: none */
    uint32_t patterns_count;    /* combinations, any order spelled out */
    const uint8_t *patterns;    /* [pattern][reel] -> entry or RGS_ANY_SYMBOL */
    const uint16_t *pattern_combinations;
    const uint8_t *combination_symbols, *combination_counts, *combination_exempt; /* [combination] */
    const int64_t *combination_pays;
    uint64_t collectors;        /* collect: bits of symbols; paid for each of them in view, 0: once */
    int64_t cell_values_max;    /* values of cells multiply a win at most by this */
} rgs_evaluator;

/* A number of symbols in view that a transform or trigger needs. */
typedef struct {
    uint64_t symbols, reels;        /* bits; doubles among the symbols */
    uint64_t per_reel, stopped;     /* 1: counts reels; on the grid as the reels stopped */
    uint64_t least, most;
} rgs_in_view;

typedef struct {
    uint32_t kind, symbol, into, each, combine, persist;
    uint32_t steps_max;         /* nudge */
    int64_t multiplier;         /* nudge: of the spin, for each step */
    uint32_t slot;              /* multiplier: where its running value is kept */
    uint64_t symbols;           /* bits: values, stick; act: those that act; add: those that it may cover */
    uint64_t over;              /* act: bits of the symbols that it acts on */
    uint32_t does, once;        /* act */
    int64_t value_max;          /* act: largest value that it makes */
    uint64_t reels;             /* bits of the chosen reels */
    uint64_t modifiers;         /* bits of those with which it works; 0: with any */
    uint32_t conditional;       /* 1: works in some spins only, by what follows but the table */
    uint32_t in_view_count;
    const rgs_in_view *in_view;
    uint32_t when;              /* whether the grid before it would pay */
    uint32_t chance, out_of;    /* odds; out_of 0: certain */
    rgs_table table;
} rgs_transform;

/* What a win leaves in a place that it makes empty. */
typedef struct {
    uint32_t evaluators;        /* bits by index */
    uint64_t entries;           /* bits of the entries whose wins do so */
    uint32_t count_min, random; /* random 0: in the middle of these places */
    rgs_table table;            /* values are symbols */
} rgs_leave;

typedef struct {
    uint32_t on, fresh, persist, steps_max, multipliers_count;
    uint32_t none, empty;                        /* 1: no refill; the symbol that emptied places show then */
    int64_t multiplier_step;                     /* beyond the last of the multipliers each step has so much more */
    const int64_t *multipliers;
    uint32_t remove_evaluators, remove_triggers; /* bits by index */
    uint64_t keep;                               /* bits of symbols */
    uint32_t changes;                            /* 1: any of the next three */
    uint64_t become_symbols;                     /* bits of symbols that do not go, but become others: */
    rgs_table become[64];                        /* [symbol] */
    uint32_t leave_count;
    rgs_leave leave[RGS_LEAVES_MAX];
    uint32_t charge_every, charge_count;         /* removed cells of a charge, 0: there is none; transforms of it */
    uint64_t charge_symbols;                     /* bits of the symbols that count */
    rgs_transform charge[RGS_TRANSFORMS_MAX];
} rgs_cascade;

/* Places that are marked by cells removed from them, and multiply wins. */
typedef struct {
    uint32_t on, persist, product;
    int32_t first, step, multiplier_max; /* step 0: doubles */
} rgs_spots;

typedef struct {
    uint32_t kind;
    uint32_t symbol;            /* the entry counted, for records */
    uint64_t symbols;           /* the same as bits: its symbols, and the doubles of them */
    uint32_t state;             /* whose spins are awarded */
    const uint32_t *spins;      /* free spins: award by count; bonus: plays by count; win spins: [entry][count] */
    uint32_t counts;            /* win spins: length of a row; jackpot: fewest of its symbol in view */
    uint32_t stopped, fresh, reset;
    uint32_t by_reels;          /* 1: counts on some reels alone, or once on each */
    uint32_t per_reel;          /* 1: once on each reel that shows any */
    uint64_t reels;             /* bits of the reels on which it counts, or looks */
    uint32_t conditional;       /* 1: any of the next four; a jackpot has odds in any case */
    uint32_t in_view_count;
    const rgs_in_view *in_view;
    uint32_t when, once;
    uint32_t chance, out_of;    /* odds; out_of 0: certain */
    uint32_t at_end;            /* jackpot: looked at once, at the end of a feature */
    uint64_t carry;             /* bits of symbols */
    uint32_t evaluator;         /* win spins */
    uint32_t every, levels;     /* collected: what each level needs, with `level_counts` each beyond the last */
    uint32_t endless;           /* collected: 1 when levels beyond the last give what that does */
    uint32_t slot;              /* collected: where its count is kept */
    uint64_t most, period;      /* collected: the largest count that matters; with a period above it only the rest does */
    uint32_t match;             /* pick, win spins: place among the triggers that lines decide */
    uint32_t from_batch;        /* collected: 1 when a level multiplies once the spins left before it are played */
    uint32_t counting;          /* collected: what is counted */
    uint32_t in_a_row;          /* collected: 1 when a spin that adds nothing takes the count back to 0 */
    uint64_t collectors;        /* collected: bits of symbols; counted for each of them in view, 0: once */
    uint32_t at_once;           /* 1: the awarded feature is played next */
    uint32_t become, least;     /* 1: the feature goes on as `state`; free spins: also by no spins, from this count on */
    const uint64_t *level_counts;      /* collected: the count of each level, NULL: multiples of `every` */
    const uint32_t *level_spins;
    const uint8_t *level_states;       /* collected: as which state the feature goes on, RGS_ANY_SYMBOL: as it is */
    const int64_t *level_multipliers;
    int64_t level_step;         /* collected: how much more each level beyond the last multiplies by */
    uint32_t pattern_length;    /* pick: symbols on the first reels of a payline */
    uint8_t pattern[RGS_REELS_MAX];
    uint32_t bonus;
    int64_t factor;             /* multiplier of the state on what the bonus pays */
    rgs_table multiplier;       /* of the feature with the awarded spins; length 0: none of its own */
} rgs_trigger;

/* A bonus; prizes are in units without the state's multiplier. */
typedef struct {
    uint32_t kind;
    rgs_table picks, prizes_per_pick, prizes; /* take: prizes.values alone; wheel: segments by weight; trail: die in picks */
    uint32_t take;
    int64_t equal_multiplier, finish;
    const uint32_t *segment_spins, *segment_states, *segment_bonuses; /* wheel; bonus RGS_ANY_SYMBOL: none */
    const uint32_t *segment_multipliers;      /* wheel: [segment][2], first entry and number of entries of the table of
                                                 the multiplier of the awarded feature, 0 entries: none; NULL: nowhere */
    const uint8_t *segment_become;            /* wheel: 1 where the feature goes on as the state; NULL: nowhere */
    const uint8_t *segment_at_once;           /* wheel: 1 where the feature is played next; NULL: nowhere */
    const int64_t *multiplier_values;         /* entries of these tables, one after the other */
    const uint32_t *multiplier_cumulative;
    const uint8_t *segment_jackpots;          /* wheel: 1 where the segment wins a jackpot; NULL: nowhere */
    uint32_t squares, rolls_max;
    const int64_t *square_pays;
    uint64_t ends[2];                         /* trail, take: bit k of a 128-bit set for square or prize k, from 1 */
    uint32_t of_win;                          /* 1: what it draws multiplies what the spin has won */
    uint32_t lives;                           /* take: prizes in `ends` that end it */
    uint32_t pays_last;                       /* trail: 1 when only the square where it ends is paid */
} rgs_bonus;

typedef struct {
    rgs_strip sets[RGS_SETS_MAX][RGS_REELS_MAX + 1]; /* after the reels the top reel, if there is one */
    rgs_table set_choice;       /* values are indices of sets */
    rgs_table heights[RGS_REELS_MAX];
    uint32_t heights_drawn;     /* 1: some reel draws its height */
    uint8_t fixed_heights[RGS_REELS_MAX]; /* where none does */
    uint32_t cells;             /* 1: every cell draws a stop of its own */
    uint32_t linked_on;         /* 1: some reels stop as one: `linked`, of first + last * 8 */
    rgs_table linked;
    rgs_table modifiers;        /* values are their numbers; length 0: none */
    uint32_t changes;           /* 1: the grid is not just the windows of the stops */
    uint32_t remembers;         /* 1: a spin depends on the spins before it in the feature */
    uint32_t draws_once;        /* 1: some transform draws once for all spins of a feature */
    uint32_t marks;             /* 1: cells mark places that turn in the last spin of a feature */
    int64_t win_min;            /* units that a feature pays at least; 0: none */
    uint32_t waits;             /* 1: some level begins to multiply only after the spins that are left */
    uint32_t rows_below;        /* 1: where a feature goes on as this state, rows are added and taken at the bottom */
    uint32_t persisting;        /* multipliers that persist */
    uint32_t ends;              /* 1: some evaluator looks at the end of the feature */
    uint32_t evaluators_count, transforms_count, triggers_count;
    rgs_evaluator evaluators[RGS_EVALUATORS_MAX];
    rgs_transform transforms[RGS_TRANSFORMS_MAX];
    rgs_trigger triggers[RGS_TRIGGERS_MAX];
    rgs_cascade cascade;
    rgs_spots spots;
    int8_t held_step[64];       /* [symbol] -> reels that a held cell with it moves to the right */
    int8_t held_fall[64];       /* [symbol] -> rows that it moves downwards */
    uint8_t held_each[64];      /* [symbol] -> when: RGS_EACH_SPIN or RGS_EACH_STEP */
    uint8_t held_jump[64];      /* [symbol] -> 1: it goes to a random cell that is not held */
    uint8_t held_stack[64];     /* [symbol] -> 1: the rest of its stack comes in behind it */
    uint32_t stacks;            /* 1: some symbol does so */
    int32_t grow[64];           /* [symbol] -> what a value grows by in a win */
    uint32_t jumps, moves_in_steps, grows; /* 1: some symbol does so */
    uint64_t final_symbols;     /* bits; 0: no final multiplier */
    uint32_t final_combine, final_persist;
    uint32_t special_on, special_own_lines;
    uint32_t special_count, special_most; /* drawn when a feature begins; most that it can have */
    uint32_t special_more;      /* bit of the trigger that adds one, 0: none does */
    rgs_table special;          /* values are symbols */
    int64_t special_unit;       /* line units x paylines */
    const int64_t *special_pays;     /* [symbol][reels], with the state multiplier where it applies */
    const uint8_t *special_exempt;   /* the same shape */
    uint32_t lines;             /* index of the evaluator with paylines, RGS_ANY_SYMBOL when there is none */
    uint32_t paylines_count;
    uint32_t pure_wild_run;     /* of the line evaluator, as are the next four */
    uint32_t count_min;
    const uint8_t *paylines;    /* [line][reel] -> row */
    const uint64_t *cell_lines; /* [reel * rows + row] -> set of the lines through the cell; NULL with over 64 lines */
    uint32_t looks_stopped;     /* 1: something looks at the grid as the reels stopped */
    const uint64_t *readings;
    const uint64_t *naturals;
} rgs_state;

/* The bets that a player makes on the win of a round, in order; without rungs they multiply. */
typedef struct {
    uint32_t steps;
    rgs_table tables[RGS_GAMBLE_STEPS_MAX];
    uint8_t halves[RGS_GAMBLE_STEPS_MAX]; /* 1: half of the win is at risk */
    int64_t limit;                        /* largest best result of a bet that is offered */
    uint32_t rungs_count;
    const int64_t *rungs;                 /* ascending amounts */
} rgs_gamble;

enum { RGS_COUNTS_MAX = 8, RGS_LIMBS_MAX = 3, RGS_MASK_CHUNK = 32, RGS_LANE_REELS_MAX = 6, RGS_LANE_STATES = 2 };

/* Tables of one state for the kernels that evaluate by transposed line masks (lanes/kernel.h), made by
 * rgs_core.lanes. A row belongs to one stop of one reel: 8 count bytes, padding up to RGS_MASK_CHUNK, then
 * `chunks` chunks of fields. A field is a set of paylines, one bit a line: of the lines whose cell on this
 * reel reads as a certain symbol, or does not rule an alarm out. */
typedef struct {
    uint32_t bounds[RGS_LANE_REELS_MAX];       /* sum of the stop weights, at most 65536 */
    uint32_t rejects[RGS_LANE_REELS_MAX];      /* 2^32 mod bound: smaller low halves are rejected */
    const uint16_t *stops[RGS_LANE_REELS_MAX]; /* drawn number -> stop, NULL when every stop weighs 1 */
    const uint8_t *rows[RGS_LANE_REELS_MAX];   /* [stop][row_bytes] */
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
    uint32_t top;               /* bits of the reels whose row 0 is a cell of the top reel; 0: there is none */
    uint32_t start, start_spins; /* the mode: a round begins with so many spins of a state */
    uint32_t free_spins_max;
    int64_t win_units_max;      /* no round can win more; a larger result is a fault */
    int64_t win_units_cap;      /* a round that reaches it ends with it; 0: none */
    uint8_t wild[64];           /* [symbol] -> 1 when it is a wild */
    int64_t wild_multiplier[64];
    uint8_t wild_combine[64];   /* RGS_ONCE, RGS_PRODUCT or RGS_SUM */
    uint32_t wilds_multiply;    /* 0 when every wild multiplier is 1 */
    uint32_t doubles;           /* 1: some symbol counts as several of another one */
    uint8_t read[64];           /* [symbol] -> what it counts as: itself, or the symbol that it is a double of */
    uint8_t times[64];          /* [symbol] -> as how many of it */
    uint32_t has_values;        /* 1: some transform gives cells values */
    uint32_t wins_award;        /* 1: some trigger awards spins by wins, which are then remembered while a spin is played */
    rgs_state states[RGS_STATES_MAX];
    rgs_bonus bonuses[RGS_BONUSES_MAX];
    rgs_gamble gamble;
    uint32_t has_lanes;         /* 1: `lanes` is filled and kernels may use it */
    rgs_lanes lanes[RGS_LANE_STATES];
} rgs_game;

#endif
