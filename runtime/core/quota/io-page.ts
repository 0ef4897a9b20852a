/**
 * What a container reads and writes: its limits, and what it has used of them, for all threads that work for it.
 *
 * Shared memory, 8 bytes a cell, `BigInt64`s where nothing else is said; by index:
 * - 0 ARRIVAL: when the next unit is due (`rate-limit.ts`): bytes read, bytes written, reads, writes; by who reads and writes
 * - 4 RATE: how many a second of each; 0 is no limit; by the engine
 * - 8 COUNT: how many there were of each; by who reads and writes
 * - 12 WAITED: nanoseconds that threads waited for it, together
 * - 13 DISK: bytes and inodes of the writable layer, `Float64`s; by the one thread that has the files
 * - 15 DISK_MAX: how many there may be of each, `Float64`s; by the engine
 * - 17 HITS: how often one was refused for want of each
 * - 19, as two `Int32`s: a generation, one more whenever the engine sets a limit, and bits of which ways have a rate
 *
 * Everybody adds, or exchanges; nobody locks, and nobody waits in here. A guest sees none of it. What has one writer is a plain `Float64`: one
 * store on every machine of 64 bits, and with atomic ones making and removing files took a tenth longer.
 */
import { charge } from "./rate-limit.ts";

/** By their place in the page. */
export const IoWay = { read: 0, write: 1 } as const;
export type IoWay = (typeof IoWay)[keyof typeof IoWay];

const ARRIVAL = 0;
const RATE = 4;
const COUNT = 8;
const WAITED = 12;
const DISK = 13;
const DISK_MAX = 15;
const HITS = 17;
const GENERATION = 38;
const LIMITED = 39;
const CELLS = 20;

/** From bytes to operations. */
const OPERATIONS = 2;
/** From bytes to inodes. */
const INODES = 1;

const NS_PER_US = 1000n;

/** 0 is no limit; of the disk it is one. */
export interface IoLimits {
  /** Bytes a second. */
  readBps: number;
  writeBps: number;
  /** Operations a second. */
  readIops: number;
  writeIops: number;
  /** What the writable layer may hold. */
  diskBytesMax: number;
  diskInodesMax: number;
}

export interface IoUsage {
  readBytes: number;
  writeBytes: number;
  readCount: number;
  writeCount: number;
  /** That threads waited because of a rate, together. */
  waitedUs: number;
  diskBytes: number;
  diskInodes: number;
  /** How often something didn't fit (ENOSPC). */
  diskBytesHits: number;
  diskInodesHits: number;
}

/** Where a tree tells what it holds, and learns what it may. */
export interface DiskGauge {
  readonly bytesMax: number;
  readonly inodesMax: number;
  publishBytes(bytes: number): void;
  publishInodes(inodes: number): void;
  /** Something was refused. */
  hitBytes(): void;
  hitInodes(): void;
}

export class IoPage implements DiskGauge {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: BigInt64Array;
  readonly #numbers: Float64Array;
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new BigInt64Array(buffer);
    this.#numbers = new Float64Array(buffer);
    this.#words = new Int32Array(buffer);
  }

  static create(limits: IoLimits): IoPage {
    const page = new IoPage(new SharedArrayBuffer(CELLS * BigInt64Array.BYTES_PER_ELEMENT));
    page.limits = limits;
    return page;
  }

  get limits(): IoLimits {
    return {
      readBps: this.#get(RATE + IoWay.read),
      writeBps: this.#get(RATE + IoWay.write),
      readIops: this.#get(RATE + OPERATIONS + IoWay.read),
      writeIops: this.#get(RATE + OPERATIONS + IoWay.write),
      diskBytesMax: this.bytesMax,
      diskInodesMax: this.inodesMax,
    };
  }

  /** Also while the container runs. Who waits for a rate that changes waits no longer. */
  set limits(limits: IoLimits) {
    const { readBps, writeBps, readIops, writeIops } = limits;
    for (const [index, rate] of [readBps, writeBps, readIops, writeIops].entries()) {
      const value = BigInt(rate);
      if (Atomics.exchange(this.#cells, RATE + index, value) !== value) {
        Atomics.store(this.#cells, ARRIVAL + index, 0n);
      }
    }
    const isLimited = (bps: number, iops: number) => bps > 0 || iops > 0;
    const bits =
      (isLimited(readBps, readIops) ? 1 << IoWay.read : 0) |
      (isLimited(writeBps, writeIops) ? 1 << IoWay.write : 0);
    Atomics.store(this.#words, LIMITED, bits);
    this.#numbers[DISK_MAX] = limits.diskBytesMax;
    this.#numbers[DISK_MAX + INODES] = limits.diskInodesMax;
    Atomics.add(this.#words, GENERATION, 1);
  }

  get usage(): IoUsage {
    return {
      readBytes: this.#get(COUNT + IoWay.read),
      writeBytes: this.#get(COUNT + IoWay.write),
      readCount: this.#get(COUNT + OPERATIONS + IoWay.read),
      writeCount: this.#get(COUNT + OPERATIONS + IoWay.write),
      waitedUs: Number(Atomics.load(this.#cells, WAITED) / NS_PER_US),
      diskBytes: this.#numbers[DISK]!,
      diskInodes: this.#numbers[DISK + INODES]!,
      diskBytesHits: this.#get(HITS),
      diskInodesHits: this.#get(HITS + INODES),
    };
  }

  #get(index: number): number {
    return Number(Atomics.load(this.#cells, index));
  }

  /** Another one than before: what was waited for may be due now. */
  get generation(): number {
    return Atomics.load(this.#words, GENERATION);
  }

  /** One operation more. */
  count(way: IoWay, bytes: number): void {
    Atomics.add(this.#cells, COUNT + way, BigInt(bytes));
    Atomics.add(this.#cells, COUNT + OPERATIONS + way, 1n);
  }

  /** It has a rate: `charge` is to be asked. */
  isLimited(way: IoWay): boolean {
    return (Atomics.load(this.#words, LIMITED) & (1 << way)) !== 0;
  }

  /**
   * One operation that was let through.
   * @returns nanoseconds that whoever did it waits now
   */
  charge(way: IoWay, bytes: number, nowNs: bigint): bigint {
    const operation = OPERATIONS + way;
    const forBytesNs = charge(this.#cells, ARRIVAL + way, RATE + way, bytes, nowNs);
    const forOneNs = charge(this.#cells, ARRIVAL + operation, RATE + operation, 1, nowNs);
    if (forBytesNs > forOneNs) return forBytesNs;
    return forOneNs;
  }

  /** A thread has waited so long. */
  noteWait(ns: bigint): void {
    Atomics.add(this.#cells, WAITED, ns);
  }

  get bytesMax(): number {
    return this.#numbers[DISK_MAX]!;
  }

  get inodesMax(): number {
    return this.#numbers[DISK_MAX + INODES]!;
  }

  publishBytes(bytes: number): void {
    this.#numbers[DISK] = bytes;
  }

  publishInodes(inodes: number): void {
    this.#numbers[DISK + INODES] = inodes;
  }

  hitBytes(): void {
    Atomics.add(this.#cells, HITS, 1n);
  }

  hitInodes(): void {
    Atomics.add(this.#cells, HITS + INODES, 1n);
  }
}
