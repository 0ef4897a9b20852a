/** Open files by handle: of one client, or of several that are threads of one program. The last to go closes them. */
import type { OpenFile } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import type { FilesMemory } from "../quota/files-memory.ts";
import { isLockable, type Lock } from "../vfs/lock-table.ts";
import { isWaitable } from "./wait-queue.ts";

export class OpenHandles {
  /** Rung when something that one of its clients waits for may have changed. */
  readonly bell: Bell;
  /** Of its container: what it opens may be charged to it. */
  memory: FilesMemory | undefined = undefined;
  readonly #countMax: number;
  readonly #files = new Map<number, OpenFile>();
  #clientCount = 0;

  /** @param countMax handles at a time */
  constructor(bell: Bell, countMax: number) {
    this.bell = bell;
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#files.size;
  }

  get isFull(): boolean {
    return this.room <= 0;
  }

  /** As many more may be open. */
  get room(): number {
    return this.#countMax - this.#files.size;
  }

  /** One client has them for itself. */
  get isAlone(): boolean {
    return this.#clientCount === 1;
  }

  /** It is the lock of one of these files. */
  hasLock(lock: Lock): boolean {
    for (const file of this.#files.values()) {
      if (isLockable(file) && file.lockKind !== "none" && file.ownLock === lock) return true;
    }
    return false;
  }

  /** One more client uses them. */
  join(): void {
    this.#clientCount++;
  }

  /** A client has gone, at whatever point. */
  leave(): void {
    this.#clientCount--;
    if (this.#clientCount > 0) return;
    for (const file of this.#files.values()) this.#drop(file);
    this.#files.clear();
  }

  get(handle: number): OpenFile | undefined {
    return this.#files.get(handle);
  }

  has(handle: number): boolean {
    return this.#files.has(handle);
  }

  set(handle: number, file: OpenFile): void {
    this.#files.set(handle, file);
  }

  close(handle: number): void {
    const file = this.#files.get(handle);
    if (file === undefined) return;
    this.#files.delete(handle);
    this.#drop(file);
    // Another thread may wait for it: it is to learn that nothing will come.
    if (this.#clientCount > 1) this.bell.ring();
  }

  #drop(file: OpenFile): void {
    if (isWaitable(file)) file.waiting.remove(this.bell);
    file.close();
  }
}
