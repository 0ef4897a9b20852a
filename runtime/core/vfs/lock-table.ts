/**
 * Advisory locks on the files of one tree, as flock(2) has them: of a whole file, by open descriptions. Nobody is kept from
 * reading or writing. Nothing here waits: who would have to is told by its bell when it is worth asking again.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import type { LockKind } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import { WaitQueue } from "../kernel/wait-queue.ts";

/** Locks that are held in one tree at a time. */
export const LOCKS_MAX = 16_384;

/** Who has a lock on one file: one exclusively, or several together. */
interface FileLocks {
  exclusive: boolean;
  readonly holders: Set<Lock>;
  readonly waiting: WaitQueue;
}

export class LockTable {
  /** Of files that somebody has locked. */
  readonly #files = new Map<bigint, FileLocks>();
  /** The last limit that was set. */
  countMax: number;
  #count = 0;

  constructor(countMax = LOCKS_MAX) {
    this.countMax = countMax;
  }

  /** Locks that are held. */
  get count(): number {
    return this.#count;
  }

  /** @returns who keeps `lock` from being of this kind */
  blockers(lock: Lock, kind: LockKind): Lock[] {
    const file = this.#files.get(lock.inode);
    if (file === undefined || kind === "none" || (kind === "shared" && !file.exclusive)) return [];
    return [...file.holders].filter((holder) => holder !== lock);
  }

  /** @returns ENOLCK when there are too many */
  take(lock: Lock, kind: "shared" | "exclusive"): number {
    if (this.#count >= this.countMax) return -Errno.ENOLCK;
    let file = this.#files.get(lock.inode);
    if (file === undefined) {
      file = { exclusive: false, holders: new Set(), waiting: new WaitQueue() };
      this.#files.set(lock.inode, file);
    }
    file.exclusive = kind === "exclusive";
    file.holders.add(lock);
    this.#count++;
    return 0;
  }

  give(lock: Lock): void {
    const file = this.#files.get(lock.inode);
    if (!file?.holders.delete(lock)) return;
    this.#count--;
    file.exclusive = false;
    if (file.holders.size === 0) this.#files.delete(lock.inode);
    file.waiting.wake();
  }

  /** Rings when somebody has given a lock on this file back. */
  await(lock: Lock, bell: Bell): void {
    this.#files.get(lock.inode)?.waiting.add(bell);
  }

  forget(lock: Lock, bell: Bell): void {
    this.#files.get(lock.inode)?.waiting.remove(bell);
  }
}

/** The lock of one open description. */
export class Lock {
  readonly inode: bigint;
  readonly #table: LockTable;
  #kind: LockKind = "none";
  #bell: Bell | undefined = undefined;

  constructor(table: LockTable, inode: bigint) {
    this.#table = table;
    this.inode = inode;
  }

  get kind(): LockKind {
    return this.#kind;
  }

  /**
   * Another kind isn't taken in one step: what it was is given back first, and not got back when the other can't be had.
   *
   * @returns EAGAIN others have it; ENOLCK
   * @see flock(2)
   */
  change(kind: LockKind): number {
    if (kind === this.#kind) return 0;
    if (this.#kind !== "none") this.#table.give(this);
    this.#kind = "none";
    if (kind === "none") return 0;
    if (this.blockers(kind).length > 0) return -Errno.EAGAIN;
    const refused = this.#table.take(this, kind);
    if (refused === 0) this.#kind = kind;
    return refused;
  }

  /** Who keeps it from being of this kind. */
  blockers(kind: LockKind): Lock[] {
    return this.#table.blockers(this, kind);
  }

  /** After EAGAIN: rings when it is worth another try. */
  await(bell: Bell): void {
    this.#bell = bell;
    this.#table.await(this, bell);
  }

  /** Its description is closed. */
  close(): void {
    if (this.#bell !== undefined) this.#table.forget(this, this.#bell);
    this.change("none");
  }
}

/** An open file whose lock is in a table of this thread. */
export interface Lockable {
  /** Made when it is asked for. */
  readonly ownLock: Lock;
  /** Without making one. */
  readonly lockKind: LockKind;
}

export function isLockable<T extends object>(file: T): file is T & Lockable {
  return "ownLock" in file;
}

/**
 * For a program that has its thread for itself: who keeps the lock from it is itself, and would never give it back.
 *
 * @param wait it is ready to
 * @returns EDEADLK where it would wait for ever; else what `Lock.change` says
 */
export function lockAlone(lock: Lock, kind: LockKind, wait: boolean): number {
  if (wait && lock.blockers(kind).length > 0) return -Errno.EDEADLK;
  return lock.change(kind);
}
