/**
 * What a client needn't ask its kernel: what it keeps of answers, and calls that it posts. See `client-view.ts` for the
 * kernel's end, and `post-ring.ts` for how it is known that something doesn't hold any more.
 */
import type { BlobReader } from "../../../../shim/abi/system.ts";
import type { Mailbox } from "../../ipc/mailbox.ts";
import { POST_BYTES_MAX, type PostRing } from "../../ipc/post-ring.ts";
import { putText } from "../../ipc/text.ts";
import { utf8Length } from "../../vfs/utf8.ts";
import type { ArenaMessage } from "../kernel-messages.ts";
import { creditOf, KEPT_HANDLES_MAX, NO_VIEW, Operation, Place, Real } from "../protocol.ts";
import { MemoryCopier } from "./memory-copier.ts";

/** An unchanged file of an image that is open at the kernel, and stays so for the next who opens it. */
export interface KeptFile {
  readonly handle: number;
  readonly blob: BlobReader;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  userCount: number;
  /** It is in no directory's memory any more: the last user closes it. */
  isDropped: boolean;
}

/** Files that are kept open for nobody; leases have the other handles. */
const KEPT_FILES_MAX = KEPT_HANDLES_MAX / 2;

export class LocalView {
  /** Another number whenever nothing holds any more: not even leases. */
  stamp = 1;
  /** The same for what was looked up, and for attributes alone. */
  lookUpsStamp = 1;
  attributesStamp = 1;
  readonly #ring: PostRing;
  readonly #knock: () => void;
  readonly #openBlob: ((layer: number) => BlobReader | undefined) | undefined;
  readonly #receiveArena: (() => ArenaMessage | undefined) | undefined;
  readonly #arenas = new Map<number, WebAssembly.Memory>();
  #copier: MemoryCopier | undefined = undefined;
  readonly #blobs = new Map<number, BlobReader | undefined>();
  /** In the order of their last use. */
  readonly #kept = new Set<KeptFile>();
  readonly #giveHandle: (handle: number) => void;
  #number = NO_VIEW;
  #creditBytes = 0;
  #creditInodes = 0;

  constructor(
    ring: PostRing,
    knock: () => void,
    giveHandle: (handle: number) => void,
    openBlob: ((layer: number) => BlobReader | undefined) | undefined,
    receiveArena: (() => ArenaMessage | undefined) | undefined,
  ) {
    this.#receiveArena = receiveArena;
    this.#ring = ring;
    this.#knock = knock;
    this.#giveHandle = giveHandle;
    this.#openBlob = openBlob;
  }

  /** To be asked before anything that was kept is used. */
  look(): void {
    const number = this.#ring.view;
    if (number === this.#number) return;
    this.#number = number;
    this.stamp++;
    this.#creditBytes = 0;
    this.#creditInodes = 0;
    this.forgetLookUps();
  }

  /** This client changed something itself: the kernel tells it only what became of its leases. */
  forgetLookUps(): void {
    this.lookUpsStamp++;
    this.attributesStamp++;
    for (const file of this.#kept) {
      file.isDropped = true;
      if (file.userCount === 0) this.#close(file.handle);
    }
    this.#kept.clear();
  }

  forgetAttributes(): void {
    this.attributesStamp++;
  }

  /** Whether the last answer may be kept: it is about the present. */
  accepts(mailbox: Mailbox): boolean {
    const number = mailbox.numbers[Place.view]!;
    if (number === NO_VIEW) return false;
    this.look();
    return number === this.#number;
  }

  /** What the kernel has set aside, by its last answer. */
  takeCredit(mailbox: Mailbox): void {
    this.#creditBytes = mailbox.reals[Real.creditBytes]!;
    this.#creditInodes = mailbox.reals[Real.creditInodes]!;
  }

  blob(layer: number): BlobReader | undefined {
    if (!this.#blobs.has(layer)) this.#blobs.set(layer, this.#openBlob?.(layer));
    return this.#blobs.get(layer);
  }

  /** Shared memory that the kernel has sent by this number. */
  arena(id: number): WebAssembly.Memory | undefined {
    for (let known = this.#arenas.get(id); ; known = this.#arenas.get(id)) {
      if (known !== undefined) return known;
      const received = this.#receiveArena?.();
      if (received === undefined) return undefined;
      this.#arenas.set(received.id, received.memory);
    }
  }

  /** The memory of the program, once it has one. */
  useMemory(memory: WebAssembly.Memory): void {
    this.#copier = new MemoryCopier(memory);
  }

  /** Copies from shared memory. */
  copy(target: Uint8Array, arena: WebAssembly.Memory, from: number): void {
    if (this.#copier?.copy(target, arena, from)) return;
    target.set(new Uint8Array(arena.buffer, from, target.length));
  }

  /** Does what was learned under this number still hold? */
  isStill(number: number): boolean {
    return this.#ring.view === number;
  }

  get number(): number {
    return this.#number;
  }

  keep(file: KeptFile): void {
    this.#kept.add(file);
    if (this.#kept.size <= KEPT_FILES_MAX) return;
    for (const oldest of this.#kept) {
      if (oldest.userCount > 0) continue;
      this.#kept.delete(oldest);
      oldest.isDropped = true;
      this.#close(oldest.handle);
      return;
    }
  }

  release(file: KeptFile): void {
    file.userCount--;
    if (file.userCount === 0 && file.isDropped) this.#close(file.handle);
  }

  #close(handle: number): void {
    this.postClose(handle);
    this.#giveHandle(handle);
  }

  /** False when it has to be called. */
  postWrite(handle: number, source: Uint8Array, offset: number): boolean {
    if (source.length > POST_BYTES_MAX) return false;
    const cost = creditOf(source.length);
    if (cost > this.#creditBytes) return false;
    const room = this.#begin(source.length);
    room.set(source);
    if (!this.#commit(this.#number, source.length, offset, Operation.write, handle, 0, 0, 0)) return false;
    this.#creditBytes -= cost;
    this.attributesStamp++;
    return true;
  }

  postCreate(directory: number, name: string, handle: number, flags: number, mode: number): boolean {
    const cost = creditOf(0);
    if (this.#creditInodes < 1 || cost > this.#creditBytes) return false;
    if (!this.#postName(Operation.openAt, directory, name, handle, flags, mode)) return false;
    this.#creditBytes -= cost;
    this.#creditInodes--;
    return true;
  }

  postUnlink(directory: number, name: string): boolean {
    return this.#postName(Operation.unlinkAt, directory, name, 0, 0, 0);
  }

  #postName(
    operation: number,
    directory: number,
    name: string,
    handle: number,
    flags: number,
    mode: number,
  ): boolean {
    const sizeBytes = utf8Length(name);
    const room = this.#begin(sizeBytes);
    putText(room, 0, name);
    if (!this.#commit(this.#number, sizeBytes, 0, operation, directory, handle, flags, mode)) return false;
    this.attributesStamp++;
    return true;
  }

  /** Nobody has to know what a close answers, whatever the view is. */
  postClose(handle: number): void {
    this.#begin(0);
    this.#commit(undefined, 0, 0, Operation.close, handle, 0, 0, 0);
  }

  #begin(sizeBytes: number): Uint8Array {
    for (;;) {
      const room = this.#ring.begin(sizeBytes);
      if (room !== undefined) return room;
      this.#ring.awaitRoom(this.#knock);
    }
  }

  #commit(
    view: number | undefined,
    sizeBytes: number,
    real: number,
    operation: number,
    handle: number,
    other: number,
    flags: number,
    mode: number,
  ): boolean {
    if (!this.#ring.commit(view, sizeBytes, real, operation, handle, other, flags, mode, 0)) return false;
    if (this.#ring.shouldKnock) this.#knock();
    return true;
  }
}
