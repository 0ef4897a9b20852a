/**
 * How many units a second may pass, for all threads of a container together: the generic cell rate algorithm (virtual scheduling).
 * All that is kept is when the next unit would be due if everybody had kept to the rate: one word of shared memory, changed by
 * compare-and-exchange. Nobody holds a lock, and a thread that is ended anywhere leaves it as it was before or after.
 *
 * @see ITU-T I.371, annex A
 */

/** What may pass at once when nothing did before: what the rate gives in this time. */
export const BURST_NS = 100_000_000n;

const NS_PER_SECOND = 1_000_000_000n;
/** A debt never wraps: 146 years. */
const ARRIVAL_NS_MAX = 2n ** 62n;

/**
 * Lets units pass, however many, and answers how long whoever brought them waits now: what is more than a burst is let through, and
 * then paid for, so that nothing is too large to pass at all.
 *
 * @param cells shared by all threads: when the next unit is due, and the rate, in units a second; 0: no limit
 * @param nowNs of a clock that never goes back, the same one for all threads
 * @returns nanoseconds
 */
export function charge(
  cells: BigInt64Array,
  arrivalIndex: number,
  rateIndex: number,
  units: number,
  nowNs: bigint,
): bigint {
  for (;;) {
    // In this order: whoever sees that the debt was forgiven sees the rate that it was forgiven for.
    const before = Atomics.load(cells, arrivalIndex);
    const rate = Atomics.load(cells, rateIndex);
    if (rate <= 0n) return 0n;
    const costNs = (BigInt(units) * NS_PER_SECOND + rate - 1n) / rate;
    const due = (before > nowNs ? before : nowNs) + costNs;
    const after = due < ARRIVAL_NS_MAX ? due : ARRIVAL_NS_MAX;
    if (Atomics.compareExchange(cells, arrivalIndex, before, after) !== before) continue;
    const waitNs = after - BURST_NS - nowNs;
    return waitNs > 0n ? waitNs : 0n;
  }
}
