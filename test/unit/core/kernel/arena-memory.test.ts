import { beforeEach, expect, test } from "vitest";
import { ArenaMemory } from "../../../../runtime/core/kernel/arena-memory.ts";
import { CHUNK_BYTES } from "../../../../runtime/core/vfs/chunk.ts";

const SLOTS = 64;
let expired: number[];
let memory: ArenaMemory;
beforeEach(() => {
  expired = [];
  memory = new ArenaMemory((watchers) => expired.push(watchers));
});
const take = (count: number) => Array.from({ length: count }, () => memory.take(CHUNK_BYTES));

test("only whole chunks are in shared memory", () => {
  const small = memory.take(CHUNK_BYTES - 1);
  expect(small.buffer).toBeInstanceOf(ArrayBuffer);
  expect(memory.show(small, 1)).toBeUndefined();
  memory.give(small);
  const [whole] = take(1);
  expect(whole!.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(memory.show(whole!, 1)).toMatchObject({ id: 0, offsetBytes: 0 });
});

test("who was shown a chunk is told before it is another file's, and once", () => {
  const [first, second] = take(2);
  memory.show(first!, 1);
  memory.show(first!, 4);
  memory.give(second!);
  expect(expired).toEqual([]);
  memory.give(first!);
  expect(expired).toEqual([5]);
  memory.give(take(1)[0]!);
  expect(expired).toEqual([5]);
});

test("what nothing is in is kept for the next files, to a bound, and let go of when it is asked to", () => {
  expect(memory.spareCount).toBe(0);
  const chunks = take(6 * SLOTS);
  expect(memory.spareCount).toBe(0);
  const last = chunks.pop()!;
  for (const chunk of chunks) memory.give(chunk);
  expect(memory.spareCount).toBe(4);
  // Used again: no new memory.
  const again = take(SLOTS * 4 + SLOTS - 1);
  expect(new Set([...again, last].map(({ buffer }) => buffer)).size).toBe(5);
  expect(memory.spareCount).toBe(0);
  for (const chunk of again) memory.give(chunk);
  expect(memory.spareCount).toBe(4);
  memory.trim();
  expect(memory.spareCount).toBe(0);
  // What is in use isn't touched.
  expect(memory.show(last, 1)?.offsetBytes).toBe(last.byteOffset);
  memory.give(last);
  expect(memory.spareCount).toBe(1);
  memory.trim();
  expect(take(1)[0]!.byteOffset).toBe(0);
});
