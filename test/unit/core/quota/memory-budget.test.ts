import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryAccount } from "../../../../runtime/core/quota/memory-account.ts";
import { MemoryBudget } from "../../../../runtime/core/quota/memory-budget.ts";

describe("a budget", () => {
  test("gives as much as it has, to the KiB", () => {
    const budget = MemoryBudget.create(10 * 1024 + 1023);
    expect(budget.limitBytes).toBe(10 * 1024);
    expect([budget.take(11), budget.take(10), budget.take(1)]).toEqual([false, true, false]);
    budget.give(1);
    expect([budget.take(2), budget.take(1), budget.usedBytes]).toEqual([false, true, 10 * 1024]);
    budget.give(10);
    expect([budget.usedBytes, budget.peakBytes]).toEqual([0, 10 * 1024]);
  });

  test("of more than anybody has is one all the same", () => {
    const budget = MemoryBudget.create(Number.MAX_SAFE_INTEGER);
    expect(budget.take(2 ** 31 - 1)).toBe(true);
    expect(budget.take(1)).toBe(false);
  });
});

test("how long threads waited for memory is told, until it wraps and after", () => {
  const budget = MemoryBudget.create(1024);
  MemoryAccount.create(budget).stalled(1.5);
  expect(budget.stalledUs).toBe(2);
  budget.stalled(2 ** 31 - 1);
  budget.stalled(2 ** 31 - 1);
  expect(budget.stalledUs).toBe(0);
});

describe("a budget in a group", () => {
  test("takes of both, and what one refuses neither has given", () => {
    const group = MemoryBudget.create(10 * 1024);
    const [one, other] = [MemoryBudget.create(8 * 1024, group), MemoryBudget.create(8 * 1024, group)];
    expect([one.take(8), other.take(3), other.take(2)]).toEqual([true, false, true]);
    expect([group.usedBytes, one.usedBytes, other.usedBytes]).toEqual([10, 8, 2].map((kib) => kib * 1024));
    expect([group.refusedCount, one.refusedCount, other.refusedCount]).toEqual([1, 0, 1]);
    expect([other.hasRoom(1), other.freeBytes]).toEqual([false, 0]);
    one.give(8);
    group.limitBytes = 3 * 1024;
    expect([other.hasRoom(1), other.hasRoom(2)]).toEqual([true, false]);
  });
});

describe("accounts of one budget", () => {
  test("never have more than it together, and what one gives back the other gets", () => {
    const step = fc.tuple(fc.nat(3), fc.nat(200_000));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const budget = MemoryBudget.create(256 * 1024);
        const accounts = [0, 1, 2].map(() => MemoryAccount.create(budget));
        const model = [0, 0, 0];
        const kib = (bytes: number) => Math.ceil(bytes / 1024);
        for (const [who, bytes] of steps) {
          if (who === 3) {
            accounts[0]!.close();
            model[0] = 0;
          } else {
            const others = model.reduce((sum, one, index) => sum + (index === who ? 0 : one), 0);
            const fits = others + kib(bytes) <= 256 || kib(bytes) <= model[who]!;
            expect(accounts[who]!.charge(bytes)).toBe(fits);
            if (fits) model[who] = kib(bytes);
          }
          expect(budget.usedBytes).toBe(model.reduce((sum, one) => sum + one, 0) * 1024);
        }
        for (const account of accounts) account.close();
        expect(budget.usedBytes).toBe(0);
      }),
    );
  });
});
