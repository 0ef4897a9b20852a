/**
 * Who of a user's containers may start, when all together may have so many CPUs and so much memory: each says what it reserves, and waits
 * in line until that fits. Whoever came first is served first; nobody passes one that waits for more.
 */
import { binarySize } from "../format/size.ts";

export interface Reservation {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Undefined: no bound. */
export interface ReservationTotals {
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

/** A container's place, from when it asked until it has ended. */
export interface Claim extends Reservation {
  readonly id: string;
  /** It has what it reserves; else it waits. */
  readonly held: boolean;
}

/** Bound on those that wait at a time. */
export const CONTAINERS_WAITING_MAX = 1000;

export type Admission =
  | { readonly kind: "admitted" }
  /** @param position 1: nobody is before it */
  | { readonly kind: "waits"; readonly position: number; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/** All claims, in the order in which they were made, and what became of the last. */
export interface Claimed {
  readonly claims: readonly Claim[];
  readonly admission: Admission;
}

/** @param mayWait else it is refused when it doesn't fit at once */
export function claim(
  claims: readonly Claim[],
  totals: ReservationTotals,
  { id, ...wanted }: Reservation & { readonly id: string },
  mayWait: boolean,
): Claimed {
  const never = whyNot(wanted, totals, NONE);
  if (never !== undefined) return refuse(claims, `${never}: that is more than all that there is`);
  const waiting = claims.filter(({ held }) => !held);
  const used = heldBy(claims);
  const notNow = waiting.length > 0 ? lineOf(waiting.length) : whyNot(wanted, totals, used);
  if (notNow === undefined) {
    return { claims: [...claims, { id, ...wanted, held: true }], admission: { kind: "admitted" } };
  }
  if (!mayWait) return refuse(claims, notNow);
  if (waiting.length >= CONTAINERS_WAITING_MAX)
    return refuse(claims, `${notNow}, and no more than ${CONTAINERS_WAITING_MAX} may wait`);
  const admission: Admission = { kind: "waits", position: waiting.length + 1, reason: notNow };
  return { claims: [...claims, { id, ...wanted, held: false }], admission };
}

/** It has ended, or gave up waiting: whoever fits now, of those before the first that doesn't, has what it waited for. */
export function release(claims: readonly Claim[], totals: ReservationTotals, id: string): readonly Claim[] {
  return settle(
    claims.filter((claim) => claim.id !== id),
    totals,
  );
}

/** The same where others are gone, or the totals are other ones. */
export function settle(claims: readonly Claim[], totals: ReservationTotals): readonly Claim[] {
  let used = heldBy(claims);
  let isOpen = true;
  return claims.map((claim) => {
    if (claim.held || !isOpen) return claim;
    isOpen = whyNot(claim, totals, used) === undefined;
    if (!isOpen) return claim;
    used = sum(used, claim);
    return { ...claim, held: true };
  });
}

/** Where it stands; undefined when it is not there. */
export function stateOf(
  claims: readonly Claim[],
  totals: ReservationTotals,
  id: string,
): Admission | undefined {
  const own = claims.find((claim) => claim.id === id);
  if (own === undefined) return undefined;
  if (own.held) return { kind: "admitted" };
  const waiting = claims.filter(({ held }) => !held);
  const position = waiting.indexOf(own) + 1;
  const reason =
    position > 1 ? lineOf(position - 1) : (whyNot(own, totals, heldBy(claims)) ?? "its turn comes");
  return { kind: "waits", position, reason };
}

const NONE: Reservation = { cpus: 0, memoryBytes: 0 };

export function heldBy(claims: readonly Claim[]): Reservation {
  return claims.filter(({ held }) => held).reduce<Reservation>(sum, NONE);
}

function sum(a: Reservation, b: Reservation): Reservation {
  return { cpus: rounded(a.cpus + b.cpus), memoryBytes: a.memoryBytes + b.memoryBytes };
}

/** CPUs count by the thousandth: ten times 0.1 is 1. */
function rounded(cpus: number): number {
  return Math.round(cpus * 1000) / 1000;
}

function refuse(claims: readonly Claim[], reason: string): Claimed {
  return { claims, admission: { kind: "refused", reason } };
}

function lineOf(count: number): string {
  return count === 1 ? "another container waits before it" : `${count} other containers wait before it`;
}

/** Undefined: it fits. */
function whyNot(wanted: Reservation, totals: ReservationTotals, used: Reservation): string | undefined {
  const { cpus = Infinity, memoryBytes = Infinity } = totals;
  if (rounded(wanted.cpus + used.cpus) > cpus) {
    return `it reserves ${rounded(wanted.cpus)} CPUs, and ${left(used.cpus, cpus)} of ${cpus} are left`;
  }
  if (wanted.memoryBytes + used.memoryBytes > memoryBytes) {
    const free = binarySize(Math.max(0, memoryBytes - used.memoryBytes));
    return `it reserves ${binarySize(wanted.memoryBytes)} of memory, and ${free} of ${binarySize(memoryBytes)} are left`;
  }
  return undefined;
}

function left(used: number, total: number): number {
  return Math.max(0, rounded(total - used));
}
