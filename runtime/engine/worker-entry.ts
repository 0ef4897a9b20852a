/**
 * Container workers: started before they are needed, because a worker takes as long to start as everything else of a
 * run together.
 */
import { Worker } from "node:worker_threads";
import type { WorkerMessage } from "../core/kernel/spec.ts";
import { inheritedPermissionFlags } from "../node/host/permission-flags.ts";
import { cacheEnvironment } from "./cache-environment.ts";
import { HEAP_BYTES_MAX } from "./limits.ts";

const ENTRY = new URL("../worker/container.worker.ts", import.meta.url);

const SPARE = Symbol.for("wpod.spareWorker");
const IDLE = Symbol.for("wpod.idleWorkers");
/** Of the process, also where this file is in two bundles: the one that starts a worker early, and the one that takes it. */
const shared = globalThis as { [SPARE]?: Worker | undefined; [IDLE]?: IdleWorker[] };

/** Enough for one program after the other, also where one starts before the thread of the last has rested. */
const IDLE_WORKERS_MAX = 2;
const END_AGAIN_MS = 20;
/** Each time leaves a listener behind: a thread that is somewhere in V8 isn't asked more often for that. */
const END_AGAIN_MS_MAX = 5000;
/** How long a thread has to forget its program. It takes some milliseconds. */
const REST_WAIT_MS = 2000;

/** From a heap of 2 GiB on V8 begins with a larger one: an idle worker then takes 2 MB more. */
const STACK_MB = 16;
const MIB = 1024 * 1024;

/** Starts a worker now; the next `takeWorker` gets it. Worth calling as the first statement of a process. */
export function prestartWorker(): void {
  shared[SPARE] ??= startWorker();
}

/** @param heapBytesMax less than all workers have: then it is a new one */
export function takeWorker(heapBytesMax = HEAP_BYTES_MAX): Worker {
  if (heapBytesMax < HEAP_BYTES_MAX) return startWorker(heapBytesMax);
  const idle = idleWorkers().shift();
  if (idle !== undefined) return idle.take();
  const worker = shared[SPARE] ?? startWorker();
  shared[SPARE] = undefined;
  return worker;
}

/**
 * For a worker whose program has ended cleanly, and that is forgetting it: the next program gets it. It may come at once: its
 * thread hears of it when it has forgotten.
 *
 * @param rested called when nothing is left of the program
 */
export function keepWorker(worker: Worker, rested: () => void): void {
  // One by one: Node has listeners of its own there.
  for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event);
  const idle = idleWorkers();
  const kept = new IdleWorker(worker, rested);
  if (idle.length >= IDLE_WORKERS_MAX) void kept.drop();
  else idle.push(kept);
}

class IdleWorker {
  readonly worker: Worker;
  readonly #lose = () => {
    const idle = idleWorkers();
    const index = idle.indexOf(this);
    if (index >= 0) idle.splice(index, 1);
  };
  readonly #ignore = () => {};
  #isTaken = false;

  constructor(worker: Worker, rested: () => void) {
    this.worker = worker;
    const slow = setTimeout(() => void worker.terminate(), REST_WAIT_MS);
    const hear = ({ kind }: WorkerMessage): void => {
      if (kind === "idle") rest();
    };
    const rest = (): void => {
      clearTimeout(slow);
      worker.off("message", hear);
      worker.off("exit", rest);
      // Alone it keeps no process alive.
      if (!this.#isTaken) worker.unref();
      rested();
    };
    worker.on("message", hear);
    worker.once("exit", rest);
    worker.once("exit", this.#lose);
    // Nobody has lost anything when it fails.
    worker.on("error", this.#ignore);
  }

  /** Whoever waits for its end keeps the process alive. */
  drop(): Promise<number> {
    this.#isTaken = true;
    return this.worker.terminate();
  }

  take(): Worker {
    this.#isTaken = true;
    this.worker.off("exit", this.#lose);
    this.worker.off("error", this.#ignore);
    this.worker.ref();
    return this.worker;
  }
}

/**
 * Ends a thread, whatever it does. Once isn't enough: where an interrupt is being evaluated, that alone is ended, and the program goes on.
 */
export async function endWorker(worker: Worker): Promise<void> {
  let waitMs = END_AGAIN_MS;
  let timer: NodeJS.Timeout;
  const endAgain = () => {
    waitMs = Math.min(2 * waitMs, END_AGAIN_MS_MAX);
    timer = setTimeout(endAgain, waitMs);
    void worker.terminate();
  };
  timer = setTimeout(endAgain, waitMs);
  try {
    await worker.terminate();
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the workers that nobody took, so that the process can end. */
export async function dropSpareWorkers(): Promise<void> {
  const spare = shared[SPARE];
  shared[SPARE] = undefined;
  const idle = idleWorkers().splice(0);
  await Promise.all([spare?.terminate(), ...idle.map((kept) => kept.drop())]);
}

function idleWorkers(): IdleWorker[] {
  shared[IDLE] ??= [];
  return shared[IDLE];
}

/** One more, for a program that has others already. */
export function startWorker(heapBytesMax = HEAP_BYTES_MAX): Worker {
  // Its own stdout and stderr would go through this thread and make the descriptors non-blocking; the guest's don't.
  return new Worker(ENTRY, {
    stdout: true,
    stderr: true,
    env: cacheEnvironment(),
    execArgv: inheritedPermissionFlags(),
    // Of the worker's JavaScript: the shim's objects and those that the guest makes, not the guest's memory.
    resourceLimits: { maxOldGenerationSizeMb: heapBytesMax / MIB, stackSizeMb: STACK_MB },
    trackUnmanagedFds: true,
  });
}
