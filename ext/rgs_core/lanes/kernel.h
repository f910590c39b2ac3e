/* Many rounds in vector lanes. A template without include guard: kernels.h includes it once for each
 * instruction set; every instance gives the totals of rgs_kernel_scalar, bit for bit.
 *
 * A lane is one (nonce, sub_spin). Words, bounded integers and stops are computed for all lanes at once.
 * Each lane is then evaluated by transposed line masks: for every stop of every reel a row holds, for each
 * paying symbol, the set of paylines whose cell reads as it. The conjunction of the first k rows is the set
 * of lines with a run of k, for all symbols and lines together, and the win is the sum over k of the number
 * of those lines times what a run of k pays more than one of k - 1. There is no branch on symbols or lines.
 *
 * What the masks cannot tell exactly raises a flag, and the lane is looked at by the general code: rejected
 * words, lines that begin with wilds alone (several readings), wins that a multiplying wild may be in, pick
 * patterns, scatter counts that pay or award. Free spins become lanes of later waves; which spins of a round
 * are played does not depend on their order, as awards only add up until the cap. */

/* Partial sums of what a lane wins on lines (in pay_unit); they are added up for all lanes at once.
 * Returns non-zero when an alarm field is set. */
static RGS_INLINE uint32_t RGS_LANE(rgs_rows_pay)(const rgs_lanes *lanes, const uint8_t *const *rows, uint32_t reels,
                                                  uint32_t limbs, uint32_t chunks, uint32_t count_from,
                                                  uint32_t partial[RGS_PARTIAL])
{
    typedef RGS_LANE(rgs_mask) mask;
    RGS_LANE(rgs_sum) sums[RGS_LIMBS_MAX];
    const size_t width = (size_t)chunks * RGS_MASK_CHUNK;
    const int8_t *weights = lanes->weights;
    mask alarm = {0};
    for (uint32_t i = 0; i < RGS_PARTIAL && width != sizeof(mask); i++)
        partial[i] = 0;
    for (size_t at = 0; at < width; at += sizeof(mask)) {
        for (uint32_t limb = 0; limb < limbs; limb++)
            sums[limb] = (RGS_LANE(rgs_sum)){0};
        mask lines = RGS_LANE(rgs_mask_load)(rows[0] + RGS_MASK_CHUNK + at);
        for (uint32_t count = 1; count <= reels; count++) {
            if (count > 1)
                lines &= RGS_LANE(rgs_mask_load)(rows[count - 1] + RGS_MASK_CHUNK + at);
            if (count < count_from)
                continue;
            const mask counted = RGS_LANE(rgs_mask_count)(lines);
            for (uint32_t limb = 0; limb < limbs; limb++)
                sums[limb] = RGS_LANE(rgs_sum_add)(sums[limb], counted,
                                                   weights + ((count - 1) * limbs + limb) * width + at);
        }
        alarm |= lines & RGS_LANE(rgs_mask_load)(lanes->alarm + at);
        RGS_LANE(rgs_sum_store)(sums, limbs, width != sizeof(mask), partial);
    }
    return RGS_LANE(rgs_mask_any)(alarm);
}

/* The draws of RGS_LANES spins: byte offsets of the rows of their stops in offsets[reel][lane]. Returns
 * non-zero when a word of some lane was rejected; that lane has a non-zero rejected[lane]. */
static RGS_INLINE uint32_t RGS_LANE(rgs_draw_rows)(const rgs_lanes *lanes, uint32_t reels, const uint32_t key[8],
                                                   uint32_t stream, uint64_t first, const uint32_t *indices,
                                                   const uint32_t *sub_spins,
                                                   uint32_t offsets[RGS_LANE_REELS_MAX][RGS_LANES],
                                                   uint32_t rejected[RGS_LANES])
{
    uint32_t words[RGS_LANE_REELS_MAX][RGS_LANES], counters[RGS_LANES], low[RGS_LANES], high[RGS_LANES], any = 0;
    for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
        counters[lane] = sub_spins[lane] << 8;
        low[lane] = (uint32_t)first + indices[lane];
        high[lane] = (uint32_t)(first >> 32) + (low[lane] < (uint32_t)first);
    }
    RGS_LANE(rgs_chacha20)(key, counters, stream, low, high, RGS_LANE_REELS_MAX, words);
    memset(rejected, 0, RGS_LANES * sizeof *rejected);
    for (uint32_t reel = 0; reel < reels; reel++) {
        /* word * bound in 64 bits from 32-bit products; none overflows while bound <= 65536. The high word
         * is the bounded integer, the low one decides on rejection (RGS_DEFINE_BOUNDED in words.h). */
        const uint32_t bound = lanes->bounds[reel], rejects = lanes->rejects[reel];
        const uint32_t scale = lanes->stops[reel] ? 1 : lanes->row_bytes;
        for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
            const uint32_t small = (words[reel][lane] & 0xffff) * bound;
            const uint32_t carried = (words[reel][lane] >> 16) * bound + (small >> 16);
            rejected[lane] |= (carried << 16 | (small & 0xffff)) < rejects;
            offsets[reel][lane] = (carried >> 16) * scale;
        }
        if (lanes->stops[reel])
            for (uint32_t lane = 0; lane < RGS_LANES; lane++)
                offsets[reel][lane] = lanes->stops[reel][offsets[reel][lane]] * lanes->row_bytes;
    }
    for (uint32_t lane = 0; lane < RGS_LANES; lane++)
        any |= rejected[lane];
    return any;
}

/* Evaluates RGS_LANES drawn spins. pays[lane] gets the line win in pay_unit; the return value has bit `lane`
 * set for lanes that need a look: a count, an alarm, or a win beside a multiplying wild. */
static RGS_INLINE uint32_t RGS_LANE(rgs_evaluate_rows)(const rgs_lanes *lanes, uint32_t reels, uint32_t limbs,
                                                       uint32_t chunks, uint32_t count_from,
                                                       uint32_t offsets[RGS_LANE_REELS_MAX][RGS_LANES],
                                                       uint32_t pays[RGS_LANES], uint64_t counts[RGS_LANES],
                                                       uint32_t *alarms)
{
    uint32_t partial[RGS_LANES][RGS_PARTIAL] __attribute__((aligned(64))), alarm[RGS_LANES];
    uint32_t flagged = 0, alarmed = 0;
    for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
        const uint8_t *rows[RGS_LANE_REELS_MAX];
        uint64_t count = lanes->counts_bias, more;
        for (uint32_t reel = 0; reel < reels; reel++) {
            rows[reel] = lanes->rows[reel] + offsets[reel][lane];
            memcpy(&more, rows[reel], sizeof more);
            count += more;
        }
        alarm[lane] = RGS_LANE(rgs_rows_pay)(lanes, rows, reels, limbs, chunks, count_from, partial[lane]);
        counts[lane] = count;
    }
    for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
        uint32_t pay = 0;
        for (uint32_t i = 0; i < RGS_PARTIAL; i++)
            pay += partial[lane][i];
        pays[lane] = pay;
    }
    for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
        const uint32_t beside = (counts[lane] & lanes->wild_flag) != 0 && pays[lane] != 0;
        alarmed |= (alarm[lane] | beside) << lane;
    }
    for (uint32_t lane = 0; lane < RGS_LANES; lane++)
        flagged |= (uint32_t)((counts[lane] & lanes->counts_flags) != 0) << lane;
    *alarms = alarmed;
    return flagged | alarmed;
}

/* Plays the spins (first + indices[i], sub_spins[i]) of a state, i < n. Adds each win to wins[indices[i]] and
 * calls rgs_batch_award for awards. Returns 0 or an RGS_ERROR. */
static RGS_TARGET int RGS_LANE(rgs_play_lanes)(const rgs_game *game, uint32_t state_index, const uint32_t key[8],
                                               uint32_t stream, rgs_batch *batch, const uint32_t *indices,
                                               const uint32_t *sub_spins, uint32_t n)
{
    const rgs_lanes *lanes = &game->lanes[state_index];
    rgs_round *sums = &batch->sums;
    int64_t *const wins = batch->wins;
    uint32_t offsets[RGS_LANE_REELS_MAX][RGS_LANES], rejected[RGS_LANES], pays[RGS_LANES], alarms;
    uint64_t counts[RGS_LANES], line_pays = 0;
    /* The last group repeats the last spin to fill its lanes; the repetitions are not counted. */
    uint32_t last_indices[RGS_LANES], last_sub_spins[RGS_LANES];
    for (uint32_t at = 0; at < n; at += RGS_LANES) {
        const uint32_t live = n - at < RGS_LANES ? n - at : RGS_LANES;
        const uint32_t *group_indices = indices + at, *group_sub_spins = sub_spins + at;
        if (live < RGS_LANES) {
            for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
                last_indices[lane] = indices[lane < live ? at + lane : n - 1];
                last_sub_spins[lane] = sub_spins[lane < live ? at + lane : n - 1];
            }
            group_indices = last_indices;
            group_sub_spins = last_sub_spins;
        }
        const uint32_t refused = RGS_LANE(rgs_draw_rows)(lanes, game->reels, key, stream, batch->first, group_indices,
                                                         group_sub_spins, offsets, rejected);
        uint32_t flagged;
        /* The usual shape gets a copy of its own with constant loops; any other takes the last line. */
        if (game->reels == 5 && lanes->chunks == 1 && lanes->limbs == 2 && lanes->count_from == 2)
            flagged = RGS_LANE(rgs_evaluate_rows)(lanes, 5, 2, 1, 2, offsets, pays, counts, &alarms);
        else if (game->reels == 5 && lanes->chunks == 1 && lanes->limbs == 2 && lanes->count_from == 3)
            flagged = RGS_LANE(rgs_evaluate_rows)(lanes, 5, 2, 1, 3, offsets, pays, counts, &alarms);
        else
            flagged = RGS_LANE(rgs_evaluate_rows)(lanes, game->reels, lanes->limbs, lanes->chunks, lanes->count_from,
                                                  offsets, pays, counts, &alarms);
        if (refused)
            for (uint32_t lane = 0; lane < RGS_LANES; lane++)
                if (rejected[lane]) {
                    flagged |= 1u << lane;
                    pays[lane] = 0;
                }
        flagged &= (uint32_t)((1ull << live) - 1);
        for (; flagged; flagged &= flagged - 1) {
            const uint32_t lane = (uint32_t)__builtin_ctz(flagged);
            uint32_t stops[RGS_LANE_REELS_MAX];
            for (uint32_t reel = 0; reel < game->reels; reel++)
                stops[reel] = offsets[reel][lane] / lanes->row_bytes;
            const int error = rgs_batch_look(game, state_index, key, stream, batch, group_indices[lane],
                                             group_sub_spins[lane], rejected[lane] ? NULL : stops,
                                             alarms >> lane & 1, counts[lane], &pays[lane]);
            if (error)
                return error;
        }
        for (uint32_t lane = live; lane < RGS_LANES; lane++)
            pays[lane] = 0;
        for (uint32_t lane = 0; lane < RGS_LANES; lane++)
            line_pays += pays[lane];
        if (state_index == 0) /* paid spins come in the order of their rounds */
            for (uint32_t lane = 0; lane < live; lane++)
                wins[at + lane] += (int64_t)pays[lane] * lanes->pay_unit;
        else
            for (uint32_t lane = 0; lane < live; lane++)
                wins[group_indices[lane]] += (int64_t)pays[lane] * lanes->pay_unit;
    }
    if (game->states[state_index].lines != RGS_ANY_SYMBOL)
        sums->parts[state_index][game->states[state_index].lines] += (int64_t)line_pays * lanes->pay_unit;
    batch->spins[state_index] += n;
    return RGS_OK;
}

/* The kernel (rgs_kernel). Returns 0 or an RGS_ERROR. */
static RGS_TARGET int RGS_LANE(rgs_kernel)(const rgs_game *game, const uint32_t key[8], uint32_t stream,
                                           uint64_t first, uint64_t n, rgs_totals *totals, int64_t *wins)
{
    return rgs_play_batches(game, key, stream, first, n, totals, wins, RGS_LANE(rgs_play_lanes));
}
