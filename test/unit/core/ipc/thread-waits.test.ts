/** One thread waits, and is interrupted meanwhile: here by what its clock, or what it waits for, calls. */
import { expect, test } from "vitest";
import { ThreadWaits } from "../../../../runtime/core/ipc/thread-waits.ts";

const cells = () => new Int32Array(new SharedArrayBuffer(4));

test("a pause is waited for where the thread is, and behind what its program waits for", () => {
  const waits = new ThreadWaits();
  expect(waits.pause(1)).toBe("no");
  let nowMs = 0;
  const looks: number[] = [];
  waits.allowPauses(cells(), () => {
    looks.push(nowMs);
    // Each look at the clock takes a while.
    return nowMs++;
  });
  expect(waits.pause(3)).toBe("now");
  expect(nowMs).toBeGreaterThanOrEqual(3);
  expect(waits.isWaiting).toBe(false);
  const program = { value: 1 };
  waits.watchProgram(program);
  expect([waits.isWaiting, waits.pause(100)]).toEqual([true, "later"]);
  expect([nowMs < 100, program.value]).toEqual([true, 2]);
  program.value = 0;
  waits.finishPause();
  expect(nowMs).toBeGreaterThanOrEqual(100);
});

test("an interrupt during a wait is told, and the pause follows that wait", () => {
  const waits = new ThreadWaits();
  let nowMs = 0;
  const told: unknown[] = [];
  waits.allowPauses(cells(), () => {
    nowMs++;
    // The clock is asked while the first pause lasts: an interrupt comes then.
    if (nowMs === 2) told.push(waits.isWaiting, waits.pause(50));
    return nowMs;
  });
  expect(waits.pause(3)).toBe("now");
  expect(told).toEqual([true, "later"]);
  // The longer one was waited for too.
  expect(nowMs).toBeGreaterThanOrEqual(50);
});

test("who is let go waits no longer, and answers of waits are those of the host", () => {
  const waits = new ThreadWaits();
  const pause = cells();
  pause[0] = 1;
  waits.allowPauses(pause, () => performance.now());
  expect(waits.pause(1_000_000)).toBe("now");
  const own = cells();
  expect(waits.wait(own, 0, 1)).toBe("not-equal");
  expect(waits.wait(own, 0, 0, 1)).toBe("timed-out");
  waits.forget();
  expect(waits.pause(1)).toBe("no");
});
