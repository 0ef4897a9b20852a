/**
 * Reaches a program that is busy in its own code: V8's inspector evaluates an expression in the middle of a loop. No cost for
 * a program that isn't interrupted; 0.5 to 1.5 ms for the first session of a process.
 *
 * `Runtime.enable` is never sent: it would copy every message of a console. The session ends with the interrupt.
 * @see https://chromedevtools.github.io/devtools-protocol/v8/Runtime/, Node's domain NodeWorker
 */
import type { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";

/** Most programs come to the end of a call before this. */
const GRACE_MS = 1;
const AGAIN_MS = 5;
const EXPRESSION = 'globalThis[Symbol.for("wpod.attend")]?.()';

interface Attached {
  sessionId: string;
  workerInfo: { title: string };
}

/** Interrupts it, again and again while host code of its calls is running, until `done`. */
export function interruptUntil(worker: Worker, done: Promise<unknown>): void {
  let session: Session | undefined;
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const end = () => {
    over = true;
    clearTimeout(timer);
    session?.disconnect();
    session = undefined;
  };
  const { threadId } = worker;
  const interrupt = (again: () => void) => {
    if (over) return;
    again();
    timer = setTimeout(interrupt, AGAIN_MS, again);
  };
  timer = setTimeout(() => {
    // Not an import: few programs are interrupted, and it takes part of every start.
    const inspector = process.getBuiltinModule("node:inspector");
    session = new inspector.Session();
    try {
      session.connect();
    } catch {
      // Not permitted, to a process that was started so: the program is stopped at the end of its next call.
      end();
      return;
    }
    session.on("NodeWorker.attachedToWorker", ({ params }: { params: Attached }) => {
      // `workerId` counts the workers that this session attached to; the thread's number is in the title alone.
      if (!params.workerInfo.title.startsWith(`[worker ${threadId}]`)) return;
      interrupt(() =>
        session?.post("NodeWorker.sendMessageToWorker", {
          sessionId: params.sessionId,
          message: JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression: EXPRESSION } }),
        }),
      );
    });
    session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  }, GRACE_MS);
  worker.once("exit", end);
  done.then(end, end);
}
