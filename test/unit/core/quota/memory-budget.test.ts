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
