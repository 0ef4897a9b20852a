/** A container that this process hosts: its worker, its streams, its record. */
import { parseSignal } from "../core/container/signal.ts";
import { WpodError } from "../core/error.ts";
import type { FilesSpec, ProcessSpec } from "../core/kernel/spec.ts";
import type { LogLimitsSpec } from "../core/log/limits.ts";
import type { FileSystemState } from "../core/vfs/snapshot.ts";
import { explainImports } from "../core/wasm/explain.ts";
import { stillRunning, toInfo } from "./containers.ts";
import { type Ending, exitState } from "./exit-state.ts";
import { type OpenFiles, openFiles } from "./files.ts";
import { type GuestEnd, GuestProcess } from "./guest-process.ts";
import type { KernelHost, Seat } from "./kernel-host.ts";
import type { Compiled } from "./modules.ts";
import type { EngineRecord, RecordKeeper } from "./record.ts";
import { checkTerminalSize, type TerminalPlan } from "./terminal.ts";
import type {
  Container,
  ContainerFiles,
  ContainerInfo,
  ContainerStatus,
  Placement,
  RunOptions,
  RunResult,
} from "./types.ts";

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
  terminal: TerminalPlan | undefined;
  logLimits: LogLimitsSpec;
  /** Its files before it starts. */
  files: FilesSpec;
  /** Finds its program in these files; throws a WpodError when it can't run. */
  prepare: (files: FilesSpec) => Prepared;
  kernel: KernelHost;
  /** Where its files are while it runs: in its own thread, until a second program comes, or with the kernel at once. */
  placement: Placement;
  /** Those of the engine that run: it ends them when it is disposed of. */
  running: Set<LocalContainer>;
  /** Throws a WpodError when the engine was disposed of. */
  checkEngine: () => void;
}

export class LocalContainer implements Container {
  readonly #parts: ContainerParts;
  readonly #ended = Promise.withResolvers<RunResult>();
  readonly #started = Promise.withResolvers<void>();
  #record: EngineRecord;
  #recorded: boolean;
  #starting = false;
  #guest: GuestProcess | undefined;
  #isOver = false;
  /** Its program's, when its files are with the kernel. */
  #seat: Seat | undefined;
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
      await this.#begin(prepared, module, files);
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

  async #begin(prepared: Prepared, module: WebAssembly.Module, files: FilesSpec): Promise<void> {
    const { options, collectBytesMax, terminal, logLimits, running, placement } = this.#parts;
    const { stdin, stdout, stderr } = options;
    const guest = new GuestProcess({ stdin, stdout, stderr, collectBytesMax, terminal });
    try {
      if (placement === "kernel") this.#seat = await this.#moveToKernel(prepared.process, files, guest);
      this.#checkStart();
      this.#write({ ...this.#record, status: "running", pid: process.pid, startedMs: Date.now() });
    } catch (error) {
      guest.cancel();
      await this.#leaveKernel(false);
      throw error;
    }
    this.#guest = guest;
    running.add(this);
    void guest.started.then(() => this.#started.resolve());
    void guest.ended.then((end) => this.#comeHome(end)).then((end) => this.#finish(end));
    void guest.gone.then(() => running.delete(this));
    const { logPath } = this.#record;
    guest.start({
      module,
      process: prepared.process,
      place: this.#seat?.place ?? { kind: "here", files },
      log: logPath === undefined ? undefined : { path: logPath, limits: logLimits },
      keepFiles: options.keepFiles ?? true,
    });
    this.#files = undefined;
    this.#watch(options);
  }

  async #moveToKernel(process: ProcessSpec, files: FilesSpec, guest: GuestProcess): Promise<Seat> {
    const { kernel } = this.#parts;
    await kernel.openTree(this.id, files, process.credentials);
    try {
      return await kernel.seat(this.id, process, guest.bell);
    } catch (error) {
      await kernel.closeTree(this.id, false);
      throw error;
    }
  }

  /** Takes back what the kernel has of it. Undefined where it has nothing, or nothing is kept. */
  async #leaveKernel(keep: boolean): Promise<FileSystemState | undefined> {
    const seat = this.#seat;
    if (seat === undefined) return undefined;
    this.#seat = undefined;
    await this.#parts.kernel.leave(seat);
    return this.#parts.kernel.closeTree(this.id, keep);
  }

  async #comeHome(end: GuestEnd): Promise<GuestEnd> {
    if (this.#seat === undefined) return end;
    await this.#guest!.gone;
    return { ...end, snapshot: await this.#leaveKernel(this.#parts.options.keepFiles ?? true) };
  }

  wait(): Promise<RunResult> {
    return this.#ended.promise;
  }

  async kill(signal = "SIGTERM"): Promise<void> {
    const parsed = parseSignal(signal);
    if (parsed === undefined) throw new WpodError("USAGE", `invalid signal: ${signal}`);
    if (!this.#isRunning) {
      throw new WpodError("CONTAINER_STATE", `container "${this.name}" is not running`);
    }
    if (parsed.action === "stop") {
      throw new WpodError("UNSUPPORTED", `${parsed.name} can't pause a container yet`);
    }
    // A guest has no handlers: the signal does what its default action is.
    if (parsed.action === "end") await this.#end({ kind: "signal", signal: parsed.name });
  }

  async resize(columns: number, rows: number): Promise<void> {
    const size = checkTerminalSize({ columns, rows });
    if (!this.#isRunning || !this.#guest!.resize(size)) {
      const why = this.#isRunning ? "has no terminal" : "is not running";
      throw new WpodError("CONTAINER_STATE", `container "${this.name}" ${why}`);
    }
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
    await this.#end({ kind: "signal", signal: "SIGKILL" });
    await this.#guest?.gone;
    await this.#ended.promise.catch(() => {});
  }

  async remove(options: { force?: boolean } = {}): Promise<void> {
    if (this.#isRunning) {
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

  /** Its program has started, and its end isn't written down yet. */
  get #isRunning(): boolean {
    return this.#guest !== undefined && !this.#isOver;
  }

  async #end(ending: Ending): Promise<void> {
    if (!this.#isRunning) return;
    await this.#guest?.end(ending, this.#parts.options.signal?.aborted ?? false);
  }

  #finish(end: GuestEnd): void {
    const { ending } = end;
    this.#isOver = true;
    if (ending.kind === "imports") {
      const { imageId, image, path } = this.#record;
      this.#refuse(explainImports(ending.missing, imageId === "" ? image : path));
      return;
    }
    this.#started.resolve();
    const state = exitState(ending, end.memoryRefused);
    if (end.snapshot !== undefined) this.#files = { ...this.#parts.files, snapshot: end.snapshot };
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
    if (end.failure !== undefined) {
      this.#ended.reject(end.failure.error);
      return;
    }
    const { stdout, stderr, truncated } = end;
    this.#ended.resolve({ ...state, stdout, stderr, truncated, container: this });
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
