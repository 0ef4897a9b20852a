/** Pipes of a running program, on their way to another kernel. */
import { expect, test } from "vitest";
import { describeFile, type MovedTree, openMoved } from "../../../../runtime/core/kernel/moved-files.ts";
import { openOwnPipe, openPipe, PIPE_BYTES_MAX } from "../../../../runtime/core/kernel/pipe.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { OpenFile } from "../../../../shim/abi/system.ts";

const table = new MountTable(new FileSystem({ nowNs: () => 0n, device: 1n }));

/** As they are on the other side. */
function move(...files: OpenFile[]): OpenFile[] {
  const tree: MovedTree = {
    table,
    fileSystems: [],
    movedNode: () => undefined,
    openHost: () => expect.fail("no file of the host"),
    pipes: new Map(),
  };
  const described = structuredClone(files.map((file) => describeFile(file, table)!));
  return described.map((file) => openMoved(file, tree));
}

test.each([
  { what: "nothing in it", filled: 0, taken: 0 },
  { what: "some bytes, across the end of what it has", filled: PIPE_BYTES_MAX, taken: 40_000 },
  { what: "full", filled: PIPE_BYTES_MAX, taken: 0 },
])("$what: what comes out is what would have", ({ filled, taken }) => {
  const { reader, writer } = openOwnPipe();
  writer.write(new Uint8Array(filled).fill(1));
  reader.read(new Uint8Array(taken));
  const again = Uint8Array.from({ length: taken }, (_, index) => index % 251);
  writer.write(again);
  // In either order.
  const [movedWriter, movedReader] = move(writer, reader) as [OpenFile, OpenFile];
  const bytes = new Uint8Array(PIPE_BYTES_MAX + 1);
  expect(movedReader.readableBytes()).toBe(filled);
  const count = movedReader.read(bytes);
  expect(count).toBe(filled === 0 ? -Errno.EAGAIN : filled);
  if (taken > 0) expect(bytes.subarray(filled - taken, filled)).toEqual(again);
  expect(movedWriter.write(Uint8Array.of(7))).toBe(1);
  expect(movedReader.read(bytes)).toBe(1);
  movedWriter.close();
  expect(movedReader.read(bytes)).toBe(0);
});

test("an end whose other end is closed knows it there, too", () => {
  const first = openPipe();
  first.writer.write(Uint8Array.of(1, 2));
  first.writer.close();
  const second = openPipe();
  second.reader.close();
  const [reader, writer] = move(first.reader, second.writer) as [OpenFile, OpenFile];
  expect(reader.read(new Uint8Array(9))).toBe(2);
  expect(reader.read(new Uint8Array(9))).toBe(0);
  expect(writer.write(Uint8Array.of(1))).toBe(-Errno.EPIPE);
});

test("two pipes stay two", () => {
  const [first, second] = [openPipe(), openPipe()];
  first.writer.write(Uint8Array.of(1));
  second.writer.write(Uint8Array.of(2));
  const [one, two] = move(first.reader, second.reader, first.writer, second.writer) as [OpenFile, OpenFile];
  const bytes = new Uint8Array(2);
  expect(two.read(bytes)).toBe(1);
  expect(bytes[0]).toBe(2);
  expect(one.read(bytes)).toBe(1);
  expect(bytes[0]).toBe(1);
});
