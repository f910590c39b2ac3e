/* Rounds in batches: what the lane kernels of all instruction sets share.
 *
 * A batch is RGS_BATCH_ROUNDS consecutive nonces. The paid spins are played first, then the free spins of
 * all rounds of the batch together, until no round has any left. Wins are added up by round and counted in
 * a histogram, from which the totals follow when the kernel ends. */

#ifndef RGS_BATCH_H
#define RGS_BATCH_H

#include <string.h>
#include "simulate.h"

enum { RGS_BATCH_ROUNDS = 1024, RGS_HISTOGRAM = 4096 };

typedef struct {
    uint32_t index, next, granted; /* round, next free spin to play, last one awarded so far */
} rgs_feature;

typedef struct {
    uint64_t first;                          /* nonce of round 0 */
    int64_t wins[RGS_BATCH_ROUNDS];
    rgs_round sums;                          /* of all rounds, below 2^63: rgs_core.lanes refuses larger games;
                                                wins by round and spins are kept elsewhere */
    uint64_t spins[RGS_LANE_STATES];
    rgs_play play;                           /* of lanes that the general code looks at */
    uint32_t features_count;
    rgs_feature features[RGS_BATCH_ROUNDS];
    uint32_t feature_of[RGS_BATCH_ROUNDS];   /* index of the feature of a round, where it has one */
    uint32_t indices[RGS_BATCH_ROUNDS], sub_spins[RGS_BATCH_ROUNDS]; /* lanes of the wave at work */
} rgs_batch;

/* Plays lanes of one state; an instance of rgs_play_lanes (lanes/kernel.h). */
typedef int (*rgs_lanes_player)(const rgs_game *game, uint32_t state_index, const uint32_t key[8], uint32_t stream,
                                rgs_batch *batch, const uint32_t *indices, const uint32_t *sub_spins, uint32_t n);

/* Awards free spins to a round of the batch, up to the cap of the model. */
static inline void rgs_batch_award(const rgs_game *game, rgs_batch *batch, uint32_t state_index, uint32_t index,
                                   uint32_t spins)
{
    if (spins == 0)
        return;
    if (state_index == 0) {
        batch->feature_of[index] = batch->features_count;
        batch->features[batch->features_count++] = (rgs_feature){index, 1, 0};
    }
    rgs_feature *feature = &batch->features[batch->feature_of[index]];
    const uint32_t left = game->free_spins_max - feature->granted;
    feature->granted += spins < left ? spins : left;
}

/* Looks at a flagged lane with the general code. `stops` is NULL when a word was rejected. Moves a line win
 * that the masks got wrong from *pay to the right sums. Returns 0 or an RGS_ERROR. */
static int rgs_batch_look(const rgs_game *game, uint32_t state_index, const uint32_t key[8], uint32_t stream,
                          rgs_batch *batch, uint32_t index, uint32_t sub_spin, const uint32_t *stops,
                          uint32_t alarm, uint64_t counts, uint32_t *pay)
{
    const rgs_state *state = &game->states[state_index];
    const rgs_lanes *lanes = &game->lanes[state_index];
    rgs_round *sums = &batch->sums;
    uint32_t awarded = 0;
    if (!stops || (alarm && lanes->exact_alarm)) {
        rgs_words words;
        rgs_play *play = &batch->play;
        const int64_t before = sums->win;
        play->count = play->granted = play->counting = 0;
        rgs_words_start(&words, key, stream, batch->first + index, sub_spin);
        const int error = rgs_play_spin(game, state_index, 1, &words, play, sums, NULL, NULL);
        if (error)
            return error;
        batch->wins[index] += sums->win - before;
        rgs_batch_award(game, batch, state_index, index, play->granted);
        *pay = 0;
        return RGS_OK;
    }
    counts -= lanes->counts_bias;
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        const rgs_evaluator *evaluator = &state->evaluators[e];
        int64_t amount = 0;
        if (evaluator->kind == RGS_SCATTER) {
            amount = evaluator->pays[counts >> 8 * lanes->evaluator_slot[e] & 255];
            sums->parts[state_index][e] += amount;
        } else if (alarm) {
            rgs_view view;
            const rgs_look look = {.view = &view, .factor = 1};
            view.values = NULL;
            view.shown = ~(uint64_t)0;
            for (uint32_t reel = 0; reel < game->reels; reel++) {
                view.windows[reel] = state->sets[0][reel].symbols + stops[reel];
                view.heights[reel] = (uint8_t)game->rows;
            }
            *pay = 0;
            rgs_pay(game, state, e, &look, &amount); /* fails only with a log */
            sums->parts[state_index][e] += amount;
        }
        batch->wins[index] += amount;
    }
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        if (trigger->kind != RGS_FREE_SPINS)
            continue;
        const uint32_t spins = trigger->spins[counts >> 8 * lanes->trigger_slot[t] & 255];
        sums->fired[state_index][t] += spins > 0;
        awarded += spins;
    }
    rgs_batch_award(game, batch, state_index, index, awarded);
    return RGS_OK;
}

/* All free spins of the batch, in waves of as many lanes as there is room for. Returns 0 or an RGS_ERROR. */
static int rgs_batch_features(const rgs_game *game, const uint32_t key[8], uint32_t stream, rgs_batch *batch,
                              rgs_lanes_player play)
{
    for (;;) {
        uint32_t lanes = 0;
        for (uint32_t i = 0; i < batch->features_count && lanes < RGS_BATCH_ROUNDS; i++) {
            rgs_feature *feature = &batch->features[i];
            for (; feature->next <= feature->granted && lanes < RGS_BATCH_ROUNDS; feature->next++) {
                batch->indices[lanes] = feature->index;
                batch->sub_spins[lanes++] = feature->next;
            }
        }
        if (lanes == 0)
            return RGS_OK;
        const int error = play(game, 1, key, stream, batch, batch->indices, batch->sub_spins, lanes);
        if (error)
            return error;
    }
}

/* Plays a range of nonces batch by batch; the body of every lane kernel. Returns 0 or an RGS_ERROR. */
static int rgs_play_batches(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t first, uint64_t n,
                            rgs_totals *totals, int64_t *wins, rgs_lanes_player play)
{
    rgs_batch batch;
    /* Two histograms by turns: adding to one cell again and again would wait for the last addition. */
    uint64_t histograms[2][RGS_HISTOGRAM] = {{0}};
    for (uint64_t done = 0; done < n;) {
        const uint32_t rounds = n - done < RGS_BATCH_ROUNDS ? (uint32_t)(n - done) : RGS_BATCH_ROUNDS;
        uint64_t paid_spin_hits = 0;
        batch.first = first + done;
        batch.features_count = 0;
        rgs_round_clear(&batch.sums, game->states_count);
        batch.spins[0] = batch.spins[1] = 0;
        for (uint32_t i = 0; i < rounds; i++) {
            batch.indices[i] = i;
            batch.sub_spins[i] = 0;
            batch.wins[i] = 0;
        }
        int error = play(game, 0, key, stream, &batch, batch.indices, batch.sub_spins, rounds);
        if (error)
            return error;
        for (uint32_t i = 0; i < rounds; i++)
            paid_spin_hits += batch.wins[i] > 0;
        if (batch.features_count && (error = rgs_batch_features(game, key, stream, &batch, play)))
            return error;
        if (game->win_units_cap) {
            uint32_t capped = 0;
            for (uint32_t i = 0; i < rounds; i++)
                capped |= batch.wins[i] >= game->win_units_cap;
            if (capped) {
                /* The maximum win ends such a round, so which of its spins are played depends on their order. */
                error = rgs_play_rounds(game, key, stream, batch.first, rounds, totals, wins ? wins + done : NULL,
                                        rgs_keystream_scalar);
                if (error)
                    return error;
                done += rounds;
                continue;
            }
        }
        for (uint32_t i = 0; i < rounds; i++) {
            const int64_t win = batch.wins[i];
            if (win < RGS_HISTOGRAM)
                histograms[i & 1][win]++;
            else
                rgs_totals_win(totals, win, 1);
            rgs_totals_most(totals, win, batch.first + i);
        }
        if (wins)
            memcpy(wins + done, batch.wins, rounds * sizeof *wins);
        if (totals->win_max > game->win_units_max)
            return RGS_ERROR_WIN;
        batch.sums.spins[0] = (uint32_t)batch.spins[0]; /* not only those that were looked at */
        batch.sums.spins[1] = (uint32_t)batch.spins[1];
        rgs_totals_parts(game, totals, &batch.sums);
        totals->paid_spin_hits += paid_spin_hits;
        totals->features += batch.features_count;
        done += rounds;
    }
    for (uint32_t win = 0; win < RGS_HISTOGRAM; win++)
        if (histograms[0][win] + histograms[1][win])
            rgs_totals_win(totals, win, histograms[0][win] + histograms[1][win]);
    return RGS_OK;
}

#endif
