/** One thread of a program that has several. Their files are at the kernel, and so are their streams. */
import type { MessagePort } from "node:worker_threads";
import type { OpenFile, Threads } from "../../shim/abi/system.ts";
import { type ProgramResult, runProgram } from "../../shim/preview1/program.ts";
import { SharedDescriptorTable } from "../../shim/shared-descriptor-table.ts";
import { Bell } from "../core/ipc/bell.ts";
import { Gate } from "../core/ipc/gate.ts";
import { Mailbox } from "../core/ipc/mailbox.ts";
import { ProgramEnd, ProgramSystem } from "../core/kernel/program-system.ts";
import { Connection } from "../core/kernel/remote/connection.ts";
import { SharedHandles } from "../core/kernel/remote/handle-source.ts";
import {
  openSharedPipe,
  SharedDirectory,
  STDIO_COUNT,
  sharedFiles,
  sharedStdio,
} from "../core/kernel/remote/shared-files.ts";
import type { SpawnMessage, StartMessage, ThreadSpec, ThreadsSpec, TreePlace } from "../core/kernel/spec.ts";
import { MemoryAccount } from "../core/quota/memory-account.ts";
import { OpenFileLedger } from "../core/quota/open-file-ledger.ts";
import { MemoryGuard } from "../core/wasm/memory-guard.ts";
import { HOST_CLOCKS } from "../node/clocks.ts";
import { fillRandom } from "../node/host/random.ts";
import { allowPauses } from "./pause.ts";
import { exitMessage, reportTrap } from "./program-exit.ts";

export type ThreadedMessage = StartMessage & {
  threads: ThreadsSpec;
  place: Extract<TreePlace, { kind: "kernel" }>;
};

export function isThreaded(message: StartMessage): message is ThreadedMessage {
  return message.threads !== undefined && message.place.kind === "kernel";
}

class ThreadedProgram {
  readonly #message: ThreadedMessage;
  readonly #system: ProgramSystem;
  readonly #descriptors: SharedDescriptorTable;

  constructor(message: ThreadedMessage, port: MessagePort) {
    const { place, threads, process } = message;
    const bell = new Bell(message.bell);
    const connection = new Connection({
      mailbox: new Mailbox(place.mailbox),
      gate: new Gate(place.gate),
      client: place.client,
      bell,
      handles: new SharedHandles(threads.handles),
      stdio: sharedStdio(threads.stdio),
    });
    const names = process.preopens.map(({ name }) => name);
    this.#message = message;
    this.#descriptors = new SharedDescriptorTable(
      threads.descriptors,
      process.descriptorsMax,
      sharedFiles(connection, names),
    );
    this.#descriptors.openFiles = message.openFiles && new OpenFileLedger(message.openFiles);
    this.#system = new ProgramSystem({
      args: process.argv,
      environ: process.env,
      stdio: connection.stdio as [OpenFile, OpenFile, OpenFile],
      preopens: names.map((name, index) => ({
        name,
        directory: new SharedDirectory(connection, STDIO_COUNT + index),
      })),
      clocks: HOST_CLOCKS,
      bell,
      random: fillRandom,
      threads: new AskedThreads(port),
      openPipe: () => openSharedPipe(connection),
    });
  }

  get stderr(): OpenFile {
    return this.#system.stdio[2];
  }

  /** @param thread undefined: the first one, whose end is the program's */
  run(
    memory: WebAssembly.Memory | undefined,
    thread: ThreadSpec | undefined,
  ): ProgramResult<ProgramEnd["outcome"] | { kind: "returned" }> {
    const { memoryAccount: account, memoryWatched = false } = this.#message;
    return runProgram<ProgramEnd["outcome"] | { kind: "returned" }>(
      this.#message.module,
      this.#system,
      this.#message.process.descriptorsMax,
      (thrown) => (thrown instanceof ProgramEnd ? thrown.outcome : undefined),
      thread === undefined ? { kind: "exit", status: 0 } : { kind: "returned" },
      {
        memory,
        memoryGuard: account && new MemoryGuard(new MemoryAccount(account), memoryWatched),
        thread,
        shared: { descriptors: this.#descriptors, filled: thread !== undefined },
      },
    );
  }
}

/** Threads that the engine starts, which bounds their number. */
class AskedThreads implements Threads {
  readonly #port: MessagePort;
  readonly #answer = new Int32Array(new SharedArrayBuffer(4));

  constructor(port: MessagePort) {
    this.#port = port;
  }

  spawn(startArg: number): number {
    const answer = this.#answer;
    Atomics.store(answer, 0, 0);
    const message: SpawnMessage = { kind: "spawn", startArg, answer: answer.buffer };
    this.#port.postMessage(message);
    for (;;) {
      const number = Atomics.load(answer, 0);
      if (number !== 0) return number;
      Atomics.wait(answer, 0, 0);
    }
  }
}

/** Runs one thread after the other, as long as the program does. */
export function startThread(
  message: ThreadedMessage,
  port: MessagePort,
  keepCode: (() => void) | undefined,
): void {
  allowPauses(message.pause, message.waitOffsets);
  const program = new ThreadedProgram(message, port);
  const memory = message.memory instanceof WebAssembly.Memory ? message.memory : undefined;
  const run = (thread: ThreadSpec | undefined) => {
    const { outcome, exports } = program.run(memory, thread);
    if (outcome.kind === "returned") {
      port.once("message", run);
      port.postMessage({ kind: "thread-end" });
      return;
    }
    reportTrap(program.stderr, outcome);
    keepCode?.();
    port.postMessage(exitMessage(outcome, exports, undefined));
  };
  if (message.threads.thread === undefined) port.postMessage({ kind: "started" });
  run(message.threads.thread);
}
