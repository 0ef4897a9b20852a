/**
 * Divides CPU time among the containers of a group, by weight: who wants less than its part leaves the rest to the others
 * (max-min fairness). Groups have groups in them: a pod in what its user may use.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html, weights
 */

/** Docker's `--cpu-shares`: who says nothing has 1024. */
export const CPU_SHARES = 1024;
export const CPU_SHARES_MIN = 2;
export const CPU_SHARES_MAX = 262_144;

/** What was used lately: of an instant so long ago a third is left. */
const MEMORY_MS = 100;
/** Who had to wait wants more for so long. */
const HUNGRY_MS = 200;
/** Who was busy for so long, and didn't have to wait, has all that the host gives it. */
const STARVED_MS = 300;
/** Who gets less than that of its part, or of the core that one thread can have, waits for something else than the processor. */
const STARVED_SHARE_MIN = 0.25;
/** Of who has what it wants: so much more is kept for it. */
const ROOM = 1.25;
const ROOM_CPUS = 0.02;

export interface CpuClaim {
  readonly shares: number;
  /** Never more than that. */
  readonly cpusMax: number;
  /** What it would use now; Infinity: all that there is. */
  readonly wantedCpus: number;
}

/** @returns for each claim what it gets of `cpus` */
export function divideCpus(cpus: number, claims: readonly CpuClaim[]): number[] {
  const given = new Array<number>(claims.length).fill(0);
  const most = ({ cpusMax, wantedCpus }: CpuClaim) => Math.min(cpusMax, wantedCpus);
  // Who has enough soonest comes first: what it leaves is there for those behind.
  const order = claims
    .map((claim, index) => ({ claim, index }))
    .sort((a, b) => most(a.claim) / a.claim.shares - most(b.claim) / b.claim.shares);
  let leftCpus = cpus;
  let leftShares = claims.reduce((sum, { shares }) => sum + shares, 0);
  for (const { claim, index } of order) {
    // As long as there is enough for all, nothing is divided.
    const part = leftCpus === Infinity ? Infinity : (leftCpus * claim.shares) / leftShares;
    const gets = Math.min(most(claim), part);
    given[index] = gets;
    leftCpus -= gets === Infinity ? 0 : gets;
    leftShares -= claim.shares;
  }
  return given;
}

/** One that has a part: a container, or a group of them. */
export interface CpuMember extends CpuClaim {
  /** What it gets, where it would use more, and nobody makes it wait: others of the machine have the rest. */
  readonly starvedCpus: number | undefined;
}

export class CpuGroup implements CpuMember {
  /** What all of them may use together. */
  cpusMax: number;
  shares: number;
  readonly #parent: CpuGroup | undefined;
  readonly #members = new Set<CpuMember>();

  constructor(cpusMax: number, parent?: CpuGroup, shares: number = CPU_SHARES) {
    this.cpusMax = cpusMax;
    this.shares = shares;
    this.#parent = parent;
  }

  /** Nobody has to be looked at for its sake. */
  get isUnlimited(): boolean {
    return this.cpusMax === Infinity && (this.#parent?.isUnlimited ?? true);
  }

  get wantedCpus(): number {
    let sum = 0;
    for (const { cpusMax, wantedCpus } of this.#members) sum += Math.min(cpusMax, wantedCpus);
    return sum;
  }

  get starvedCpus(): number | undefined {
    const starved = [...this.#members]
      .map(({ starvedCpus }) => starvedCpus)
      .filter((cpus) => cpus !== undefined);
    return starved.length === 0 ? undefined : starved.reduce((sum, cpus) => sum + cpus, 0);
  }

  join(member: CpuMember): void {
    if (this.#members.size === 0) this.#parent?.join(this);
    this.#members.add(member);
  }

  leave(member: CpuMember): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.#parent?.leave(this);
  }

  /** What a member may use now, however much that is, when the others use what they do. */
  cpusFor(member: CpuMember): number {
    const cpus = Math.min(this.cpusMax, this.#parent?.cpusFor(this) ?? Infinity);
    const others = [...this.#members].filter((other) => other !== member);
    const { shares, cpusMax } = member;
    const [part, ...parts] = divideCpus(cpus, [{ shares, cpusMax, wantedCpus: Infinity }, ...others]);
    // Where the machine has less than that, it is divided in the same way: nobody has more, by its weight, than who gets least.
    const least = others.map(({ starvedCpus = Infinity, shares: weight }, index) =>
      starvedCpus > Math.min(parts[index]!, 1) * STARVED_SHARE_MIN
        ? (starvedCpus / weight) * shares
        : Infinity,
    );
    return Math.min(part!, ...least);
  }
}

/** A container in a group: what it has used lately tells what it wants. */
export class CpuShare implements CpuMember {
  shares: number;
  cpusMax: number;
  #cpus = 0;
  #isBusy = false;
  #throttledUntilMs = -Infinity;
  #atMs: number;

  constructor(shares: number, cpusMax: number, nowMs: number) {
    this.shares = shares;
    this.cpusMax = cpusMax;
    this.#atMs = nowMs;
  }

  get wantedCpus(): number {
    if (this.#isBusy || this.#atMs < this.#throttledUntilMs + HUNGRY_MS) return Infinity;
    return this.#cpus * ROOM + ROOM_CPUS;
  }

  get starvedCpus(): number | undefined {
    const isStarved = this.#isBusy && this.#atMs > this.#throttledUntilMs + STARVED_MS;
    return isStarved ? this.#cpus : undefined;
  }

  /**
   * So much CPU time was used since the last time.
   * @param isBusy it has not slept since
   */
  used(nowMs: number, usedMs: number, isBusy: boolean): void {
    this.#isBusy = isBusy && usedMs > 0;
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    this.#atMs = nowMs;
    const old = Math.exp(-elapsedMs / MEMORY_MS);
    this.#cpus = this.#cpus * old + (usedMs / elapsedMs) * (1 - old);
  }

  /** It had used what it may, and would use more: it waits until then. */
  throttled(untilMs: number): void {
    this.#throttledUntilMs = untilMs;
  }
}
