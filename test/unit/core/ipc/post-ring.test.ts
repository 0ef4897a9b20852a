import { describe, expect, test } from "vitest";
import {
  POST_BYTES_MAX,
  POST_RING_BYTES,
  POST_RING_HEADER_BYTES,
  PostRing,
} from "../../../../runtime/core/ipc/post-ring.ts";

/** Both ends of one ring, in one thread. */
function ends(): { client: PostRing; kernel: PostRing; words: Int32Array } {
  const buffer = new SharedArrayBuffer(POST_RING_BYTES);
  return { client: new PostRing(buffer, 0), kernel: new PostRing(buffer, 0), words: new Int32Array(buffer) };
}

function post(
  client: PostRing,
  view: number | undefined,
  operation: number,
  sizeBytes = 0,
): boolean | undefined {
  const room = client.begin(sizeBytes);
  room?.fill(operation);
  return room && client.commit(view, sizeBytes, 0, operation, 0, 0, 0, 0, 0);
}

function drained(kernel: PostRing): number[] {
  const operations: number[] = [];
  kernel.drain((call) => operations.push(call.number(0)));
  return operations;
}

test("calls are done in their order, each once, whatever their sizes and how often the ring is full", () => {
  const { client, kernel } = ends();
  let posted = 0;
  let done = 0;
  for (let index = 0; index < 3000; index++) {
    const size = [0, 1, 87, 88, 89, 216, 217, 5000, POST_BYTES_MAX][index % 9]!;
    while (post(client, undefined, posted % 100, size) === undefined) {
      const operations = drained(kernel);
      expect(operations.length).toBeGreaterThan(0);
      for (const operation of operations) expect(operation).toBe(done++ % 100);
    }
    posted++;
  }
  for (const operation of drained(kernel)) expect(operation).toBe(done++ % 100);
  expect(done).toBe(posted);
  expect(kernel.isBehind).toBe(false);
});

test("where there is no room for calls, none is done, whatever is said to be there", () => {
  const buffer = new SharedArrayBuffer(POST_RING_HEADER_BYTES);
  const kernel = new PostRing(buffer, 0);
  const words = new Int32Array(buffer);
  for (const word of [0, 1, 2047, 4095, -1, -(2 ** 31), 2 ** 31 - 1]) {
    Atomics.store(words, 0, word);
    expect(drained(kernel)).toEqual([]);
    expect(kernel.isBehind).toBe(false);
  }
});

describe("a view that ends", () => {
  test.each(["expire", "revoke"] as const)("%s: nothing is posted under it any more", (how) => {
    const { client, kernel } = ends();
    const view = client.view;
    expect(post(client, view, 1)).toBe(true);
    const done: number[] = [];
    if (how === "expire") kernel.expire();
    else kernel.revoke((call) => done.push(call.number(0)));
    expect(done).toEqual(how === "revoke" ? [1] : []);
    expect(client.view).not.toBe(view);
    expect(post(client, view, 2)).toBe(false);
    expect(post(client, client.view, 3)).toBe(true);
    // What needs no view is posted at any time.
    expect(post(client, undefined, 4)).toBe(true);
    expect(drained(kernel)).toEqual(how === "revoke" ? [3, 4] : [1, 3, 4]);
  });

  test("is revoked, though the client posts on and on meanwhile", () => {
    const { client, kernel } = ends();
    const view = client.view;
    post(client, view, 1);
    let doneCount = 0;
    let lateCount = 0;
    kernel.revoke(() => {
      // As in another thread, between any two calls that are done.
      doneCount++;
      if (post(client, view, 2)) lateCount++;
      post(client, undefined, 3);
    });
    expect({ doneCount, lateCount }).toEqual({ doneCount: 1, lateCount: 0 });
  });
});

test.each([
  { what: "a negative size", slot: 1, value: -1 },
  { what: "a size beyond what is posted", slot: 1, value: 89 },
  { what: "the largest size", slot: 1, value: 2 ** 31 - 1 },
])("$what ends what is posted, and harms nothing", ({ slot, value }) => {
  const { client, kernel, words } = ends();
  post(client, undefined, 1);
  words[32 + slot] = value;
  expect(drained(kernel)).toEqual([]);
  expect(kernel.isBehind).toBe(false);
  post(client, undefined, 2);
  expect(drained(kernel)).toEqual([2]);
});
