/* Many rounds: totals over a range of nonces.
 *
 * A kernel plays nonces [first, first + n) and adds to the totals, which are exact integers, so any
 * split of a range into parts gives the same sums. The kernel type takes a whole range and not one
 * round, so that a kernel may play consecutive nonces in lanes. */

#ifndef RGS_SIMULATE_H
#define RGS_SIMULATE_H

#include "keystream.h"
#include "round.h"

#define RGS_UNUSED __attribute__((unused))

enum { RGS_EDGES_MAX = 64 };

typedef unsigned __int128 rgs_u128;

typedef struct {
    uint64_t rounds, hits, paid_spin_hits, features, capped; /* features: rounds with spins beyond their mode's */
    rgs_u128 win, win_squared;
    uint64_t win_squared_carry;                       /* of win_squared, in units of 2^128 */
    rgs_u128 parts[RGS_STATES_MAX][RGS_PARTS];
    uint64_t spins[RGS_STATES_MAX];
    uint64_t fired[RGS_STATES_MAX][RGS_TRIGGERS_MAX];
    uint64_t awarded[RGS_STATES_MAX][RGS_TRIGGERS_MAX];
    rgs_u128 gambled, regained;                           /* wins that were gambled, before and after */
    int64_t win_max;
    uint64_t win_max_nonce;                           /* the first nonce with the largest win */
    uint32_t edges_count;
    int64_t edges[RGS_EDGES_MAX];                     /* class i holds edges[i-1] < win <= edges[i] */
    uint64_t classes[RGS_EDGES_MAX + 1];
} rgs_totals;

typedef int (*rgs_kernel)(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t first,
                          uint64_t n, rgs_totals *totals, int64_t *wins);

/* Counts `times` rounds that won `win` each. */
static inline void rgs_totals_win(rgs_totals *totals, int64_t win, uint64_t times)
{
    const rgs_u128 squared = (rgs_u128)win * (rgs_u128)win;
    totals->rounds += times;
    if (win == 0) {
        uint32_t class = 0;
        while (class < totals->edges_count && totals->edges[class] < 0)
            class++;
        totals->classes[class] += times;
        return;
    }
    totals->hits += win > 0 ? times : 0;
    totals->win += (rgs_u128)win * times;
    /* times < 2^64 and squared < 2^124: the product is added as two parts that cannot overflow alone. */
    const rgs_u128 low = (rgs_u128)(uint64_t)squared * times, high = (squared >> 64) * times;
    totals->win_squared += low;
    totals->win_squared_carry += totals->win_squared < low;
    totals->win_squared += high << 64;
    totals->win_squared_carry += (totals->win_squared < high << 64) + (uint64_t)(high >> 64);
    uint32_t low_edge = 0, high_edge = totals->edges_count;
    while (low_edge < high_edge) {
        const uint32_t middle = (low_edge + high_edge) / 2;
        if (win <= totals->edges[middle])
            high_edge = middle;
        else
            low_edge = middle + 1;
    }
    totals->classes[low_edge] += times;
}

/* Adds everything of some rounds but their wins. */
static inline void rgs_totals_parts(const rgs_game *game, rgs_totals *totals, const rgs_round *round)
{
    totals->gambled += (rgs_u128)round->gambled;
    totals->regained += (rgs_u128)round->regained;
    for (uint32_t s = 0; s < game->states_count; s++) {
        const rgs_state *state = &game->states[s];
        if (round->spins[s] == 0)
            continue;
        totals->spins[s] += round->spins[s];
        for (uint32_t e = 0; e < state->evaluators_count; e++)
            totals->parts[s][e] += (rgs_u128)round->parts[s][e];
        for (uint32_t part = RGS_PART_SPECIAL; part < RGS_PARTS; part++)
            totals->parts[s][part] += (rgs_u128)round->parts[s][part];
        for (uint32_t t = 0; t < state->triggers_count; t++) {
            totals->parts[s][RGS_PART_TRIGGERS + t] += (rgs_u128)round->parts[s][RGS_PART_TRIGGERS + t];
            totals->fired[s][t] += round->fired[s][t];
            totals->awarded[s][t] += round->awarded[s][t];
        }
    }
}

static inline void rgs_totals_most(rgs_totals *totals, int64_t win, uint64_t nonce)
{
    if (win > totals->win_max) {
        totals->win_max = win;
        totals->win_max_nonce = nonce;
    }
}

enum { RGS_GENERAL_BLOCKS = 64 };

/* The general kernel: every mechanic, one round after the other. The first block of each round is computed in
 * lanes by `keystream`, many rounds at a time. Returns 0 or an RGS_ERROR. */
static RGS_UNUSED int rgs_play_rounds(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t first,
                                      uint64_t n, rgs_totals *totals, int64_t *wins, rgs_keystream keystream)
{
    uint32_t blocks[16 * RGS_GENERAL_BLOCKS];
    rgs_play play;
    rgs_log remembered = {0};
    rgs_log *const log = game->wins_award ? &remembered : NULL;
    /* The sums of many rounds are added up in 64 bits before they go into the totals, where that is safe. */
    const uint64_t together = game->win_units_max < (int64_t)1 << 50 ? RGS_GENERAL_BLOCKS : 1;
    rgs_round round;
    int error = RGS_OK;
    play.kept = NULL;
    rgs_round_clear(&round, game->states_count);
    for (uint64_t i = 0; i < n && !error; i++) {
        const uint32_t at = (uint32_t)(i % RGS_GENERAL_BLOCKS);
        if (at == 0)
            keystream(key, 0, stream, first + i, 1, n - i < RGS_GENERAL_BLOCKS ? n - i : RGS_GENERAL_BLOCKS, blocks);
        error = rgs_play_round_with(game, key, stream, first + i, blocks + 16 * at, NULL, &play, &round, log, NULL);
        if (error)
            break;
        rgs_totals_win(totals, round.win, 1);
        rgs_totals_most(totals, round.win, first + i);
        totals->paid_spin_hits += round.paid_spin_win > 0;
        totals->features += round.further > 0;
        totals->capped += round.capped;
        if (wins)
            wins[i] = round.win;
        if ((i + 1) % together == 0 || i + 1 == n) {
            rgs_totals_parts(game, totals, &round);
            rgs_round_clear(&round, game->states_count);
        }
    }
    free(play.kept);
    free(remembered.events);
    return error;
}

#endif
