import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { CpuGroup } from "../../runtime/core/quota/cpu-group.ts";
import { CpuMonitor } from "../../runtime/engine/cpu-monitor.ts";
import { CpuUsage } from "../../runtime/engine/cpu-usage.ts";
import { threadPauses } from "../../runtime/engine/thread-pauses.ts";

/** Loops for ever, at the end of its stack or at its begin. */
const spinning = (deep: boolean) => `
const { parentPort } = require("node:worker_threads");
const cell = new Int32Array(new SharedArrayBuffer(4));
globalThis[Symbol.for("wpod.pause")] = (ms) => void Atomics.wait(cell, 0, 0, ms);
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
  const usage = new CpuUsage();
  usage.begin(worker);
  using monitor = new CpuMonitor({
    limit: { cpus: 0.1, periodMs: 100 },
    shares: 1024,
    partCpus: Infinity,
    group: new CpuGroup(Infinity),
    usage,
    measure: () => usage.measure([worker]),
    pauses: threadPauses("interrupt"),
    threads: () => [{ worker, meter: undefined, client: undefined, wanted: new Int32Array(1) }],
    activities: () => ["awake"],
    unreachable() {
      told = true;
    },
    looked() {},
  });
  while (!told && monitor.stats.throttledMs < 500) await setTimeout(5);
  expect(told).toBe(deep);
  const ended = once(worker, "exit");
  const again = setInterval(() => void worker.terminate(), 5);
  await ended;
  clearInterval(again);
});
