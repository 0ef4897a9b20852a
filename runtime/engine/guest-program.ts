/** A program on its way into a container: what it takes of what all programs there share, from before it runs until its thread is gone. */

import type { FilesSpec, StandardStreams, StartMessage } from "../core/kernel/spec.ts";
import { MemoryAccount } from "../core/quota/memory-account.ts";
import { type MemoryBudget, memoryLimit } from "../core/quota/memory-budget.ts";
import type { OpenFileLedger } from "../core/quota/open-file-ledger.ts";
import { makeMemory } from "../core/wasm/imported-memory.ts";
import type { MemoryType } from "../core/wasm/memory-type.ts";
import { GuestProcess, type GuestStreams } from "./guest-process.ts";
import { GuestThreads } from "./guest-threads.ts";
import type { KernelHost, Seat } from "./kernel-host.ts";
import { HEAP_BYTES_MAX, HEAP_BYTES_MIN } from "./limits.ts";
import type { Prepared } from "./prepare.ts";
import type { ThreadBudget } from "./thread-budget.ts";

/** What all programs of a container have together. */
export interface ContainerShares {
  readonly memory: MemoryBudget;
  readonly openFiles: OpenFileLedger;
  readonly threads: ThreadBudget;
  readonly kernel: KernelHost;
  /** This process runs more programs when these have ended: their threads may be used again. */
  readonly hasMoreRuns: boolean;
}

/** What it runs, and how it is told. */
export interface ProgramParts {
  readonly prepared: Prepared;
  readonly module: WebAssembly.Module;
  readonly streams: GuestStreams;
  readonly log?: StartMessage["log"];
  /** Its container's files, when they are in its thread, are sent back at the end. */
  readonly keepFiles: boolean;
}

export class GuestProgram {
  readonly guest: GuestProcess;
  /** Of one with threads: they are opened by the kernel. */
  readonly sharedStreams: StandardStreams | undefined;
  readonly #shares: ContainerShares;
  readonly #parts: ProgramParts;
  readonly #memory: WebAssembly.Memory | MemoryType | undefined;
  readonly #account: MemoryAccount;
  readonly #openFiles: OpenFileLedger;

  /** @throws WpodError MEMORY_LIMIT, and what is wrong with its streams */
  constructor(shares: ContainerShares, parts: ProgramParts) {
    const { prepared, streams, log } = parts;
    const { memory } = prepared;
    this.#shares = shares;
    this.#parts = parts;
    // A shared memory is made here: all threads get it. Another one its program makes.
    this.#memory = memory?.shared ? makeMemory(memory) : memory;
    this.guest = new GuestProcess(streams);
    this.sharedStreams = prepared.threaded ? this.guest.streamsWith(log) : undefined;
    this.#account = MemoryAccount.create(shares.memory);
    this.#openFiles = shares.openFiles.another();
    void this.guest.gone.then(() => this.#free());
    // A program has the memory that it begins with.
    if (this.#account.charge(prepared.memoryBytesMin)) return;
    const refused = memoryLimit(shares.memory, "the program", prepared.memoryBytesMin);
    this.cancel();
    throw refused;
  }

  /** It won't start after all. */
  cancel(): void {
    this.guest.cancel();
    this.#free();
  }

  #free(): void {
    this.#account.close();
    this.#openFiles.close();
  }

  /** @param place at the kernel, or the container's files, which it has alone */
  start(place: Seat | FilesSpec): void {
    const { prepared, module, log, keepFiles } = this.#parts;
    const seat = "client" in place ? place : undefined;
    const heapBytesMax = this.#heapBytesMax;
    this.guest.start({
      module,
      memory: this.#memory,
      memoryAccount: this.#account.spec,
      memoryWatched: prepared.memoryWatched,
      waitOffsets: prepared.waitOffsets,
      openFiles: this.#openFiles.spec,
      threads: seat && this.#threadsFrom(seat),
      process: prepared.process,
      place: "client" in place ? place.place : { kind: "here", files: place },
      log,
      keepFiles,
      heapBytesMax,
      isReusable: this.#shares.hasMoreRuns && heapBytesMax === undefined,
    });
  }

  /** Undefined for a program that can't start any. */
  #threadsFrom(seat: Seat): GuestThreads | undefined {
    const streams = this.sharedStreams;
    if (streams === undefined) return undefined;
    const { kernel, threads: budget } = this.#shares;
    const { process } = this.#parts.prepared;
    return new GuestThreads({ kernel, seat, process, streams, budget, heapBytesMax: this.#heapBytesMax });
  }

  /** What it makes there isn't charged; all its threads together have no more than the limit on memory once again. */
  get #heapBytesMax(): number | undefined {
    const { makesObjects, threaded } = this.#parts.prepared;
    if (!makesObjects) return undefined;
    const { memory, threads } = this.#shares;
    const shareBytes = memory.limitBytes / (threaded ? threads.countMax : 1);
    return shareBytes >= HEAP_BYTES_MAX ? undefined : Math.max(shareBytes, HEAP_BYTES_MIN);
  }
}
