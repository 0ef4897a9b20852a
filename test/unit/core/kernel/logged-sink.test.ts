/** Output that a log takes too: who prints more than it takes waits, is told EAGAIN, or isn't in it. */
import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { LoggedSink } from "../../../../runtime/core/kernel/logged-sink.ts";
import { PacedWait } from "../../../../runtime/core/kernel/paced-wait.ts";
import type { ByteSink } from "../../../../runtime/core/kernel/stream.ts";
import { IoPage } from "../../../../runtime/core/quota/io-page.ts";
import { Errno } from "../../../../shim/abi/errno.ts";

const LOG_BPS = 1000;
const NS_PER_MS = 1_000_000;
const TEN = new Uint8Array(10);

/** A record takes ten times its text. Time passes only where somebody waits. */
function logged(drops: boolean, given: Partial<ByteSink> = {}) {
  const none = { readBps: 0, writeBps: 0, readIops: 0, writeIops: 0, diskBytesMax: 0, diskInodesMax: 0 };
  const page = IoPage.create({ ...none, logBps: LOG_BPS });
  const time = { ns: 0n, waitedMs: 0 };
  class TestBell extends Bell {
    override wait(_seen: number, timeoutMs = Infinity): void {
      time.waitedMs += timeoutMs;
      time.ns += BigInt(Math.round(timeoutMs * NS_PER_MS));
    }
  }
  const clocks = { now: () => time.ns, resolution: () => 1n };
  const sink: ByteSink = {
    write: (source) => source.length,
    tryWrite: (source) => source.length,
    writable: () => true,
    ...given,
  };
  const records: string[] = [];
  const log = {
    append(stream: string, text: Uint8Array) {
      records.push(`${stream} ${text.length}`);
      return text.length * 10;
    },
  };
  const pace = { page, wait: new PacedWait(page, clocks, new TestBell()), drops };
  return { page, time, records, sink: new LoggedSink(sink, log, "stdout", pace) };
}

describe("a log that is waited for", () => {
  test("has all of it, after as long as it takes", () => {
    const { page, time, records, sink } = logged(false);
    for (let count = 0; count < 5; count++) expect(sink.write(TEN)).toBe(10);
    expect(records).toEqual(Array(5).fill("stdout 10"));
    expect(time.waitedMs).toBe(400);
    expect(page.usage).toMatchObject({ logBytes: 500, logDroppedBytes: 0, waitedUs: 0 });
  });

  test("answers EAGAIN where nobody may wait, until it can take more", () => {
    const { time, records, sink } = logged(false);
    expect([sink.tryWrite(TEN), sink.tryWrite(TEN), sink.tryWrite(TEN)]).toEqual([10, 10, -Errno.EAGAIN]);
    time.ns += 99n * 1_000_000n;
    expect(sink.tryWrite(TEN)).toBe(-Errno.EAGAIN);
    time.ns += 1_000_000n;
    expect(sink.tryWrite(TEN)).toBe(10);
    expect(records).toHaveLength(3);
    expect(time.waitedMs).toBe(0);
  });
});

test("a log that drops is never waited for, and tells how much it has not", () => {
  const { page, time, records, sink } = logged(true);
  for (let count = 0; count < 3; count++) {
    expect(sink.write(TEN)).toBe(10);
    expect(sink.tryWrite(TEN)).toBe(10);
  }
  expect(records).toHaveLength(2);
  expect(time.waitedMs).toBe(0);
  expect(page.usage).toMatchObject({ logBytes: 200, logDroppedBytes: 40 });
  time.ns += 100n * 1_000_000n;
  sink.write(TEN);
  expect(page.usage).toMatchObject({ logBytes: 300, logDroppedBytes: 40 });
});

test.each([-Errno.EPIPE, 0, 3])("what the stream answers is what counts: %d", (answer) => {
  const { records, sink } = logged(false, { write: () => answer, tryWrite: () => answer });
  expect([sink.write(TEN), sink.tryWrite(TEN)]).toEqual([answer, answer]);
  expect(records).toEqual(answer > 0 ? ["stdout 3", "stdout 3"] : []);
});
