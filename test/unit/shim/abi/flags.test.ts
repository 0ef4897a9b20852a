import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ADVICE_MAX, Advice } from "../../../../shim/abi/advice.ts";
import { CLOCK_NAMES, ClockId } from "../../../../shim/abi/clock-id.ts";
import { EventType } from "../../../../shim/abi/event-type.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import {
  ClockSubscriptionFlags,
  EventFlags,
  FdFlags,
  LookupFlags,
  OpenFlags,
  ReceivedFlags,
  ReceiveFlags,
  ShutdownFlags,
  TimeFlags,
} from "../../../../shim/abi/flags.ts";
import { PreopenType } from "../../../../shim/abi/preopen-type.ts";
import { RIGHTS_ALL, Rights } from "../../../../shim/abi/rights.ts";
import { SIGNAL_NAMES } from "../../../../shim/abi/signal.ts";
import { WHENCE_NAMES, WHENCE_NAMES_UNSTABLE } from "../../../../shim/abi/whence.ts";

interface Types {
  enums: Record<string, { values: Record<string, number> }>;
  flags: Record<string, { bits: Record<string, number> }>;
}

const read = (name: string): Types =>
  JSON.parse(readFileSync(new URL(`../../../../spec/wasi-preview1/${name}`, import.meta.url), "utf8"));
const types = read("types.json");
const unstable = read("types-unstable.json");

/** Names of WASI as our tables spell them: `FD_READ` of `fd_read`. */
const upper = (name: string) => name.toUpperCase();

test.each([
  { table: Rights, flags: "rights", prefix: "" },
  { table: FdFlags, flags: "fdflags", prefix: "" },
  { table: OpenFlags, flags: "oflags", prefix: "" },
  { table: LookupFlags, flags: "lookupflags", prefix: "" },
  { table: TimeFlags, flags: "fstflags", prefix: "" },
  { table: ClockSubscriptionFlags, flags: "subclockflags", prefix: "subscription_clock_" },
  { table: EventFlags, flags: "eventrwflags", prefix: "fd_readwrite_" },
  { table: ShutdownFlags, flags: "sdflags", prefix: "" },
  { table: ReceiveFlags, flags: "riflags", prefix: "recv_" },
  { table: ReceivedFlags, flags: "roflags", prefix: "recv_" },
])("$flags have the bits of the specification", ({ table, flags, prefix }) => {
  const bits = Object.entries(types.flags[flags]!.bits);
  // `abstime` is spelled `subscription_clock_abstime` there.
  const expected = bits.map(([name, bit]) => [upper(name.slice(prefix.length)), 2 ** bit]);
  expect(bits.every(([name]) => name.startsWith(prefix))).toBe(true);
  expect(table).toEqual(Object.fromEntries(expected));
});

test("RIGHTS_ALL are all rights", () => {
  expect(RIGHTS_ALL).toBe(Object.values(Rights).reduce<number>((all, right) => all + right, 0));
});

test.each([
  { table: ClockId, name: "clockid" },
  { table: EventType, name: "eventtype" },
  { table: Advice, name: "advice" },
  { table: PreopenType, name: "preopentype" },
])("$name has the values of the specification", ({ table, name }) => {
  const values = Object.entries(types.enums[name]!.values);
  expect(table).toEqual(Object.fromEntries(values.map(([key, value]) => [upper(key), value])));
});

test("ADVICE_MAX is the last advice", () => {
  expect(ADVICE_MAX).toBe(Math.max(...Object.values(types.enums.advice!.values)));
});

test("file types have the values of the specification", () => {
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const values = Object.entries(types.enums.filetype!.values);
  expect(FileType).toEqual(Object.fromEntries(values.map(([key, value]) => [camel(key), value])));
});

test("signals are numbered as the specification has them", () => {
  const values = Object.entries(types.enums.signal!.values);
  expect(SIGNAL_NAMES).toEqual(
    values.sort(([, a], [, b]) => a - b).map(([name]) => (name === "none" ? "" : `SIG${upper(name)}`)),
  );
});

test("clock names stand at their numbers", () => {
  const names = ["realtime", "monotonic", "process-cpu", "thread-cpu"];
  expect(CLOCK_NAMES).toEqual(names);
  expect(CLOCK_NAMES[ClockId.PROCESS_CPUTIME_ID]).toBe("process-cpu");
  expect(CLOCK_NAMES[ClockId.THREAD_CPUTIME_ID]).toBe("thread-cpu");
});

test.each([
  { names: WHENCE_NAMES, values: types.enums.whence!.values },
  { names: WHENCE_NAMES_UNSTABLE, values: unstable.enums.whence!.values },
])("whence: $names", ({ names, values }) => {
  const short = { set: "set", current: "cur", end: "end" } as const;
  expect(names.map((name) => values[short[name]])).toEqual([0, 1, 2]);
});
