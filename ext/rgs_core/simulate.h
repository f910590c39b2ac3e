/* Many rounds: totals over a range of nonces.
 *
 * A kernel plays nonces [first, first + n) and adds to the totals, which are exact integers, so any
 * split of a range into parts gives the same sums. The kernel type takes a whole range and not one
 * round, so that a kernel may play consecutive nonces in lanes. */

#ifndef RGS_SIMULATE_H
#define RGS_SIMULATE_H

#include "round.h"

enum { RGS_EDGES_MAX = 64 };

typedef unsigned __int128 rgs_u128;

typedef struct {
    uint64_t rounds, hits, paid_spin_hits, features;  /* features: rounds with at least one free spin */
    rgs_u128 win, win_squared;
    uint64_t win_squared_carry;                       /* of win_squared, in units of 2^128 */
    rgs_u128 parts[RGS_STATES_MAX][RGS_PARTS];
    uint64_t spins[RGS_STATES_MAX];
    uint64_t fired[RGS_STATES_MAX][RGS_TRIGGERS_MAX];
    uint64_t awarded[RGS_STATES_MAX][RGS_TRIGGERS_MAX];
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
static inline void rgs_totals_parts(rgs_totals *totals, const rgs_round *round)
{
    for (uint32_t state = 0; state < RGS_STATES_MAX; state++) {
        totals->spins[state] += round->spins[state];
        for (uint32_t part = 0; part < RGS_PARTS; part++)
            totals->parts[state][part] += (rgs_u128)round->parts[state][part];
        for (uint32_t t = 0; t < RGS_TRIGGERS_MAX; t++) {
            totals->fired[state][t] += round->fired[state][t];
            totals->awarded[state][t] += round->awarded[state][t];
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

/* The scalar kernel: every mechanic, one round after the other. Returns 0 or an RGS_ERROR. */
static int rgs_kernel_scalar(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t first,
                             uint64_t n, rgs_totals *totals, int64_t *wins)
{
    for (uint64_t i = 0; i < n; i++) {
        rgs_round round;
        const int error = rgs_play_round(game, key, stream, first + i, &round, NULL);
        if (error)
            return error;
        rgs_totals_win(totals, round.win, 1);
        rgs_totals_most(totals, round.win, first + i);
        rgs_totals_parts(totals, &round);
        totals->paid_spin_hits += round.paid_spin_win > 0;
        totals->features += round.spins[1] > 0;
        if (wins)
            wins[i] = round.win;
    }
    return RGS_OK;
}

#endif
