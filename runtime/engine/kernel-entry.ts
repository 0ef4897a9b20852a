/** The kernel's worker: started before it is needed where that is known, as a container's is. */
import { Worker } from "node:worker_threads";
import { Gate } from "../core/ipc/gate.ts";
import type { KernelData } from "../core/kernel/kernel-messages.ts";
import { inheritedPermissionFlags } from "../node/host/permission-flags.ts";
import { cacheEnvironment } from "./cache-environment.ts";

const ENTRY = new URL("../worker/kernel.worker.ts", import.meta.url);

/** Programs that may use one kernel at a time, and the bit of its messages. */
export const CLIENTS_MAX = 1024;

/** A thread, and where its clients knock. */
export interface KernelThread {
  readonly worker: Worker;
  readonly gate: Gate;
  /** By client: how long it worked for it. See `WorkClock`. */
  readonly worked: Float64Array;
}

const SPARE = Symbol.for("wpod.spareKernel");
/** Of the process, also where this file is in two bundles. */
const shared = globalThis as { [SPARE]?: KernelThread | undefined };

/** Starts one now; the first engine that needs a kernel gets it. Worth calling as the first statement of a process. */
export function prestartKernel(): void {
  shared[SPARE] ??= startKernel();
}

export function takeKernel(): KernelThread {
  const spare = shared[SPARE];
  shared[SPARE] = undefined;
  // Node's sign of a thread that has ended.
  return spare === undefined || spare.worker.threadId < 0 ? startKernel() : spare;
}

/** Ends the one that nobody took, so that the process can end. */
export async function dropSpareKernel(): Promise<void> {
  const spare = shared[SPARE];
  shared[SPARE] = undefined;
  await spare?.worker.terminate();
}

function startKernel(): KernelThread {
  const gate = Gate.create(CLIENTS_MAX);
  const worked = new SharedArrayBuffer(CLIENTS_MAX * Float64Array.BYTES_PER_ELEMENT);
  const workerData: KernelData = { gate: gate.buffer, worked };
  const worker = new Worker(ENTRY, {
    name: "wpod-kernel",
    stdout: true,
    stderr: true,
    env: cacheEnvironment(),
    execArgv: inheritedPermissionFlags(),
    workerData,
    trackUnmanagedFds: true,
  });
  return { worker, gate, worked: new Float64Array(worked) };
}
