/* What is at work while a round is played: its sums, the queue of features, what awards add to it. */

#ifndef RGS_PLAY_H
#define RGS_PLAY_H

#include "grid.h"

enum { RGS_PART_TRIGGERS = RGS_EVALUATORS_MAX, RGS_PART_SPECIAL = RGS_PART_TRIGGERS + RGS_TRIGGERS_MAX,
       RGS_PART_FINAL, RGS_PART_MINIMUM, RGS_PARTS };

/* What one round won; and sums that go on from round to round until somebody clears them. */
typedef struct {
    int64_t win;                                        /* the whole round */
    int64_t paid_spin_win;
    uint32_t capped;                                    /* 1: the maximum win ended it */
    uint32_t further;                                   /* spins beyond those of the mode */
    uint32_t spins[RGS_STATES_MAX];                     /* spins played, by state */
    int64_t parts[RGS_STATES_MAX][RGS_PARTS];           /* evaluators, triggers with a bonus, special, final, minimum */
    uint64_t fired[RGS_STATES_MAX][RGS_TRIGGERS_MAX];   /* spins in which a trigger fired */
    uint64_t awarded[RGS_STATES_MAX][RGS_TRIGGERS_MAX]; /* bonuses played */
    int64_t gambled, regained;                              /* wins that were gambled, before and after */
} rgs_round;

/* Zeroes what a game with so many states uses. */
static inline void rgs_round_clear(rgs_round *round, uint32_t states)
{
    round->win = round->paid_spin_win = 0;
    round->capped = round->further = 0;
    round->gambled = round->regained = 0;
    for (uint32_t s = 0; s < states; s++) { /* of constant sizes: a few stores each */
        round->spins[s] = 0;
        memset(round->parts[s], 0, sizeof round->parts[s]);
        memset(round->fired[s], 0, sizeof round->fired[s]);
        memset(round->awarded[s], 0, sizeof round->awarded[s]);
    }
}

static inline void rgs_round_pay(rgs_round *round, uint32_t state, uint32_t part, int64_t amount)
{
    round->parts[state][part] += amount;
    round->win += amount;
}

/* Spins of a state that a round still has to play, in the order of the queue. */
typedef struct {
    uint32_t state, left, begun, carry;
    int64_t multiplier;                    /* of all that they win */
} rgs_entry;

/* What an award says beside the number of spins. With `reset` the spins left become at least that number. `carry`:
 * symbols whose cells stay in the awarded feature, where it is a new one. `multiplier`: of the feature, 0: that of the
 * one that plays if it is of the same state, else 1; `trigger`: under whose number it is counted where it has one.
 * `become`: the spins lengthen the feature that plays, which goes on as the state. */
typedef struct {
    uint32_t state, reset, trigger, become;
    uint64_t carry;
    int64_t multiplier;
} rgs_terms;

enum { RGS_QUEUE_MAX = RGS_STATES_MAX + RGS_MULTIPLIED_MAX + 1, RGS_AWARDS_MAX = RGS_STATES_MAX + RGS_TRIGGERS_MAX };

/* What a spin gives where awards are counted and bonuses are not drawn. */
typedef struct {
    uint32_t spins[RGS_AWARDS_MAX];        /* by state; behind these by trigger, where that gives a multiplier */
    uint32_t plays[RGS_TRIGGERS_MAX];      /* bonuses that would have been played */
} rgs_awarded;

typedef struct {
    uint64_t held;
    uint32_t reels;                        /* bits of those whose cells are taken */
    uint8_t symbols[RGS_CELLS_MAX];
    int32_t values[RGS_CELLS_MAX];
    uint8_t rest[RGS_REELS_MAX], rest_symbols[RGS_REELS_MAX];
} rgs_carried;

/* What is at work while a round is played. */
typedef struct {
    rgs_entry queue[RGS_QUEUE_MAX];
    uint32_t count, granted;
    uint32_t become;                       /* state + 1 as which the feature goes on after the spin, 0: as it is */
    uint32_t left;                         /* spins left behind the last one, without those that it awards */
    uint32_t counting;                     /* 1: awards are counted in `awarded`, bonuses are not drawn */
    rgs_awarded awarded;
    uint32_t steps;                        /* of the last spin's cascade */
    rgs_grid grid;                         /* of the last spin, where the state changes it */
    rgs_grid stopped_grid;                 /* as its reels stopped, where something looks at that */
    rgs_view view, stopped;                /* the last grid; as the reels stopped */
    int64_t spin_factor;                   /* of the last spin's transforms and levels */
    int64_t spin_win;                      /* units of the spin that bonuses of the win multiply */
    rgs_memory memory;                     /* of the feature at the front of the queue */
    rgs_strip linked[RGS_REELS_MAX + 1];   /* strips of the last spin, where reels were linked */
    rgs_carried carried[RGS_STATES_MAX];   /* cells that a waiting feature begins with */
    rgs_step_wins step_wins;               /* of the last step, where a cascade leaves something in its cells */
} rgs_play;

/* Awards spins, up to the cap of the model. */
static inline void rgs_award(const rgs_game *game, rgs_play *play, const rgs_terms *terms, uint32_t n)
{
    const uint32_t state = terms->state;
    const uint64_t carry = terms->carry;
    if (terms->become)
        play->become = state + 1;
    if (play->counting) {
        play->awarded.spins[terms->multiplier ? RGS_STATES_MAX + terms->trigger : terms->become ? play->queue[0].state : state] += n;
        return;
    }
    uint32_t at = 0;
    int64_t multiplier = terms->multiplier;
    if (!multiplier)
        multiplier = play->queue[0].state == state ? play->queue[0].multiplier : 1;
    while (!terms->become && at < play->count && (play->queue[at].state != state || play->queue[at].multiplier != multiplier))
        at++;
    const uint32_t left = at < play->count ? play->queue[at].left : 0;
    if (terms->reset)
        n = n > left ? n - left : 0;
    if (n > game->free_spins_max - play->granted)
        n = game->free_spins_max - play->granted;
    if (n == 0)
        return;
    play->granted += n;
    if (at == play->count) {
        play->queue[play->count++] = (rgs_entry){state, 0, 0, carry != 0, multiplier};
        if (carry) { /* cells are taken at the end of the spin; until then the symbols are remembered */
            play->carried[state].held = carry;
            play->carried[state].reels = ~0u;
            play->queue[at].carry = 2;
        }
    }
    play->queue[at].left += n;
}

/* Takes the cells that new features begin with from the last grid. */
static inline void rgs_carry(const rgs_game *game, rgs_play *play)
{
    for (uint32_t at = 0; at < play->count; at++) {
        if (play->queue[at].carry != 2)
            continue;
        rgs_carried *carried = &play->carried[play->queue[at].state];
        const uint64_t symbols = carried->held;
        const rgs_state *state = &game->states[play->queue[at].state], *from = &game->states[play->queue[0].state];
        const uint32_t stacks = state->stacks && !from->cells && !(from->cascade.on && (from->cascade.fresh || from->cascade.none));
        carried->held = 0;
        memset(carried->rest, 0, sizeof carried->rest);
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < play->view.heights[reel]; row++) {
                const uint32_t cell = reel * game->rows + row;
                const uint8_t symbol = play->view.windows[reel][row];
                if (!(symbols >> symbol & 1) || !(carried->reels >> reel & 1))
                    continue;
                carried->held |= (uint64_t)1 << cell;
                carried->symbols[cell] = symbol;
                carried->values[cell] = play->view.values ? play->view.values[cell] : 0;
                if (stacks)
                    rgs_note_rest(game, state, &play->grid, cell, symbol, carried->rest, carried->rest_symbols);
            }
        play->queue[at].carry = 1;
    }
}

#endif
