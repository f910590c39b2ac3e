/* Law of one spin of a state by visiting every path of its draws: any mechanic, exactly.
 *
 * A tape stands in for the random words. The spin is played again and again; each time the tape takes the next
 * branch of the last draw that has one left (depth first). A path weighs the product of its branches' weights, out
 * of the product of the totals of its draws. Paths of different lengths have different totals, so weights are
 * kept apart by that product. Bonuses are not drawn but counted; their laws are exact elsewhere.
 *
 * A state that remembers is visited from a memory, and what it remembers afterwards is part of what happened. */

#ifndef RGS_VISIT_H
#define RGS_VISIT_H

#include "prune.h"
#include "simulate.h"

enum { RGS_VISIT_TOTALS_MAX = 1 << 12, RGS_VISIT_KEPT_MAX = 1 << 14,
       RGS_VISIT_TOO_LONG = -4, RGS_VISIT_TOO_MANY = -5, RGS_VISIT_MEMORIES = -6, RGS_VISIT_PATHS = -7 };

/* Different items, by number. */
typedef struct {
    uint32_t count, capacity;
    void *items;
    uint32_t *slots;                              /* hash table of their numbers plus 1, 0 for a free slot */
} rgs_kept;

typedef struct {
    uint32_t totals_count;
    rgs_weight totals[RGS_VISIT_TOTALS_MAX];      /* products of totals that paths have */
    rgs_kept memories;                            /* rgs_memory: what paths leave, in their shortest form */
    rgs_kept awarded;                             /* rgs_awarded: what paths award */
    rgs_merged_table cells;                       /* pay, situation: memory << 12 | total, where memory 0 is a feature that
                                                     is over and memory i + 1 the i-th one; counts: number of what is awarded */
    rgs_weight parts[RGS_VISIT_TOTALS_MAX][RGS_PARTS];  /* sums of weight x units */
    rgs_weight reached[RGS_VISIT_TOTALS_MAX][64]; /* weight of spins with at least so many steps */
    uint64_t paths, paths_max;                    /* visited; most that are, 0: all */
} rgs_visit;

/* Of a memory what can matter to a further spin of the state, so that equal prospects have equal bytes; the special
 * symbol is known apart. What a feature begins with is all zeros. */
static void rgs_memory_shortest(const rgs_state *state, const rgs_memory *memory, rgs_memory *shortest)
{
    memset(shortest, 0, sizeof *shortest); /* padding as well */
    shortest->held = memory->held;
    shortest->fired = memory->fired;
    for (uint64_t held = memory->held; held; held &= held - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(held);
        shortest->held_symbols[cell] = memory->held_symbols[cell];
        shortest->held_values[cell] = memory->held_values[cell];
    }
    if (state->cascade.on && state->cascade.persist)
        shortest->won_steps = state->cascade.multiplier_step || memory->won_steps < state->cascade.multipliers_count
                                  ? memory->won_steps
                                  : state->cascade.multipliers_count - 1;
    if (state->final_symbols && state->final_persist)
        shortest->final = memory->final;
    for (uint32_t i = 0; i < state->transforms_count; i++)
        if (state->transforms[i].kind == RGS_MULTIPLIER && state->transforms[i].persist)
            shortest->multipliers[state->transforms[i].slot] = memory->multipliers[state->transforms[i].slot];
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        if (trigger->kind != RGS_COLLECTED)
            continue;
        const uint32_t slot = trigger->slot;
        const uint64_t most = trigger->most, count = memory->collected[slot];
        shortest->collected[slot] = count <= most ? count : most + (trigger->period ? (count - most) % trigger->period : 0);
        shortest->multiplying[slot] = trigger->from_batch ? memory->multiplying[slot] : 0;
        for (uint32_t level = shortest->multiplying[slot]; trigger->from_batch && level < rgs_level(trigger, memory); level++)
            shortest->waiting[slot][level] = memory->waiting[slot][level];
    }
    if (state->draws_once)
        memcpy(shortest->drawn, memory->drawn, sizeof memory->drawn);
    for (uint32_t reel = 0; state->stacks && reel < RGS_REELS_MAX; reel++)
        if (memory->rest[reel]) {
            shortest->rest[reel] = memory->rest[reel];
            shortest->rest_symbols[reel] = memory->rest_symbols[reel];
        }
    if (state->marks)
        shortest->marked = memory->marked;
    if (state->spots.persist)
        shortest->spots = memory->spots;
    shortest->state = memory->state;
}

/* The number of an item of `size` bytes, a multiple of 8, among equal ones; a new one where there is none. Returns 0, -1
 * when memory is short, `full` when there would be more than RGS_VISIT_KEPT_MAX. */
static int rgs_keep(rgs_kept *kept, const void *item, size_t size, int full, uint32_t *number)
{
    uint64_t hash = 0, word;
    if (kept->count == kept->capacity) {
        const uint32_t capacity = kept->capacity ? 2 * kept->capacity : 64;
        if (capacity > RGS_VISIT_KEPT_MAX)
            return full;
        void *items = realloc(kept->items, capacity * size);
        if (!items)
            return -1;
        kept->items = items;
        kept->capacity = capacity;
    }
    if (!kept->slots && !(kept->slots = calloc(2 * RGS_VISIT_KEPT_MAX, sizeof *kept->slots)))
        return -1;
    for (size_t i = 0; i < size; i += sizeof word) {
        memcpy(&word, (const char *)item + i, sizeof word);
        if (word)
            hash = rgs_mix(hash, word + i);
    }
    for (uint64_t slot = hash;; slot++) {
        uint32_t *const place = &kept->slots[slot & (2 * RGS_VISIT_KEPT_MAX - 1)];
        if (*place && memcmp((const char *)kept->items + (*place - 1) * size, item, size))
            continue;
        if (!*place) {
            memcpy((char *)kept->items + kept->count * size, item, size);
            *place = ++kept->count;
        }
        *number = *place - 1;
        return 0;
    }
}

/* Visits the paths whose first draw takes branch part, part + parts, ... `from`: what the feature
 * remembers, NULL for nothing. `further`: 0 for its first spin, before which carried cells do not walk. `last`: the spin is the
 * last one of its feature unless it awards others of its state, so that what pays at the end is paid.
 * Returns 0, -1 when memory is short, RGS_CYCLE_INTERRUPTED, RGS_VISIT_TOO_LONG for paths of too many
 * draws or weights, RGS_VISIT_PATHS for more than visit->paths_max, RGS_VISIT_TOO_MANY for too many different totals or
 * awards, RGS_VISIT_MEMORIES for too many memories, RGS_MERGE_TOO_LARGE for too many rows. */
static int rgs_visit_spin(const rgs_game *game, uint32_t state_index, const uint8_t *specials, uint32_t specials_count,
                          const rgs_memory *from, uint32_t further, uint32_t last, uint32_t part, uint32_t parts,
                          int (*interrupted)(void), rgs_visit *visit)
{
    const rgs_state *state = &game->states[state_index];
    rgs_tape *tape = calloc(1, sizeof *tape);
    rgs_play *play = calloc(1, sizeof *play);
    rgs_round *round = calloc(1, sizeof *round);
    rgs_log wins = {0};
    rgs_words words;
    int error = tape && play && round ? 0 : -1;
    uint32_t last_total = 0, memory = 0, awarded = 0;
    rgs_awarded awarded_before;
    rgs_memory left, before; /* what this spin and the one before it leave */
    memset(&before, 0, sizeof before);
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
        memset(&play->awarded, 0, sizeof play->awarded);
        if (from)
            play->memory = *from;
        else
            rgs_memory_clear(&play->memory);
        if (specials_count)
            memcpy(play->memory.specials, specials, specials_count);
        play->memory.specials_count = specials_count;
        play->queue[0].state = state_index;
        play->become = 0;
        play->left = !last;
        error = rgs_play_spin(game, state_index, further, &words, play, round, game->wins_award ? &wins : NULL, NULL);
        if (error)
            break;
        const uint32_t after = play->become ? play->become - 1 : state_index;
        if (play->become)
            rgs_go_on(game, state_index, after, &play->memory);
        const int over = rgs_feature_full(game, after, play->become != 0, play);
        if (state->ends && (over || (last && !play->awarded.spins[state_index])) &&
            (error = rgs_end_feature(game, state_index, play, &words, round, NULL)))
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
            if (!visit->awarded.count || memcmp(&play->awarded, &awarded_before, sizeof awarded_before)) {
                if ((error = rgs_keep(&visit->awarded, &play->awarded, sizeof play->awarded, RGS_VISIT_TOO_MANY, &awarded)))
                    break;
                awarded_before = play->awarded;
            }
            int64_t pay = 0;
            for (uint32_t p = 0; p < RGS_PARTS; p++) {
                const int64_t amount = round->parts[state_index][p];
                if (amount) {
                    pay += amount;
                    visit->parts[last_total][p] += (rgs_weight)amount * weight;
                }
            }
            visit->reached[last_total][play->steps < 64 ? play->steps - 1 : 63] += weight;
            if (over) {
                memory = 0;
            } else if (state->remembers || state->ends) {
                rgs_memory_shortest(&game->states[after], &play->memory, &left);
                if (!memory || memcmp(&left, &before, sizeof left)) {
                    if ((error = rgs_keep(&visit->memories, &left, sizeof left, RGS_VISIT_MEMORIES, &memory)))
                        break;
                    memory++;
                    before = left;
                }
            }
            if ((error = rgs_merged_add(&visit->cells, memory << 12 | last_total, pay, awarded, 0, weight)))
                break;
            visit->paths++;
            if (visit->paths_max && visit->paths > visit->paths_max) {
                error = RGS_VISIT_PATHS;
                break;
            }
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
