/** One program that runs for a container: its worker, its streams, and how it ended. */
import type { MessagePort, Worker } from "node:worker_threads";
import { Bell } from "../core/ipc/bell.ts";
import type {
  ExitMessage,
  FlushMessage,
  ProcessSpec,
  RecallMessage,
  StandardStreams,
  StartMessage,
  TreePlace,
  WorkerMessage,
} from "../core/kernel/spec.ts";
import { buffersOf, type FileSystemState } from "../core/vfs/snapshot.ts";
import type { Ending } from "./exit-state.ts";
import type { GuestThreads } from "./guest-threads.ts";
import { interruptUntil } from "./interrupt.ts";
import { type InputJoint, joinInput, joinOutput, type OutputJoint } from "./stdio.ts";
import { joinTerminal, type TerminalJoint, type TerminalPlan } from "./terminal.ts";
import type { InputSource, OutputTarget, TerminalSize } from "./types.ts";
import { endWorker, keepWorker, takeWorker } from "./worker-entry.ts";

export interface GuestStreams {
  stdin?: InputSource | undefined;
  stdout?: OutputTarget | undefined;
  stderr?: OutputTarget | undefined;
  collectBytesMax: number;
  terminal?: TerminalPlan | undefined;
}

export interface GuestStart {
  module: WebAssembly.Module;
  process: ProcessSpec;
  place: TreePlace;
  memory?: StartMessage["memory"];
  memoryAccount?: StartMessage["memoryAccount"];
  memoryWatched?: boolean;
  waitOffsets?: readonly number[];
  openFiles?: StartMessage["openFiles"];
  /** Of a program that may start some. */
  threads?: GuestThreads | undefined;
  log: StartMessage["log"];
  keepFiles: boolean;
  /** Of each of its threads, where it isn't as much as any has. */
  heapBytesMax?: number | undefined;
  /** Its thread may take another program after it: a process of many runs wants that. */
  isReusable?: boolean;
}

/** What is known when it has ended, and its last output was handed on. */
export interface GuestEnd {
  ending: Ending;
  /** The last thing that it asked of memory was refused. */
  memoryRefused: boolean;
  snapshot: FileSystemState | undefined;
  stdout: Uint8Array;
  stderr: Uint8Array;
  truncated: boolean;
  /** What a function of the caller's threw. */
  failure: { error: unknown } | undefined;
}

/** How long whoever reads the output of a guest that was killed has to take what is left of it. */
const LAST_OUTPUT_WAIT_MS = 500;
/** How long a program that is ended has to come to where its files can be written. An interrupt takes some milliseconds. */
const FLUSH_WAIT_MS = 150;

interface Joints {
  stdin: InputJoint;
  stdout: OutputJoint;
  stderr: OutputJoint;
}

export class GuestProcess {
  /** Rung for whatever it may be waiting for. */
  readonly bell = new Bell();
  readonly #recall = new Int32Array(new SharedArrayBuffer(4));
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  readonly #joints: Joints;
  readonly #terminal: TerminalJoint | undefined;
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<GuestEnd>();
  /** Its thread has ended, which takes some milliseconds longer than its program. */
  readonly #gone = Promise.withResolvers<void>();
  #worker: Worker | undefined;
  #threads: GuestThreads | undefined;
  #ending: Ending | undefined;
  #exit: ExitMessage | undefined;
  #draining = false;
  #lastOutput: NodeJS.Timeout | undefined;
  #wasRecalled = false;
  #isRunning = false;
  /** It has files in its thread that are to be there when it is ended. */
  #hasLasting = false;

  /** Its streams are joined now; what is wrong with them is thrown before anything runs. */
  constructor(streams: GuestStreams) {
    const { collectBytesMax, terminal } = streams;
    this.#terminal =
      terminal &&
      joinTerminal(terminal, streams, {
        bell: this.bell,
        collectBytesMax,
        // A guest has no handlers: the signal does what its default action is.
        signal: (signal) => void this.end({ kind: "signal", signal }, false),
      });
    this.#joints = this.#terminal ?? {
      stdout: joinOutput(streams.stdout, 1, this.bell, collectBytesMax),
      stderr: joinOutput(streams.stderr, 2, this.bell, collectBytesMax),
      stdin: joinInput(streams.stdin, this.bell),
    };
  }

  /** When its program is about to run; never, when it can't. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** When it has ended, however; never rejects. */
  get ended(): Promise<GuestEnd> {
    return this.#ended.promise;
  }

  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Its streams, for whichever thread is to open them. */
  streamsWith(log: StartMessage["log"]): StandardStreams {
    const { stdin, stdout, stderr } = this.#joints;
    return { stdio: [stdin.spec, stdout.spec, stderr.spec], terminal: this.#terminal?.buffers, log };
  }

  /** Its threads, while they run. */
  get workers(): Worker[] {
    if (this.#worker === undefined || this.#ending !== undefined) return [];
    return [this.#worker, ...(this.#threads?.workers ?? [])];
  }

  start(parts: GuestStart): void {
    const { threads, heapBytesMax, ...plain } = parts;
    const worker = takeWorker(heapBytesMax);
    this.#worker = worker;
    this.#threads = threads;
    worker.on("message", (message: WorkerMessage) => this.#hear(message));
    worker.on("error", (error) => this.#endAs(endingOf(error)));
    worker.once("exit", () => {
      const others = threads?.terminate() ?? Promise.resolve();
      void others.then(() => this.#gone.resolve());
      void this.#finish();
    });
    const message: StartMessage = {
      kind: "start",
      ...plain,
      isReusable: parts.isReusable ?? false,
      waitOffsets: parts.waitOffsets ?? [],
      ...this.streamsWith(parts.log),
      threads: threads?.spec,
      bell: this.bell.buffer,
      recall: this.#recall.buffer,
      pause: this.#pause.buffer,
    };
    threads?.begin(message, {
      hear: (from) => this.#hear(from),
      fail: (error) => void this.end(endingOf(error), false),
    });
    const files = parts.place.kind === "here" ? parts.place.files : undefined;
    this.#hasLasting =
      files?.keep?.kind === "folder" || files?.mounts.some(({ kind }) => kind === "volume") === true;
    const { place } = parts;
    const arenas = place.kind === "kernel" ? (place.arenas as MessagePort | undefined) : undefined;
    worker.postMessage(message, [
      ...(files?.snapshot === undefined ? [] : buffersOf(files.snapshot)),
      ...(arenas === undefined ? [] : [arenas]),
    ]);
    this.#terminal?.start();
  }

  /** @returns false when it has no terminal */
  resize(size: TerminalSize): boolean {
    this.#terminal?.resize(size);
    return this.#terminal !== undefined;
  }

  /** Has it move its files, at the next instant at which it can; `moved` comes true when it has. */
  recall(message: RecallMessage<MessagePort>, moved: Promise<unknown>): void {
    // They are written where they go.
    if (this.#worker !== undefined) this.#interrupt(this.#worker, message, [message.port], moved);
  }

  /** Has its thread attend to a message at the next instant at which it can, and no later than `over` comes true. */
  #interrupt(
    worker: Worker,
    message: RecallMessage<MessagePort> | FlushMessage,
    transferred: MessagePort[],
    over: Promise<unknown>,
  ): void {
    this.#wasRecalled = true;
    this.#hasLasting = false;
    worker.postMessage(message, transferred);
    Atomics.store(this.#recall, 0, 1);
    this.bell.ring();
    interruptUntil(worker, over);
  }

  /** It won't start after all. */
  cancel(): void {
    void letGo(this.#joints);
  }

  /** @param dropOutput nobody waits for what it wrote last */
  async end(ending: Ending, dropOutput: boolean): Promise<void> {
    if (this.#worker === undefined) return;
    this.#endAs(ending);
    // What it has to do at its end it does now.
    Atomics.store(this.#pause, 0, 1);
    Atomics.notify(this.#pause, 0);
    if (dropOutput) this.#dropOutput();
    if (this.#hasLasting && this.#isRunning && this.#exit === undefined) await this.#flushFiles(this.#worker);
    this.#lastOutput ??= setTimeout(() => this.#dropOutput(), LAST_OUTPUT_WAIT_MS);
    await Promise.all([endWorker(this.#worker), this.#threads?.terminate()]);
  }

  /** At most once: who asks again wants it ended now. */
  async #flushFiles(worker: Worker): Promise<void> {
    const done = new Int32Array(new SharedArrayBuffer(4));
    const flushed = Atomics.waitAsync(done, 0, 0, FLUSH_WAIT_MS).value;
    const over = Promise.race([flushed, this.#gone.promise]);
    this.#interrupt(worker, { kind: "flush", done: done.buffer }, [], over);
    await over;
  }

  #hear(message: WorkerMessage): void {
    if (message.kind === "started") {
      this.#isRunning = true;
      this.#started.resolve();
    } else if (message.kind === "spawn") this.#threads?.spawn(message);
    else if (message.kind === "exit") this.#hearEnd(message);
  }

  /** Of its program, in whichever thread: the first one counts, and ends the others. */
  #hearEnd(message: ExitMessage): void {
    if (this.#exit !== undefined) return;
    this.#exit = message;
    const worker = this.#worker;
    // A thread that is being ended, or was to be interrupted, is ended.
    const rests = message.rests && this.#ending === undefined && !this.#wasRecalled;
    this.#endAs(message.outcome);
    if (rests && worker !== undefined) this.#handOn(worker);
    else if (worker !== undefined) void endWorker(worker);
    void this.#threads?.terminate();
    // The guest is done and its last word is here: nobody has to wait for the thread's own end.
    void this.#finish();
  }

  /** The next program may have its thread. */
  #handOn(worker: Worker): void {
    this.#worker = undefined;
    keepWorker(worker, () => this.#gone.resolve());
  }

  /** The first reason is the one that counts. */
  #endAs(ending: Ending): void {
    this.#ending ??= ending;
  }

  async #finish(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const { stdout, stderr } = this.#joints;
    await letGo(this.#joints);
    clearTimeout(this.#lastOutput);
    this.#ended.resolve({
      ending: this.#ending ?? { kind: "defect", message: "its worker ended without a word" },
      memoryRefused: this.#exit?.memoryRefused ?? false,
      snapshot: this.#exit?.snapshot,
      stdout: stdout.collected(),
      stderr: stderr.collected(),
      truncated: stdout.truncated() || stderr.truncated(),
      failure: stdout.failure() ?? stderr.failure(),
    });
  }

  #dropOutput(): void {
    this.#joints.stdout.drop();
    this.#joints.stderr.drop();
  }
}

/** When the last output has been handed on. */
async function letGo({ stdin, stdout, stderr }: Joints): Promise<void> {
  stdin.finish();
  await Promise.all([stdout.finish(), stderr.finish()]);
}

function endingOf(error: unknown): Ending {
  const { code } = error as { code?: unknown };
  return code === "ERR_WORKER_OUT_OF_MEMORY"
    ? { kind: "heap" }
    : { kind: "defect", message: error instanceof Error ? error.message : String(error) };
}
