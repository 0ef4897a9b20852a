import { expect, test } from "vitest";
import { ProgramEnd } from "../../../../runtime/core/kernel/program-system.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { TestGuest } from "../test-guest.ts";

test.each([
  { status: 0, seen: 0 },
  { status: 255, seen: 255 },
  { status: 256, seen: 0 },
  { status: -1, seen: 255 },
  { status: 0x7fff_ff2a, seen: 0x2a },
])("proc_exit($status) is seen as $seen", ({ status, seen }) => {
  const guest = new TestGuest();
  let ended: unknown;
  try {
    guest.call("proc_exit", status);
  } catch (thrown) {
    ended = thrown;
  }
  expect(ended).toBeInstanceOf(ProgramEnd);
  expect((ended as ProgramEnd).outcome).toEqual({ kind: "exit", status: seen });
});

test.each([
  { signal: 6, raised: ["SIGABRT"], answer: 0, errno: 0 },
  { signal: 15, raised: ["SIGTERM"], answer: 0, errno: 0 },
  { signal: 11, raised: ["SIGSEGV"], answer: 0, errno: 0 },
  { signal: 30, raised: ["SIGSYS"], answer: 0, errno: 0 },
  { signal: 18, raised: ["SIGSTOP"], answer: -Errno.ENOTSUP, errno: Errno.ENOTSUP },
  { signal: 0, raised: [], answer: 0, errno: 0 },
  { signal: 31, raised: [], answer: 0, errno: Errno.EINVAL },
  { signal: -1, raised: [], answer: 0, errno: Errno.EINVAL },
])("proc_raise($signal) answers $errno", ({ signal, raised, answer, errno }) => {
  const signals: string[] = [];
  const guest = new TestGuest({
    raise: (name) => {
      signals.push(name);
      return answer;
    },
  });
  expect(guest.call("proc_raise", signal)).toBe(errno);
  expect(signals).toEqual(raised);
});
