/**
 * Container workers: started before they are needed, because a worker takes as long to start as everything else of a
 * run together.
 */
import { Worker } from "node:worker_threads";

const ENTRY = new URL("../worker/container.worker.ts", import.meta.url);

const SPARE = Symbol.for("wpod.spareWorker");
/** One for the process, also where this file is in two bundles: the one that starts it early, and the one that takes it. */
const shared = globalThis as { [SPARE]?: Worker | undefined };

/** Bounds of the worker's own JavaScript: the shim's objects, not the guest's memory. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 2048, stackSizeMb: 16 };

/** Starts a worker now; the next `takeWorker` gets it. Worth calling as the first statement of a process. */
export function prestartWorker(): void {
  shared[SPARE] ??= startWorker();
}

export function takeWorker(): Worker {
  const worker = shared[SPARE] ?? startWorker();
  shared[SPARE] = undefined;
  return worker;
}

/** Ends the worker that nobody took, so that the process can end. */
export async function dropSpareWorker(): Promise<void> {
  const worker = shared[SPARE];
  shared[SPARE] = undefined;
  await worker?.terminate();
}

/** One more, for a program that has others already. */
export function startWorker(): Worker {
  // Its own stdout and stderr would go through this thread and make the descriptors non-blocking; the guest's don't.
  return new Worker(ENTRY, {
    stdout: true,
    stderr: true,
    env: cacheEnvironment(),
    execArgv: [],
    resourceLimits: RESOURCE_LIMITS,
    trackUnmanagedFds: true,
  });
}

/** Where the bundle keeps compiled code. Nothing else of the environment goes to a guest's thread. */
function cacheEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of ["WPOD_CODE_CACHE", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
