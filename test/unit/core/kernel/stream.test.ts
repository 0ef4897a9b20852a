import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";
import { BufferSource, NULL_SINK } from "../../../../runtime/core/kernel/buffer-stream.ts";
import { RingSink, RingSource } from "../../../../runtime/core/kernel/ring-stream.ts";
import { StreamFile } from "../../../../runtime/core/kernel/stream.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { type OpenOptions, Readiness, type Stat } from "../../../../shim/abi/system.ts";

const CAPACITY_BYTES = 8;
const bytes = (text: string) => new TextEncoder().encode(text);

function input(): { ring: Ring; file: StreamFile } {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  return { ring, file: new StreamFile(1n, { source: new RingSource(ring) }) };
}

function output(): { ring: Ring; file: StreamFile } {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  return { ring, file: new StreamFile(2n, { sink: new RingSink(ring) }) };
}

/** What one read answers: its text, or a negative `Errno`. */
function read(file: StreamFile, lengthBytes = 100): string | number {
  const target = new Uint8Array(lengthBytes);
  const count = file.read(target);
  return count < 0 ? count : new TextDecoder().decode(target.subarray(0, count));
}

describe("a standard input", () => {
  test("over a ring: what is there, then the end", () => {
    const { ring, file } = input();
    ring.write(bytes("abcdef"));
    expect([file.readableBytes(), read(file, 4), file.readableBytes()]).toEqual([6, "abcd", 2]);
    ring.end();
    expect([read(file), read(file), read(file)]).toEqual(["ef", "", ""]);
  });

  test.each([
    { name: "empty", prepare: () => {}, ready: Readiness.none, nonblocking: -Errno.EAGAIN },
    {
      name: "with bytes",
      prepare: (ring: Ring) => void ring.write(bytes("x")),
      ready: Readiness.read,
      nonblocking: "x",
    },
    {
      name: "at its end",
      prepare: (ring: Ring) => ring.end(),
      ready: Readiness.read | Readiness.hangup,
      nonblocking: "",
    },
    {
      name: "with bytes before its end",
      prepare: (ring: Ring) => {
        ring.write(bytes("x"));
        ring.end();
      },
      ready: Readiness.read,
      nonblocking: "x",
    },
  ])(
    "$name: its readiness, and what a read answers that must not block",
    ({ prepare, ready, nonblocking }) => {
      const { ring, file } = input();
      prepare(ring);
      expect(file.readiness(Readiness.read)).toBe(ready);
      file.setStatus(false, true);
      expect(read(file)).toBe(nonblocking);
    },
  );

  test("reads nothing into nothing, and never blocks for it", () => {
    expect(input().file.read(new Uint8Array(0))).toBe(0);
  });

  test("from a buffer: piece by piece, then the end for ever", () => {
    const file = new StreamFile(1n, { source: new BufferSource(bytes("abc")) });
    expect([read(file, 2), read(file, 2), read(file, 2), read(file, 2)]).toEqual(["ab", "c", "", ""]);
    expect(file.readiness(Readiness.read)).toBe(Readiness.read | Readiness.hangup);
  });
});

describe("a standard output", () => {
  test("that doesn't block takes what fits, then answers EAGAIN, then what fits again", () => {
    const { ring, file } = output();
    file.setStatus(false, true);
    expect(file.write(bytes("0123456789"))).toBe(CAPACITY_BYTES);
    expect([file.write(bytes("8")), file.readiness(Readiness.write)]).toEqual([
      -Errno.EAGAIN,
      Readiness.none,
    ]);
    ring.consume(1);
    expect([file.readiness(Readiness.write), file.write(bytes("89"))]).toEqual([Readiness.write, 1]);
  });

  test.each([false, true])(
    "whose reader has gone is EPIPE, and ready to say so (nonblocking: %s)",
    (nonblock) => {
      const { ring, file } = output();
      ring.write(bytes("01234567"));
      ring.abandon();
      file.setStatus(false, nonblock);
      expect(file.readiness(Readiness.write)).toBe(Readiness.write);
      expect(file.write(bytes("x"))).toBe(-Errno.EPIPE);
    },
  );

  test("to nowhere takes everything", () => {
    const file = new StreamFile(2n, { sink: NULL_SINK });
    expect(file.write(new Uint8Array(1_000_000))).toBe(1_000_000);
  });
});

test.each([
  { name: "reading an output", answer: () => output().file.read(new Uint8Array(1)), errno: Errno.EBADF },
  { name: "writing an input", answer: () => input().file.write(bytes("x")), errno: Errno.EBADF },
  { name: "reading at a place", answer: () => input().file.readAt(), errno: Errno.ESPIPE },
  { name: "writing at a place", answer: () => output().file.writeAt(), errno: Errno.ESPIPE },
  { name: "seeking", answer: () => input().file.seek(), errno: Errno.ESPIPE },
  { name: "truncating", answer: () => output().file.truncate(), errno: Errno.EINVAL },
  { name: "listing", answer: () => input().file.readDirectory(0, () => true), errno: Errno.ENOTDIR },
  { name: "opening in it", answer: () => input().file.openAt("x", {} as OpenOptions), errno: Errno.ENOTDIR },
])("$name is refused as POSIX does", ({ answer, errno }) => {
  expect(answer()).toBe(-errno);
});

test("is no character device: a program must not take it for a terminal", () => {
  const stat = {} as Stat;
  expect(input().file.stat(stat)).toBe(0);
  expect(stat.type).toBe(FileType.unknown);
});
