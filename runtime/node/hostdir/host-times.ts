/**
 * Nanoseconds of the times that a guest set. Node passes times on as a floating point number of seconds, and libuv cuts
 * them to microseconds: what is lost is remembered here, for as long as the host's file still has what was written.
 */
import type { BigIntStats } from "node:fs";

/** Files that are remembered, for one mount. */
const FILES_MAX = 4096;

interface Remembered {
  wantedAtimeNs: bigint;
  wantedMtimeNs: bigint;
  hostAtimeNs: bigint;
  hostMtimeNs: bigint;
}

export class HostTimes {
  readonly #files = new Map<string, Remembered>();

  /** @param after what the host shows now */
  remember(identity: string, atimeNs: bigint, mtimeNs: bigint, after: BigIntStats): void {
    this.#files.delete(identity);
    this.#files.set(identity, {
      wantedAtimeNs: atimeNs,
      wantedMtimeNs: mtimeNs,
      hostAtimeNs: after.atimeNs,
      hostMtimeNs: after.mtimeNs,
    });
    const [oldest] = this.#files.keys();
    if (this.#files.size > FILES_MAX && oldest !== undefined) this.#files.delete(oldest);
  }

  atimeNs(identity: string, stat: BigIntStats): bigint {
    const known = this.#files.get(identity);
    return known?.hostAtimeNs === stat.atimeNs ? known.wantedAtimeNs : stat.atimeNs;
  }

  mtimeNs(identity: string, stat: BigIntStats): bigint {
    const known = this.#files.get(identity);
    return known?.hostMtimeNs === stat.mtimeNs ? known.wantedMtimeNs : stat.mtimeNs;
  }
}
