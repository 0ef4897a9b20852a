/** The threads of one program beside its first: each has a worker, and a seat at the kernel of its own. */
import type { Worker } from "node:worker_threads";
import { createDescriptorRecords } from "../../shim/abi/descriptor-records.ts";
import { Errno } from "../../shim/abi/errno.ts";
import { FileType } from "../../shim/abi/filetype.ts";
import { SharedHandles } from "../core/kernel/remote/handle-source.ts";
import { STDIO_COUNT } from "../core/kernel/remote/shared-files.ts";
import type {
  ProcessSpec,
  SharedStreamSpec,
  SpawnMessage,
  StandardStreams,
  StartMessage,
  ThreadSpec,
  ThreadsSpec,
  WorkerMessage,
} from "../core/kernel/spec.ts";
import { MeterControl } from "../core/wasm/meter-control.ts";
import type { CpuUsage } from "./cpu-usage.ts";
import { CLIENTS_MAX } from "./kernel-entry.ts";
import type { KernelHost, Seat } from "./kernel-host.ts";
import type { ThreadBudget } from "./thread-budget.ts";
import type { RunningThread } from "./thread-pauses.ts";
import { endWorker, startWorker } from "./worker-entry.ts";

/** `wasi-threads` has so many numbers for threads. */
const THREAD_ID_MAX = 2 ** 29 - 1;

export interface ThreadsParts {
  kernel: KernelHost;
  /** Of the program's first thread. */
  seat: Seat;
  process: ProcessSpec;
  streams: StandardStreams;
  /** Of the container. */
  budget: ThreadBudget;
  cpu: CpuUsage;
}

interface Thread {
  worker: Worker;
  meter: MeterControl | undefined;
  seat: Seat;
  /** Undefined while it waits for another function to run. */
  id: number | undefined;
}

/** What a thread says that is for the program as a whole. */
interface Listener {
  hear(message: WorkerMessage, from: Worker): void;
  fail(error: unknown): void;
}

export class GuestThreads {
  /** For the first thread. */
  readonly spec: ThreadsSpec;
  readonly #parts: ThreadsParts;
  readonly #threads = new Set<Thread>();
  readonly #ids = new Set<number>();
  readonly #gone = new Set<Promise<void>>();
  #start: StartMessage | undefined;
  #listener: Listener | undefined;
  /** Started before it is needed. */
  #spare: Worker | undefined;
  #lastId = 0;
  #isOver = false;

  constructor(parts: ThreadsParts) {
    const { process, streams, budget } = parts;
    this.#parts = parts;
    budget.begin();
    this.spec = {
      handles: SharedHandles.createBuffer(STDIO_COUNT + process.preopens.length),
      descriptors: createDescriptorRecords(process.descriptorsMax, CLIENTS_MAX),
      stdio: streamSpecs(streams),
      thread: undefined,
    };
  }

  /** Those that were started, the first one left out. */
  get running(): Omit<RunningThread, "wanted">[] {
    return [...this.#threads].map(({ worker, meter, seat }) => ({ worker, meter, client: seat.client }));
  }

  /** @param start what the first thread was started with: the others get the same */
  begin(start: StartMessage, listener: Listener): void {
    this.#start = start;
    this.#listener = listener;
    this.#prestart();
  }

  /** Answers a thread that waits. */
  spawn({ startArg, answer }: SpawnMessage): void {
    const slot = new Int32Array(answer);
    Atomics.store(slot, 0, this.#startThread(startArg));
    Atomics.notify(slot, 0);
  }

  /** @returns its number, or a negative errno */
  #startThread(startArg: number): number {
    if (this.#isOver || !this.#parts.budget.take()) return -Errno.EAGAIN;
    const id = this.#takeId();
    const thread: ThreadSpec = { id, startArg };
    const idle = [...this.#threads].find((known) => known.id === undefined);
    if (idle !== undefined) {
      idle.id = id;
      idle.worker.postMessage(thread);
      return id;
    }
    try {
      this.#startWorker(thread);
    } catch {
      // The host has no room for it, or the kernel: as where pthread_create(3) fails.
      this.#giveId(id);
      return -Errno.EAGAIN;
    }
    return id;
  }

  #takeId(): number {
    do {
      this.#lastId = this.#lastId === THREAD_ID_MAX ? 1 : this.#lastId + 1;
    } while (this.#ids.has(this.#lastId));
    this.#ids.add(this.#lastId);
    return this.#lastId;
  }

  #giveId(id: number): void {
    this.#ids.delete(id);
    this.#parts.budget.give();
  }

  #startWorker(spec: ThreadSpec): void {
    const { kernel } = this.#parts;
    const seat = kernel.seatThread(this.#parts.seat);
    let worker: Worker;
    try {
      worker = this.#spare ?? startWorker();
    } catch (error) {
      void leave(kernel, seat);
      throw error;
    }
    const thread: Thread = { worker, meter: undefined, seat, id: spec.id };
    this.#threads.add(thread);
    // That it starts is part of it, as where clone(2) makes a thread.
    this.#parts.cpu.begin(worker);
    const gone = Promise.withResolvers<void>();
    this.#gone.add(gone.promise);
    worker.on("message", (message: WorkerMessage) => this.#hear(thread, message));
    worker.on("error", (error) => this.#listener!.fail(error));
    worker.once("exit", () => {
      this.#forget(thread);
      void leave(kernel, seat).then(gone.resolve);
      if (!this.#isOver) this.#listener!.fail(new Error("the worker of a thread ended without a word"));
    });
    const message: StartMessage = {
      ...this.#start!,
      place: seat.place,
      threads: { ...this.spec, thread: spec },
    };
    worker.postMessage(message);
    this.#spare = undefined;
    this.#prestart();
  }

  /** A worker takes longer to start than all else: who starts one thread mostly starts another. */
  #prestart(): void {
    if (this.#parts.budget.isFull) return;
    try {
      const spare = startWorker();
      this.#spare = spare;
      // It failed before anybody needed it: who does starts another.
      spare.on("error", () => {});
      spare.once("exit", () => {
        if (this.#spare === spare) this.#spare = undefined;
      });
    } catch {
      // The host has no room for it now; it may have when it is needed.
    }
  }

  #forget(thread: Thread): void {
    this.#threads.delete(thread);
    this.#rest(thread);
  }

  /** It runs nothing now. */
  #rest(thread: Thread): void {
    if (thread.id !== undefined) this.#giveId(thread.id);
    thread.id = undefined;
  }

  #hear(thread: Thread, message: WorkerMessage): void {
    switch (message.kind) {
      case "thread-end":
        this.#rest(thread);
        return;
      case "spawn":
        this.spawn(message);
        return;
      case "started":
        return;
      case "meter":
        thread.meter = new MeterControl(message.buffer);
        return;
      default:
        this.#listener!.hear(message, thread.worker);
    }
  }

  /** The program is over, whatever they are doing. When they have gone. */
  async terminate(): Promise<void> {
    if (!this.#isOver) this.#parts.budget.give(); // its first thread's
    this.#isOver = true;
    for (const { worker, meter } of this.#threads) {
      meter?.resume();
      void endWorker(worker);
    }
    await this.#spare?.terminate();
    await Promise.all(this.#gone);
  }
}

/** The kernel may have gone, and the seat with it. */
function leave(kernel: KernelHost, seat: Seat): Promise<void> {
  return kernel.leave(seat).catch(() => {});
}

function streamSpecs({ stdio, terminal }: StandardStreams): ThreadsSpec["stdio"] {
  const spec = (index: 0 | 1 | 2): SharedStreamSpec =>
    terminal === undefined
      ? { type: FileType.unknown, needsTime: stdio[index].kind === "descriptor" }
      : { type: FileType.characterDevice, needsTime: false };
  return [spec(0), spec(1), spec(2)];
}
