import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { CpuMonitor } from "../../runtime/engine/cpu-monitor.ts";

/** Loops for ever, at the end of its stack or at its begin. */
const spinning = (deep: boolean) => `
const { parentPort } = require("node:worker_threads");
const cell = new Int32Array(new SharedArrayBuffer(4));
globalThis[Symbol.for("wpod.pause")] = (ms) => Atomics.wait(cell, 0, 0, ms);
let rounds = 0;
function spin() {
  for (;;) rounds++;
}
function descend() {
  try {
    descend();
  } catch {}
  for (;;) rounds++;
}
parentPort.postMessage("runs");
${deep ? "descend" : "spin"}();
`;

test.each([
  { deep: true, what: "that has no room on its stack for an interrupt is told of" },
  { deep: false, what: "that has room isn't, and waits" },
])("a thread $what", async ({ deep }) => {
  const worker = new Worker(spinning(deep), { eval: true });
  await once(worker, "message");
  let told = false;
  using monitor = new CpuMonitor(
    { cpus: 0.1, periodMs: 100 },
    () => [worker],
    () => {
      told = true;
    },
  );
  while (!told && monitor.stats.throttledMs < 500) await setTimeout(5);
  expect(told).toBe(deep);
  const ended = once(worker, "exit");
  const again = setInterval(() => void worker.terminate(), 5);
  await ended;
  clearInterval(again);
});
