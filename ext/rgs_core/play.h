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

/* Spins of a state that a round still has to play, in the order of the queue. Of those that have begun all but the front
 * one are interrupted. */
typedef struct {
    uint32_t state, left, begun;
    uint32_t first;                        /* the state with which it began; it may have gone on as another one */
    uint32_t kept;                         /* place + 1 of what it remembers while it waits, 0: nothing */
    uint32_t reels;                        /* bits of the reels whose cells it is handed */
    uint64_t carry;                        /* symbols whose cells it is handed at the end of the spin, 0: none */
    int64_t multiplier;                    /* of all that they win */
    int64_t won;                           /* of an interrupted one: what it has won so far */
} rgs_entry;

/* What an award says beside the number of spins. With `reset` the spins left become at least that number. `carry`:
 * symbols whose cells on `reels` stay in the awarded feature, where it is a new one. `multiplier`: of the feature, 0: that
 * of the one that plays or is interrupted if it is of the same state, else 1; `trigger`: under whose number it is counted
 * where it has one. `become`: the spins lengthen the feature that plays, which goes on as the state. `at_once`: the feature
 * plays next. */
typedef struct {
    uint32_t state, reset, trigger, become, at_once, reels;
    uint64_t carry;
    int64_t multiplier;
} rgs_terms;

enum { RGS_QUEUE_MAX = RGS_STATES_MAX + RGS_MULTIPLIED_MAX + 1, RGS_AWARDS_MAX = RGS_STATES_MAX + RGS_TRIGGERS_MAX };

/* What a spin gives where awards are counted and bonuses are not drawn. */
typedef struct {
    uint32_t spins[RGS_AWARDS_MAX];        /* by state; behind these by trigger, where that gives a multiplier */
    uint32_t plays[RGS_TRIGGERS_MAX];      /* bonuses that would have been played */
} rgs_awarded;

/* What is at work while a round is played. */
typedef struct {
    rgs_entry queue[RGS_QUEUE_MAX];
    uint32_t count, granted;
    uint32_t at_once;                      /* features behind the front one that play before it goes on */
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
    rgs_memory *kept;                      /* [RGS_QUEUE_MAX] of features that wait, where any was handed cells or has been
                                              interrupted; else NULL. Who has a play frees it */
    rgs_strip linked[RGS_REELS_MAX + 1];   /* strips of the last spin, where reels were linked */
    rgs_step_wins step_wins;               /* of the last step, where a cascade leaves something in its cells */
} rgs_play;

/* Whether an entry is of a state: an interrupted feature is also of the one with which it began. */
static inline uint32_t rgs_entry_of(const rgs_play *play, uint32_t at, uint32_t state)
{
    const rgs_entry *entry = &play->queue[at];
    return entry->state == state || (at && entry->begun && entry->first == state);
}

/* The place of the feature that an award lengthens, the end of the queue where it starts one with that multiplier. */
static inline uint32_t rgs_awarded_entry(const rgs_play *play, const rgs_terms *terms, int64_t *multiplier)
{
    uint32_t at = 0;
    *multiplier = terms->multiplier ? terms->multiplier : 1;
    if (terms->become)
        return 0;
    for (; !terms->multiplier && at < play->count; at++)
        if (play->queue[at].begun && rgs_entry_of(play, at, terms->state))
            return at;
    for (at = 0; at < play->count; at++)
        if (rgs_entry_of(play, at, terms->state) && play->queue[at].multiplier == *multiplier)
            break;
    return at;
}

/* Awards spins, up to the cap of the model. */
static inline void rgs_award(const rgs_game *game, rgs_play *play, const rgs_terms *terms, uint32_t n)
{
    const uint32_t state = terms->state;
    int64_t multiplier;
    if (terms->become)
        play->become = state + 1;
    if (play->counting) {
        play->awarded.spins[terms->multiplier ? RGS_STATES_MAX + terms->trigger : terms->become ? play->queue[0].state : state] += n;
        return;
    }
    const uint32_t at = rgs_awarded_entry(play, terms, &multiplier);
    const uint32_t left = at < play->count ? play->queue[at].left : 0;
    if (terms->reset)
        n = n > left ? n - left : 0;
    if (n > game->free_spins_max - play->granted)
        n = game->free_spins_max - play->granted;
    if (n == 0)
        return;
    play->granted += n;
    if (at == play->count)
        play->queue[play->count++] =
            (rgs_entry){.state = state, .first = state, .carry = terms->carry, .reels = terms->reels, .multiplier = multiplier};
    play->queue[at].left += n;
    if (terms->at_once && !play->queue[at].begun && at > play->at_once) {
        const rgs_entry entry = play->queue[at];
        const uint32_t to = ++play->at_once;
        memmove(play->queue + to + 1, play->queue + to, (at - to) * sizeof entry);
        play->queue[to] = entry;
    }
}

/* A free place for what a feature remembers while it waits; NULL when memory is short. `entry` gets its number. */
RGS_APART rgs_memory *rgs_keep_memory(rgs_play *play, rgs_entry *entry)
{
    uint8_t used[RGS_QUEUE_MAX + 1] = {0};
    if (!play->kept && !(play->kept = malloc(RGS_QUEUE_MAX * sizeof *play->kept)))
        return NULL;
    for (uint32_t at = 0; at < play->count; at++)
        used[play->queue[at].kept] = 1;
    for (entry->kept = 1; used[entry->kept];)
        entry->kept++;
    return &play->kept[entry->kept - 1];
}

/* Takes the cells that new features begin with from the last grid. Returns 0 or RGS_ERROR_MEMORY. */
static inline int rgs_carry(const rgs_game *game, rgs_play *play)
{
    for (uint32_t at = 0; at < play->count; at++) {
        rgs_entry *entry = &play->queue[at];
        if (!entry->carry)
            continue;
        const rgs_state *state = &game->states[entry->state], *from = &game->states[play->queue[0].state];
        const uint32_t stacks = state->stacks && !from->cells && !(from->cascade.on && (from->cascade.fresh || from->cascade.none));
        rgs_memory *memory = rgs_keep_memory(play, entry);
        if (!memory)
            return RGS_ERROR_MEMORY;
        rgs_memory_clear(memory);
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < play->view.heights[reel]; row++) {
                const uint32_t cell = reel * game->rows + row;
                const uint8_t symbol = play->view.windows[reel][row];
                if (!(entry->carry >> symbol & 1) || !(entry->reels >> reel & 1))
                    continue;
                memory->held |= (uint64_t)1 << cell;
                memory->held_symbols[cell] = symbol;
                memory->held_values[cell] = play->view.values ? play->view.values[cell] : 0;
                if (stacks)
                    rgs_note_rest(game, state, &play->grid, cell, symbol, memory->rest, memory->rest_symbols);
            }
        entry->carry = 0;
    }
    return RGS_OK;
}

/* The features that play at once come before the one that has played, which waits with what it remembers. `over`: what
 * the features before it have won. Returns 0 or RGS_ERROR_MEMORY. */
RGS_APART int rgs_interrupt(const rgs_game *game, rgs_play *play, const rgs_round *round, int64_t *over)
{
    rgs_entry entry = play->queue[0];
    if (game->states[entry.state].remembers) {
        rgs_memory *memory = rgs_keep_memory(play, &entry);
        if (!memory)
            return RGS_ERROR_MEMORY;
        *memory = play->memory;
    }
    entry.won = round->win - *over;
    *over = round->win;
    memmove(play->queue, play->queue + 1, play->at_once * sizeof entry);
    play->queue[play->at_once] = entry;
    return RGS_OK;
}

/* An interrupted feature goes on where it was. */
RGS_APART void rgs_resume(rgs_play *play, const rgs_round *round, int64_t *over)
{
    rgs_entry *entry = &play->queue[0];
    *over = round->win - entry->won;
    if (entry->kept)
        play->memory = play->kept[entry->kept - 1];
    entry->kept = 0;
}

#endif
