/* Joint table of one spin by merging equal situations, reel by reel: exact, in milliseconds where the full
 * cycle takes seconds or years.
 *
 * A payline is an automaton that reads its cells from the left. Its states after k reels ("classes") are made minimal: of
 * what a line can still win the part that is certain is paid at once, and prefixes with the same prospects
 * are one class; class 0 can win nothing more (weighted automata: Mohri, Computational Linguistics 23(2),
 * 1997). Lines that share their first rows are in the same class, so a trie of rows stands for all lines.
 * What is left of k reels is then the list of (trie node, class) still open: a "situation". Equal situations
 * with equal pay and counts are merged and their weights added, in 128-bit integers. Windows of a reel that
 * no class tells apart are merged as well. cycle.h visits every combination instead; both must agree. */

#ifndef RGS_MERGE_H
#define RGS_MERGE_H

#include "cycle.h"

enum {
    RGS_MERGE_TOO_LARGE = -3,
    RGS_MERGE_PREFIXES = 1 << 20,  /* prefixes of cells that one line may have open */
    RGS_MERGE_WORDS = 1 << 26,     /* of the situations of one reel: 256 MB */
    RGS_MERGE_CELLS = 1 << 22,     /* cells of one reel: about 600 MB with their copy */
    RGS_MERGE_CLASSES = 1 << 12,
};

typedef struct {
    int64_t pay;
    uint32_t situation;
    uint64_t counts, matches;
    rgs_weight weight;             /* 0 marks a free slot */
} rgs_merged;

typedef struct {
    rgs_merged *cells;
    size_t used, capacity;
} rgs_merged_table;

/* What a cell with a symbol does to a line of a class. */
typedef struct {
    int64_t pay;                   /* certain from now on, units */
    uint64_t matches;              /* 1 in bits 16i.. for a complete pattern, or the spins that a win awards */
    uint64_t next;                 /* class after this reel */
} rgs_step;

typedef struct {
    uint32_t count, capacity;
    rgs_step *steps;               /* [class][symbol] */
    uint64_t *hashes;              /* [class] of its steps, so that few are compared */
} rgs_classes;

typedef struct {
    uint32_t first_child, children, row, lines; /* row: on the reel before; lines: that pass here */
} rgs_trie_node;

typedef struct {
    uint8_t symbols[RGS_ROWS_MAX];
    uint64_t counts;
    uint64_t weight;
} rgs_window;

/* Interned situations of one depth: words[begin[i] .. begin[i + 1]) are node << 16 | class. */
typedef struct {
    uint32_t *words, *slots;
    size_t words_used, words_capacity, slots_capacity;
    size_t *begin;
    size_t count, capacity;
} rgs_situations;

typedef struct {
    const rgs_game *game;
    const rgs_state *state;
    rgs_cycle *cycle;              /* for its tails and counts of windows */
    uint8_t on_reel[RGS_REELS_MAX][64];  /* 1: the symbol is on a strip */
    rgs_classes classes[RGS_REELS_MAX + 1];
    uint32_t prefixes;
    uint32_t whole;                /* 1: what a line pays is known at its end only: combinations, other directions */
    int64_t pattern_class[RGS_REELS_MAX][1 << RGS_MATCHES_MAX]; /* 1 + class of lines with patterns only, 0 unknown */
    rgs_trie_node *nodes[RGS_REELS_MAX + 1];
    uint32_t nodes_count[RGS_REELS_MAX + 1];
    uint64_t *moves[RGS_REELS_MAX];      /* [class] -> bit of each symbol that does anything to a line of it */
    rgs_window *windows[RGS_REELS_MAX];  /* in the order of their counts */
    uint32_t windows_count[RGS_REELS_MAX];
} rgs_merge;

static inline uint64_t rgs_mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

/* Adds weight to a cell. Returns 0, -1 when memory is short, RGS_MERGE_TOO_LARGE above RGS_MERGE_CELLS. */
static int rgs_merged_add(rgs_merged_table *table, uint32_t situation, int64_t pay, uint64_t counts,
                          uint64_t matches, rgs_weight weight)
{
    if (weight == 0)
        return 0;
    if (2 * table->used >= table->capacity) {
        const size_t capacity = table->capacity ? 2 * table->capacity : 1024;
        if (table->used >= RGS_MERGE_CELLS)
            return RGS_MERGE_TOO_LARGE;
        rgs_merged *old = table->cells, *cells = calloc(capacity, sizeof *cells);
        if (!cells)
            return -1;
        const size_t old_capacity = table->capacity;
        *table = (rgs_merged_table){cells, 0, capacity};
        for (size_t i = 0; i < old_capacity; i++)
            if (old[i].weight)
                rgs_merged_add(table, old[i].situation, old[i].pay, old[i].counts, old[i].matches, old[i].weight);
        free(old);
    }
    uint64_t slot = rgs_mix(rgs_mix(rgs_mix((uint64_t)pay, situation), counts), matches);
    for (;; slot++) {
        rgs_merged *cell = &table->cells[slot & (table->capacity - 1)];
        if (cell->weight == 0) {
            *cell = (rgs_merged){pay, situation, counts, matches, weight};
            table->used++;
            return 0;
        }
        if (cell->pay == pay && cell->situation == situation && cell->counts == counts && cell->matches == matches) {
            cell->weight += weight;
            return 0;
        }
    }
}

/* Index of a situation, made if it is new; -1 when memory is short, RGS_MERGE_TOO_LARGE above RGS_MERGE_WORDS. */
static int64_t rgs_situation(rgs_situations *all, const uint32_t *words, size_t length)
{
    if (2 * all->count >= all->slots_capacity) {
        const size_t capacity = all->slots_capacity ? 2 * all->slots_capacity : 1024;
        uint32_t *slots = calloc(capacity, sizeof *slots);
        if (!slots)
            return -1;
        for (size_t i = 0; i < all->count; i++) {
            uint64_t h = 0;
            for (size_t w = all->begin[i]; w < all->begin[i + 1]; w++)
                h = rgs_mix(h, all->words[w]);
            while (slots[h & (capacity - 1)])
                h++;
            slots[h & (capacity - 1)] = (uint32_t)i + 1;
        }
        free(all->slots);
        all->slots = slots;
        all->slots_capacity = capacity;
    }
    uint64_t h = 0;
    for (size_t w = 0; w < length; w++)
        h = rgs_mix(h, words[w]);
    for (;; h++) {
        uint32_t *slot = &all->slots[h & (all->slots_capacity - 1)];
        if (*slot) {
            const size_t found = *slot - 1;
            if (all->begin[found + 1] - all->begin[found] == length &&
                memcmp(all->words + all->begin[found], words, length * sizeof *words) == 0)
                return (int64_t)found;
            continue;
        }
        if (all->count + 2 > all->capacity) {
            const size_t capacity = all->capacity ? 2 * all->capacity : 256;
            size_t *begin = realloc(all->begin, capacity * sizeof *begin);
            if (!begin)
                return -1;
            all->begin = begin;
            all->capacity = capacity;
        }
        if (all->words_used + length > all->words_capacity) {
            const size_t capacity = 2 * (all->words_capacity + length) + 1024;
            if (all->words_used + length > RGS_MERGE_WORDS)
                return RGS_MERGE_TOO_LARGE;
            uint32_t *grown = realloc(all->words, capacity * sizeof *grown);
            if (!grown)
                return -1;
            all->words = grown;
            all->words_capacity = capacity;
        }
        memcpy(all->words + all->words_used, words, length * sizeof *words);
        all->begin[all->count] = all->words_used;
        all->words_used += length;
        all->begin[++all->count] = all->words_used;
        *slot = (uint32_t)all->count;
        return (int64_t)all->count - 1;
    }
}

static void rgs_situations_free(rgs_situations *all)
{
    free(all->words);
    free(all->slots);
    free(all->begin);
    *all = (rgs_situations){0};
}

/* What a whole line pays whose wins do not all begin on its left; spins that its wins award are added to *matches. */
static int64_t rgs_whole_line_amount(const rgs_game *game, const rgs_state *state, const rgs_evaluator *lines,
                                     uint64_t skip, const uint8_t *cells, uint64_t *matches)
{
    const rgs_factors plain = {1, 1};
    const uint32_t reels = game->reels;
    uint8_t mirrored[RGS_REELS_MAX];
    rgs_line_win wins[2] = {{0}, {0}};
    if (skip >> game->read[cells[0]] & 1)
        return 0;
    if (lines->kind == RGS_COMBINATIONS)
        return rgs_line_combination(game, lines, cells, reels, &plain).amount;
    if (lines->direction == RGS_ADJACENT)
        wins[0] = rgs_line_adjacent(game, lines, cells, NULL, reels, &plain);
    if (lines->direction == RGS_BOTH)
        wins[0] = rgs_line(game, lines, cells, NULL, reels, &plain);
    if (lines->direction != RGS_ADJACENT && !(wins[0].amount && wins[0].cells == reels)) {
        for (uint32_t reel = 0; reel < reels; reel++)
            mirrored[reel] = cells[reels - 1 - reel];
        wins[1] = rgs_line(game, lines, mirrored, NULL, reels, &plain);
    }
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t t = 0; wins[i].amount && t < state->triggers_count; t++) {
            const rgs_trigger *trigger = &state->triggers[t];
            if (trigger->kind == RGS_WIN_SPINS && trigger->evaluator == state->lines)
                *matches += (uint64_t)trigger->spins[wins[i].symbol * trigger->counts + wins[i].count]
                            << 16 * trigger->match;
        }
    return wins[0].amount + wins[1].amount;
}

/* The class of a line whose first `depth` cells are given, and the least it will win in *certain.
 * Without readings alive only patterns are left, and the class depends on nothing but them. A line whose wins do not
 * all begin on its left stays alive to its end: prefixes with the same prospects are one class all the same.
 * Returns the class, -1 when memory is short, RGS_CYCLE_INTERRUPTED or RGS_MERGE_TOO_LARGE. */
static int64_t rgs_line_class(rgs_merge *merge, uint8_t *cells, uint32_t depth, uint64_t alive, uint32_t patterns,
                              int64_t *certain)
{
    const rgs_game *game = merge->game;
    const rgs_state *state = merge->state;
    const uint32_t symbols = game->symbols_count;
    rgs_step steps[64];
    int64_t amounts[64], least = INT64_MAX;
    uint32_t different = 0, blank = symbols;
    if (++merge->prefixes > RGS_MERGE_PREFIXES)
        return RGS_MERGE_TOO_LARGE;
    if ((merge->prefixes & 0xfff) == 0 && merge->cycle->interrupted())
        return RGS_CYCLE_INTERRUPTED;
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        steps[symbol] = (rgs_step){0};
        amounts[symbol] = 0;
        if (!merge->on_reel[depth][symbol])
            continue;
        cells[depth] = (uint8_t)symbol;
        const uint64_t next = merge->whole ? alive : alive & state->readings[symbol];
        uint32_t open = 0;
        for (uint32_t t = 0; t < state->triggers_count; t++) {
            const rgs_trigger *trigger = &state->triggers[t];
            if (trigger->kind != RGS_PICK || !(patterns >> trigger->match & 1) ||
                (trigger->pattern[depth] != RGS_ANY_SYMBOL && trigger->pattern[depth] != game->read[symbol]))
                continue;
            if (depth + 1 == trigger->pattern_length)
                steps[symbol].matches += (uint64_t)1 << 16 * trigger->match;
            else
                open |= 1u << trigger->match;
        }
        if (merge->whole && !open && !state->readings[symbol] && depth + 1 < game->reels) {
            if (blank < symbols) { /* what no line reads is the same to all lines */
                steps[symbol].next = steps[blank].next;
                amounts[symbol] = amounts[blank];
                if (amounts[symbol] < least)
                    least = amounts[symbol];
                continue;
            }
            blank = symbol;
        }
        if ((next || open) && depth + 1 < game->reels) {
            int64_t *known = next ? NULL : &merge->pattern_class[depth + 1][open];
            int64_t class = known ? *known - 1 : -1;
            if (!known || *known == 0) {
                class = rgs_line_class(merge, cells, depth + 1, next, open, &amounts[symbol]);
                if (class < 0)
                    return class;
                if (known)
                    *known = class + 1;
            }
            steps[symbol].next = (uint64_t)class;
            cells[depth] = (uint8_t)symbol;
        }
        if (merge->whole && depth + 1 == game->reels)
            amounts[symbol] = rgs_whole_line_amount(game, state, merge->cycle->lines, merge->cycle->skip, cells,
                                                    &steps[symbol].matches);
        else if ((!next || depth + 1 == game->reels) && alive && depth + 1 >= state->count_min)
            amounts[symbol] = rgs_line_amount(game, state, merge->cycle->lines, merge->cycle->skip, cells, depth + 1,
                                              &steps[symbol].matches);
        if (amounts[symbol] < least)
            least = amounts[symbol];
    }
    *certain = least;
    for (uint32_t symbol = 0; symbol < symbols; symbol++)
        if (merge->on_reel[depth][symbol]) {
            steps[symbol].pay = amounts[symbol] - least;
            different |= steps[symbol].pay != 0 || steps[symbol].next || steps[symbol].matches;
        }
    if (!different)
        return 0;
    /* There are few classes at a depth, so they are searched one by one. Class 0 steps nowhere. */
    rgs_classes *classes = &merge->classes[depth];
    uint64_t hash = 0;
    for (uint32_t symbol = 0; symbol < symbols; symbol++)
        hash = rgs_mix(rgs_mix(rgs_mix(hash, (uint64_t)steps[symbol].pay), steps[symbol].matches), steps[symbol].next);
    for (uint32_t class = 1; class < classes->count; class++) /* all fields are set, so bytes can be compared */
        if (classes->hashes[class] == hash &&
            memcmp(classes->steps + (size_t)class * symbols, steps, symbols * sizeof *steps) == 0)
            return class;
    if (classes->count == RGS_MERGE_CLASSES)
        return RGS_MERGE_TOO_LARGE;
    if (classes->count >= classes->capacity) {
        const uint32_t capacity = classes->capacity ? 2 * classes->capacity : 32;
        uint64_t *hashes = realloc(classes->hashes, capacity * sizeof *hashes);
        if (!hashes)
            return -1;
        classes->hashes = hashes;
        rgs_step *grown = realloc(classes->steps, (size_t)capacity * symbols * sizeof *grown);
        if (!grown)
            return -1;
        if (classes->count == 0)
            memset(grown, 0, symbols * sizeof *grown);
        classes->count += classes->count == 0;
        classes->steps = grown;
        classes->capacity = capacity;
    }
    memcpy(classes->steps + (size_t)classes->count * symbols, steps, symbols * sizeof *steps);
    classes->hashes[classes->count] = hash;
    return classes->count++;
}

/* Order of windows for qsort: by counts, then by symbols. */
static int rgs_window_order(const void *left, const void *right)
{
    const rgs_window *a = left, *b = right;
    if (a->counts != b->counts)
        return a->counts < b->counts ? -1 : 1;
    return memcmp(a->symbols, b->symbols, sizeof a->symbols);
}

/* Distinct windows of a reel: symbols that no class tells apart become one, rows without a line none. */
static int rgs_merge_windows(rgs_merge *merge, uint32_t reel)
{
    const rgs_game *game = merge->game;
    const rgs_strip *strip = &merge->state->sets[0][reel];
    const rgs_classes *classes = &merge->classes[reel];
    const uint8_t *shown = merge->cycle->shown[reel];
    const uint32_t symbols = game->symbols_count;
    uint8_t letters[64], row_used[RGS_ROWS_MAX] = {0};
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        letters[symbol] = (uint8_t)symbol;
        for (uint32_t other = 0; other < symbol && letters[symbol] == symbol; other++) {
            uint32_t same = merge->on_reel[reel][other];
            for (uint32_t class = 1; class < classes->count && same; class++) {
                const rgs_step *steps = classes->steps + (size_t)class * symbols;
                same = memcmp(&steps[symbol], &steps[other], sizeof *steps) == 0;
            }
            if (same)
                letters[symbol] = letters[other];
        }
    }
    for (uint32_t i = 0; i < merge->nodes_count[reel + 1]; i++)
        row_used[merge->nodes[reel + 1][i].row] = 1;
    merge->moves[reel] = calloc(classes->count + 1, sizeof *merge->moves[reel]);
    merge->windows[reel] = calloc(strip->length, sizeof *merge->windows[reel]);
    rgs_window *windows = merge->windows[reel];
    if (!merge->moves[reel] || !windows)
        return -1;
    for (uint32_t class = 1; class < classes->count; class++)
        for (uint32_t symbol = 0; symbol < symbols; symbol++) {
            const rgs_step *step = &classes->steps[(size_t)class * symbols + symbol];
            merge->moves[reel][class] |= (uint64_t)(step->pay || step->next || step->matches) << symbol;
        }
    for (uint32_t stop = 0; stop < strip->length; stop++) {
        for (uint32_t row = 0; row < game->rows; row++)
            windows[stop].symbols[row] = row_used[row] ? letters[shown[(size_t)stop * game->rows + row]] : 0;
        windows[stop].counts = merge->cycle->counts[reel][stop];
        windows[stop].weight = rgs_stop_weight(strip, stop);
    }
    qsort(windows, strip->length, sizeof *windows, rgs_window_order);
    uint32_t count = 0;
    for (uint32_t stop = 0; stop < strip->length; stop++) {
        if (count && rgs_window_order(&windows[count - 1], &windows[stop]) == 0)
            windows[count - 1].weight += windows[stop].weight;
        else
            windows[count++] = windows[stop];
    }
    merge->windows_count[reel] = count;
    return 0;
}

/* The trie of the rows of all paylines. `order` holds the paylines in lexical order. Returns 0 or -1. */
static int rgs_merge_trie(rgs_merge *merge, const uint16_t *order, uint32_t lines)
{
    const uint32_t reels = merge->game->reels;
    const uint8_t *paylines = merge->state->paylines;
    for (uint32_t depth = 0; depth <= reels; depth++) {
        rgs_trie_node *nodes = calloc(lines + 1, sizeof *nodes);
        if (!nodes)
            return -1;
        merge->nodes[depth] = nodes;
        uint32_t count = 0, parent = 0;
        for (uint32_t i = 0; i < lines; i++) {
            const uint8_t *rows = paylines + (size_t)order[i] * reels;
            const uint8_t *before = i ? paylines + (size_t)order[i - 1] * reels : rows;
            if (i && depth && memcmp(rows, before, depth - 1))
                parent++;
            if (i == 0 || memcmp(rows, before, depth)) {
                nodes[count].row = depth ? rows[depth - 1] : 0;
                if (depth) {
                    rgs_trie_node *above = &merge->nodes[depth - 1][parent];
                    if (above->children++ == 0)
                        above->first_child = count;
                }
                count++;
            }
            nodes[count - 1].lines++;
        }
        merge->nodes_count[depth] = count;
    }
    return 0;
}

/* What one window does to a situation: what is open after it (in words), and the pay and matches it adds. */
static inline size_t rgs_merge_step(const rgs_merge *merge, uint32_t reel, const uint32_t *situation, size_t length,
                                    const rgs_window *window, uint32_t *words, int64_t *pay, uint64_t *matches)
{
    const uint32_t symbols = merge->game->symbols_count;
    const rgs_step *steps = merge->classes[reel].steps;
    const rgs_trie_node *nodes = merge->nodes[reel], *children = merge->nodes[reel + 1];
    size_t open = 0;
    *pay = 0;
    *matches = 0;
    for (size_t i = 0; i < length; i++) {
        const rgs_trie_node *node = &nodes[situation[i] >> 16];
        const rgs_step *class_steps = steps + (size_t)(situation[i] & 0xffff) * symbols;
        for (uint32_t c = node->first_child; c < node->first_child + node->children; c++) {
            const rgs_step *step = &class_steps[window->symbols[children[c].row]];
            *pay += step->pay * children[c].lines;
            *matches += step->matches * children[c].lines;
            if (step->next)
                words[open++] = c << 16 | (uint32_t)step->next;
        }
    }
    return open;
}

/* Adds the cells of a situation, moved by a window or by several of the same effect and `weight` together. */
static int rgs_merge_move(rgs_merged_table *table, uint32_t situation, const rgs_merged *cells, size_t count,
                          int64_t pay, uint64_t counts, uint64_t matches, uint64_t weight)
{
    for (size_t i = 0; i < count; i++) {
        const int error = rgs_merged_add(table, situation, cells[i].pay + pay, cells[i].counts + counts,
                                         cells[i].matches + matches, cells[i].weight * weight);
        if (error)
            return error;
    }
    return 0;
}

/* One reel: every situation with every window. Cells of situations with nothing open go to `dead`. */
static int rgs_merge_reel(rgs_merge *merge, uint32_t reel, const rgs_situations *situations, const rgs_merged *cells,
                          const size_t *first_cell, rgs_situations *following, rgs_merged_table *table,
                          rgs_merged_table *dead)
{
    const rgs_trie_node *nodes = merge->nodes[reel], *children = merge->nodes[reel + 1];
    const rgs_window *windows = merge->windows[reel];
    const uint32_t windows_count = merge->windows_count[reel], rows = merge->game->rows;
    uint32_t words[257];
    for (size_t s = 0; s < situations->count; s++) {
        const uint32_t *situation = situations->words + situations->begin[s];
        const size_t length = situations->begin[s + 1] - situations->begin[s];
        const rgs_merged *own = cells + first_cell[s];
        const size_t own_count = first_cell[s + 1] - first_cell[s];
        uint64_t moves[RGS_ROWS_MAX] = {0}, idle = 0;
        if ((s & 255) == 0 && merge->cycle->interrupted())
            return RGS_CYCLE_INTERRUPTED;
        for (size_t i = 0; i < length; i++) {
            const rgs_trie_node *node = &nodes[situation[i] >> 16];
            for (uint32_t c = node->first_child; c < node->first_child + node->children; c++)
                moves[children[c].row] |= merge->moves[reel][situation[i] & 0xffff];
        }
        for (uint32_t w = 0; w < windows_count; w++) {
            const rgs_window *window = &windows[w];
            int64_t pay;
            uint64_t matches, moved = 0;
            int error = 0;
            for (uint32_t row = 0; row < rows; row++)
                moved |= moves[row] >> window->symbols[row] & 1;
            if (moved) {
                const size_t open =
                    rgs_merge_step(merge, reel, situation, length, window, words, &pay, &matches);
                const int64_t next = open ? rgs_situation(following, words, open) : 0;
                if (next < 0)
                    return (int)next;
                error = rgs_merge_move(open ? table : dead, (uint32_t)next, own, own_count, pay, window->counts,
                                       matches, window->weight);
            } else {
                idle += window->weight;
            }
            /* Windows that only end the lines differ in their counts alone: they are taken together. */
            if (!error && idle && (w + 1 == windows_count || windows[w + 1].counts != window->counts)) {
                error = rgs_merge_move(dead, 0, own, own_count, 0, window->counts, 0, idle);
                idle = 0;
            }
            if (error)
                return error;
        }
    }
    return 0;
}

/* Cells of a table in the order of their situations; first_cell[s] is where those of s begin. */
static rgs_merged *rgs_merge_sorted(const rgs_merged_table *table, size_t situations, size_t **first_cell)
{
    size_t *first = calloc(situations + 2, sizeof *first);
    rgs_merged *cells = malloc((table->used + 1) * sizeof *cells);
    *first_cell = first;
    if (!first || !cells) {
        free(cells);
        return NULL;
    }
    for (size_t i = 0; i < table->capacity; i++)
        if (table->cells[i].weight)
            first[table->cells[i].situation + 2]++;
    for (size_t s = 0; s + 2 <= situations + 1; s++)
        first[s + 2] += first[s + 1];
    for (size_t i = 0; i < table->capacity; i++)
        if (table->cells[i].weight)
            cells[first[table->cells[i].situation + 1]++] = table->cells[i];
    return cells;
}

/* Adds cells with nothing open at `depth` to the result: what the reels left can add to the counts. */
static int rgs_merge_close(const rgs_merge *merge, uint32_t depth, const rgs_merged_table *dead, rgs_merged_table *result)
{
    for (size_t i = 0; i < dead->capacity; i++) {
        const rgs_merged *cell = &dead->cells[i];
        for (size_t t = 0; cell->weight && t < merge->cycle->tails_count[depth]; t++) {
            const rgs_tail *tail = &merge->cycle->tails[depth][t];
            const int error = rgs_merged_add(result, 0, cell->pay, cell->counts + tail->counts, cell->matches,
                                             cell->weight * tail->weight);
            if (error)
                return error;
        }
    }
    return 0;
}

/* Walks the reels. Returns 0, -1, RGS_CYCLE_INTERRUPTED or RGS_MERGE_TOO_LARGE. */
static int rgs_merge_walk(rgs_merge *merge, uint32_t root_class, int64_t root_pay, rgs_merged_table *result)
{
    const uint32_t reels = merge->game->reels, lines = merge->state->paylines_count;
    rgs_situations situations = {0};
    rgs_merged_table table = {0}, dead = {0};
    const uint32_t root = root_class;
    int error = 0;
    if (root_class) {
        error = rgs_situation(&situations, &root, 1) < 0 ? -1 : 0; /* one word is never too large */
        if (!error)
            error = rgs_merged_add(&table, 0, root_pay * lines, 0, 0, 1);
    } else {
        error = rgs_merged_add(&dead, 0, root_pay * lines, 0, 0, 1);
        if (!error)
            error = rgs_merge_close(merge, 0, &dead, result);
    }
    for (uint32_t reel = 0; reel < reels && !error && situations.count; reel++) {
        rgs_situations following = {0};
        size_t *first_cell;
        rgs_merged *cells = rgs_merge_sorted(&table, situations.count, &first_cell);
        free(table.cells);
        free(dead.cells);
        table = dead = (rgs_merged_table){0};
        error = cells ? rgs_merge_reel(merge, reel, &situations, cells, first_cell, &following, &table, &dead) : -1;
        if (!error)
            error = rgs_merge_close(merge, reel + 1, &dead, result);
        free(cells);
        free(first_cell);
        rgs_situations_free(&situations);
        situations = following;
    }
    rgs_situations_free(&situations);
    free(table.cells);
    free(dead.cells);
    return error;
}

/* Joint table of one spin of a state, as rgs_cycle_joint. `skip`: as in rgs_cycle, for the special symbol of a
 * feature. `held`: cells that are held, or NULL. The caller frees result->cells. */
static int rgs_merge_joint(const rgs_game *game, uint32_t state_index, const rgs_counted *counted,
                           uint32_t counted_count, uint64_t skip, const rgs_held *held, const uint16_t *order,
                           int (*interrupted)(void), rgs_merged_table *result)
{
    const rgs_state *state = &game->states[state_index];
    rgs_cycle cycle = {.game = game, .state = state, .held = held, .skip = skip, .counted = counted,
                       .counted_count = counted_count, .interrupted = interrupted};
    rgs_merge merge = {.game = game, .state = state, .cycle = &cycle};
    uint8_t cells[RGS_REELS_MAX];
    int64_t root_class = 0, root_pay = 0;
    uint32_t patterns = 0;
    if (state->lines != RGS_ANY_SYMBOL) {
        cycle.lines = &state->evaluators[state->lines];
        merge.whole = cycle.lines->kind != RGS_LINES || cycle.lines->direction != RGS_LEFT;
    }
    for (uint32_t t = 0; t < state->triggers_count; t++)
        if (state->triggers[t].kind == RGS_PICK)
            patterns |= 1u << state->triggers[t].match;
    int error = rgs_cycle_windows(&cycle);
    for (uint32_t reel = 0; reel < game->reels && !error; reel++)
        for (size_t cell = 0; cell < (size_t)state->sets[0][reel].length * game->rows; cell++)
            merge.on_reel[reel][cycle.shown[reel][cell]] = 1;
    if (!error)
        error = rgs_cycle_tails(&cycle);
    if (!error && state->paylines_count) {
        error = rgs_merge_trie(&merge, order, state->paylines_count);
        if (!error) {
            root_class = rgs_line_class(&merge, cells, 0, ~(uint64_t)0, patterns, &root_pay);
            error = root_class < 0 ? (int)root_class : 0;
        }
        for (uint32_t reel = 0; reel < game->reels && !error; reel++)
            error = rgs_merge_windows(&merge, reel);
    }
    if (!error)
        error = rgs_merge_walk(&merge, (uint32_t)root_class, root_pay, result);
    for (uint32_t depth = 0; depth <= game->reels; depth++) {
        free(cycle.tails[depth]);
        free(merge.nodes[depth]);
        free(merge.classes[depth].steps);
        free(merge.classes[depth].hashes);
        if (depth < game->reels) {
            free(merge.windows[depth]);
            free(merge.moves[depth]);
        }
    }
    rgs_cycle_free(&cycle);
    return error;
}

#endif
