/** What a thread tells of the program that it ran. */
import type { OpenFile } from "../../shim/abi/system.ts";
import type { ExitMessage, Outcome } from "../core/kernel/spec.ts";
import type { FileSystemState } from "../core/vfs/snapshot.ts";
import { MEMORY_REFUSED_EXPORT } from "../core/wasm/memory-watch.ts";

/** As wasmtime and a shell do: who only sees the status would not know why. */
export function reportTrap(stderr: OpenFile, outcome: Outcome): void {
  if (outcome.kind !== "trap") return;
  stderr.write(new TextEncoder().encode(`wpod: the program trapped: ${outcome.message}\n`));
}

/**
 * @param exports of its instance; undefined when there was none
 * @param rests its thread will take another program
 */
export function exitMessage(
  outcome: Outcome,
  exports: Readonly<Record<string, unknown>> | undefined,
  snapshot: FileSystemState | undefined,
  rests = false,
): ExitMessage {
  const refused = exports?.[MEMORY_REFUSED_EXPORT] as WebAssembly.Global | undefined;
  const memoryRefused = refused?.value === 1;
  return { kind: "exit", outcome, memoryRefused, snapshot, rests, cpu: process.threadCpuUsage() };
}
