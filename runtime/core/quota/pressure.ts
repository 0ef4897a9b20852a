/**
 * Pressure stall information: which share of time was lost because a thread waited for something. The arithmetic is the kernel's, in
 * fixed point, so that the figures are those that tools know.
 *
 * @see https://docs.kernel.org/accounting/psi.html, kernel/sched/psi.c
 */
import { whole } from "../format/whole.ts";
import type { PressureAverages, PressureUsage } from "./container-usage.ts";

/** How often averages are made. */
export const PRESSURE_PERIOD_US = 2_000_000;

/** A fixed-point number has 11 bits behind its point. */
const FIXED_BITS = 11;
const FIXED_ONE = 1 << FIXED_BITS;
/** 1/exp(2 s / 10 s), of 60 s and of 300 s. */
const DECAY = { avg10: 1677, avg60: 1981, avg300: 2034 } as const;

/** One of `some` and `full`. */
class Stall {
  #totalUs = 0;
  /** What of the total is in the averages. */
  #averagedUs = 0;
  #avg10 = 0;
  #avg60 = 0;
  #avg300 = 0;

  add(waitedUs: number): void {
    this.#totalUs += waitedUs;
  }

  average(missedCount: number, periodUs: number): void {
    // What doesn't fit into the period is told with the next ones.
    const waitedUs = Math.min(this.#totalUs - this.#averagedUs, periodUs);
    this.#averagedUs += waitedUs;
    const percent = Math.floor((Math.round(waitedUs) * 100) / periodUs) * FIXED_ONE;
    const next = (average: number, decay: number) =>
      mix(missedCount > 0 ? mix(average, power(decay, missedCount), 0) : average, decay, percent);
    this.#avg10 = next(this.#avg10, DECAY.avg10);
    this.#avg60 = next(this.#avg60, DECAY.avg60);
    this.#avg300 = next(this.#avg300, DECAY.avg300);
  }

  get averages(): PressureAverages {
    return {
      avg10: shown(this.#avg10),
      avg60: shown(this.#avg60),
      avg300: shown(this.#avg300),
      totalUs: Math.floor(this.#totalUs),
    };
  }
}

/** Of one resource. */
export class Pressure {
  readonly #some = new Stall();
  readonly #full = new Stall();
  #dueUs: number;
  #averagedUs: number;

  constructor(nowUs: number) {
    this.#dueUs = nowUs + PRESSURE_PERIOD_US;
    this.#averagedUs = nowUs;
  }

  /**
   * Since the last call at least one thread waited for so long, and all that had something to do for so long: not more than has passed,
   * and `full` not more than `some`.
   */
  sample(nowUs: number, someUs: number, fullUs: number): void {
    this.#some.add(Math.max(0, someUs));
    this.#full.add(Math.max(0, Math.min(fullUs, someUs)));
    this.#update(nowUs);
  }

  read(nowUs: number): PressureUsage {
    this.#update(nowUs);
    return { some: this.#some.averages, full: this.#full.averages };
  }

  #update(nowUs: number): void {
    if (nowUs < this.#dueUs) return;
    const missedCount = Math.floor((nowUs - this.#dueUs) / PRESSURE_PERIOD_US);
    this.#dueUs += (1 + missedCount) * PRESSURE_PERIOD_US;
    const periodUs = nowUs - (this.#averagedUs + missedCount * PRESSURE_PERIOD_US);
    this.#averagedUs = nowUs;
    this.#some.average(missedCount, periodUs);
    this.#full.average(missedCount, periodUs);
  }
}

/** The kernel's `calc_load`: rounded up while it rises, so that it gets to where it goes. */
function mix(average: number, decay: number, now: number): number {
  const sum = average * decay + now * (FIXED_ONE - decay) + (now >= average ? FIXED_ONE - 1 : 0);
  return Math.floor(sum / FIXED_ONE);
}

/** A fixed-point number below 1 to a whole power, rounded at each step as the kernel rounds. */
function power(base: number, exponent: number): number {
  let result = FIXED_ONE;
  let square = base;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = product(result, square);
    square = product(square, square);
  }
  return result;
}

function product(a: number, b: number): number {
  return Math.floor((a * b + FIXED_ONE / 2) / FIXED_ONE);
}

/** With the two digits that the kernel shows. */
function shown(average: number): number {
  const whole = Math.floor(average / FIXED_ONE);
  return whole + Math.floor(((average % FIXED_ONE) * 100) / FIXED_ONE) / 100;
}

/** The lines of `/proc/pressure/*` and `cpu.pressure`. */
export function pressureText({ some, full }: PressureUsage): string {
  return `${line("some", some)}${line("full", full)}`;
}

function line(kind: string, { avg10, avg60, avg300, totalUs }: PressureAverages): string {
  const parts = Object.entries({ avg10, avg60, avg300 }).map(
    ([name, value]) => `${name}=${value.toFixed(2)}`,
  );
  return `${kind} ${parts.join(" ")} total=${whole(totalUs)}\n`;
}
