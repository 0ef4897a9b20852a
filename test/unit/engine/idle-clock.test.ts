import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { IdleClock } from "../../../runtime/engine/idle-clock.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("all are called at one tick, once, and who went away isn't", () => {
  const clock = new IdleClock(200);
  const called: string[] = [];
  const [first, second, third] = ["first", "second", "third"].map((name) => () => void called.push(name));
  clock.add(first!);
  clock.add(second!);
  clock.add(third!);
  clock.remove(second!);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(199);
  expect(called).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(called).toEqual(["first", "third"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("who adds itself again is called again, at the next tick", () => {
  const clock = new IdleClock(200);
  let count = 0;
  const again = () => {
    count++;
    if (count < 3) clock.add(again);
  };
  clock.add(again);
  vi.advanceTimersByTime(400);
  expect(count).toBe(2);
  vi.advanceTimersByTime(1000);
  expect(count).toBe(3);
  expect(vi.getTimerCount()).toBe(0);
});
