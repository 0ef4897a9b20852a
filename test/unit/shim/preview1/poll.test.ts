import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { ProgramSystem } from "../../../../runtime/core/kernel/program-system.ts";
import type { ByteSource } from "../../../../runtime/core/kernel/stream.ts";
import { HOST_CLOCKS } from "../../../../runtime/node/clocks.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { SUBSCRIPTIONS_MAX } from "../../../../shim/limits.ts";
import { START_NS, TestGuest } from "../test-guest.ts";

const IN = 1024;
const OUT = 32_768;
const COUNT = 512;
const U64_MAX = 2n ** 64n - 1n;
const CLOCK = 0;
const FD_READ = 1;
const FD_WRITE = 2;
const REALTIME = 0;
const MONOTONIC = 1;
const ABSTIME = 1;

type Subscription =
  | { userdata: bigint; clock: number; timeout: bigint; flags?: number; precision?: bigint }
  | { userdata: bigint; tag: number; fd: number };

interface Event {
  userdata: bigint;
  error: number;
  type: number;
  nbytes: bigint;
  flags: number;
}

/** Lays out subscriptions as preview 1 or as `wasi_unstable` has them, and reads the events. */
function poll(guest: TestGuest, subscriptions: readonly Subscription[], unstable = false) {
  const size = unstable ? 56 : 48;
  const skip = unstable ? 8 : 0; // the clock's identifier
  const view = guest.view;
  for (const [index, subscription] of subscriptions.entries()) {
    const at = IN + index * size;
    view.setBigUint64(at, subscription.userdata, true);
    if ("clock" in subscription) {
      view.setUint8(at + 8, CLOCK);
      view.setUint32(at + 16 + skip, subscription.clock, true);
      view.setBigUint64(at + 24 + skip, subscription.timeout, true);
      view.setBigUint64(at + 32 + skip, subscription.precision ?? 0n, true);
      view.setUint16(at + 40 + skip, subscription.flags ?? 0, true);
    } else {
      view.setUint8(at + 8, subscription.tag);
      view.setUint32(at + 16, subscription.fd, true);
    }
  }
  guest.bytes.fill(0xaa, OUT, OUT + 1024);
  view.setUint32(COUNT, 0xffff_ffff, true);
  const functions = unstable ? guest.unstable : guest.preview1;
  const errno = functions.poll_oneoff!(IN, OUT, subscriptions.length, COUNT);
  const events: Event[] = [];
  if (errno === 0) {
    for (let index = 0; index < guest.u32(COUNT); index++) {
      const at = OUT + index * 32;
      events.push({
        userdata: view.getBigUint64(at, true),
        error: view.getUint16(at + 8, true),
        type: view.getUint8(at + 10),
        nbytes: view.getBigUint64(at + 16, true),
        flags: view.getUint16(at + 24, true),
      });
      const padding = [...guest.bytes.slice(at + 11, at + 16), ...guest.bytes.slice(at + 26, at + 32)];
      expect(padding.every((value) => value === 0)).toBe(true);
    }
  }
  return { errno, events };
}

/** Input that comes when it is told to. */
class LateInput implements ByteSource {
  bytes = 0;
  atEnd = false;
  read(target: Uint8Array): number {
    return Math.min(target.length, this.bytes);
  }
  available(): number {
    return this.bytes;
  }
  ended(): boolean {
    return this.atEnd;
  }
}

const clockEvent = (userdata: bigint, error = 0): Event => ({
  userdata,
  error,
  type: CLOCK,
  nbytes: 0n,
  flags: 0,
});

describe.each([
  { module: "wasi_snapshot_preview1", unstable: false },
  { module: "wasi_unstable", unstable: true },
])("$module", ({ unstable }) => {
  test.each([
    { name: "relative, monotonic", clock: MONOTONIC, timeout: 1_000n, flags: 0, waits: [1_000n] },
    { name: "relative, realtime", clock: REALTIME, timeout: 1_000n, flags: 0, waits: [1_000n] },
    { name: "absolute, monotonic", clock: MONOTONIC, timeout: 6_000n, flags: ABSTIME, waits: [1_000n] },
    { name: "absolute, realtime", clock: REALTIME, timeout: START_NS + 5n, flags: ABSTIME, waits: [5n] },
    { name: "absolute, long ago", clock: REALTIME, timeout: 1n, flags: ABSTIME, waits: [0n] },
    { name: "at once", clock: MONOTONIC, timeout: 0n, flags: 0, waits: [0n] },
    { name: "in 584 years", clock: MONOTONIC, timeout: U64_MAX, flags: 0, waits: [U64_MAX] },
    {
      name: "at the end of time",
      clock: REALTIME,
      timeout: U64_MAX,
      flags: ABSTIME,
      waits: [U64_MAX - START_NS],
    },
  ])("a clock: $name", ({ clock, timeout, flags, waits }) => {
    const guest = new TestGuest();
    const answer = poll(guest, [{ userdata: 0xfeed_face_dead_beefn, clock, timeout, flags }], unstable);
    expect(answer).toEqual({ errno: 0, events: [clockEvent(0xfeed_face_dead_beefn)] });
    expect(guest.time.waits).toEqual(waits);
  });

  test("of several clocks those that are due are told of, in their order", () => {
    const guest = new TestGuest();
    const subscriptions = [
      { userdata: 1n, clock: MONOTONIC, timeout: 50n },
      { userdata: 2n, clock: MONOTONIC, timeout: 20n },
      { userdata: 3n, clock: REALTIME, timeout: START_NS + 20n, flags: ABSTIME },
      { userdata: 2n, clock: MONOTONIC, timeout: 20n },
    ];
    const { events } = poll(guest, subscriptions, unstable);
    expect(events).toEqual([clockEvent(2n), clockEvent(3n), clockEvent(2n)]);
    expect(guest.time.waits).toEqual([20n]);
  });

  test("input that comes before the clock", () => {
    const stdin = new LateInput();
    const guest = new TestGuest({ stdin });
    guest.time.whileWaiting = () => {
      stdin.bytes = 5;
    };
    const subscriptions = [
      { userdata: 1n, clock: MONOTONIC, timeout: 1_000_000n },
      { userdata: 2n, tag: FD_READ, fd: 0 },
    ];
    const { events } = poll(guest, subscriptions, unstable);
    expect(events).toEqual([{ userdata: 2n, error: 0, type: FD_READ, nbytes: 5n, flags: 0 }]);
    expect(guest.time.waits).toEqual([1_000_000n]);
  });
});

test("the clock, where no input comes", () => {
  const guest = new TestGuest({ stdin: new LateInput() });
  const { events } = poll(guest, [
    { userdata: 1n, tag: FD_READ, fd: 0 },
    { userdata: 2n, clock: MONOTONIC, timeout: 9n },
  ]);
  expect(events).toEqual([clockEvent(2n)]);
});

test("the end of input is readable, and a hang-up", () => {
  const stdin = new LateInput();
  stdin.atEnd = true;
  const { events } = poll(new TestGuest({ stdin }), [{ userdata: 1n, tag: FD_READ, fd: 0 }]);
  expect(events).toEqual([{ userdata: 1n, error: 0, type: FD_READ, nbytes: 0n, flags: 1 }]);
});

test("a clock that is due doesn't hide a descriptor that is ready", () => {
  const { events } = poll(new TestGuest({ stdin: new LateInput() }), [
    { userdata: 1n, clock: MONOTONIC, timeout: 0n },
    { userdata: 2n, tag: FD_WRITE, fd: 1 },
    { userdata: 3n, tag: FD_READ, fd: 0 },
  ]);
  expect(events.map(({ userdata, type }) => [userdata, type])).toEqual([
    [1n, CLOCK],
    [2n, FD_WRITE],
  ]);
});

test.each([
  { name: "not open", fd: 9, tag: FD_READ, error: Errno.EBADF },
  { name: "not open, far off", fd: 0xffff_ffff, tag: FD_WRITE, error: Errno.EBADF },
  { name: "not open for reading", fd: 1, tag: FD_READ, error: Errno.EBADF },
  { name: "not open for writing", fd: 0, tag: FD_WRITE, error: Errno.EBADF },
  { name: "a directory", fd: 3, tag: FD_READ, error: Errno.EISDIR },
])("a descriptor that is $name is an event at once", ({ fd, tag, error }) => {
  const guest = new TestGuest({ stdin: new LateInput() });
  const { errno, events } = poll(guest, [
    { userdata: 1n, tag, fd },
    { userdata: 2n, clock: MONOTONIC, timeout: 1_000n },
  ]);
  expect(errno).toBe(0);
  expect(events).toEqual([{ userdata: 1n, error, type: tag, nbytes: 0n, flags: 0 }]);
  expect(guest.time.waits).toEqual([0n]);
});

test("time that a program has used can't be waited for", () => {
  const { events } = poll(new TestGuest(), [{ userdata: 1n, clock: 2, timeout: 5n }]);
  expect(events).toEqual([clockEvent(1n, Errno.ENOTSUP)]);
});

test.each<{ name: string; subscription: Subscription }>([
  { name: "type", subscription: { userdata: 1n, tag: 3, fd: 0 } },
  { name: "clock", subscription: { userdata: 1n, clock: 4, timeout: 0n } },
  { name: "flag", subscription: { userdata: 1n, clock: MONOTONIC, timeout: 0n, flags: 2 } },
])("an unknown $name: nothing is waited for, nothing written", ({ subscription }) => {
  const guest = new TestGuest();
  const before = guest.bytes.slice(OUT, OUT + 64).fill(0xaa);
  const { errno } = poll(guest, [{ userdata: 7n, clock: MONOTONIC, timeout: 1n }, subscription]);
  expect(errno).toBe(Errno.EINVAL);
  expect(guest.time.waits).toEqual([]);
  expect(guest.bytes.slice(OUT, OUT + 64)).toEqual(before);
  expect(guest.u32(COUNT)).toBe(0xffff_ffff);
});

test.each([
  { count: 0, errno: Errno.EINVAL },
  { count: SUBSCRIPTIONS_MAX, errno: 0 },
  { count: SUBSCRIPTIONS_MAX + 1, errno: Errno.EINVAL },
  { count: -1, errno: Errno.EINVAL },
])("$count subscriptions", ({ count, errno }) => {
  const guest = new TestGuest({ memory: new WebAssembly.Memory({ initial: 8 }) });
  expect(guest.call("poll_oneoff", 0, 8 * 65_536 - SUBSCRIPTIONS_MAX * 32, count, 8)).toBe(errno);
});

test.each([
  { name: "one subscription short", inPtr: 65_536 - 95, outPtr: 0, countPtr: 256 },
  { name: "one event short", inPtr: 0, outPtr: 65_536 - 63, countPtr: 256 },
  { name: "no room for the count", inPtr: 0, outPtr: 512, countPtr: 65_533 },
])("an array is checked to its last element: $name", ({ inPtr, outPtr, countPtr }) => {
  const guest = new TestGuest({ memory: new WebAssembly.Memory({ initial: 1 }) });
  expect(guest.call("poll_oneoff", inPtr, outPtr, 2, countPtr)).toBe(Errno.EFAULT);
  expect(guest.time.waits).toEqual([]);
});

test("events may be written over the subscriptions", () => {
  const guest = new TestGuest();
  for (const [index, userdata] of [11n, 12n, 13n].entries()) {
    guest.view.setBigUint64(IN + index * 48, userdata, true);
    guest.view.setUint32(IN + index * 48 + 16, MONOTONIC, true);
  }
  expect(guest.call("poll_oneoff", IN, IN, 3, COUNT)).toBe(0);
  expect([0, 1, 2].map((index) => guest.u64(IN + index * 32))).toEqual([11n, 12n, 13n]);
});

test("with the runtime's own clocks and waiting, a poll lasts as long as it should", () => {
  const guest = new TestGuest({ stdin: new LateInput() });
  const system = new ProgramSystem({
    ...{ args: [], environ: [], stdio: guest.system.stdio, preopens: [], random: () => {} },
    ...{ clocks: HOST_CLOCKS, bell: new Bell() },
  });
  Object.assign(guest.system, { clocks: system.clocks, processes: system.processes });
  const start = performance.now();
  const { events } = poll(guest, [
    { userdata: 1n, clock: MONOTONIC, timeout: 20_000_000n },
    { userdata: 2n, tag: FD_READ, fd: 0 },
    { userdata: 3n, clock: REALTIME, timeout: 3_600_000_000_000n },
  ]);
  expect(performance.now() - start).toBeGreaterThanOrEqual(20);
  expect(events).toEqual([clockEvent(1n)]);
});
