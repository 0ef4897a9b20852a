import { expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { START_NS, TestGuest } from "../test-guest.ts";

test.each([
  { id: 0, errno: 0, timeNs: START_NS },
  { id: 1, errno: 0, timeNs: 5_000n },
  { id: 2, errno: 0, timeNs: 7n },
  { id: 3, errno: 0, timeNs: 7n },
  { id: 4, errno: Errno.EINVAL },
  { id: -1, errno: Errno.EINVAL },
])("clock $id", ({ id, errno, timeNs }) => {
  const guest = new TestGuest();
  expect(guest.call("clock_time_get", id, 0n, 64)).toBe(errno);
  expect(guest.u64(64)).toBe(timeNs ?? 0n);
  expect(guest.call("clock_res_get", id, 72)).toBe(errno);
  expect(guest.u64(72)).toBe(errno === 0 ? 1n : 0n);
});

test("a clock that the runtime doesn't have is EINVAL", () => {
  const guest = new TestGuest();
  Object.assign(guest.system.clocks, { now: () => -Errno.EINVAL, resolution: () => -Errno.EINVAL });
  expect(guest.call("clock_time_get", 2, 0n, 64)).toBe(Errno.EINVAL);
  expect(guest.call("clock_res_get", 2, 64)).toBe(Errno.EINVAL);
});
