import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";
import {
  type RecordPlace,
  RecordReader,
  recordBytesMax,
  writeRecord,
} from "../../../../runtime/core/terminal/record-ring.ts";

const CAPACITY_BYTES = 64;

function pair(): { ring: Ring; place: RecordPlace; reader: RecordReader } {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  const place = { recordLeft: undefined };
  return { ring, place, reader: new RecordReader(ring, place) };
}

function read(reader: RecordReader, lengthBytes: number, joined: boolean): string | undefined {
  const target = Buffer.alloc(lengthBytes);
  const count = reader.read(target, joined);
  return count === undefined ? undefined : target.toString("utf8", 0, count);
}

function write(ring: Ring, ...texts: string[]): void {
  for (const text of texts) expect(writeRecord(ring, Buffer.from(text))).toBe(true);
}

describe("records", () => {
  test("one a read; the rest of one comes first", () => {
    const { ring, reader } = pair();
    write(ring, "ab", "cdef", "g");
    expect(reader.available()).toBe(2);
    expect([2, 3, 9, 9, 9].map((length) => read(reader, length, false))).toEqual([
      "ab",
      "cde",
      "f",
      "g",
      undefined,
    ]);
  });

  test("an empty one is read once", () => {
    const { ring, reader } = pair();
    write(ring, "", "a");
    expect([9, 9, 9].map((length) => read(reader, length, false))).toEqual(["", "a", undefined]);
  });

  test("joined, as many as fit, and empty ones are nothing", () => {
    const { ring, reader } = pair();
    write(ring, "ab", "", "cd", "", "ef", "");
    expect([3, 2, 9, 9].map((length) => read(reader, length, true))).toEqual(["abc", "de", "f", undefined]);
  });

  test("another reader goes on in the middle", () => {
    const { ring, place, reader } = pair();
    write(ring, "abc", "d");
    expect(read(reader, 1, false)).toBe("a");
    expect(read(new RecordReader(new Ring(ring.buffer, new Bell()), place), 9, false)).toBe("bc");
    expect(read(new RecordReader(ring, place), 9, false)).toBe("d");
  });

  test("one that doesn't fit isn't begun", () => {
    const { ring, reader } = pair();
    const longest = "x".repeat(CAPACITY_BYTES - 4);
    expect(writeRecord(ring, Buffer.from(`${longest}x`))).toBe(false);
    write(ring, longest);
    expect(writeRecord(ring, new Uint8Array(0))).toBe(false);
    expect(read(reader, 100, false)).toBe(longest);
    expect(recordBytesMax(ring)).toBeLessThanOrEqual(CAPACITY_BYTES - 4);
  });

  test("keep their bytes and their ends, however they are written and read", () => {
    const step = fc.oneof(
      fc.record({ write: fc.string({ maxLength: 12, unit: "binary-ascii" }) }),
      fc.record({ read: fc.integer({ min: 1, max: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { ring, reader } = pair();
        /** The model: what is still to be read. */
        const records: string[] = [];
        for (const action of steps) {
          if ("write" in action) {
            if (writeRecord(ring, Buffer.from(action.write))) records.push(action.write);
            continue;
          }
          const expected = records[0]?.slice(0, action.read);
          expect(read(reader, action.read, false)).toBe(expected);
          const rest = records[0]?.slice(action.read);
          if (rest === "") records.shift();
          else if (rest !== undefined) records[0] = rest;
        }
      }),
    );
  });
});
