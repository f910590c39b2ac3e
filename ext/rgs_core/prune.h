/* Law of one spin by pruned enumeration: a walk over the reels, depth first, that ends where no more can happen.
 *
 * The reels stop independently, each with one of its columns: what it shows after all that looks at nothing but the reel,
 * equal ones once with their weights. A prefix of reels is closed as soon as what evaluators pay and which patterns match
 * is the same whatever the other reels show: then any columns stand for them, and the compiled rules pay the grid. What
 * is added up over the reels, such as counts of symbols and values that are collected, is no reason to go on: the law of
 * these sums over the reels that are left is found once for each depth and taken together with all prefixes that are
 * closed there, equal ones merged. visit.h plays every combination instead; both must agree.
 *
 * Where only counts and clusters are looked at, prefixes with the same prospects are merged reel by reel (`merging`). Of
 * counts these are the numbers so far that may still pay; of clusters, the groups that touch the last reel, with their
 * cells there and their sizes: a transfer matrix over columns. What can pay no more is left out. */

#ifndef RGS_PRUNE_H
#define RGS_PRUNE_H

#include "merge.h"
#include "pays.h"

enum {
    RGS_PRUNE_TOO_LONG = -7,
    RGS_PRUNE_ROWS = 1 << 22,
    RGS_PRUNE_MERGED = 1 << 19,                /* rows of prospects that are held at once */
    RGS_PRUNE_PROSPECTS = 192,                 /* bytes of the prospects of a prefix */
    RGS_PRUNE_WORDS = RGS_EVALUATORS_MAX + 3,  /* pays of evaluators, counts, sum, matches */
};

/* What one reel may show. */
typedef struct {
    uint32_t count;
    const uint8_t *symbols;        /* [column][rows] */
    const uint8_t *heights;        /* [column] */
    const int32_t *values;         /* [column][rows]; NULL when no evaluator looks at them */
    const uint64_t *counts;        /* [column]: counted symbol i in bits 8i..8i+7 */
    const int64_t *sums;           /* [column]: of collected values */
    const uint64_t *weights;       /* [column] */
} rgs_columns;

/* Rows of `width` words with their weights, equal ones once. */
typedef struct {
    uint32_t width;
    int64_t *words;
    rgs_weight *weights;           /* 0 marks a free slot */
    size_t used, capacity, most;   /* most: rows, 0 for RGS_PRUNE_ROWS */
} rgs_rows;

typedef struct {
    const rgs_game *game;
    const rgs_state *state;
    const rgs_columns *columns;    /* by reel */
    const uint8_t *order;          /* the reels as they are walked */
    uint32_t added;                /* bits of evaluators that pay by counts and sums, and are not looked at */
    uint32_t width;
    rgs_view view;
    int32_t values[RGS_CELLS_MAX];
    uint64_t present[RGS_EVALUATORS_MAX][RGS_REELS_MAX];  /* of ways: entries that a reel shows */
    uint32_t seen[RGS_REELS_MAX + 1];                     /* bits of the first `depth` reels of the order */
    uint32_t from_left[RGS_REELS_MAX + 1], from_right[RGS_REELS_MAX + 1]; /* first reel that is not seen, from a side */
    uint8_t size[RGS_REELS_MAX + 1][RGS_EVALUATORS_MAX][64];   /* of counts and clusters: symbols seen so far */
    uint8_t further[RGS_REELS_MAX + 1][RGS_EVALUATORS_MAX][64]; /* most that the other reels can show */
    uint8_t least[RGS_EVALUATORS_MAX][64];                /* smallest number that pays, 255: none */
    uint32_t pattern_reels[4096];                         /* of combinations: bits of the reels that a pattern looks at */
    uint16_t open[RGS_REELS_MAX + 1][256];                /* lines that are not settled */
    uint32_t open_count[RGS_REELS_MAX + 1];
    uint64_t top, even;                                   /* cells of the top row and of every second reel */
    rgs_log *wins;                                        /* NULL when no win awards spins */
    rgs_rows closed[RGS_REELS_MAX + 1], tails[RGS_REELS_MAX + 1];
    uint64_t nodes, nodes_max;
    int (*interrupted)(void);
} rgs_prune;

static int rgs_rows_add(rgs_rows *rows, const int64_t *words, rgs_weight weight)
{
    const uint32_t width = rows->width;
    if (weight == 0)
        return 0;
    if (2 * rows->used >= rows->capacity) {
        if (rows->used >= (rows->most ? rows->most : RGS_PRUNE_ROWS))
            return RGS_MERGE_TOO_LARGE;
        rgs_rows grown = {width, NULL, NULL, 0, rows->capacity ? 2 * rows->capacity : 256, rows->most};
        grown.words = malloc(grown.capacity * width * sizeof *grown.words);
        grown.weights = calloc(grown.capacity, sizeof *grown.weights);
        if (!grown.words || !grown.weights) {
            free(grown.words);
            free(grown.weights);
            return -1;
        }
        for (size_t i = 0; i < rows->capacity; i++)
            if (rows->weights[i])
                rgs_rows_add(&grown, rows->words + i * width, rows->weights[i]);
        free(rows->words);
        free(rows->weights);
        *rows = grown;
    }
    uint64_t hash = 0;
    for (uint32_t i = 0; i < width; i++)
        hash = rgs_mix(hash, (uint64_t)words[i]);
    for (size_t slot = hash & (rows->capacity - 1);; slot = (slot + 1) & (rows->capacity - 1)) {
        if (rows->weights[slot] == 0) {
            memcpy(rows->words + slot * width, words, width * sizeof *words);
            rows->weights[slot] = weight;
            rows->used++;
            return 0;
        }
        if (memcmp(rows->words + slot * width, words, width * sizeof *words) == 0) {
            rows->weights[slot] += weight;
            return 0;
        }
    }
}

static void rgs_rows_free(rgs_rows *rows)
{
    free(rows->words);
    free(rows->weights);
}

/* Whether a cell may count as symbol x for a count or cluster. */
static inline uint64_t rgs_prune_reads(const rgs_evaluator *evaluator, uint8_t symbol)
{
    return evaluator->kind == RGS_COUNT && !evaluator->wilds ? evaluator->naturals[symbol] : evaluator->readings[symbol];
}

/* Adds the symbols of a column to what counts and clusters have seen. */
static void rgs_prune_sizes(const rgs_game *game, const rgs_evaluator *evaluator, const uint8_t *symbols, uint32_t height,
                            uint8_t size[64])
{
    for (uint32_t row = 0; row < height; row++)
        for (uint64_t reads = rgs_prune_reads(evaluator, symbols[row]); reads; reads &= reads - 1) {
            const uint32_t x = (uint32_t)__builtin_ctzll(reads);
            size[x] = (uint8_t)(size[x] + game->times[symbols[row]]);
        }
}

static inline int rgs_prune_sized(const rgs_evaluator *evaluator)
{
    return evaluator->kind == RGS_COUNT || evaluator->kind == RGS_CLUSTER;
}

/* What does not change during a walk. */
static void rgs_prune_prepare(rgs_prune *prune)
{
    const rgs_game *game = prune->game;
    const rgs_state *state = prune->state;
    const uint32_t reels = game->reels;
    for (uint32_t depth = 0; depth <= reels; depth++) {
        uint32_t seen = 0, left = 0, right = reels;
        for (uint32_t i = 0; i < depth; i++)
            seen |= 1u << prune->order[i];
        while (left < reels && seen >> left & 1)
            left++;
        while (right > 0 && seen >> (right - 1) & 1)
            right--;
        prune->seen[depth] = seen;
        prune->from_left[depth] = left;
        prune->from_right[depth] = reels - right;
    }
    for (uint32_t reel = 0; reel < reels; reel++) {
        prune->top |= (uint64_t)1 << reel * game->rows;
        if (reel % 2 == 0)
            prune->even |= (((uint64_t)1 << game->rows) - 1) << reel * game->rows;
    }
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        const rgs_evaluator *evaluator = &state->evaluators[e];
        for (uint32_t p = 0; evaluator->kind == RGS_COMBINATIONS && p < evaluator->patterns_count; p++)
            for (uint32_t reel = 0; reel < reels; reel++)
                prune->pattern_reels[p] |= (uint32_t)(evaluator->patterns[p * reels + reel] != RGS_ANY_SYMBOL) << reel;
        if (!rgs_prune_sized(evaluator))
            continue;
        for (uint32_t x = 0; x < game->symbols_count; x++) {
            uint32_t count = 1;
            while (count < evaluator->counts && evaluator->pays[x * evaluator->counts + count] == 0)
                count++;
            prune->least[e][x] = (uint8_t)(count < evaluator->counts ? count : 255);
        }
        for (uint32_t depth = reels; depth-- > 0;) {
            const rgs_columns *columns = &prune->columns[prune->order[depth]];
            uint8_t most[64] = {0};
            for (uint32_t c = 0; c < columns->count; c++) {
                uint8_t size[64] = {0};
                rgs_prune_sizes(game, evaluator, columns->symbols + (size_t)c * game->rows, columns->heights[c], size);
                for (uint32_t x = 0; x < 64; x++)
                    most[x] = size[x] > most[x] ? size[x] : most[x];
            }
            for (uint32_t x = 0; x < 64; x++)
                prune->further[depth][e][x] = (uint8_t)(prune->further[depth + 1][e][x] + most[x]);
        }
    }
}

/* The reel at this place of the order shows a column. */
static void rgs_prune_place(rgs_prune *prune, uint32_t depth, uint32_t column)
{
    const rgs_game *game = prune->game;
    const rgs_state *state = prune->state;
    const uint32_t reel = prune->order[depth], rows = game->rows;
    const rgs_columns *columns = &prune->columns[reel];
    const uint8_t *symbols = columns->symbols + (size_t)column * rows;
    const uint32_t height = columns->heights[column];
    prune->view.windows[reel] = symbols;
    prune->view.heights[reel] = (uint8_t)height;
    if (columns->values)
        memcpy(prune->values + reel * rows, columns->values + (size_t)column * rows, rows * sizeof *prune->values);
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        const rgs_evaluator *evaluator = &state->evaluators[e];
        if (evaluator->kind == RGS_WAYS) {
            prune->present[e][reel] = 0;
            for (uint32_t row = 0; row < height; row++)
                prune->present[e][reel] |= evaluator->readings[symbols[row]];
        } else if (rgs_prune_sized(evaluator)) {
            memcpy(prune->size[depth + 1][e], prune->size[depth][e], 64);
            rgs_prune_sizes(game, evaluator, symbols, height, prune->size[depth + 1][e]);
        }
    }
}

/* Whether a run from one side can still begin or go on: the seen ones of its first reels, up to the first that is not
 * seen and `least` at least, read alike. `reads[i]`: what reel i from that side reads. */
static inline int rgs_run_open(const uint64_t *reads, uint32_t mirrored, uint32_t seen, uint32_t reels, uint32_t least,
                               uint32_t unseen)
{
    const uint32_t until = least > unseen + 1 ? least : unseen + 1;
    uint64_t run = ~(uint64_t)0;
    for (uint32_t i = 0; i < until && run; i++) {
        const uint32_t reel = mirrored ? reels - 1 - i : i;
        if (seen >> reel & 1)
            run &= reads[reel];
    }
    return run != 0;
}

/* Whether what a payline pays, or a pattern on it, may depend on reels that are not seen. */
static int rgs_line_open(const rgs_prune *prune, uint32_t depth, uint32_t line)
{
    const rgs_game *game = prune->game;
    const rgs_state *state = prune->state;
    const rgs_evaluator *evaluator = &state->evaluators[state->lines];
    const uint32_t reels = game->reels, seen = prune->seen[depth];
    const uint8_t *rows = state->paylines + (size_t)line * reels;
    uint8_t cells[RGS_REELS_MAX];
    for (uint32_t reel = 0; reel < reels; reel++)
        cells[reel] = seen >> reel & 1 ? prune->view.windows[reel][rows[reel]] : 0;
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        uint32_t matching = 1, hidden = 0;
        if (trigger->kind != RGS_PICK)
            continue;
        for (uint32_t reel = 0; reel < trigger->pattern_length; reel++) {
            if (trigger->pattern[reel] == RGS_ANY_SYMBOL)
                continue;
            if (!(seen >> reel & 1))
                hidden = 1;
            else if (trigger->pattern[reel] != game->read[cells[reel]])
                matching = 0;
        }
        if (matching && hidden)
            return 1;
    }
    if (evaluator->kind == RGS_COMBINATIONS) {
        for (uint32_t p = 0; p < evaluator->patterns_count; p++) {
            const uint8_t *pattern = evaluator->patterns + (size_t)p * reels;
            if (!(prune->pattern_reels[p] & ~seen))
                continue;
            uint32_t looked = prune->pattern_reels[p] & seen;
            for (; looked; looked &= looked - 1) {
                const uint32_t reel = (uint32_t)__builtin_ctz(looked);
                if (!(evaluator->readings[cells[reel]] >> pattern[reel] & 1))
                    break;
            }
            if (!looked)
                return 1;
        }
        return 0;
    }
    const uint32_t least = evaluator->count_min, direction = evaluator->direction;
    uint64_t reads[RGS_REELS_MAX];
    if (least > reels)
        return 0;
    for (uint32_t reel = 0; reel < reels; reel++)
        reads[reel] = evaluator->readings[cells[reel]];
    if (direction == RGS_ADJACENT) {
        for (uint32_t start = 0; start + least <= reels; start++) {
            const uint32_t window = ((1u << least) - 1) << start;
            uint64_t run = ~(uint64_t)0;
            if (!(window & ~seen))
                continue;
            for (uint32_t looked = window & seen; looked; looked &= looked - 1)
                run &= reads[__builtin_ctz(looked)];
            if (run)
                return 1;
        }
        return 0;
    }
    return (direction != RGS_RIGHT && rgs_run_open(reads, 0, seen, reels, least, prune->from_left[depth])) ||
           (direction != RGS_LEFT && rgs_run_open(reads, 1, seen, reels, least, prune->from_right[depth]));
}

/* Whether the grid may become full of one symbol that multiplies its lines. */
static int rgs_full_open(const rgs_prune *prune, uint32_t depth)
{
    const rgs_game *game = prune->game;
    const rgs_evaluator *evaluator = &prune->state->evaluators[prune->state->lines];
    uint32_t symbol = RGS_ANY_SYMBOL;
    if (evaluator->kind != RGS_LINES || !evaluator->full_grid)
        return 0;
    for (uint32_t i = 0; i < depth; i++) {
        const uint32_t reel = prune->order[i];
        for (uint32_t row = 0; row < prune->view.heights[reel]; row++) {
            const uint32_t read = game->read[prune->view.windows[reel][row]];
            if (symbol != RGS_ANY_SYMBOL && symbol != read)
                return 0;
            symbol = read;
        }
    }
    return symbol == RGS_ANY_SYMBOL || evaluator->full_grid[symbol] != 1;
}

/* Whether a cluster of x that pays may have cells on reels that are not seen: those of its cells that are seen touch them,
 * and are enough together with all that may come. */
static int rgs_cluster_open(const rgs_prune *prune, uint32_t depth, const rgs_evaluator *evaluator, uint32_t x,
                            uint32_t least, uint32_t further)
{
    const rgs_game *game = prune->game;
    const uint32_t rows = game->rows, seen = prune->seen[depth];
    uint64_t matching = 0, edge = 0, grown;
    for (uint32_t i = 0; i < depth; i++) {
        const uint32_t reel = prune->order[i];
        uint64_t cells = 0;
        for (uint32_t row = 0; row < prune->view.heights[reel]; row++)
            cells |= (evaluator->readings[prune->view.windows[reel][row]] >> x & 1) << (reel * rows + row);
        matching |= cells;
        if ((reel && !(seen >> (reel - 1) & 1)) || (reel + 1 < game->reels && !(seen >> (reel + 1) & 1)))
            edge |= cells;
    }
    while ((grown = rgs_touching(game, edge, evaluator->neighbours, prune->top, prune->top << (rows - 1), prune->even) &
                    matching) != edge)
        edge = grown;
    return rgs_cells_size(game, &prune->view, edge) + further >= least;
}

/* Whether anything that is paid may depend on reels that are not seen. */
static int rgs_prune_open(rgs_prune *prune, uint32_t depth)
{
    const rgs_game *game = prune->game;
    const rgs_state *state = prune->state;
    const uint32_t seen = prune->seen[depth], reels = game->reels;
    if (state->paylines_count) {
        const uint32_t full = rgs_full_open(prune, depth);
        uint32_t count = 0;
        for (uint32_t i = 0; i < (depth ? prune->open_count[depth - 1] : state->paylines_count); i++) {
            const uint16_t line = depth ? prune->open[depth - 1][i] : (uint16_t)i;
            if (full || rgs_line_open(prune, depth, line))
                prune->open[depth][count++] = line;
        }
        prune->open_count[depth] = count;
        if (count)
            return 1;
    }
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        const rgs_evaluator *evaluator = &state->evaluators[e];
        if (evaluator->kind == RGS_WAYS && evaluator->count_min <= reels) {
            const uint32_t least = evaluator->count_min;
            if ((evaluator->direction != RGS_RIGHT &&
                 rgs_run_open(prune->present[e], 0, seen, reels, least, prune->from_left[depth])) ||
                (evaluator->direction != RGS_LEFT &&
                 rgs_run_open(prune->present[e], 1, seen, reels, least, prune->from_right[depth])))
                return 1;
        } else if (rgs_prune_sized(evaluator)) {
            for (uint32_t x = 0; x < game->symbols_count; x++) {
                const uint32_t least = prune->least[e][x], further = prune->further[depth][e][x];
                if (further == 0 || !(evaluator->naturals[x] >> x & 1) ||
                    (uint32_t)prune->size[depth][e][x] + further < least)
                    continue;
                if (evaluator->kind == RGS_COUNT || rgs_cluster_open(prune, depth, evaluator, x, least, further))
                    return 1;
            }
        }
    }
    return 0;
}

/* Pays the grid, whatever columns stand for reels that are not seen. Returns 0, -1, or RGS_MERGE_TOO_LARGE. */
static int rgs_prune_close(rgs_prune *prune, uint32_t depth, uint64_t counts, int64_t sum, rgs_weight weight)
{
    const rgs_game *game = prune->game;
    const rgs_state *state = prune->state;
    const rgs_look look = {.view = &prune->view, .factor = 1, .log = prune->wins};
    int64_t words[RGS_PRUNE_WORDS];
    uint32_t width = 0;
    uint64_t matches = 0;
    if (prune->wins)
        prune->wins->length = 0;
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        if (prune->added >> e & 1)
            continue;
        words[width] = 0;
        if (rgs_pay(game, state, e, &look, &words[width]))
            return -1;
        width++;
    }
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        uint64_t matched = 0;
        if (trigger->kind == RGS_WIN_SPINS)
            for (size_t i = 0; i < prune->wins->length; i++) {
                const rgs_event *win = &prune->wins->events[i];
                if (win->kind == RGS_EVENT_WIN && win->a == trigger->evaluator)
                    matched += trigger->spins[(win->c & 0xffff) * trigger->counts + (win->c >> 16 & 255)];
            }
        if (trigger->kind == RGS_PICK)
            for (uint32_t line = 0; line < state->paylines_count; line++) {
                const uint8_t *rows = state->paylines + (size_t)line * game->reels;
                uint8_t cells[RGS_REELS_MAX];
                for (uint32_t reel = 0; reel < trigger->pattern_length; reel++)
                    cells[reel] = game->read[prune->view.windows[reel][rows[reel]]];
                matched += (uint64_t)rgs_pattern_matches(trigger, cells);
            }
        matches += matched << 16 * trigger->match; /* 0 of triggers that lines do not decide */
    }
    words[width++] = (int64_t)matches;
    words[width++] = (int64_t)counts;
    words[width++] = sum;
    return rgs_rows_add(&prune->closed[depth], words, weight);
}

/* Walks on from a prefix; the first reel takes every parts-th column from `part` on. Returns as rgs_prune_spin. */
static int rgs_prune_walk(rgs_prune *prune, uint32_t depth, uint32_t part, uint32_t parts, uint64_t counts, int64_t sum,
                          rgs_weight weight)
{
    if (++prune->nodes > prune->nodes_max)
        return RGS_PRUNE_TOO_LONG;
    if ((prune->nodes & 0xffff) == 0 && prune->interrupted())
        return RGS_CYCLE_INTERRUPTED;
    if (depth == prune->game->reels || !rgs_prune_open(prune, depth))
        return depth || part == 0 ? rgs_prune_close(prune, depth, counts, sum, weight) : 0;
    const rgs_columns *columns = &prune->columns[prune->order[depth]];
    for (uint32_t c = depth ? 0 : part; c < columns->count; c += depth ? 1 : parts) {
        rgs_prune_place(prune, depth, c);
        const int error = rgs_prune_walk(prune, depth + 1, 0, 1, counts + columns->counts[c], sum + columns->sums[c],
                                         weight * columns->weights[c]);
        if (error)
            return error;
    }
    return 0;
}

/* Prefixes that a walk will look at, by walks down random paths, each standing for as many as it passed by (Knuth,
 * Mathematics of Computation 29, 1975). The paths are always the same. */
static double rgs_prune_estimate(rgs_prune *prune, uint32_t probes)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    double sum = 0;
    for (uint32_t i = 0; i < probes; i++) {
        double standing = 1;
        uint32_t depth = 0;
        for (;;) {
            sum += standing;
            if (depth == prune->game->reels || !rgs_prune_open(prune, depth))
                break;
            const uint32_t count = prune->columns[prune->order[depth]].count;
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            rgs_prune_place(prune, depth, (uint32_t)((random >> 32) * count >> 32));
            standing *= count;
            depth++;
        }
    }
    return sum / probes;
}

/* A group of touching cells of a cluster that may go on: those on the last reel, how many it counts for in all. */
typedef struct {
    uint8_t x, natural, size;
    uint16_t rows;
} rgs_group;

/* Prospects of a prefix in bytes: numbers of counts, then groups, in an order that is the same for equal ones. */
typedef struct {
    uint8_t bytes[RGS_PRUNE_PROSPECTS];
    uint32_t length;
    uint32_t open;                 /* 1: something may pay that is not paid yet */
} rgs_prospects;

/* Numbers of a count after one more reel; what pays at once, as nothing more can come, is added to *pay. */
static int rgs_count_step(const rgs_prune *prune, uint32_t depth, uint32_t e, const uint8_t *symbols, uint32_t height,
                          const uint8_t **before, rgs_prospects *after, int64_t *pay)
{
    const rgs_game *game = prune->game;
    const rgs_evaluator *evaluator = &prune->state->evaluators[e];
    uint8_t size[64] = {0};
    uint64_t natural = 0;
    rgs_prune_sizes(game, evaluator, symbols, height, size);
    for (uint32_t row = 0; row < height; row++)
        natural |= evaluator->naturals[symbols[row]];
    for (uint32_t x = 0; x < game->symbols_count; x++) {
        if (prune->least[e][x] == 255 || !(evaluator->naturals[x] >> x & 1))
            continue;
        const uint32_t old = *(*before)++; /* the number, and whether any is natural; 127: hopeless, or paid */
        uint32_t seen = (old & 127) + size[x], own = old >> 7 | (natural >> x & 1);
        const uint32_t further = prune->further[depth + 1][e][x];
        if (old == 127 || seen + further < prune->least[e][x]) {
            seen = 127;
            own = 0;
        } else if (further == 0) {
            *pay += own ? evaluator->pays[x * evaluator->counts + seen] : 0;
            seen = 127;
            own = 0;
        }
        if (after->length == RGS_PRUNE_PROSPECTS)
            return RGS_MERGE_TOO_LARGE;
        after->open |= seen != 127;
        after->bytes[after->length++] = (uint8_t)(seen | own << 7);
    }
    return 0;
}

/* Groups of a cluster after one more reel; those that end are paid. */
static int rgs_cluster_step(const rgs_prune *prune, uint32_t depth, uint32_t e, const uint8_t *symbols, uint32_t height,
                            const uint8_t **before, rgs_prospects *after, int64_t *pay)
{
    const rgs_game *game = prune->game;
    const rgs_evaluator *evaluator = &prune->state->evaluators[e];
    const uint32_t groups = *(*before)++;
    const uint32_t slant = evaluator->neighbours == 6, even = depth > 0 && (depth - 1) % 2 == 0;
    const uint32_t place = after->length;
    uint32_t written = 0, read = 0;
    const uint8_t *old = *before;
    *before += 5 * groups;
    if (place == RGS_PRUNE_PROSPECTS)
        return RGS_MERGE_TOO_LARGE;
    after->length++;
    for (uint32_t x = 0; x < game->symbols_count; x++) {
        rgs_group joined[RGS_ROWS_MAX];
        uint32_t count = 0, sizes = 0, matching = 0;
        const uint32_t further = prune->further[depth + 1][e][x];
        if (prune->least[e][x] == 255 || !(evaluator->naturals[x] >> x & 1))
            continue;
        after->open |= further >= prune->least[e][x];
        for (uint32_t row = 0; row < height; row++)
            matching |= (uint32_t)(evaluator->readings[symbols[row]] >> x & 1) << row;
        /* Runs of cells on this reel are groups at first. */
        for (uint32_t row = 0; row < height; row++) {
            if (!(matching >> row & 1))
                continue;
            if (row == 0 || !(matching >> (row - 1) & 1))
                joined[count++] = (rgs_group){(uint8_t)x, 0, 0, 0};
            rgs_group *group = &joined[count - 1];
            group->rows |= (uint16_t)(1u << row);
            group->size = (uint8_t)(group->size + game->times[symbols[row]]);
            group->natural |= evaluator->naturals[symbols[row]] >> x & 1;
        }
        /* Each old group joins all that it touches, or ends. */
        for (; read < groups && old[5 * read] == x; read++) {
            const uint8_t *from = old + 5 * read;
            const uint32_t rows = from[1] | (uint32_t)from[2] << 8;
            uint32_t touching = rows, into = count;
            if (slant)
                touching |= even ? rows >> 1 : rows << 1;
            for (uint32_t g = 0; g < count;) {
                if (!(joined[g].rows & touching)) {
                    g++;
                } else if (into == count) {
                    into = g++;
                } else {
                    joined[into].rows |= joined[g].rows;
                    joined[into].size = (uint8_t)(joined[into].size + joined[g].size);
                    joined[into].natural |= joined[g].natural;
                    joined[g] = joined[--count];
                }
            }
            if (into < count) {
                joined[into].size = (uint8_t)(joined[into].size + from[3]);
                joined[into].natural |= from[4];
            } else if (from[4]) {
                *pay += evaluator->pays[x * evaluator->counts + from[3]];
            }
        }
        for (uint32_t g = 0; g < count; g++)
            sizes += joined[g].size;
        if (further == 0) {
            for (uint32_t g = 0; g < count; g++)
                *pay += joined[g].natural ? evaluator->pays[x * evaluator->counts + joined[g].size] : 0;
            continue;
        }
        if (sizes + further < prune->least[e][x])
            continue; /* all together are too few */
        for (uint32_t row = 0; row < height; row++) /* by their first row */
            for (uint32_t g = 0; g < count; g++)
                if ((joined[g].rows & -joined[g].rows) == 1 << row) {
                    if (after->length + 5 > RGS_PRUNE_PROSPECTS)
                        return RGS_MERGE_TOO_LARGE;
                    uint8_t *to = after->bytes + after->length;
                    to[0] = (uint8_t)x;
                    to[1] = (uint8_t)(joined[g].rows & 255);
                    to[2] = (uint8_t)(joined[g].rows >> 8);
                    to[3] = joined[g].size;
                    to[4] = joined[g].natural;
                    after->length += 5;
                    written++;
                }
    }
    after->bytes[place] = (uint8_t)written;
    after->open |= written > 0;
    return 0;
}

/* Merges prefixes with equal prospects, reel by reel from the left. Returns as rgs_prune_spin. */
static int rgs_prune_merge(rgs_prune *prune)
{
    const rgs_game *game = prune->game;
    const rgs_state *state = prune->state;
    const uint32_t prospects = RGS_PRUNE_PROSPECTS / sizeof(int64_t), width = prospects + prune->width;
    rgs_rows table = {.width = width, .most = RGS_PRUNE_MERGED};
    int64_t words[RGS_PRUNE_PROSPECTS / sizeof(int64_t) + RGS_PRUNE_WORDS] = {0};
    int error = rgs_rows_add(&table, words, 1);
    for (uint32_t depth = 0; depth < game->reels && !error; depth++) {
        const rgs_columns *columns = &prune->columns[depth];
        rgs_rows following = {.width = width, .most = RGS_PRUNE_MERGED};
        for (size_t i = 0; i < table.capacity && !error; i++) {
            if (!table.weights[i])
                continue;
            prune->nodes += columns->count;
            if (prune->nodes > prune->nodes_max)
                error = RGS_PRUNE_TOO_LONG;
            if ((i & 0xfff) == 0 && prune->interrupted())
                error = RGS_CYCLE_INTERRUPTED;
            for (uint32_t c = 0; c < columns->count && !error; c++) {
                const int64_t *row = table.words + i * width;
                const uint8_t *before = (const uint8_t *)row;
                rgs_prospects after;
                uint32_t pay = prospects;
                memset(&after, 0, sizeof after);
                memcpy(words, row, width * sizeof *words);
                for (uint32_t e = 0; e < state->evaluators_count && !error; e++) {
                    if (prune->added >> e & 1)
                        continue;
                    error = (state->evaluators[e].kind == RGS_COUNT ? rgs_count_step : rgs_cluster_step)(
                        prune, depth, e, columns->symbols + (size_t)c * game->rows, columns->heights[c], &before, &after,
                        &words[pay]);
                    pay++;
                }
                words[width - 2] += (int64_t)columns->counts[c];
                words[width - 1] += columns->sums[c];
                if (error)
                    break;
                if (after.open && depth + 1 < game->reels) {
                    memcpy(words, after.bytes, sizeof after.bytes);
                    error = rgs_rows_add(&following, words, table.weights[i] * columns->weights[c]);
                } else {
                    error = rgs_rows_add(&prune->closed[depth + 1], words + prospects,
                                         table.weights[i] * columns->weights[c]);
                }
            }
        }
        rgs_rows_free(&table);
        table = following;
    }
    rgs_rows_free(&table);
    return error;
}

/* Laws of counts and sums over the reels from each depth on. */
static int rgs_prune_tails(rgs_prune *prune)
{
    const uint32_t reels = prune->game->reels;
    const int64_t nothing[2] = {0, 0};
    for (uint32_t depth = 0; depth <= reels; depth++)
        prune->tails[depth].width = 2;
    int error = rgs_rows_add(&prune->tails[reels], nothing, 1);
    for (uint32_t depth = reels; depth-- > 0 && !error;) {
        const rgs_columns *columns = &prune->columns[prune->order[depth]];
        const rgs_rows *after = &prune->tails[depth + 1];
        rgs_rows own = {.width = 2};
        for (uint32_t c = 0; c < columns->count && !error; c++) {
            const int64_t words[2] = {(int64_t)columns->counts[c], columns->sums[c]};
            error = rgs_rows_add(&own, words, columns->weights[c]);
        }
        for (size_t i = 0; i < after->capacity && !error; i++)
            for (size_t c = 0; c < own.capacity && after->weights[i] && !error; c++) {
                const int64_t words[2] = {after->words[2 * i] + own.words[2 * c], after->words[2 * i + 1] + own.words[2 * c + 1]};
                if (own.weights[c])
                    error = rgs_rows_add(&prune->tails[depth], words, after->weights[i] * own.weights[c]);
            }
        rgs_rows_free(&own);
    }
    return error;
}

/* What was closed at each depth with what the other reels add. */
static int rgs_prune_gather(rgs_prune *prune, rgs_rows *law)
{
    const uint32_t width = prune->width;
    int64_t words[RGS_PRUNE_WORDS];
    for (uint32_t depth = 0; depth <= prune->game->reels; depth++) {
        const rgs_rows *closed = &prune->closed[depth], *tails = &prune->tails[depth];
        for (size_t i = 0; i < closed->capacity; i++) {
            if (!closed->weights[i])
                continue;
            memcpy(words, closed->words + i * width, width * sizeof *words);
            for (size_t t = 0; t < tails->capacity; t++) {
                if (!tails->weights[t])
                    continue;
                words[width - 2] = closed->words[i * width + width - 2] + tails->words[2 * t];
                words[width - 1] = closed->words[i * width + width - 1] + tails->words[2 * t + 1];
                const int error = rgs_rows_add(law, words, closed->weights[i] * tails->weights[t]);
                if (error)
                    return error;
            }
            if ((i & 0xff) == 0 && prune->interrupted())
                return RGS_CYCLE_INTERRUPTED;
        }
    }
    return 0;
}

/* Law of a spin whose reels show `columns`: rows of what every evaluator pays that is not `added`, in order, matches,
 * counts and the sum. `merging`: by merging prefixes, of counts and clusters alone, without values, wilds that multiply
 * and triggers by wins or patterns. With `probes` no law, but about how many prefixes it takes, in *nodes. Returns 0, -1
 * when memory is short, RGS_CYCLE_INTERRUPTED, RGS_PRUNE_TOO_LONG after nodes_max prefixes, or RGS_MERGE_TOO_LARGE. The
 * caller frees the law. */
static int rgs_prune_spin(const rgs_game *game, uint32_t state_index, const rgs_columns *columns, const uint8_t *order,
                          uint32_t added, uint32_t merging, uint32_t part, uint32_t parts, uint64_t nodes_max,
                          uint32_t probes, int (*interrupted)(void), rgs_rows *law, uint64_t *nodes)
{
    const rgs_state *state = &game->states[state_index];
    rgs_prune *prune = calloc(1, sizeof *prune);
    rgs_log wins = {0};
    if (!prune)
        return -1;
    prune->game = game;
    prune->state = state;
    prune->columns = columns;
    prune->order = order;
    prune->added = added;
    prune->nodes_max = nodes_max;
    prune->interrupted = interrupted;
    prune->width = 3 + state->evaluators_count - (uint32_t)__builtin_popcount(added);
    prune->view.shown = ~(uint64_t)0;
    prune->view.values = columns[0].values ? prune->values : NULL;
    for (uint32_t t = 0; t < state->triggers_count; t++)
        if (state->triggers[t].kind == RGS_WIN_SPINS)
            prune->wins = &wins;
    law->width = prune->width;
    for (uint32_t depth = 0; depth <= game->reels; depth++)
        prune->closed[depth].width = prune->width;
    rgs_prune_prepare(prune);
    for (uint32_t depth = 0; depth < game->reels; depth++)
        rgs_prune_place(prune, depth, 0);
    int error = 0;
    if (probes) {
        const double estimate = rgs_prune_estimate(prune, probes);
        *nodes = estimate < 1e18 ? (uint64_t)estimate : (uint64_t)1e18;
    } else {
        error = rgs_prune_tails(prune);
        if (!error)
            error = merging ? rgs_prune_merge(prune) : rgs_prune_walk(prune, 0, part, parts, 0, 0, 1);
        if (!error)
            error = rgs_prune_gather(prune, law);
        *nodes = prune->nodes;
    }
    for (uint32_t depth = 0; depth <= game->reels; depth++) {
        rgs_rows_free(&prune->closed[depth]);
        rgs_rows_free(&prune->tails[depth]);
    }
    free(wins.events);
    free(prune);
    return error;
}

#endif
