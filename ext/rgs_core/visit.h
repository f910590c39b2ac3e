/* Law of one spin of a state by visiting every path of its draws: any mechanic, exactly.
 *
 * A tape stands in for the random words. The spin is played again and again; each time the tape takes the next
 * branch of the last draw that has one left (depth first). A path weighs the product of its branches' weights, out
 * of the product of the totals of its draws. Paths of different lengths have different totals, so weights are
 * kept apart by that product. Bonuses are not drawn but counted; their laws are exact elsewhere. */

#ifndef RGS_VISIT_H
#define RGS_VISIT_H

#include "merge.h"
#include "simulate.h"

enum { RGS_VISIT_TARGETS = 4, RGS_VISIT_TOTALS_MAX = 1 << 12, RGS_VISIT_TOO_LONG = -4, RGS_VISIT_TOO_MANY = -5 };

typedef struct {
    uint32_t totals_count;
    rgs_weight totals[RGS_VISIT_TOTALS_MAX];      /* products of totals that paths have */
    rgs_merged_table cells;                       /* pay, situation: index of the total, matches: awards, counts: plays */
    rgs_weight parts[RGS_VISIT_TOTALS_MAX][RGS_PARTS];  /* sums of weight x units */
    rgs_weight reached[RGS_VISIT_TOTALS_MAX][64]; /* weight of spins with at least so many steps */
    uint64_t paths;
} rgs_visit;

/* Visits the paths whose first draw takes branch part, part + parts, ... `targets`: states whose awards are told
 * apart. Returns 0, -1 when memory is short, RGS_CYCLE_INTERRUPTED, RGS_VISIT_TOO_LONG for paths of too many
 * draws or weights, RGS_VISIT_TOO_MANY for too many different totals, RGS_MERGE_TOO_LARGE for too many rows. */
static int rgs_visit_spin(const rgs_game *game, uint32_t state_index, uint32_t special, const uint8_t *targets,
                          uint32_t targets_count, uint32_t part, uint32_t parts, int (*interrupted)(void),
                          rgs_visit *visit)
{
    const rgs_state *state = &game->states[state_index];
    rgs_tape *tape = calloc(1, sizeof *tape);
    rgs_play *play = calloc(1, sizeof *play);
    rgs_round *round = calloc(1, sizeof *round);
    rgs_log wins = {0};
    rgs_words words;
    int error = tape && play && round ? 0 : -1;
    uint32_t last_total = 0;
    if (!error) {
        tape->first = part;
        tape->stride = parts;
    }
    rgs_words_start(&words, NULL, 0, 0, 0);
    words.tape = tape;
    while (!error) {
        tape->depth = 0;
        rgs_round_clear(round, game->states_count);
        play->counting = 1;
        memset(play->awards, 0, sizeof play->awards);
        memset(play->plays, 0, sizeof play->plays);
        rgs_memory_clear(&play->memory);
        play->memory.special = special;
        error = rgs_play_spin(game, state_index, 0, &words, play, round, game->wins_award ? &wins : NULL, NULL);
        if (error)
            break;
        if (tape->failed) {
            error = RGS_VISIT_TOO_LONG;
            break;
        }
        rgs_weight weight = 1, total = 1;
        /* A spin without draws has one path, which belongs to part 0. */
        int mine = tape->depth ? tape->branch[0] < tape->branches[0] : part == 0;
        for (uint32_t i = 0; i < tape->depth; i++) {
            if (total >> 64 && total > ((rgs_weight)1 << 126) / tape->total[i]) {
                error = RGS_VISIT_TOO_LONG;
                break;
            }
            weight *= tape->weight[i];
            total *= tape->total[i];
        }
        if (error)
            break;
        if (mine) {
            if (visit->totals_count == 0 || visit->totals[last_total] != total) {
                for (last_total = 0; last_total < visit->totals_count; last_total++)
                    if (visit->totals[last_total] == total)
                        break;
                if (last_total == visit->totals_count) {
                    if (visit->totals_count == RGS_VISIT_TOTALS_MAX) {
                        error = RGS_VISIT_TOO_MANY;
                        break;
                    }
                    visit->totals[visit->totals_count++] = total;
                }
            }
            uint64_t awards = 0;
            uint32_t plays = 0;
            for (uint32_t i = 0; i < targets_count; i++)
                awards |= (uint64_t)(play->awards[targets[i]] & 0xffff) << 16 * i;
            for (uint32_t t = 0; t < state->triggers_count; t++)
                plays |= (play->plays[t] & 0xff) << 8 * t;
            int64_t pay = 0;
            for (uint32_t p = 0; p < RGS_PARTS; p++) {
                const int64_t amount = round->parts[state_index][p];
                if (amount) {
                    pay += amount;
                    visit->parts[last_total][p] += (rgs_weight)amount * weight;
                }
            }
            visit->reached[last_total][play->steps < 64 ? play->steps - 1 : 63] += weight;
            if ((error = rgs_merged_add(&visit->cells, last_total, pay, plays, awards, weight)))
                break;
            visit->paths++;
        }
        if ((visit->paths & 0xffff) == 0 && interrupted && interrupted()) {
            error = RGS_CYCLE_INTERRUPTED;
            break;
        }
        tape->length = tape->depth;
        while (tape->length > 0) {
            const uint32_t at = tape->length - 1, step = at == 0 ? parts : 1;
            if (tape->branch[at] + step < tape->branches[at]) {
                tape->branch[at] += step;
                break;
            }
            tape->length--;
        }
        if (tape->length == 0)
            break;
    }
    free(tape);
    free(play);
    free(round);
    free(wins.events);
    return error;
}

#endif
