import { describe, expect, test } from "vitest";
import { type IoLimits, IoPage, IoWay } from "../../../../runtime/core/quota/io-page.ts";

const NS = 1_000_000_000n;
const NONE: IoLimits = {
  readBps: 0,
  writeBps: 0,
  readIops: 0,
  writeIops: 0,
  diskBytesMax: 1000,
  diskInodesMax: 10,
};
const create = (limits: Partial<IoLimits> = {}) => IoPage.create({ ...NONE, ...limits });

describe("limits", () => {
  test("are what was set, in every thread that has the page", () => {
    const limits = { readBps: 1, writeBps: 2, readIops: 3, writeIops: 4, diskBytesMax: 5, diskInodesMax: 6 };
    const page = create();
    const elsewhere = new IoPage(page.buffer);
    expect(elsewhere.limits).toEqual(NONE);
    page.limits = limits;
    expect(elsewhere.limits).toEqual(limits);
    page.limits = { ...limits, diskBytesMax: Number.MAX_SAFE_INTEGER };
    expect([elsewhere.bytesMax, elsewhere.inodesMax]).toEqual([Number.MAX_SAFE_INTEGER, 6]);
  });

  test.each([
    { limits: {}, read: false, write: false },
    { limits: { readBps: 1 }, read: true, write: false },
    { limits: { readIops: 1 }, read: true, write: false },
    { limits: { writeBps: 1 }, read: false, write: true },
    { limits: { writeIops: 1 }, read: false, write: true },
  ])("$limits: who is asked to wait", ({ limits, read, write }) => {
    const page = create(limits);
    expect([page.isLimited(IoWay.read), page.isLimited(IoWay.write)]).toEqual([read, write]);
    page.limits = NONE;
    expect([page.isLimited(IoWay.read), page.isLimited(IoWay.write)]).toEqual([false, false]);
  });

  test("a rate that changes forgives what was owed for it, and only that", () => {
    const page = create({ readBps: 10, writeBps: 10 });
    const elsewhere = new IoPage(page.buffer);
    elsewhere.charge(IoWay.read, 1000, 0n);
    elsewhere.charge(IoWay.write, 1000, 0n);
    const before = elsewhere.generation;
    page.limits = { ...page.limits, readBps: 1000 };
    expect(elsewhere.generation).not.toBe(before);
    expect(elsewhere.charge(IoWay.read, 100, 0n)).toBe(0n);
    expect(elsewhere.charge(IoWay.write, 0, 0n)).toBe(100n * NS - NS / 10n);
  });
});

test.each([
  { limits: { readBps: 100 }, read: 9_900_000_000n, write: 0n },
  { limits: { writeBps: 100 }, read: 0n, write: 9_900_000_000n },
  { limits: { readIops: 2 }, read: 400_000_000n, write: 0n },
  { limits: { writeIops: 2 }, read: 0n, write: 400_000_000n },
  { limits: { readBps: 100, readIops: 2 }, read: 9_900_000_000n, write: 0n },
  { limits: { readBps: 10_000, readIops: 2 }, read: 400_000_000n, write: 0n },
])("$limits: what 1000 bytes wait for is the slower of both", ({ limits, read, write }) => {
  const page = create(limits);
  expect(page.charge(IoWay.read, 1000, NS)).toBe(read);
  expect(page.charge(IoWay.write, 1000, NS)).toBe(write);
});

test("usage is what all threads did together", () => {
  const page = create();
  const elsewhere = new IoPage(page.buffer);
  page.count(IoWay.read, 10);
  elsewhere.count(IoWay.read, 2 ** 40);
  elsewhere.count(IoWay.write, 7);
  elsewhere.noteWait(1_500_999n);
  elsewhere.noteWait(1n);
  elsewhere.publishBytes(123);
  elsewhere.publishInodes(4);
  elsewhere.hitBytes();
  elsewhere.hitInodes();
  elsewhere.hitInodes();
  expect(page.usage).toEqual({
    readBytes: 2 ** 40 + 10,
    writeBytes: 7,
    readCount: 2,
    writeCount: 1,
    waitedUs: 1501,
    diskBytes: 123,
    diskInodes: 4,
    diskBytesHits: 1,
    diskInodesHits: 2,
  });
});
