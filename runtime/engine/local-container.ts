/** A container that this process hosts: its worker, its streams, its record. */
import type { Worker } from "node:worker_threads";
import { parseSignal } from "../core/container/signal.ts";
import { WpodError } from "../core/error.ts";
import { Bell } from "../core/ipc/bell.ts";
import type {
  ExitMessage,
  FilesSpec,
  ProcessSpec,
  StartMessage,
  WorkerMessage,
} from "../core/kernel/spec.ts";
import type { LogLimitsSpec } from "../core/log/limits.ts";
import { buffersOf } from "../core/vfs/snapshot.ts";
import { explainImports } from "../core/wasm/explain.ts";
import { stillRunning, toInfo } from "./containers.ts";
import { type Ending, exitState } from "./exit-state.ts";
import { type OpenFiles, openFiles } from "./files.ts";
import type { Compiled } from "./modules.ts";
import type { EngineRecord, RecordKeeper } from "./record.ts";
import { type InputJoint, joinInput, joinOutput, type OutputJoint } from "./stdio.ts";
import type {
  Container,
  ContainerFiles,
  ContainerInfo,
  ContainerStatus,
  RunOptions,
  RunResult,
} from "./types.ts";
import { takeWorker } from "./worker-entry.ts";

/** What it takes to start: found out before anything is written down. */
export interface Prepared {
  process: ProcessSpec;
  /** Compiled with its memory capped already. */
  module: Compiled["module"];
}

export interface ContainerParts {
  record: EngineRecord;
  records: RecordKeeper;
  options: RunOptions;
  collectBytesMax: number;
  logLimits: LogLimitsSpec;
  /** Its files before it starts. */
  files: FilesSpec;
  /** Finds its program in these files; throws a WpodError when it can't run. */
  prepare: (files: FilesSpec) => Prepared;
  /** Those of the engine that run: it ends them when it is disposed of. */
  running: Set<LocalContainer>;
  /** Throws a WpodError when the engine was disposed of. */
  checkEngine: () => void;
}

/** How long whoever reads the output of a guest that was killed has to take what is left of it. */
const LAST_OUTPUT_WAIT_MS = 500;

interface Streams {
  stdin: InputJoint;
  stdout: OutputJoint;
  stderr: OutputJoint;
}

interface Running extends Streams {
  worker: Worker;
  /** Its program has ended; its last output is on its way. */
  draining: boolean;
  /** Bounds that way when it was killed. */
  lastOutput: NodeJS.Timeout | undefined;
}

export class LocalContainer implements Container {
  readonly #parts: ContainerParts;
  readonly #ended = Promise.withResolvers<RunResult>();
  readonly #started = Promise.withResolvers<void>();
  /** Its thread has ended, which takes some milliseconds longer than its program. */
  readonly #gone = Promise.withResolvers<void>();
  #record: EngineRecord;
  #recorded: boolean;
  #starting = false;
  #running: Running | undefined;
  #ending: Ending | undefined;
  #exit: ExitMessage | undefined;
  /** Undefined when they are gone. */
  #files: FilesSpec | undefined;
  /** The same as a tree on this thread, once somebody asked for it. */
  #open: Promise<OpenFiles> | undefined;

  /** @param recorded its record is in the database already; else it is written when it starts */
  constructor(parts: ContainerParts, recorded: boolean) {
    this.#parts = parts;
    this.#record = parts.record;
    this.#files = parts.files;
    this.#recorded = recorded;
    if (recorded) this.#insert(parts.record);
    // Whoever doesn't wait for the end isn't told of its failure.
    this.#ended.promise.catch(() => {});
  }

  get id(): string {
    return this.#record.id;
  }

  get name(): string {
    return this.#record.name;
  }

  status(): ContainerStatus {
    return this.#record.status;
  }

  inspect(): ContainerInfo {
    return toInfo(this.#record);
  }

  async start(): Promise<void> {
    if (this.#starting || this.#record.status !== "created") {
      throw new WpodError("CONTAINER_STATE", `container "${this.name}" has been started already`);
    }
    this.#starting = true;
    try {
      this.#checkStart();
      const files = await this.#takeFiles();
      const prepared = this.#parts.prepare(files);
      const module = prepared.module instanceof Promise ? await prepared.module : prepared.module;
      // Much may have happened while it was compiled.
      this.#checkStart();
      this.#begin(prepared, module, files);
    } finally {
      this.#starting = false;
    }
    await this.#started.promise;
  }

  #checkStart(): void {
    const { signal } = this.#parts.options;
    if (signal?.aborted) throw aborted(this.name, signal);
    this.#parts.checkEngine();
    if (this.#files === undefined)
      throw new WpodError("CONTAINER_STATE", `container "${this.name}" was removed`);
  }

  /** What an embedder put into the tree before the start goes with it. */
  async #takeFiles(): Promise<FilesSpec> {
    const open = await this.#open;
    this.#checkStart();
    const files = this.#files!;
    if (open === undefined) return files;
    this.#open = undefined;
    this.#files = { ...files, snapshot: open.close() };
    return this.#files;
  }

  #begin(prepared: Prepared, module: WebAssembly.Module, files: FilesSpec): void {
    const { options } = this.#parts;
    const bell = new Bell();
    const streams = this.#joinStreams(bell);
    try {
      this.#write({ ...this.#record, status: "running", pid: process.pid, startedMs: Date.now() });
    } catch (error) {
      void letGo(streams);
      throw error;
    }
    const worker = takeWorker();
    const running: Running = { worker, ...streams, draining: false, lastOutput: undefined };
    this.#running = running;
    this.#parts.running.add(this);
    worker.on("message", (message: WorkerMessage) => this.#hear(message));
    worker.on("error", (error) => this.#endAs(endingOf(error)));
    worker.once("exit", () => {
      this.#parts.running.delete(this);
      this.#gone.resolve();
      void this.#finish();
    });
    const message: StartMessage = {
      kind: "start",
      module,
      files,
      process: prepared.process,
      stdio: [running.stdin.spec, running.stdout.spec, running.stderr.spec],
      bell: bell.buffer,
      log:
        this.#record.logPath === undefined
          ? undefined
          : { path: this.#record.logPath, limits: this.#parts.logLimits },
      keepFiles: options.keepFiles ?? true,
    };
    const buffers = files.snapshot === undefined ? [] : buffersOf(files.snapshot);
    worker.postMessage(message, buffers);
    this.#files = undefined;
    this.#watch(options);
  }

  #joinStreams(bell: Bell): Streams {
    const { options, collectBytesMax } = this.#parts;
    return {
      stdout: joinOutput(options.stdout, 1, bell, collectBytesMax),
      stderr: joinOutput(options.stderr, 2, bell, collectBytesMax),
      stdin: joinInput(options.stdin, bell),
    };
  }

  wait(): Promise<RunResult> {
    return this.#ended.promise;
  }

  async kill(signal = "SIGTERM"): Promise<void> {
    const parsed = parseSignal(signal);
    if (parsed === undefined) throw new WpodError("USAGE", `invalid signal: ${signal}`);
    if (this.#running === undefined) {
      throw new WpodError("CONTAINER_STATE", `container "${this.name}" is not running`);
    }
    if (parsed.action === "stop") {
      throw new WpodError("UNSUPPORTED", `${parsed.name} can't pause a container yet`);
    }
    // A guest has no handlers: the signal does what its default action is.
    if (parsed.action === "end") await this.#end({ kind: "signal", signal: parsed.name });
  }

  files(): Promise<ContainerFiles> {
    if (this.#record.status === "running") {
      return Promise.reject(
        new WpodError("CONTAINER_RUNNING", `the files of "${this.name}" belong to its guest while it runs`, {
          hint: "wait for its end, or look at its files before it starts",
        }),
      );
    }
    if (this.#files === undefined) {
      return Promise.reject(
        new WpodError(
          "CONTAINER_STATE",
          `the files of "${this.name}" are gone: it was killed, removed, or run without keeping them`,
        ),
      );
    }
    this.#open ??= openFiles(this.#files);
    return this.#open.then(({ volume }) => volume);
  }

  /** Ends it, and waits for its thread and its record. */
  async end(): Promise<void> {
    if (this.#running !== undefined) await this.#end({ kind: "signal", signal: "SIGKILL" });
    await this.#gone.promise;
    await this.#ended.promise.catch(() => {});
  }

  async remove(options: { force?: boolean } = {}): Promise<void> {
    if (this.#running !== undefined) {
      if (!options.force) throw stillRunning(this.id);
      await this.#end({ kind: "signal", signal: "SIGKILL" });
      await this.#ended.promise.catch(() => {});
    }
    if (this.#recorded) this.#forget();
    this.#files = undefined;
    const open = await this.#open?.catch(() => undefined);
    this.#open = undefined;
    open?.close();
  }

  /** Lets the caller's time-out and abort signal end it; both are let go of at the end. */
  #watch(options: RunOptions): void {
    const timer =
      options.timeoutMs === undefined || options.timeoutMs <= 0
        ? undefined
        : setTimeout(() => void this.#end({ kind: "timeout" }), options.timeoutMs);
    const abort = () => void this.#end({ kind: "signal", signal: "SIGKILL" });
    options.signal?.addEventListener("abort", abort, { once: true });
    const release = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
    };
    this.#ended.promise.then(release, release);
  }

  #hear(message: WorkerMessage): void {
    if (message.kind === "started") {
      this.#started.resolve();
      return;
    }
    this.#exit = message;
    this.#endAs(message.outcome);
    void this.#running?.worker.terminate();
    // The guest is done and its last word is here: nobody has to wait for the thread's own end.
    void this.#finish();
  }

  async #end(ending: Ending): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#endAs(ending);
    if (this.#parts.options.signal?.aborted) dropOutput(running);
    running.lastOutput ??= setTimeout(() => dropOutput(running), LAST_OUTPUT_WAIT_MS);
    await running.worker.terminate();
  }

  /** The first reason is the one that counts. */
  #endAs(ending: Ending): void {
    this.#ending ??= ending;
  }

  async #finish(): Promise<void> {
    const running = this.#running;
    if (running === undefined || running.draining) return;
    running.draining = true;
    await letGo(running);
    clearTimeout(running.lastOutput);
    this.#running = undefined;
    const ending: Ending = this.#ending ?? { kind: "defect", message: "its worker ended without a word" };
    if (ending.kind === "imports") {
      const { imageId, image, path } = this.#record;
      this.#refuse(explainImports(ending.missing, imageId === "" ? image : path));
      return;
    }
    this.#started.resolve();
    const state = exitState(ending, this.#exit?.memoryRefused ?? false);
    const snapshot = this.#exit?.snapshot;
    if (snapshot !== undefined) this.#files = { ...this.#parts.files, snapshot };
    try {
      this.#write({ ...this.#record, ...state, status: "exited", pid: 0, finishedMs: Date.now() });
      if (this.#parts.options.remove === true) this.#forget();
    } catch (error) {
      this.#ended.reject(error);
      return;
    }
    const { signal } = this.#parts.options;
    if (signal?.aborted && ending.kind === "signal") {
      this.#ended.reject(aborted(this.name, signal));
      return;
    }
    const failure = running.stdout.failure() ?? running.stderr.failure();
    if (failure !== undefined) {
      this.#ended.reject(failure.error);
      return;
    }
    this.#ended.resolve({
      ...state,
      stdout: running.stdout.collected(),
      stderr: running.stderr.collected(),
      truncated: running.stdout.truncated() || running.stderr.truncated(),
      container: this,
    });
  }

  /** It never ran: as if it had not been asked for. */
  #refuse(error: WpodError): void {
    if (this.#recorded) this.#forget();
    this.#started.reject(error);
    this.#ended.reject(error);
  }

  #forget(): void {
    this.#parts.records.delete(this.#record);
    this.#recorded = false;
  }

  #write(record: EngineRecord): void {
    if (this.#recorded) {
      this.#parts.records.update(record);
      this.#record = record;
    } else this.#insert(record);
  }

  #insert(record: EngineRecord): void {
    this.#parts.records.insert(record);
    this.#recorded = true;
    this.#record = record;
  }
}

function aborted(name: string, signal: AbortSignal): WpodError {
  return new WpodError("ABORTED", `container "${name}" was aborted`, { cause: signal.reason });
}

/** When the last output has been handed on. */
async function letGo({ stdin, stdout, stderr }: Streams): Promise<void> {
  stdin.finish();
  await Promise.all([stdout.finish(), stderr.finish()]);
}

function dropOutput({ stdout, stderr }: Running): void {
  stdout.drop();
  stderr.drop();
}

function endingOf(error: unknown): Ending {
  const { code } = error as { code?: unknown };
  return code === "ERR_WORKER_OUT_OF_MEMORY"
    ? { kind: "heap" }
    : { kind: "defect", message: error instanceof Error ? error.message : String(error) };
}
