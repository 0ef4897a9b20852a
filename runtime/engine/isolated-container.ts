/**
 * A container in a process of its own, for a program that uses the library: a child under Node's permission model, with an engine
 * that runs this one container. Its streams are the child's; all else goes through a channel, at whose end it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  answeredValue,
  type ControlRequest,
  type LimitChanges,
  parseAnswer,
  requestLine,
} from "../core/control/messages.ts";
import { type ErrorCode, WpodError } from "../core/error.ts";
import { permissionFlags } from "../node/host/permission-flags.ts";
import { ControlChannel } from "./control-channel.ts";
import { grantsOf } from "./isolated-process.ts";
import { COLLECT_BYTES_MAX } from "./limits.ts";
import { letGo, type OutputTaker, openInput, takeOutput } from "./stdio.ts";
import type {
  Container,
  ContainerInfo,
  ContainerStatus,
  ContainerUsage,
  EngineOptions,
  ExitState,
  ImageSource,
  Limits,
  OutputTarget,
  RunOptions,
  RunResult,
} from "./types.ts";

/** Of the public interface alone. */
const script = (library: string) => `
import { Engine } from ${JSON.stringify(library)};
process.once("disconnect", () => process.exit(137));
const failed = ({ code, message, hint }) => process.send({ kind: "failed", code, message, hint }, () => process.exit());
process.once("message", async ({ engine: options, image, run }) => {
  try {
    const engine = new Engine(options);
    const onWarning = (message) => process.send({ kind: "warning", message });
    const streams = { stdin: "inherit", stdout: "inherit", stderr: "inherit", onWarning };
    const container = await engine.launch(image, { ...run, ...streams });
    process.on("message", ({ signal }) => signal && void container.kill(signal).catch(() => {}));
    process.send({ kind: "started", info: container.inspect() });
    const { exitCode, oomKilled, reason } = await container.wait();
    const info = container.inspect();
    await engine[Symbol.asyncDispose]();
    process.send({ kind: "ended", state: { exitCode, oomKilled, reason }, info }, () => process.exit());
  } catch (error) {
    failed(error);
  }
});
`;

type ChildMessage =
  | { kind: "started"; info: ContainerInfo }
  | { kind: "ended"; state: ExitState; info: ContainerInfo }
  | { kind: "warning"; message: string }
  | { kind: "failed"; code: ErrorCode | undefined; message: string; hint: string | undefined };

/**
 * @param library URL of the module that the child loads the engine from
 * @throws WpodError as `Engine.launch`; UNSUPPORTED a terminal
 */
export async function launchIsolated(
  library: string,
  engine: EngineOptions & { root: string },
  image: ImageSource,
  options: RunOptions,
): Promise<IsolatedContainer> {
  if (options.tty)
    throw new WpodError("UNSUPPORTED", "a container in a process of its own can't have a terminal yet");
  if (options.signal?.aborted) throw aborted(options.signal);
  const container = new IsolatedContainer(library, engine, image, options);
  await container.started;
  return container;
}

export class IsolatedContainer implements Container {
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  readonly #channel: ControlChannel;
  readonly #ended: Promise<RunResult>;
  readonly #started = Promise.withResolvers<void>();
  readonly #options: RunOptions;
  #info: ContainerInfo | undefined;
  #state: ExitState | undefined;
  #failure: WpodError | undefined;

  constructor(
    library: string,
    engine: EngineOptions & { root: string },
    image: ImageSource,
    options: RunOptions,
  ) {
    this.#options = options;
    this.started = this.#started.promise;
    const program = fileURLToPath(library);
    const name = typeof image === "string" ? image : undefined;
    const named = { image: name, mounts: options.mounts ?? [], reads: [], writes: [] };
    const flags = permissionFlags(grantsOf(program, named, engine.root));
    const { stdin, stdout, stderr } = options;
    const sink = (target: OutputTarget | undefined) =>
      target === "inherit" || target === "ignore" ? target : "pipe";
    this.#child = spawn(process.execPath, [...flags, "--input-type=module", "-e", script(library)], {
      stdio: [stdin === "inherit" ? "inherit" : "pipe", sink(stdout), sink(stderr), "ipc"],
      serialization: "advanced",
    });
    this.#child.on("message", (message: ChildMessage) => this.#hear(message));
    this.#channel = new ControlChannel(this.#child);
    this.#ended = this.#run();
    this.#ended.then(
      () =>
        this.#started.reject(
          new WpodError("CONTAINER_STATE", "the container's process ended before it began"),
        ),
      (error) => this.#started.reject(error),
    );
    this.#started.promise.catch(() => {});
    const { stdin: _in, stdout: _out, stderr: _err, signal: _signal, onWarning: _warn, ...rest } = options;
    const { isolation: _isolation, ...run } = rest;
    const { isolation: _own, ...own } = engine;
    this.#child.send({ engine: own, image, run }, () => {});
  }

  async #run(): Promise<RunResult> {
    const child = this.#child;
    const { stdin, stdout, stderr, signal, limits } = this.#options;
    const bytesMax = limits?.outputBytesMax ?? COLLECT_BYTES_MAX;
    const out = child.stdout === null ? undefined : takeOutput(stdout, 1, bytesMax);
    const err = child.stderr === null ? undefined : takeOutput(stderr, 2, bytesMax);
    const abort = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", abort, { once: true });
    const input = child.stdin === null ? undefined : feed(child.stdin, stdin);
    const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    const failed = once(child, "error").then(([error]) => Promise.reject(error));
    try {
      await Promise.race([Promise.all([exited, empty(child.stdout, out), empty(child.stderr, err)]), failed]);
    } finally {
      signal?.removeEventListener("abort", abort);
      input?.();
    }
    if (signal?.aborted) throw aborted(signal);
    if (this.#failure !== undefined) throw this.#failure;
    const failure = out?.failure() ?? err?.failure();
    if (failure !== undefined) throw failure.error;
    this.#state ??= { exitCode: 137, oomKilled: false, reason: "its process was killed" };
    return {
      ...this.#state,
      stdout: out?.collected() ?? new Uint8Array(0),
      stderr: err?.collected() ?? new Uint8Array(0),
      truncated: out?.truncated() === true || err?.truncated() === true,
      container: this,
    };
  }

  #hear(message: ChildMessage): void {
    switch (message.kind) {
      case "started":
        this.#info = message.info;
        this.#started.resolve();
        return;
      case "ended":
        this.#info = message.info;
        this.#state = message.state;
        return;
      case "warning":
        this.#options.onWarning?.(message.message);
        return;
      case "failed": {
        const { code, hint } = message;
        this.#failure = new WpodError(
          code ?? "CONTAINER_STATE",
          message.message,
          hint === undefined ? {} : { hint },
        );
      }
    }
  }

  get id(): string {
    return this.inspect().id;
  }

  get name(): string {
    return this.inspect().name;
  }

  /** There is none before it has started: nobody has the container before. */
  inspect(): ContainerInfo {
    return this.#info!;
  }

  status(): ContainerStatus {
    return this.#isOver ? "exited" : "running";
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  wait(): Promise<RunResult> {
    return this.#ended;
  }

  async kill(signal = "SIGTERM"): Promise<void> {
    if (this.#isOver || !this.#child.connected) {
      throw new WpodError("CONTAINER_STATE", `container "${this.name}" is not running`);
    }
    this.#child.send({ signal });
  }

  /** Ends it, and waits for its process. */
  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended.catch(() => {});
  }

  start(): Promise<never> {
    return unsupported("is started already");
  }
  exec(): Promise<never> {
    return unsupported("can't run a second program");
  }
  resize(): Promise<never> {
    return unsupported("has no terminal");
  }
  stats(): Promise<ContainerUsage> {
    return this.#ask({ kind: "stats" }) as Promise<ContainerUsage>;
  }

  async update(limits: Limits): Promise<void> {
    await this.#ask({ kind: "update", limits: limits as LimitChanges });
    this.#info = { ...this.inspect(), limits: { ...this.inspect().limits, ...limits } };
  }

  async #ask(request: ControlRequest): Promise<unknown> {
    const over = () => new WpodError("CONTAINER_STATE", `container "${this.name}" is not running`);
    if (this.#isOver || !this.#child.connected) throw over();
    const ended = this.#ended.then(
      () => undefined,
      () => undefined,
    );
    const line = await Promise.race([this.#channel.ask(requestLine(this.id, request)), ended]);
    if (line === undefined) throw over();
    return answeredValue(parseAnswer(line, this.id));
  }

  files(): Promise<never> {
    return unsupported("keeps its files to itself");
  }
  remove(): Promise<never> {
    return unsupported("is removed by `containers.remove`");
  }
}

function unsupported(what: string): Promise<never> {
  return Promise.reject(new WpodError("UNSUPPORTED", `a container in a process of its own ${what}`));
}

function aborted(signal: AbortSignal): WpodError {
  return new WpodError("ABORTED", "the container was aborted", { cause: signal.reason });
}

/** Hands on what there is, at the pace of the child. @returns what lets go of the source */
function feed(target: Writable, source: RunOptions["stdin"]): () => void {
  const input = openInput(source);
  // The program may end before it has read it all.
  target.on("error", () => {});
  if (input === undefined) {
    target.end();
    return () => {};
  }
  void (async () => {
    for (let next = await input.chunks.next(); !next.done; next = await input.chunks.next()) {
      if (!target.writable) break;
      if (!target.write(next.value)) await Promise.race([once(target, "drain"), once(target, "close")]);
    }
  })()
    .catch(() => {})
    .finally(() => target.end());
  return () => {
    void letGo(input.chunks);
    input.close();
  };
}

/** What a taker throws ends the stream for the guest. */
async function empty(source: ChildProcess["stdout"], taker: OutputTaker | undefined): Promise<void> {
  if (source === null || taker === undefined) return;
  try {
    for await (const chunk of source) await taker.take(chunk as Uint8Array);
  } catch {
    source.destroy();
  } finally {
    taker.done();
  }
}
