import { describe, expect, test, vi } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { BufferSource, NULL_SINK } from "../../../../runtime/core/kernel/buffer-stream.ts";
import { ProgramEnd, ProgramSystem } from "../../../../runtime/core/kernel/program-system.ts";
import { StreamFile } from "../../../../runtime/core/kernel/stream.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { type PollTarget, Readiness, type Threads } from "../../../../shim/abi/system.ts";

/** A clock that goes on by a millisecond with each look. */
function system(threads?: Threads): ProgramSystem {
  let nowNs = 0n;
  const stream = new StreamFile(1n, { source: new BufferSource() });
  return new ProgramSystem({
    args: [],
    environ: [],
    stdio: [stream, stream, stream],
    preopens: [],
    clocks: { now: () => (nowNs += 1_000_000n), resolution: () => 1n },
    bell: new Bell(),
    random: () => {},
    threads,
  });
}

/** What ends the program. */
function endOf(action: () => unknown): ProgramEnd["outcome"] | undefined {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof ProgramEnd) return thrown.outcome;
    throw thrown;
  }
  return undefined;
}

describe("waiting", () => {
  const neverReady = new StreamFile(3n, {
    source: { read: () => 0, available: () => 0, ended: () => false },
  });
  const writable = new StreamFile(2n, { sink: NULL_SINK });
  const target = (file: StreamFile, wanted: Readiness): PollTarget => ({ file, wanted, ready: 0 });

  test("ends at once when something is ready, and tells what", () => {
    const targets = [target(neverReady, Readiness.read), target(writable, Readiness.write)];
    expect(system().processes.wait(targets, undefined)).toBe(1);
    expect(targets.map(({ ready }) => ready)).toEqual([Readiness.none, Readiness.write]);
  });

  test.each([0n, 1n, 999_999n, 5_000_000n])("ends after %d ns when nothing is", (timeoutNs) => {
    expect(system().processes.wait([target(neverReady, Readiness.read)], timeoutNs)).toBe(0);
  });

  test("for nothing but the time", () => {
    expect(system().processes.wait([], 2_000_000n)).toBe(0);
  });
});

test("exit ends the program with its status", () => {
  expect(endOf(() => system().processes.exit(42))).toEqual({ kind: "exit", status: 42 });
});

test.each([
  { signal: "SIGABRT", outcome: { kind: "signal", signal: "SIGABRT" } },
  { signal: "SIGKILL", outcome: { kind: "signal", signal: "SIGKILL" } },
  { signal: "SIGCHLD", answer: 0 },
  { signal: "SIGSTOP", answer: -Errno.ENOTSUP },
  { signal: "SIGNOPE", answer: -Errno.EINVAL },
])("raising $signal does what its default action is", ({ signal, outcome, answer }) => {
  let answered: number | undefined;
  expect(
    endOf(() => {
      answered = system().processes.raise(signal);
    }),
  ).toEqual(outcome);
  expect(answered).toBe(answer);
});

test.each([
  { what: "alone", threads: undefined, sleeps: 0 },
  { what: "among threads", threads: { spawn: () => 1 }, sleeps: 1 },
])("a program $what yields its processor $sleeps times", ({ threads, sleeps }) => {
  const wait = vi.spyOn(Atomics, "wait");
  try {
    system(threads).processes.yield();
    expect(wait.mock.results.map(({ value }) => value)).toEqual(Array(sleeps).fill("timed-out"));
  } finally {
    wait.mockRestore();
  }
});
