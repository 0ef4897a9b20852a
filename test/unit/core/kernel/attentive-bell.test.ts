/** The engine's word with a program that is about to wait, or waits. */
import { expect, test } from "vitest";
import { SLEEPER_BELL_BYTES } from "../../../../runtime/core/ipc/sleep-count.ts";
import { AttentiveBell } from "../../../../runtime/core/kernel/hand-over.ts";
import type { Attention } from "../../../../shim/abi/system.ts";

function listening(): { bell: AttentiveBell; attention: Attention & { count: number } } {
  const bell = new AttentiveBell(new SharedArrayBuffer(SLEEPER_BELL_BYTES));
  const attention = {
    wanted: new Int32Array(1),
    inHost: true,
    files: undefined,
    count: 0,
    attend() {
      this.wanted[0] = 0;
      this.count++;
    },
  };
  bell.attention = attention;
  return { bell, attention };
}

const BRIEFLY_MS = 1;

test("what was wanted and rung for before the program looked is heard before it sleeps", () => {
  const { bell, attention } = listening();
  attention.wanted[0] = 1;
  bell.ring();
  // The ring is older than the look: without a second look at what is wanted, this would sleep for ever.
  bell.wait(bell.now());
  expect(attention.count).toBe(1);
});

test("what is wanted between the look and the sleep wakes it", () => {
  const { bell, attention } = listening();
  const seen = bell.now();
  attention.wanted[0] = 1;
  bell.ring();
  bell.wait(seen);
  expect(attention.count).toBe(1);
});

test("nobody is attended to who wants nothing", () => {
  const { bell, attention } = listening();
  bell.wait(bell.now(), BRIEFLY_MS);
  bell.ring();
  bell.wait(bell.now() - 1);
  expect(attention.count).toBe(0);
});
