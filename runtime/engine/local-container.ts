/** A container that this process hosts: its worker, its streams, its record. */
import type { OpenFile } from "../../shim/abi/system.ts";
import { parseSignal } from "../core/container/signal.ts";
import { WpodError } from "../core/error.ts";
import type { FilesSpec } from "../core/kernel/spec.ts";
import type { ContainerUsage } from "../core/quota/container-usage.ts";
import { MemoryAccount } from "../core/quota/memory-account.ts";
import { explainImports } from "../core/wasm/explain.ts";
import type { ContainerQuota, QuotaParts } from "./container-quota.ts";
import { notRunning, stillRunning, toInfo } from "./containers.ts";
import { type Ending, exitState } from "./exit-state.ts";
import { type OpenFiles, openFiles } from "./files.ts";
import type { GuestEnd, GuestProcess } from "./guest-process.ts";
import { GuestProgram } from "./guest-program.ts";
import { hasSpilled, removeSpilled } from "./keep-plan.ts";
import type { Seat } from "./kernel-host.ts";
import { LiveFiles } from "./live-files.ts";
import { logLimitsOf } from "./log-limits.ts";
import type { Prepared } from "./prepare.ts";
import type { EngineRecord, RecordKeeper } from "./record.ts";
import { checkTerminalSize, planTerminal, type TerminalPlan } from "./terminal.ts";
import type {
  Container,
  ContainerFiles,
  ContainerInfo,
  ContainerStatus,
  ExecOptions,
  ExecResult,
  Limits,
  Placement,
  RunOptions,
  RunResult,
} from "./types.ts";
import type { Admit } from "./user-limits.ts";
import type { LocalVolumes } from "./volumes.ts";

export interface ContainerParts {
  record: EngineRecord;
  records: RecordKeeper;
  options: RunOptions;
  collectBytesMax: number;
  terminal: TerminalPlan | undefined;
  /** Its files before it starts. */
  files: FilesSpec;
  /** Finds its program in these files; throws a WpodError when it can't run. */
  prepare: (files: FilesSpec) => Prepared;
  /** The same where a container that runs here has some of its volumes. */
  prepareShared: (files: FilesSpec) => Promise<Prepared>;
  /** The same for a second program, in the files as they are now. */
  prepareExec: (command: readonly string[], options: ExecOptions, root: OpenFile) => Prepared;
  /** Held while it runs. */
  volumes: LocalVolumes;
  /** @param ends called when it is to be ended */
  quota: (ends: Pick<QuotaParts, "spent" | "unreachable">) => ContainerQuota;
  /** Where its files are while it runs: in its own thread, until a second program comes, or with the kernel at once. */
  placement: Placement;
  /** Those of the engine that run: it ends them when it is disposed of. */
  running: Set<LocalContainer>;
  /** Asked before it starts: it may have to wait for others to end. */
  admit: Admit;
  /** Lets other processes ask about it. Answers what ends that. */
  listen: (container: Container) => () => void;
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
  /** Gives back what it reserved. */
  #unreserve: (() => void) | undefined;
  #guest: GuestProcess | undefined;
  #isOver = false;
  #stopListening = () => {};
  /** Its files, while it runs. */
  #live: LiveFiles | undefined;
  /** Programs beside its first. */
  readonly #others = new Set<GuestProcess>();
  readonly #quota: ContainerQuota;
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
    this.#quota = parts.quota({
      spent: () => void this.#end({ kind: "cpu-time" }),
      // As where a signal finds no room on a stack.
      unreachable: () =>
        void this.#end({ kind: "trap", message: "call stack exhausted: no room to interrupt it" }),
    });
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
      const admission = this.#parts.admit(this.#record, this.#quota);
      if (admission !== undefined) this.#unreserve = await admission;
      const files = await this.#takeFiles();
      // What another container writes is with the kernel: nobody else may have such a volume open.
      if (this.#hasVolumes) this.#quota.kernel.prestart();
      const isShared = this.#parts.volumes.hold(this.#record.mounts, this.id);
      try {
        const { prepare, prepareShared } = this.#parts;
        const prepared = isShared ? await prepareShared(files) : prepare(files);
        const module =
          prepared.module instanceof Promise
            ? await unlessAborted(prepared.module, this.#parts.options.signal)
            : prepared.module;
        await this.#quota.ready();
        // Much may have happened meanwhile.
        this.#checkStart();
        await this.#begin(prepared, module, files);
      } catch (error) {
        this.#parts.volumes.release(this.#record.mounts, this.id);
        throw error;
      }
    } catch (error) {
      this.#giveBack();
      throw error;
    } finally {
      this.#starting = false;
    }
    await this.#started.promise;
  }

  get #hasVolumes(): boolean {
    return this.#record.mounts.some(({ type }) => type === "volume");
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
    const { options, collectBytesMax, terminal, running, placement } = this.#parts;
    const { stdin, stdout, stderr, keepFiles = true } = options;
    const { page, io } = this.#quota;
    const { logPath: path, limits } = this.#record;
    const log = path === undefined ? undefined : { path, limits: logLimitsOf(limits), ioPage: io.buffer };
    const streams = { stdin, stdout, stderr, collectBytesMax, terminal };
    const program = new GuestProgram(this.#quota, { prepared, module, streams, log, keepFiles });
    const { guest } = program;
    const memoryAccount = MemoryAccount.create(this.#quota.memory).spec;
    const spec = { ...files, memoryAccount, usage: page.spec, ioPage: io.buffer };
    let seat: Seat | undefined;
    try {
      this.#live = new LiveFiles(this.#quota.kernel, this.id, spec, this.#quota.memory, {
        process: prepared.process,
        bell: guest.bell,
        gone: guest.gone,
        streams: program.sharedStreams,
        recall: (message, moved) => guest.recall(message, moved),
        lost: (loss) => this.#loseFiles(guest, loss),
      });
      if (placement === "kernel" || prepared.threaded || this.#hasVolumes) {
        seat = await this.#live.seatFirst();
      }
      this.#checkStart();
      this.#write({ ...this.#record, status: "running", pid: process.pid, startedMs: Date.now() });
    } catch (error) {
      program.cancel();
      await this.#live?.close(false);
      throw error;
    }
    this.#guest = guest;
    running.add(this);
    void guest.started.then(() => this.#started.resolve());
    const finished = guest.ended.then((end) => this.#comeHome(end)).then((end) => this.#finish(end));
    // Who disposes of the engine waits for its files, too.
    void Promise.all([guest.gone, finished]).then(() => running.delete(this));
    program.start(seat ?? spec);
    void guest.started.then(() => {
      if (!this.#isOver) this.#quota.begin(() => [guest, ...this.#others]);
    });
    this.#files = undefined;
    this.#stopListening = this.#parts.listen(this);
    this.#watch(options);
  }

  /** Its other programs end with its first; then the kernel's state of its files is the last. */
  async #comeHome(end: GuestEnd): Promise<GuestEnd> {
    const live = this.#live!;
    this.#live = undefined;
    if (!live.isShared) return end;
    const others = [...this.#others];
    await Promise.all(others.map((guest) => guest.end({ kind: "signal", signal: "SIGKILL" }, false)));
    await Promise.all([this.#guest!, ...others].map(({ gone }) => gone));
    const kept = await live.close(this.#parts.options.keepFiles ?? true);
    return { ...end, snapshot: end.snapshot ?? kept };
  }

  /** Nobody answers its programs any more. */
  #loseFiles(first: GuestProcess, { message }: WpodError): void {
    for (const guest of [first, ...this.#others]) void guest.end({ kind: "defect", message }, false);
  }

  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const live = this.#live;
    if (live === undefined || !this.#isRunning) throw notRunning(this.name);
    const prepared = this.#parts.prepareExec(command, options, await live.look());
    const module = await prepared.module;
    const { stdin, stdout, stderr, signal } = options;
    const collectBytesMax = options.outputBytesMax ?? this.#parts.collectBytesMax;
    const streams = { stdin, stdout, stderr, collectBytesMax, terminal: planTerminal(options) };
    const program = new GuestProgram(this.#quota, { prepared, module, streams, keepFiles: false });
    const { guest } = program;
    let seat: Seat | undefined;
    try {
      seat = await live.join(prepared.process, guest.bell, program.sharedStreams);
      if (this.#live === undefined) throw notRunning(this.name);
      if (signal?.aborted) throw aborted(this.name, signal);
    } catch (error) {
      program.cancel();
      if (seat !== undefined) await live.leave(seat);
      throw error;
    }
    this.#others.add(guest);
    program.start(seat);
    const release = endWith(options, (ending) => void guest.end(ending, signal?.aborted ?? false));
    let thrown: { error: unknown } | undefined;
    void guest.started.then(() => {
      try {
        options.onStart?.({ resize: (columns, rows) => this.#resizeExec(guest, columns, rows) });
      } catch (error) {
        thrown = { error };
        void guest.end({ kind: "signal", signal: "SIGKILL" }, true);
      }
    });
    const end = await guest.ended;
    release();
    await guest.gone;
    this.#others.delete(guest);
    await live.leave(seat);
    if (end.ending.kind === "imports") throw explainImports(end.ending.missing, command[0] ?? "");
    if (thrown !== undefined) throw thrown.error;
    if (signal?.aborted && end.ending.kind === "signal") throw aborted(this.name, signal);
    if (end.failure !== undefined) throw end.failure.error;
    const { stdout: out, stderr: err, truncated } = end;
    const state = exitState(end.ending, end.memoryRefused);
    if (state.oomKilled) this.#quota.oomKilled();
    return { ...state, stdout: out, stderr: err, truncated };
  }

  #resizeExec(guest: GuestProcess, columns: number, rows: number): void {
    const size = checkTerminalSize({ columns, rows });
    if (this.#others.has(guest) && guest.resize(size)) return;
    const why = this.#others.has(guest) ? "has no terminal" : "has ended";
    throw new WpodError("CONTAINER_STATE", `the second program of container "${this.name}" ${why}`);
  }

  wait(): Promise<RunResult> {
    return this.#ended.promise;
  }

  async kill(signal = "SIGTERM"): Promise<void> {
    const parsed = parseSignal(signal);
    if (parsed === undefined) throw new WpodError("USAGE", `invalid signal: ${signal}`);
    if (!this.#isRunning) throw notRunning(this.name);
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

  async stats(): Promise<ContainerUsage> {
    if (!this.#isRunning) throw notRunning(this.name);
    return this.#quota.usage();
  }

  async update(limits: Limits): Promise<void> {
    if (this.#isOver) throw notRunning(this.name);
    const next = { ...this.#record.limits, ...limits };
    this.#quota.update(next);
    this.#write({ ...this.#record, limits: next });
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
    this.#open ??= openFiles(this.#files, this.#record.status === "created");
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
    removeSpilled(this.#parts.files.keep);
  }

  /** Lets the caller's time-out and abort signal end it; both are let go of at the end. */
  #watch(options: RunOptions): void {
    const release = endWith(options, (ending) => void this.#end(ending));
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
    this.#giveBack();
    this.#quota.end(this.#guest!.gone);
    this.#stopListening();
    this.#releaseVolumes();
    if (ending.kind === "imports") {
      const { imageId, image, path } = this.#record;
      this.#refuse(explainImports(ending.missing, imageId === "" ? image : path));
      return;
    }
    this.#started.resolve();
    const state = exitState(ending, end.memoryRefused);
    if (state.oomKilled) this.#quota.oomKilled();
    this.#files = this.#filesAfter(end);
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

  /** What can't be given back is free when this process has ended. */
  #giveBack(): void {
    const release = this.#unreserve;
    this.#unreserve = undefined;
    try {
      release?.();
    } catch (error) {
      if (!(error instanceof WpodError)) throw error;
    }
  }

  /** Where that fails, they are free when this process has ended. */
  #releaseVolumes(): void {
    try {
      this.#parts.volumes.release(this.#record.mounts, this.id);
    } catch (error) {
      if (!(error instanceof WpodError)) throw error;
    }
  }

  /** What is on disk is there however it ended; what was in its memory only when it ended by itself. */
  #filesAfter({ snapshot }: GuestEnd): FilesSpec | undefined {
    const { files, options } = this.#parts;
    const { keep } = files;
    if (keep?.kind === "folder") {
      return options.keepFiles === false ? undefined : { ...files, snapshot: undefined };
    }
    if (snapshot !== undefined) {
      return { ...files, snapshot, keep: keep !== undefined && hasSpilled(keep) ? keep : undefined };
    }
    removeSpilled(keep);
    return undefined;
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
      this.#parts.records.write(record);
      this.#record = record;
    } else this.#insert(record);
  }

  #insert(record: EngineRecord): void {
    this.#parts.records.insert(record);
    this.#recorded = true;
    this.#record = record;
  }
}

/** Nobody waits for the compiler whom nobody waits for: the caller looks at the signal next. */
async function unlessAborted(
  module: Promise<WebAssembly.Module>,
  signal: AbortSignal | undefined,
): Promise<WebAssembly.Module> {
  if (signal === undefined) return module;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new WpodError("ABORTED", "the container was aborted", { cause: signal.reason }));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([module, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Lets the caller's time-out and abort signal end something. Answers what lets go of both. */
function endWith(
  { timeoutMs, signal }: Pick<RunOptions, "timeoutMs" | "signal">,
  end: (ending: Ending) => void,
): () => void {
  const timer =
    timeoutMs === undefined || timeoutMs <= 0
      ? undefined
      : setTimeout(() => end({ kind: "timeout" }), timeoutMs);
  const abort = () => end({ kind: "signal", signal: "SIGKILL" });
  signal?.addEventListener("abort", abort, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  };
}

function aborted(name: string, signal: AbortSignal): WpodError {
  return new WpodError("ABORTED", `container "${name}" was aborted`, { cause: signal.reason });
}
