import { expect, test } from "vitest";
import { ThreadBudget } from "../../../runtime/engine/thread-budget.ts";

test.each([
  { countMax: 1, first: [false] },
  { countMax: 2, first: [true, false] },
  { countMax: 3, first: [true, true, false] },
])("of $countMax threads, one is the program's first", ({ countMax, first }) => {
  const budget = new ThreadBudget(countMax);
  budget.begin();
  expect(first.map(() => budget.take())).toEqual(first);
  budget.give();
  expect(budget.take()).toBe(true);
  expect(budget.take()).toBe(false);
});

test("a program that a person wants always begins; its threads find no room then", () => {
  const budget = new ThreadBudget(1);
  budget.begin();
  budget.begin();
  budget.give();
  expect(budget.take()).toBe(false);
  budget.give();
  expect(budget.take()).toBe(true);
});

test("what is refused is counted, and a limit that changes holds from then on", () => {
  const budget = new ThreadBudget(2);
  budget.begin();
  expect([budget.take(), budget.take(), budget.take()]).toEqual([true, false, false]);
  budget.countMax = 3;
  expect([budget.take(), budget.take()]).toEqual([true, false]);
  budget.countMax = 1;
  budget.give();
  expect(budget.take()).toBe(false);
  expect([budget.count, budget.refusedCount]).toEqual([2, 4]);
});
