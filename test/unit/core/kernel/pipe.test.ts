import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import {
  openOwnPipe,
  openPipe,
  PIPE_ATOMIC_BYTES_MAX,
  PIPE_BYTES_MAX,
} from "../../../../runtime/core/kernel/pipe.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { Readiness, type Stat } from "../../../../shim/abi/system.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const { read: READ, write: WRITE, hangup: HANGUP } = Readiness;
const bytes = (count: number, value = 1) => new Uint8Array(count).fill(value);

describe("a write", () => {
  test.each([
    { filled: 0, wanted: 1, answer: 1 },
    { filled: 0, wanted: PIPE_BYTES_MAX, answer: PIPE_BYTES_MAX },
    { filled: 0, wanted: PIPE_BYTES_MAX + 1, answer: PIPE_BYTES_MAX },
    { filled: PIPE_BYTES_MAX, wanted: 1, answer: -Errno.EAGAIN },
    { filled: PIPE_BYTES_MAX, wanted: PIPE_BYTES_MAX, answer: -Errno.EAGAIN },
    { filled: PIPE_BYTES_MAX, wanted: 0, answer: 0 },
    // Whole or not at all ...
    { filled: PIPE_BYTES_MAX - 4096, wanted: PIPE_ATOMIC_BYTES_MAX, answer: 4096 },
    { filled: PIPE_BYTES_MAX - 4095, wanted: PIPE_ATOMIC_BYTES_MAX, answer: -Errno.EAGAIN },
    { filled: PIPE_BYTES_MAX - 1, wanted: 2, answer: -Errno.EAGAIN },
    { filled: PIPE_BYTES_MAX - 1, wanted: 1, answer: 1 },
    // ... up to PIPE_BUF; in parts beyond.
    { filled: PIPE_BYTES_MAX - 4095, wanted: PIPE_ATOMIC_BYTES_MAX + 1, answer: 4095 },
    { filled: PIPE_BYTES_MAX - 1, wanted: PIPE_ATOMIC_BYTES_MAX + 1, answer: 1 },
  ])("of $wanted bytes behind $filled answers $answer", ({ filled, wanted, answer }) => {
    const { reader, writer } = openPipe();
    if (filled > 0) expect(writer.write(bytes(filled))).toBe(filled);
    expect(writer.write(bytes(wanted, 2))).toBe(answer);
    expect(reader.readableBytes()).toBe(filled + Math.max(0, answer));
  });

  test("that nobody will read is EPIPE, also of what was there; of nothing it is nothing", () => {
    const { reader, writer } = openPipe();
    writer.write(bytes(10));
    reader.close();
    expect(writer.write(bytes(1))).toBe(-Errno.EPIPE);
    expect(writer.write(bytes(0))).toBe(0);
  });
});

describe("a read", () => {
  test("of an empty pipe has to wait, until nobody writes to it: then it is at its end", () => {
    const { reader, writer } = openPipe();
    expect(reader.read(bytes(1))).toBe(-Errno.EAGAIN);
    expect(reader.read(bytes(0))).toBe(0);
    writer.write(bytes(3));
    writer.close();
    expect(reader.read(bytes(2))).toBe(2);
    expect(reader.read(bytes(2))).toBe(1);
    expect(reader.read(bytes(2))).toBe(0);
    expect(reader.read(bytes(2))).toBe(0);
  });

  test("of the wrong end is EBADF, and so is a write", () => {
    const { reader, writer } = openPipe();
    expect(reader.write()).toBe(-Errno.EBADF);
    expect(writer.read()).toBe(-Errno.EBADF);
  });
});

test.each([
  { what: "an empty one", filled: 0, reader: 0, writer: WRITE },
  { what: "one byte", filled: 1, reader: READ, writer: WRITE },
  { what: "room for PIPE_BUF", filled: PIPE_BYTES_MAX - 4096, reader: READ, writer: WRITE },
  { what: "room for less", filled: PIPE_BYTES_MAX - 4095, reader: READ, writer: 0 },
  { what: "a full one", filled: PIPE_BYTES_MAX, reader: READ, writer: 0 },
  { what: "no writer", filled: 0, gone: "writer", reader: READ | HANGUP },
  { what: "no writer, bytes left", filled: 1, gone: "writer", reader: READ | HANGUP },
  { what: "no reader", filled: 0, gone: "reader", writer: WRITE | HANGUP },
  { what: "no reader, full before", filled: PIPE_BYTES_MAX, gone: "reader", writer: WRITE | HANGUP },
] as const)("a poll sees: $what", (row) => {
  const { reader, writer } = openPipe();
  if (row.filled > 0) writer.write(bytes(row.filled));
  if ("gone" in row) (row.gone === "reader" ? reader : writer).close();
  if ("reader" in row) expect(reader.readiness(READ | WRITE)).toBe(row.reader);
  if ("writer" in row) expect(writer.readiness(READ | WRITE)).toBe(row.writer);
  // What wasn't asked for isn't told, but a hangup always is.
  if ("reader" in row) expect(reader.readiness(0)).toBe(row.reader & HANGUP);
  if ("writer" in row) expect(writer.readiness(0)).toBe(row.writer & HANGUP);
});

test.each([
  { event: "a write", end: "reader", act: "write", rings: 1 },
  { event: "a write that doesn't fit", end: "reader", act: "overfill", rings: 1 },
  { event: "a read", end: "writer", act: "read", rings: 1 },
  { event: "the end of the writer", end: "reader", act: "close writer", rings: 1 },
  { event: "the end of the reader", end: "writer", act: "close reader", rings: 1 },
  { event: "its own write", end: "writer", act: "write", rings: 0 },
] as const)("who waits at the $end is told of $event: once", ({ end, act, rings }) => {
  const ends = openPipe();
  if (act === "read") ends.writer.write(bytes(1));
  const bell = new Bell();
  ends[end].waiting.add(bell);
  for (let time = 0; time < 2; time++) {
    if (act === "write") ends.writer.write(bytes(1));
    else if (act === "overfill") ends.writer.write(bytes(PIPE_BYTES_MAX * 2));
    else if (act === "read") ends.reader.read(bytes(1));
    else if (act === "close writer") ends.writer.close();
    else ends.reader.close();
  }
  expect(bell.now()).toBe(rings);
});

test("what a pipe answers that is no file", () => {
  const { reader, writer } = openPipe();
  const stat = {} as Stat;
  expect(writer.stat(stat)).toBe(0);
  expect(stat).toMatchObject({ type: FileType.unknown, sizeBytes: 0 });
  for (const end of [reader, writer]) {
    expect(end.seek()).toBe(-Errno.ESPIPE);
    expect(end.readAt()).toBe(-Errno.ESPIPE);
    expect(end.truncate()).toBe(-Errno.EINVAL);
    expect(end.openAt(".", {} as never)).toBe(-Errno.ENOTDIR);
  }
});

test("what a program would have to wait for itself for is EDEADLK; EAGAIN where it won't wait", () => {
  const { reader, writer } = openOwnPipe();
  expect(reader.read(bytes(1))).toBe(-Errno.EDEADLK);
  reader.setStatus(false, true);
  expect(reader.read(bytes(1))).toBe(-Errno.EAGAIN);
  expect(writer.write(bytes(PIPE_BYTES_MAX + 1))).toBe(PIPE_BYTES_MAX);
  expect(writer.write(bytes(1))).toBe(-Errno.EDEADLK);
  writer.setStatus(false, true);
  expect(writer.write(bytes(1))).toBe(-Errno.EAGAIN);
  expect(reader.read(bytes(PIPE_BYTES_MAX))).toBe(PIPE_BYTES_MAX);
  writer.close();
  expect(reader.read(bytes(1))).toBe(0);
});

test("what comes out is what went in, in order, whatever the sizes", () => {
  const sizes = fc.array(
    fc.record({ write: fc.boolean(), size: fc.oneof(fc.nat(200), fc.nat(PIPE_BYTES_MAX * 2)) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(sizes, (steps) => {
      const { reader, writer } = openPipe();
      let written = 0;
      let seen = 0;
      for (const { write, size } of steps) {
        if (write) {
          const source = Uint8Array.from({ length: size }, (_, index) => (written + index) % 251);
          written += Math.max(0, writer.write(source));
        } else {
          const target = new Uint8Array(size);
          const count = Math.max(0, reader.read(target));
          for (const byte of target.subarray(0, count))
            if (byte !== seen++ % 251) throw new Error(`at ${seen}`);
        }
        expect(reader.readableBytes()).toBe(written - seen);
      }
    }),
    { numRuns: LONG ? 5_000 : 100 },
  );
});
