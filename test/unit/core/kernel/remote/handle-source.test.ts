import { expect, test } from "vitest";
import { OwnHandles, SharedHandles } from "../../../../../runtime/core/kernel/remote/handle-source.ts";

test("a client alone uses its numbers again", () => {
  const handles = new OwnHandles();
  expect([handles.take(), handles.take()]).toEqual([0, 1]);
  handles.give(0);
  expect([handles.take(), handles.take()]).toEqual([0, 2]);
});

test("threads don't: what one has given back, another may still have", () => {
  const buffer = SharedHandles.createBuffer(5);
  const [one, other] = [new SharedHandles(buffer), new SharedHandles(buffer)];
  expect([one.take(), other.take()]).toEqual([5, 6]);
  one.give();
  expect([one.take(), other.take()]).toEqual([7, 8]);
});

test("numbers stay positive where they wrap", () => {
  const handles = new SharedHandles(SharedHandles.createBuffer(0x7fff_ffff));
  expect([handles.take(), handles.take(), handles.take()]).toEqual([0x7fff_ffff, 0, 1]);
});
