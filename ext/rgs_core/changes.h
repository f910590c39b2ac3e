/* Cells of wins that do not go in a cascade: they become other symbols, or a win leaves one in their place. */

#ifndef RGS_CHANGES_H
#define RGS_CHANGES_H

#include "grid.h"

/* Draws the symbol that a cell shows from now on. Returns 0 or an RGS_ERROR. */
static inline int rgs_change_cell(const rgs_table *table, uint32_t cell, rgs_grid *grid, rgs_words *words, rgs_log *log)
{
    int64_t symbol;
    if (rgs_draw_table(words, table, &symbol))
        return RGS_ERROR_WORDS;
    grid->symbols[cell] = (uint8_t)symbol;
    return rgs_log_add(log, RGS_EVENT_CHANGED, cell, 0, (uint32_t)symbol, 0);
}

/* The cell nearest to the mean of the reels and rows of all, of equal ones the first. Distances are in units of one cell
 * divided by their number, so that they are whole. */
static inline uint32_t rgs_middle(const rgs_game *game, uint64_t cells)
{
    const int32_t n = __builtin_popcountll(cells), rows_of = (int32_t)game->rows;
    int32_t reels = 0, rows = 0, least = INT32_MAX;
    uint32_t nearest = 0;
    for (uint64_t left = cells; left; left &= left - 1) {
        const int32_t cell = __builtin_ctzll(left);
        reels += cell / rows_of;
        rows += cell % rows_of;
    }
    for (uint64_t left = cells; left; left &= left - 1) {
        const int32_t cell = __builtin_ctzll(left);
        const int32_t across = n * (cell / rows_of) - reels, down = n * (cell % rows_of) - rows;
        if (across * across + down * down < least) {
            least = across * across + down * down;
            nearest = (uint32_t)cell;
        }
    }
    return nearest;
}

/* The n-th cell of a set, from 0. */
static inline uint32_t rgs_nth_cell(uint64_t cells, uint32_t n)
{
    for (; n > 0; n--)
        cells &= cells - 1;
    return (uint32_t)__builtin_ctzll(cells);
}

/* Cells that become other symbols do so and keep their values; then each win leaves what the first rule that holds for it
 * says, in a cell of its own that is removed, which is taken out of *removed. Returns 0 or an RGS_ERROR. */
RGS_APART int rgs_change_cells(const rgs_game *game, const rgs_cascade *cascade, const rgs_step_wins *wins,
                               uint64_t becoming, rgs_grid *grid, uint64_t *removed, rgs_words *words, rgs_log *log)
{
    int error;
    for (; becoming; becoming &= becoming - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(becoming);
        if ((error = rgs_change_cell(&cascade->become[grid->symbols[cell]], cell, grid, words, log)))
            return error;
    }
    for (uint32_t i = 0; cascade->leave_count && i < wins->count; i++) {
        const uint64_t empty = wins->wins[i].cells & *removed;
        const rgs_leave *rule = cascade->leave, *end = rule + cascade->leave_count;
        while (rule < end && !((rule->evaluators >> wins->wins[i].evaluator & 1) &&
                               (rule->entries >> wins->wins[i].entry & 1) && wins->wins[i].symbols >= rule->count_min))
            rule++;
        if (rule == end || !empty)
            continue;
        uint32_t cell;
        if (rule->random) {
            uint32_t chosen;
            if (rgs_draw_below(words, (uint32_t)__builtin_popcountll(empty), &chosen))
                return RGS_ERROR_WORDS;
            cell = rgs_nth_cell(empty, chosen);
        } else {
            cell = rgs_middle(game, empty);
        }
        if ((error = rgs_change_cell(&rule->table, cell, grid, words, log)))
            return error;
        grid->values[cell] = 0;
        *removed &= ~((uint64_t)1 << cell);
    }
    return RGS_OK;
}

#endif
