import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { ThreadInspector } from "../../runtime/engine/thread-inspector.ts";

/** Loops for ever, and never comes back to its event loop. */
const BUSY = `
globalThis.cell = new Int32Array(new SharedArrayBuffer(4));
require("node:worker_threads").parentPort.postMessage(globalThis.cell);
for (;;);
`;

test("what is evaluated in a busy thread is answered; what isn't goes on with its end, and leaves one listener", async () => {
  const worker = new Worker(BUSY, { eval: true });
  const [cell] = (await once(worker, "message")) as [Int32Array<SharedArrayBuffer>];
  using inspector = ThreadInspector.share()!;
  await inspector.evaluate(worker, "Atomics.store(cell, 0, 7)");
  expect(Atomics.load(cell, 0)).toBe(7);
  const before = worker.listenerCount("exit");
  const pending = Array.from({ length: 20 }, () => inspector.evaluate(worker, "Atomics.wait(cell, 0, 7)"));
  expect(worker.listenerCount("exit")).toBe(before);
  // Not before the first waits: then a thread that is ended goes on.
  const ended = once(worker, "exit");
  const again = setInterval(() => void worker.terminate(), 5);
  await ended;
  clearInterval(again);
  await Promise.all(pending);
  await inspector.evaluate(worker, "0");
});
