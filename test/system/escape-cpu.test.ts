/** Programs that try to use more CPU time than they may, or to go on when they are ended. */
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Container, RunOptions } from "../../runtime/engine/types.ts";
import {
  type EndlessLoop,
  HOST_LOOPS,
  OWN_LOOPS,
  START_LOOPS,
  WAITING_THREADS,
} from "../fixtures/endless-loops.ts";
import { engineForFile, engineForTest } from "../fixtures/engine-for-test.ts";

const setUp = engineForFile();
const LONG = process.env.WPOD_TEST_LONG === "1";
const ALL = [...OWN_LOOPS, ...START_LOOPS, ...HOST_LOOPS];
const SOME = ["tail calls of itself", "memory.fill", "array.new", "memory.fill, in a start function"];
/** Nobody waits as long: one that can't be reached goes on for a day. */
const TIMEOUT_MS = 60_000;

const launch = ({ bytes }: EndlessLoop, options: RunOptions = {}) =>
  setUp.engine.launch({ wasm: bytes, name: "endless.wasm" }, { stdout: "ignore", ...options });

function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

describe.each([
  { kind: "loops of its own code", loops: OWN_LOOPS },
  { kind: "loops before _start", loops: START_LOOPS },
  { kind: "calls of the host", loops: HOST_LOOPS },
])("$kind", ({ loops }) => {
  const CPUS = 0.03;
  /** What looks at them, and makes them wait. */
  const OWN_SHARE = 0.4;
  const WINDOW_MS = 1500;

  test(`${loops.length} are all held to their share, and end`, { timeout: TIMEOUT_MS }, async () => {
    const containers = await Promise.all(loops.map((loop) => launch(loop, { limits: { cpus: CPUS } })));
    const waits = async (container: Container) => {
      for (;;) {
        const { cpu } = await container.stats();
        if (cpu!.throttledCount >= 3 && cpu!.throttledUs >= 200_000) return;
        await setTimeout(5);
      }
    };
    await Promise.all(containers.map(waits));
    const startMs = performance.now();
    const before = usedMs();
    await setTimeout(WINDOW_MS);
    const share = (usedMs() - before) / (performance.now() - startMs);
    await Promise.all(containers.map((container) => container.kill("SIGKILL")));
    for (const container of containers) expect((await container.wait()).exitCode).toBe(137);
    expect(share).toBeLessThan(loops.length * CPUS + OWN_SHARE);
  });
});

describe.each([
  { kind: "in its thread", placement: "worker" },
  { kind: "at the kernel", placement: "kernel" },
] as const)("who is interrupted while it waits, with files $kind", ({ placement }) => {
  const CPUS = 0.2;
  // One interrupt that waited inside of a wait, and every wait of this process hung.
  test.each([WAITING_THREADS, ...HOST_LOOPS.filter(({ name }) => /yield|path_/.test(name))])(
    "$name: waits, goes on, and ends",
    { timeout: TIMEOUT_MS },
    async (loop) => {
      await using own = await engineForTest({ placement });
      const container = await own.engine.launch(
        { wasm: loop.bytes, name: "endless.wasm" },
        { limits: { cpus: CPUS }, stdout: "ignore" },
      );
      for (;;) {
        const { cpu } = await container.stats();
        if (cpu!.throttledCount >= 3) break;
        await setTimeout(5);
      }
      await container.kill("SIGKILL");
      expect((await container.wait()).exitCode).toBe(137);
    },
  );
});

test.each(ALL.filter(({ name }) => LONG || SOME.includes(name)))(
  "$name: ended by time and by signal",
  { timeout: TIMEOUT_MS },
  async (loop) => {
    const container = await launch(loop, { timeoutMs: 30 });
    expect(await container.wait()).toMatchObject({ exitCode: 137, reason: "timeout" });
    const abort = new AbortController();
    const aborted = await launch(loop, { signal: abort.signal });
    abort.abort();
    await expect(aborted.wait()).rejects.toMatchObject({ code: "ABORTED" });
  },
);
