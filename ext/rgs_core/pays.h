/* What a grid pays: one function for each kind of evaluator.
 *
 * Each adds what it pays to *pays, writes its wins to the log if there is one, and adds the cells of its wins
 * to *removed if somebody wants to know. They return 0 or RGS_ERROR_MEMORY, and only with a log. */

#ifndef RGS_PAYS_H
#define RGS_PAYS_H

#include "evaluate.h"
#include "log.h"
#include "spots.h"

/* Symbols in view: those of reel r are windows[r][0 .. heights[r] - 1]. */
typedef struct {
    const uint8_t *windows[RGS_REELS_MAX];
    uint8_t heights[RGS_REELS_MAX];
    const int32_t *values;      /* [reel * rows + row]; NULL when no cell has a value */
    uint64_t shown;             /* bits of symbols, those in view at least */
} rgs_view;

enum { RGS_STEP_WINS_MAX = 5120 }; /* more than all evaluators of a state can find on one grid */

/* The wins of a step with their cells, where a cascade leaves something in them. */
typedef struct {
    uint32_t count;
    struct {
        uint8_t evaluator, entry;
        uint16_t symbols;
        uint64_t cells;
    } wins[RGS_STEP_WINS_MAX];
} rgs_step_wins;

/* What the evaluators of a step share. */
typedef struct {
    const rgs_view *view;
    int64_t factor;             /* multiplier of step and spin */
    uint64_t skip;              /* bits of symbols; lines that begin with one do not pay */
    rgs_log *log;
    uint64_t *removed;          /* cells of wins; NULL when nobody asks */
    const rgs_spots *spots;     /* NULL: no place multiplies */
    const rgs_marks *marks;
    rgs_step_wins *wins;        /* NULL when nobody asks for the cells of each win */
} rgs_look;

/* Keeps a win with its cells. */
RGS_APART void rgs_keep_win(rgs_step_wins *wins, uint32_t evaluator, uint32_t entry, uint32_t count, uint64_t cells)
{
    if (wins->count == RGS_STEP_WINS_MAX)
        return;
    const uint32_t i = wins->count++;
    wins->wins[i].evaluator = (uint8_t)evaluator;
    wins->wins[i].entry = (uint8_t)entry;
    wins->wins[i].symbols = (uint16_t)count;
    wins->wins[i].cells = cells;
}

/* The cells of a win, for those who want to know. */
static inline void rgs_won(const rgs_look *look, uint32_t evaluator, uint32_t entry, uint32_t count, uint64_t cells)
{
    if (!look->removed)
        return;
    *look->removed |= cells;
    if (__builtin_expect(look->wins != NULL, 0))
        rgs_keep_win(look->wins, evaluator, entry, count, cells);
}

/* What the places of a win multiply it by: 1 where no multiplier applies to what stands at `pay` in the pays. */
static inline int64_t rgs_spots_of(const rgs_look *look, const rgs_evaluator *evaluator, uint32_t pay, uint64_t cells)
{
    if (!look->spots || (evaluator->exempt && evaluator->exempt[pay]))
        return 1;
    return rgs_spots_factor(look->spots, look->marks, cells);
}

static inline int rgs_win(const rgs_look *look, uint32_t evaluator, uint32_t line, uint32_t entry, uint32_t count,
                          uint32_t start, int64_t multiplier, int64_t amount, uint64_t cells)
{
    return rgs_log_event(look->log, (rgs_event){RGS_EVENT_WIN, evaluator, line, entry | count << 16 | start << 24,
                                                multiplier, look->factor, amount, cells});
}

static inline uint64_t rgs_cell_bit(const rgs_game *game, uint32_t reel, uint32_t row)
{
    return (uint64_t)1 << (reel * game->rows + row);
}

/* How often symbols of a set are in view where cells count several times; all but the cells of `without`. */
RGS_APART uint32_t rgs_count_doubles(const rgs_game *game, const rgs_view *view, uint64_t symbols, uint64_t without)
{
    uint32_t count = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++) {
            const uint8_t shown = view->windows[reel][row];
            if ((symbols >> shown & 1) && !(without & rgs_cell_bit(game, reel, row)))
                count += game->times[shown];
        }
    return count;
}

/* How often symbols of a set are in view. */
static inline uint32_t rgs_count_symbols(const rgs_game *game, const rgs_view *view, uint64_t symbols)
{
    uint32_t count = 0;
    if (!(view->shown & symbols))
        return 0;
    if (game->doubles)
        return rgs_count_doubles(game, view, symbols, 0);
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            count += (uint32_t)(symbols >> view->windows[reel][row] & 1);
    return count;
}

/* Cells that show a symbol of a set. */
static inline uint64_t rgs_cells_with(const rgs_game *game, const rgs_view *view, uint64_t symbols)
{
    uint64_t cells = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            if (symbols >> view->windows[reel][row] & 1)
                cells |= rgs_cell_bit(game, reel, row);
    return cells;
}

/* Multiplier of a grid that shows one symbol only. */
static inline int64_t rgs_full_grid(const rgs_game *game, const rgs_evaluator *evaluator, const rgs_view *view)
{
    const uint8_t symbol = game->read[view->windows[0][0]];
    if (!evaluator->full_grid || evaluator->full_grid[symbol] == 1)
        return 1;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            if (game->read[view->windows[reel][row]] != symbol)
                return 1;
    return evaluator->full_grid[symbol];
}

/* Pays one line win. Returns 0 or RGS_ERROR_MEMORY. */
static inline int rgs_pay_line(const rgs_game *game, const rgs_evaluator *evaluator, uint32_t e, uint32_t line,
                               const uint8_t *rows, const rgs_line_win *win, const rgs_look *look, int64_t *pays)
{
    int64_t multiplier = win->multiplier, amount = win->amount;
    if (look->removed || look->spots) {
        uint64_t cells = 0;
        for (uint32_t reel = win->start; reel < win->start + win->cells; reel++)
            cells |= rgs_cell_bit(game, reel, rows[reel]);
        rgs_won(look, e, win->symbol, win->count, cells);
        const int64_t spots = rgs_spots_of(look, evaluator, win->symbol * evaluator->counts + win->count, cells);
        multiplier *= spots;
        amount *= spots;
    }
    *pays += amount;
    return look->log ? rgs_win(look, e, line + 1, win->symbol, win->count, win->start, multiplier, amount, 0) : RGS_OK;
}

/* 1 when a line that begins with such a cell does not pay. */
static inline int rgs_skips(const rgs_game *game, const rgs_look *look, uint8_t cell)
{
    return look->skip >> game->read[cell] & 1;
}

/* Cells and values of a payline. */
static inline const int32_t *rgs_line_cells(const rgs_game *game, const rgs_view *view, const uint8_t *rows,
                                            uint8_t cells[RGS_REELS_MAX], int32_t values[RGS_REELS_MAX])
{
    for (uint32_t reel = 0; reel < game->reels; reel++)
        cells[reel] = view->windows[reel][rows[reel]];
    if (!view->values)
        return NULL;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        values[reel] = view->values[reel * game->rows + rows[reel]];
    return values;
}

RGS_APART int rgs_pay_lines(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                                int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    const rgs_view *view = look->view;
    const uint32_t reels = game->reels, least = evaluator->count_min;
    if (least > reels)
        return RGS_OK;
    const rgs_factors factors = {look->factor, rgs_full_grid(game, evaluator, view)};
    if (evaluator->direction == RGS_LEFT) {
        /* Most lines end before their run is long enough to pay: they are told by the readings alone. */
        uint64_t readings[RGS_REELS_MAX][RGS_ROWS_MAX];
        for (uint32_t reel = 0; reel < least; reel++)
            for (uint32_t row = 0; row < view->heights[reel]; row++)
                readings[reel][row] = evaluator->readings[view->windows[reel][row]];
        if (state->cell_lines) {
            /* Entries in view on each of the first reels; for each of them the lines through such cells. */
            uint64_t alive = ~(uint64_t)0, lines = 0;
            for (uint32_t reel = 0; reel < least; reel++) {
                uint64_t present = 0;
                for (uint32_t row = 0; row < view->heights[reel]; row++)
                    present |= readings[reel][row];
                alive &= present;
            }
            for (; alive; alive &= alive - 1) {
                const uint32_t x = (uint32_t)__builtin_ctzll(alive);
                uint64_t of_entry = ~(uint64_t)0;
                for (uint32_t reel = 0; reel < least; reel++) {
                    const uint64_t *cell_lines = state->cell_lines + reel * game->rows;
                    uint64_t through = 0;
                    for (uint32_t row = 0; row < view->heights[reel]; row++)
                        through |= cell_lines[row] & -(readings[reel][row] >> x & 1);
                    of_entry &= through;
                }
                lines |= of_entry;
            }
            for (; lines; lines &= lines - 1) {
                const uint32_t line = (uint32_t)__builtin_ctzll(lines);
                const uint8_t *rows = state->paylines + (size_t)line * reels;
                uint8_t cells[RGS_REELS_MAX];
                int32_t buffer[RGS_REELS_MAX];
                const int32_t *values = rgs_line_cells(game, view, rows, cells, buffer);
                if (rgs_skips(game, look, cells[0]))
                    continue;
                const rgs_line_win win = rgs_line(game, evaluator, cells, values, reels, &factors);
                if (win.amount && rgs_pay_line(game, evaluator, e, line, rows, &win, look, pays))
                    return RGS_ERROR_MEMORY;
            }
            return RGS_OK;
        }
        for (uint32_t line = 0; line < state->paylines_count; line++) {
            const uint8_t *rows = state->paylines + (size_t)line * reels;
            uint64_t alive = readings[0][rows[0]];
            for (uint32_t reel = 1; reel < least && alive; reel++)
                alive &= readings[reel][rows[reel]];
            if (!alive)
                continue;
            uint8_t cells[RGS_REELS_MAX];
            int32_t buffer[RGS_REELS_MAX];
            const int32_t *values = rgs_line_cells(game, view, rows, cells, buffer);
            if (rgs_skips(game, look, cells[0]))
                continue;
            const rgs_line_win win = rgs_line(game, evaluator, cells, values, reels, &factors);
            if (win.amount && rgs_pay_line(game, evaluator, e, line, rows, &win, look, pays))
                return RGS_ERROR_MEMORY;
        }
        return RGS_OK;
    }
    uint64_t readings[RGS_REELS_MAX][RGS_ROWS_MAX];
    for (uint32_t reel = 0; reel < reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            readings[reel][row] = evaluator->readings[view->windows[reel][row]];
    for (uint32_t line = 0; line < state->paylines_count; line++) {
        const uint8_t *rows = state->paylines + (size_t)line * reels;
        /* A line without `least` neighbours of one reading where runs may stand pays nothing. */
        uint64_t alive = 0;
        for (uint32_t start = evaluator->direction == RGS_RIGHT ? reels - least : 0; start + least <= reels; start++) {
            uint64_t run = readings[start][rows[start]];
            for (uint32_t i = 1; i < least && run; i++)
                run &= readings[start + i][rows[start + i]];
            alive |= run;
        }
        if (!alive)
            continue;
        uint8_t cells[RGS_REELS_MAX];
        int32_t buffer[RGS_REELS_MAX];
        const int32_t *values = rgs_line_cells(game, view, rows, cells, buffer);
        uint32_t left_cells = 0;
        if (rgs_skips(game, look, cells[0]))
            continue;
        if (evaluator->direction == RGS_ADJACENT || evaluator->direction == RGS_BOTH) {
            const rgs_line_win win = evaluator->direction == RGS_BOTH
                                         ? rgs_line(game, evaluator, cells, values, reels, &factors)
                                         : rgs_line_adjacent(game, evaluator, cells, values, reels, &factors);
            if (win.amount) {
                left_cells = win.cells;
                if (rgs_pay_line(game, evaluator, e, line, rows, &win, look, pays))
                    return RGS_ERROR_MEMORY;
            }
        }
        if (evaluator->direction == RGS_ADJACENT || left_cells == reels)
            continue;
        uint8_t mirrored[RGS_REELS_MAX];
        int32_t mirrored_values[RGS_REELS_MAX];
        for (uint32_t reel = 0; reel < reels; reel++) {
            mirrored[reel] = cells[reels - 1 - reel];
            mirrored_values[reel] = values ? values[reels - 1 - reel] : 0;
        }
        rgs_line_win win = rgs_line(game, evaluator, mirrored, values ? mirrored_values : NULL, reels, &factors);
        win.start = reels - win.cells;
        if (win.amount && rgs_pay_line(game, evaluator, e, line, rows, &win, look, pays))
            return RGS_ERROR_MEMORY;
    }
    return RGS_OK;
}

RGS_APART int rgs_pay_combinations(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                                       int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    const rgs_factors factors = {look->factor, 1};
    for (uint32_t line = 0; line < state->paylines_count; line++) {
        const uint8_t *rows = state->paylines + (size_t)line * game->reels;
        uint8_t cells[RGS_REELS_MAX];
        for (uint32_t reel = 0; reel < game->reels; reel++)
            cells[reel] = look->view->windows[reel][rows[reel]];
        const rgs_line_win win = rgs_line_combination(game, evaluator, cells, game->reels, &factors);
        if (win.amount == 0)
            continue;
        *pays += win.amount;
        if (look->removed) {
            uint64_t named = 0;
            for (uint32_t reel = 0; reel < game->reels; reel++)
                if (evaluator->patterns[win.count * game->reels + reel] != RGS_ANY_SYMBOL)
                    named |= rgs_cell_bit(game, reel, rows[reel]);
            rgs_won(look, e, evaluator->combination_symbols[win.symbol],
                    evaluator->combination_counts[win.symbol], named);
        }
        if (look->log && rgs_win(look, e, line + 1, win.symbol, evaluator->combination_counts[win.symbol], 0,
                                 win.multiplier, win.amount, 0))
            return RGS_ERROR_MEMORY;
    }
    return RGS_OK;
}

/* Ways of entry x over `count` reels from one side; cells that match go to *cells. */
static inline int64_t rgs_ways(const rgs_game *game, const rgs_evaluator *evaluator, const rgs_view *view, uint32_t x,
                               uint32_t count, uint32_t mirrored, uint64_t *cells)
{
    int64_t ways = 1, wild_ways = 1;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t reel = mirrored ? game->reels - 1 - i : i;
        int64_t all = 0, wild = 0;
        for (uint32_t row = 0; row < view->heights[reel]; row++) {
            const uint8_t cell = view->windows[reel][row];
            if (!(evaluator->readings[cell] >> x & 1))
                continue;
            const uint32_t natural = evaluator->naturals[cell] >> x & 1;
            int64_t weight = natural ? game->times[cell] : game->wild_multiplier[cell] * game->times[cell];
            if (view->values && evaluator->cell_values == RGS_PRODUCT && view->values[reel * game->rows + row] > 0)
                weight *= view->values[reel * game->rows + row];
            all += weight;
            wild += natural ? 0 : weight;
            *cells |= rgs_cell_bit(game, reel, row);
        }
        ways *= all;
        wild_ways *= wild;
    }
    return evaluator->pure_wild_run ? ways : ways - wild_ways;
}

RGS_APART int rgs_pay_ways(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                               int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    const rgs_view *view = look->view;
    const uint32_t reels = game->reels, least = evaluator->count_min;
    uint64_t present[RGS_REELS_MAX], candidates = 0;
    if (least > reels)
        return RGS_OK;
    for (uint32_t reel = 0; reel < reels; reel++) {
        present[reel] = 0;
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            present[reel] |= evaluator->readings[view->windows[reel][row]];
    }
    if (evaluator->direction != RGS_RIGHT) {
        candidates = present[0];
        for (uint32_t reel = 1; reel < least; reel++)
            candidates &= present[reel];
    }
    if (evaluator->direction != RGS_LEFT) {
        uint64_t right = present[reels - 1];
        for (uint32_t reel = 1; reel < least; reel++)
            right &= present[reels - 1 - reel];
        candidates |= right;
    }
    for (; candidates; candidates &= candidates - 1) {
        const uint32_t x = (uint32_t)__builtin_ctzll(candidates);
        for (uint32_t mirrored = evaluator->direction == RGS_RIGHT; mirrored < 2; mirrored++) {
            uint32_t count = 0;
            while (count < reels && (present[mirrored ? reels - 1 - count : count] >> x & 1))
                count++;
            const int64_t pay = evaluator->pays[x * evaluator->counts + count];
            uint64_t cells = 0;
            const int64_t ways = pay ? rgs_ways(game, evaluator, view, x, count, mirrored, &cells) : 0;
            if (ways) {
                int64_t amount = pay * ways;
                if (look->factor != 1 && !(evaluator->exempt && evaluator->exempt[x * evaluator->counts + count]))
                    amount *= look->factor;
                const int64_t spots = rgs_spots_of(look, evaluator, x * evaluator->counts + count, cells);
                amount *= spots;
                *pays += amount;
                rgs_won(look, e, x, count, cells);
                if (look->log &&
                    rgs_win(look, e, 0, x, count, mirrored ? reels - count : 0, spots, amount, (uint64_t)ways))
                    return RGS_ERROR_MEMORY;
            }
            if (evaluator->direction == RGS_LEFT || count == reels)
                break;
        }
    }
    return RGS_OK;
}

/* Cells by the symbol that they count as, the basis of counts and clusters. */
typedef struct {
    uint64_t cells[64];
} rgs_places;

static inline void rgs_find_places(const rgs_game *game, const rgs_view *view, rgs_places *places)
{
    for (uint32_t symbol = 0; symbol < game->symbols_count; symbol++)
        places->cells[symbol] = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            places->cells[view->windows[reel][row]] |= rgs_cell_bit(game, reel, row);
    if (game->doubles)
        for (uint32_t symbol = 0; symbol < game->symbols_count; symbol++)
            if (game->read[symbol] != symbol) {
                places->cells[game->read[symbol]] |= places->cells[symbol];
                places->cells[symbol] = 0;
            }
}

/* How many symbols a set of cells counts for. */
static inline uint32_t rgs_cells_size(const rgs_game *game, const rgs_view *view, uint64_t cells)
{
    uint32_t size = 0;
    if (!game->doubles)
        return (uint32_t)__builtin_popcountll(cells);
    for (; cells; cells &= cells - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(cells);
        size += game->times[view->windows[cell / game->rows][cell % game->rows]];
    }
    return size;
}

/* Cells of wilds that stand for a symbol. */
static inline uint64_t rgs_wild_places(const rgs_game *game, const rgs_evaluator *evaluator, const rgs_places *places,
                                       uint32_t x)
{
    uint64_t cells = 0;
    for (uint32_t symbol = 0; symbol < game->symbols_count; symbol++)
        if (game->wild[symbol] && symbol != x && (evaluator->readings[symbol] >> x & 1))
            cells |= places->cells[symbol];
    return cells;
}

/* Multiplier of the wilds and values in a set of cells that pays as symbol x. */
static inline int64_t rgs_cells_multiplier(const rgs_game *game, const rgs_evaluator *evaluator, const rgs_view *view,
                                           uint64_t cells, uint32_t x, uint32_t wilds)
{
    uint8_t symbols[RGS_CELLS_MAX];
    uint32_t count = 0;
    int64_t values = 0;
    for (; cells; cells &= cells - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(cells);
        symbols[count++] = view->windows[cell / game->rows][cell % game->rows];
        if (view->values && evaluator->cell_values != RGS_IGNORE)
            values = rgs_value_fold_up_to(evaluator->cell_values, values, view->values[cell], evaluator->cell_values_max);
    }
    const int64_t multiplier =
        wilds && game->wilds_multiply ? rgs_wild_multiplier(game, evaluator->naturals, symbols, count, x) : 1;
    return multiplier * (values ? values : 1);
}

/* Pays a set of cells by its size. Returns 0 or RGS_ERROR_MEMORY. */
static inline int rgs_pay_cells(const rgs_game *game, const rgs_evaluator *evaluator, uint32_t e, uint32_t x,
                                uint64_t cells, uint32_t wilds, const rgs_look *look, uint32_t tell, int64_t *pays)
{
    const uint32_t size = rgs_cells_size(game, look->view, cells);
    const int64_t pay = evaluator->pays[x * evaluator->counts + size];
    if (pay == 0)
        return RGS_OK;
    const int64_t multiplier = rgs_cells_multiplier(game, evaluator, look->view, cells, x, wilds) *
                               rgs_spots_of(look, evaluator, x * evaluator->counts + size, cells);
    int64_t amount = pay * multiplier;
    if (look->factor != 1 && !(evaluator->exempt && evaluator->exempt[x * evaluator->counts + size]))
        amount *= look->factor;
    *pays += amount;
    rgs_won(look, e, x, size, cells);
    return look->log ? rgs_win(look, e, 0, x, size, 0, multiplier, amount, tell ? cells : 0) : RGS_OK;
}

RGS_APART int rgs_pay_count(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                                int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    rgs_places places;
    rgs_find_places(game, look->view, &places);
    for (uint32_t x = 0; x < game->symbols_count; x++) {
        uint64_t cells = places.cells[x];
        if (!cells || !(evaluator->naturals[x] >> x & 1))
            continue;
        if (evaluator->wilds)
            cells |= rgs_wild_places(game, evaluator, &places, x);
        if ((uint32_t)__builtin_popcountll(cells) < evaluator->count_min)
            continue;
        if (rgs_pay_cells(game, evaluator, e, x, cells, 0, look, 0, pays))
            return RGS_ERROR_MEMORY;
    }
    return RGS_OK;
}

/* Cells that touch a set of cells, itself included. */
static inline uint64_t rgs_touching(const rgs_game *game, uint64_t cells, uint32_t neighbours, uint64_t top,
                                    uint64_t bottom, uint64_t even)
{
    const uint32_t rows = game->rows;
    const uint64_t up = (cells & ~top) >> 1, down = (cells & ~bottom) << 1;
    uint64_t touching = cells | up | down | cells << rows | cells >> rows;
    if (neighbours == 6) {
        /* Even reels also touch the row above on the next reels, odd ones the row below. */
        const uint64_t slant = ((cells & even & ~top) >> 1) | ((cells & ~even & ~bottom) << 1);
        touching |= slant << rows | slant >> rows;
    }
    return touching;
}

RGS_APART int rgs_pay_clusters(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                                   int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    const uint32_t rows = game->rows;
    rgs_places places;
    uint64_t top = 0, even = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        top |= (uint64_t)1 << reel * rows;
        if (reel % 2 == 0)
            even |= (rows == 64 ? ~(uint64_t)0 : ((uint64_t)1 << rows) - 1) << reel * rows;
    }
    const uint64_t bottom = top << (rows - 1);
    rgs_find_places(game, look->view, &places);
    for (uint32_t x = 0; x < game->symbols_count; x++) {
        uint64_t naturals = places.cells[x];
        if (!naturals || !(evaluator->naturals[x] >> x & 1))
            continue;
        const uint64_t matching = naturals | rgs_wild_places(game, evaluator, &places, x);
        if ((uint32_t)__builtin_popcountll(matching) < evaluator->count_min)
            continue;
        uint64_t left = matching;
        while (left) {
            uint64_t cluster = left & (~left + 1), grown;
            while ((grown = rgs_touching(game, cluster, evaluator->neighbours, top, bottom, even) & matching) !=
                   cluster)
                cluster = grown;
            left &= ~cluster;
            if ((cluster & naturals) && rgs_pay_cells(game, evaluator, e, x, cluster, 1, look, 1, pays))
                return RGS_ERROR_MEMORY;
        }
    }
    return RGS_OK;
}

/* Cells that read as an entry, or with `naturals` show it themselves. */
static inline uint64_t rgs_reading_places(const rgs_game *game, const rgs_places *places, const uint64_t *readings,
                                          uint32_t x)
{
    uint64_t cells = 0;
    for (uint32_t symbol = 0; symbol < game->symbols_count; symbol++)
        cells |= places->cells[symbol] & -(readings[symbol] >> x & 1);
    return cells;
}

RGS_APART int rgs_pay_matches(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                              int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    rgs_places places;
    uint64_t paid[2][64] = {{0}}, top = 0, entries = 0; /* cells of runs that pay, along rows and columns */
    for (uint32_t reel = 0; reel < game->reels; reel++)
        top |= rgs_cell_bit(game, reel, 0);
    rgs_find_places(game, look->view, &places);
    for (uint32_t symbol = 0; symbol < game->symbols_count; symbol++)
        entries |= evaluator->naturals[symbol];
    for (; entries; entries &= entries - 1) {
        const uint32_t x = (uint32_t)__builtin_ctzll(entries);
        const uint64_t naturals = rgs_reading_places(game, &places, evaluator->naturals, x);
        const uint64_t reading = rgs_reading_places(game, &places, evaluator->readings, x);
        if (!naturals || (uint32_t)__builtin_popcountll(reading) < evaluator->count_min)
            continue;
        for (uint32_t along = 0; along < 2; along++) {
            const uint32_t by = along ? 1 : game->rows;
            const uint64_t wall = along ? top : 0; /* cells that follow none */
            uint64_t matching = reading;
            if (!(evaluator->along >> along & 1))
                continue;
            for (uint32_t symbol = 0; x >= game->symbols_count && symbol < game->symbols_count; symbol++)
                matching &= ~(paid[along][symbol] & -(evaluator->naturals[symbol] >> x & 1));
            for (uint64_t starts = matching & ~(matching << by & ~wall); starts; starts &= starts - 1) {
                uint64_t run = starts & -starts, next = run;
                while ((next = next << by & matching & ~wall))
                    run |= next;
                if (!(run & naturals))
                    continue;
                const uint32_t size = rgs_cells_size(game, look->view, run);
                if (x < game->symbols_count && evaluator->pays[x * evaluator->counts + size])
                    paid[along][x] |= run;
                if (rgs_pay_cells(game, evaluator, e, x, run, 1, look, 1, pays))
                    return RGS_ERROR_MEMORY;
            }
        }
    }
    return RGS_OK;
}

RGS_APART int rgs_pay_scatter(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                                  int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    const uint32_t count = rgs_count_symbols(game, look->view, evaluator->symbols);
    int64_t amount = evaluator->pays[count];
    if (amount == 0)
        return RGS_OK;
    if (look->factor != 1 && !(evaluator->exempt && evaluator->exempt[count]))
        amount *= look->factor;
    int64_t spots = 1;
    if (look->removed || look->spots) {
        const uint64_t cells = rgs_cells_with(game, look->view, evaluator->symbols);
        rgs_won(look, e, evaluator->symbol, count, cells);
        spots = rgs_spots_of(look, evaluator, count, cells);
        amount *= spots;
    }
    *pays += amount;
    return look->log ? rgs_win(look, e, 0, evaluator->symbol, count, 0, spots, amount, 0) : RGS_OK;
}

RGS_APART int rgs_pay_collect(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look,
                                  int64_t *pays)
{
    const rgs_evaluator *evaluator = &state->evaluators[e];
    const rgs_view *view = look->view;
    uint32_t count = 0;
    int64_t sum = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            if (evaluator->symbols >> view->windows[reel][row] & 1) {
                count += game->times[view->windows[reel][row]];
                sum += view->values ? view->values[reel * game->rows + row] : 0;
            }
    if (count < evaluator->count_min || count == 0)
        return RGS_OK;
    int64_t amount = sum * evaluator->pays[count];
    if (evaluator->collectors)
        amount *= rgs_count_symbols(game, view, evaluator->collectors);
    if (look->factor != 1 && !(evaluator->exempt && evaluator->exempt[count]))
        amount *= look->factor;
    if (amount == 0)
        return RGS_OK;
    int64_t spots = 1;
    if (look->removed || look->spots) {
        const uint64_t cells = rgs_cells_with(game, view, evaluator->symbols);
        rgs_won(look, e, evaluator->symbol, count, cells);
        spots = rgs_spots_of(look, evaluator, count, cells);
        amount *= spots;
    }
    *pays += amount;
    return look->log ? rgs_win(look, e, 0, evaluator->symbol, count, 0, spots, amount, 0) : RGS_OK;
}

/* Any evaluator of a state. */
static inline int rgs_pay(const rgs_game *game, const rgs_state *state, uint32_t e, const rgs_look *look, int64_t *pays)
{
    switch (state->evaluators[e].kind) {
    case RGS_LINES:
        return rgs_pay_lines(game, state, e, look, pays);
    case RGS_SCATTER:
        return rgs_pay_scatter(game, state, e, look, pays);
    case RGS_COMBINATIONS:
        return rgs_pay_combinations(game, state, e, look, pays);
    case RGS_WAYS:
        return rgs_pay_ways(game, state, e, look, pays);
    case RGS_COUNT:
        return rgs_pay_count(game, state, e, look, pays);
    case RGS_CLUSTER:
        return rgs_pay_clusters(game, state, e, look, pays);
    case RGS_MATCH:
        return rgs_pay_matches(game, state, e, look, pays);
    default:
        return rgs_pay_collect(game, state, e, look, pays);
    }
}

#endif
