import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Lock, LockTable, lockAlone } from "../../../../runtime/core/vfs/lock-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { LockKind } from "../../../../shim/abi/system.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const KINDS = ["none", "shared", "exclusive"] as const satisfies LockKind[];

describe("what one has decides what another gets", () => {
  test.each([
    { has: "none", wants: "shared", answer: 0 },
    { has: "none", wants: "exclusive", answer: 0 },
    { has: "shared", wants: "shared", answer: 0 },
    { has: "shared", wants: "exclusive", answer: -Errno.EAGAIN },
    { has: "exclusive", wants: "shared", answer: -Errno.EAGAIN },
    { has: "exclusive", wants: "exclusive", answer: -Errno.EAGAIN },
    { has: "exclusive", wants: "none", answer: 0 },
  ] as const)("$has, $wants", ({ has, wants, answer }) => {
    const table = new LockTable();
    const first = new Lock(table, 7n);
    const second = new Lock(table, 7n);
    expect(first.change(has)).toBe(0);
    expect(second.change(wants)).toBe(answer);
    expect(second.kind).toBe(answer === 0 ? wants : "none");
    expect(first.kind).toBe(has);
    // Another file is another matter.
    expect(new Lock(table, 8n).change("exclusive")).toBe(0);
  });
});

describe("one that is changed", () => {
  test("becomes exclusive when nobody else has it, and goes when somebody has", () => {
    const table = new LockTable();
    const [first, second] = [new Lock(table, 7n), new Lock(table, 7n)];
    first.change("shared");
    expect(first.change("exclusive")).toBe(0);
    expect(first.change("shared")).toBe(0);
    second.change("shared");
    expect(first.change("exclusive")).toBe(-Errno.EAGAIN);
    // As flock(2) says: what it was is lost.
    expect(first.kind).toBe("none");
    expect(second.change("exclusive")).toBe(0);
    expect(table.count).toBe(1);
  });

  test("to what it is, is nothing", () => {
    const table = new LockTable(1);
    const lock = new Lock(table, 7n);
    expect(lock.change("shared")).toBe(0);
    expect(lock.change("shared")).toBe(0);
    expect(table.count).toBe(1);
    expect(lock.change("none")).toBe(0);
    expect(lock.change("none")).toBe(0);
    expect(table.count).toBe(0);
  });
});

test("there are so many, and not one more: of what was, nothing is changed", () => {
  const table = new LockTable(2);
  const locks = [7n, 7n, 8n].map((inode) => new Lock(table, inode));
  expect(locks[0]!.change("shared")).toBe(0);
  expect(locks[1]!.change("shared")).toBe(0);
  expect(locks[2]!.change("shared")).toBe(-Errno.ENOLCK);
  locks[0]!.close();
  expect(locks[2]!.change("exclusive")).toBe(0);
  expect(table.count).toBe(2);
});

describe("who waits", () => {
  test.each([
    { event: "it is given back", act: (holder: Lock) => holder.change("none"), rings: 1 },
    { event: "its description is closed", act: (holder: Lock) => holder.close(), rings: 1 },
    { event: "it becomes a shared one", act: (holder: Lock) => holder.change("shared"), rings: 1 },
    { event: "it stays", act: (holder: Lock) => holder.change("exclusive"), rings: 0 },
  ])("hears when $event, once", ({ act, rings }) => {
    const table = new LockTable();
    const holder = new Lock(table, 7n);
    const waiter = new Lock(table, 7n);
    const bell = new Bell();
    holder.change("exclusive");
    expect(waiter.change("shared")).toBe(-Errno.EAGAIN);
    waiter.await(bell);
    act(holder);
    act(holder);
    expect(bell.now()).toBe(rings);
  });

  test("and is gone hears nothing", () => {
    const table = new LockTable();
    const holder = new Lock(table, 7n);
    const waiter = new Lock(table, 7n);
    const bell = new Bell();
    holder.change("exclusive");
    waiter.change("shared");
    waiter.await(bell);
    waiter.close();
    holder.close();
    expect(bell.now()).toBe(0);
    expect(table.count).toBe(0);
  });
});

test("a program alone never waits for itself", () => {
  const table = new LockTable();
  const [first, second] = [new Lock(table, 7n), new Lock(table, 7n)];
  expect(lockAlone(first, "shared", true)).toBe(0);
  expect(lockAlone(second, "shared", true)).toBe(0);
  expect(lockAlone(first, "exclusive", true)).toBe(-Errno.EDEADLK);
  // What it had it still has.
  expect(first.kind).toBe("shared");
  expect(lockAlone(first, "exclusive", false)).toBe(-Errno.EAGAIN);
});

test("at any time: one exclusive, or many shared, and as many as are counted", () => {
  const step = fc.record({ lock: fc.nat(7), kind: fc.constantFrom(...KINDS, "close" as const) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const table = new LockTable(5);
      const locks = Array.from({ length: 8 }, (_, index) => new Lock(table, BigInt(index % 3)));
      for (const { lock: index, kind } of steps) {
        const lock = locks[index]!;
        const others = locks.filter((other) => other !== lock && other.inode === lock.inode);
        if (kind === "close") lock.close();
        else if (lock.kind !== kind) {
          const isFree = others.every(
            ({ kind: held }) => held === "none" || (held === "shared" && kind === "shared"),
          );
          const held = locks.filter((other) => other !== lock && other.kind !== "none").length;
          const expected = kind === "none" ? 0 : !isFree ? -Errno.EAGAIN : held >= 5 ? -Errno.ENOLCK : 0;
          expect(lock.change(kind)).toBe(expected);
        }
        expect(table.count).toBe(locks.filter((each) => each.kind !== "none").length);
      }
    }),
    { numRuns: LONG ? 10_000 : 200 },
  );
});
