/**
 * The memory that a metered module and its host share: one page, shared, zero at first. Each instance has its own.
 *
 * | offset | type | what | who writes, who waits |
 * |---|---|---|---|
 * | 0 | i32 | `pause`: not 0, the guest waits at its next look | host writes and notifies; guest waits |
 * | 8 | i64 | `used`: rounds that were charged so far | guest adds |
 * | 16 | i64 | `allowed`: more rounds than this end the guest; 0 is no bound | host |
 * | 24 | i32 | `exhausted`: 1 as soon as that has happened | guest |
 */
export const MeterOffset = { pause: 0, used: 8, allowed: 16, exhausted: 24 } as const;
