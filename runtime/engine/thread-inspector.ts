/**
 * V8's inspector for the threads of this process: evaluates an expression in the middle of whatever a thread runs, a loop of
 * WebAssembly too. No cost for a thread that isn't asked anything; 0.5 to 4 ms for the first session of a process, which all who want it share.
 *
 * `Runtime.enable` is never sent: it would copy every message of a console.
 * @see https://chromedevtools.github.io/devtools-protocol/v8/Runtime/, Node's domain NodeWorker
 */
import type { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";

interface Attached {
  sessionId: string;
  workerInfo: { title: string };
}
interface Received {
  sessionId: string;
  message: string;
}

/** To a request; or an event, without a number. */
interface Answer {
  id?: number;
  result?: { exceptionDetails?: unknown; result?: { value?: unknown } };
}

export interface Evaluated {
  /** As where there is no room for it on the thread's stack. */
  readonly threw: boolean;
  /** A number, a string or a truth value. */
  readonly value: unknown;
}

let open: ThreadInspector | undefined;

/** An expression that calls a function that the thread may have set under this symbol of the registry, on its global object. */
export function callOf(hook: symbol, argument: number | "" = ""): string {
  return `globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(hook))})]?.(${argument})`;
}

export class ThreadInspector implements Disposable {
  readonly #session: Session;
  #userCount = 0;
  #nextId = 1;
  /** By number of the thread. */
  readonly #sessionIds = new Map<number, string>();
  readonly #answers = new Map<number, (evaluated: Evaluated) => void>();
  /** Who waits for a thread that the inspector has yet to find, by its number. */
  readonly #arrivals = new Map<number, (() => void)[]>();
  /** All who wait for a thread, to go on when it ends. */
  readonly #waiting = new Map<Worker, Set<() => void>>();

  /** To be let go of. Undefined where this process may not inspect itself: it was started with less permission. */
  static share(): ThreadInspector | undefined {
    try {
      open ??= new ThreadInspector();
    } catch {
      return undefined;
    }
    open.#userCount++;
    return open;
  }

  /** This process may inspect its threads: it wasn't started with less permission. */
  static get isPermitted(): boolean {
    return process.permission?.has("inspector") ?? true;
  }

  private constructor() {
    // Not an import: few programs are interrupted, and it takes part of every start.
    const inspector = process.getBuiltinModule("node:inspector");
    this.#session = new inspector.Session();
    this.#session.connect();
    this.#session.on("NodeWorker.attachedToWorker", ({ params }: { params: Attached }) =>
      this.#attach(params),
    );
    this.#session.on("NodeWorker.receivedMessageFromWorker", ({ params }: { params: Received }) => {
      const { id, result } = JSON.parse(params.message) as Answer;
      if (id !== undefined) {
        this.#settle(id, { threw: result?.exceptionDetails !== undefined, value: result?.result?.value });
      }
    });
    this.#session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  }

  #attach({ sessionId, workerInfo }: Attached): void {
    // `workerId` counts the workers that this session attached to; the thread's number is in the title alone.
    const threadId = Number(/^\[worker (\d+)\]/.exec(workerInfo.title)?.[1]);
    this.#sessionIds.set(threadId, sessionId);
    for (const arrived of this.#arrivals.get(threadId) ?? []) arrived();
    this.#arrivals.delete(threadId);
  }

  #settle(id: number, evaluated: Evaluated): void {
    this.#answers.get(id)?.(evaluated);
    this.#answers.delete(id);
  }

  /**
   * When the thread has evaluated it, or has ended. Only while this is shared with the caller.
   * @returns undefined for one that has ended
   */
  async evaluate(worker: Worker, expression: string): Promise<Evaluated | undefined> {
    const { threadId } = worker;
    if (threadId < 0) return undefined;
    if (!this.#sessionIds.has(threadId)) {
      await this.#wait(worker, (arrived) => {
        this.#arrivals.set(threadId, [...(this.#arrivals.get(threadId) ?? []), arrived]);
      });
    }
    const sessionId = this.#sessionIds.get(threadId);
    if (sessionId === undefined || worker.threadId < 0 || open !== this) return undefined;
    const id = this.#nextId++;
    let evaluated: Evaluated | undefined;
    await this.#wait(worker, (answered) => {
      this.#answers.set(id, (answer) => {
        evaluated = answer;
        answered();
      });
      const message = JSON.stringify({
        id,
        method: "Runtime.evaluate",
        params: { expression, silent: true },
      });
      this.#session.post("NodeWorker.sendMessageToWorker", { sessionId, message });
    });
    this.#answers.delete(id);
    return evaluated;
  }

  /** Until what `begin` is given was called, or the thread has ended. */
  async #wait(worker: Worker, begin: (done: () => void) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waitingFor(worker);
    waiting.add(resolve);
    begin(resolve);
    await promise;
    waiting.delete(resolve);
  }

  /** One listener for a thread, however often it is asked. */
  #waitingFor(worker: Worker): Set<() => void> {
    const known = this.#waiting.get(worker);
    if (known !== undefined) return known;
    const waiting = new Set<() => void>();
    this.#waiting.set(worker, waiting);
    const { threadId } = worker;
    worker.once("exit", () => {
      this.#waiting.delete(worker);
      this.#sessionIds.delete(threadId);
      this.#arrivals.delete(threadId);
      for (const resolve of waiting) resolve();
    });
    return waiting;
  }

  [Symbol.dispose](): void {
    if (--this.#userCount > 0) return;
    open = undefined;
    for (const waiting of this.#waiting.values()) for (const resolve of waiting) resolve();
    // A process that ends with a session open takes longer.
    this.#session.disconnect();
  }
}
