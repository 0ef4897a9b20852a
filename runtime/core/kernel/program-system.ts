/** What one guest program sees of its runtime: its part of the container, its streams, clocks and waiting. */
import { Errno } from "../../../shim/abi/errno.ts";
import type {
  Attention,
  Clocks,
  Failure,
  FileTraffic,
  OpenFile,
  OpenFileCount,
  PipeFiles,
  PollTarget,
  Preopen,
  Processes,
  System,
  Threads,
} from "../../../shim/abi/system.ts";
import { parseSignal } from "../container/signal.ts";
import type { Bell } from "../ipc/bell.ts";
import { IoPage } from "../quota/io-page.ts";
import { IoMeter } from "./io-meter.ts";

/** Unwinds the guest's stack when its program ends itself. Not an error: nobody but the runner catches it. */
export class ProgramEnd {
  readonly outcome:
    | { kind: "exit"; status: number }
    | { kind: "signal"; signal: string }
    | { kind: "memory" };

  constructor(outcome: ProgramEnd["outcome"]) {
    this.outcome = outcome;
  }
}

export interface ProgramParts {
  args: readonly string[];
  environ: readonly string[];
  stdio: readonly [OpenFile, OpenFile, OpenFile];
  preopens: readonly Preopen[];
  clocks: Clocks;
  bell: Bell;
  random: (target: Uint8Array) => void;
  /** Of a program that may have several. */
  threads?: Threads | undefined;
  memoryReady?: (memory: WebAssembly.Memory) => void;
  /** Of one whose files may move. */
  attention?: Attention | undefined;
  openPipe?: (() => PipeFiles | Failure) | undefined;
  /** Of its container. */
  openFiles?: OpenFileCount | undefined;
  /** Undefined: nobody counts what its container reads and writes. */
  ioPage?: SharedArrayBuffer | undefined;
}

const NS_PER_MS = 1_000_000;
/** The host rounds it up to what its timers can. */
const YIELD_MS = 0.001;

export class ProgramSystem implements System {
  readonly args: readonly string[];
  readonly environ: readonly string[];
  readonly stdio: readonly [OpenFile, OpenFile, OpenFile];
  readonly preopens: readonly Preopen[];
  readonly clocks: Clocks;
  readonly processes: Processes;
  readonly random: (target: Uint8Array) => void;
  readonly threads: Threads | undefined;
  readonly attention: Attention | undefined;
  readonly memoryReady: (memory: WebAssembly.Memory) => void;
  readonly openPipe: (() => PipeFiles | Failure) | undefined;
  readonly openFiles: OpenFileCount | undefined;
  readonly fileTraffic: FileTraffic | undefined;

  constructor(parts: ProgramParts) {
    this.args = parts.args;
    this.openFiles = parts.openFiles;
    this.environ = parts.environ;
    this.stdio = parts.stdio;
    this.preopens = parts.preopens;
    this.clocks = parts.clocks;
    this.random = parts.random;
    this.attention = parts.attention;
    this.memoryReady = parts.memoryReady ?? (() => {});
    this.threads = parts.threads;
    this.openPipe = parts.openPipe;
    const { ioPage, clocks, bell } = parts;
    this.fileTraffic = ioPage && new IoMeter(new IoPage(ioPage), clocks, bell);
    this.processes = new ProgramProcesses(parts.clocks, parts.bell, parts.threads !== undefined);
  }
}

class ProgramProcesses implements Processes {
  readonly #clocks: Clocks;
  readonly #bell: Bell;
  /** Nobody ever notifies it: a short wait there is how a thread leaves its processor to another. */
  readonly #yielding: Int32Array | undefined;

  constructor(clocks: Clocks, bell: Bell, hasThreads: boolean) {
    this.#clocks = clocks;
    this.#bell = bell;
    this.#yielding = hasThreads ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
  }

  wait(targets: PollTarget[], timeoutNs: bigint | undefined): number {
    const start = timeoutNs === undefined ? 0n : this.#monotonic();
    for (;;) {
      const seen = this.#bell.now();
      let readyCount = 0;
      for (const target of targets) {
        target.ready = target.file.readiness(target.wanted);
        if (target.ready !== 0) readyCount++;
      }
      if (readyCount > 0) return readyCount;
      if (timeoutNs === undefined) {
        this.#bell.wait(seen);
        continue;
      }
      const leftNs = timeoutNs - (this.#monotonic() - start);
      if (leftNs <= 0n) return 0;
      this.#bell.wait(seen, Number(leftNs) / NS_PER_MS);
    }
  }

  /** A program alone has a thread of the host for itself, and nobody to yield to. */
  yield(): void {
    if (this.#yielding !== undefined) Atomics.wait(this.#yielding, 0, 0, YIELD_MS);
  }

  exit(status: number): never {
    throw new ProgramEnd({ kind: "exit", status });
  }

  raise(name: string): number {
    const signal = parseSignal(name);
    if (signal === undefined) return -Errno.EINVAL;
    if (signal.action === "ignore") return 0;
    if (signal.action === "stop") return -Errno.ENOTSUP;
    throw new ProgramEnd({ kind: "signal", signal: signal.name });
  }

  #monotonic(): bigint {
    return this.#clocks.now("monotonic") as bigint;
  }
}
