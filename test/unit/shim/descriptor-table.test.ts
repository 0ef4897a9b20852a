import { describe, expect, test } from "vitest";
import { StreamFile } from "../../../runtime/core/kernel/stream.ts";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { RIGHTS_ALL, Rights } from "../../../shim/abi/rights.ts";
import { Descriptor, rightsFor } from "../../../shim/descriptor.ts";
import { DescriptorTable } from "../../../shim/descriptor-table.ts";
import { CollectingSink } from "./test-guest.ts";

/** A pipe that says when it was closed. */
class ClosingFile extends StreamFile {
  closeCount = 0;
  constructor() {
    super(1n, { sink: new CollectingSink() });
  }
  override close(): void {
    this.closeCount++;
  }
}

const filled = (count: number, countMax = 8) => {
  const table = new DescriptorTable(countMax);
  const files = Array.from({ length: count }, () => new ClosingFile());
  for (const file of files) table.add(new Descriptor(file, RIGHTS_ALL, 0));
  return { table, files };
};

describe("a table of descriptors", () => {
  test("gives the lowest free number, also below one that was freed", () => {
    const { table } = filled(4);
    table.close(2);
    table.close(0);
    const numbers = [1, 2, 3].map(() => table.add(new Descriptor(new ClosingFile(), 0, 0)));
    expect(numbers).toEqual([0, 2, 4]);
  });

  test.each([
    { count: 7, room: true, number: 7 },
    { count: 8, room: false, number: -Errno.EMFILE },
  ])("of 8, with $count in use: the next is $number", ({ count, room, number }) => {
    const { table } = filled(count);
    expect(table.hasRoom()).toBe(room);
    expect(table.add(new Descriptor(new ClosingFile(), 0, 0))).toBe(number);
  });

  test.each([4, 5, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff])("has nothing at %d", (fd) => {
    const { table } = filled(4);
    expect(table.get(fd)).toBeUndefined();
    expect(table.close(fd)).toBe(Errno.EBADF);
    expect(table.renumber(0, fd)).toBe(Errno.EBADF);
    expect(table.renumber(fd, 0)).toBe(Errno.EBADF);
  });

  test("renumbering closes what was there, and frees the old number", () => {
    const { table, files } = filled(4);
    expect(table.renumber(1, 3)).toBe(Errno.ESUCCESS);
    expect(table.get(3)?.file).toBe(files[1]);
    expect(table.get(1)).toBeUndefined();
    expect(files.map((file) => file.closeCount)).toEqual([0, 0, 0, 1]);
    expect(table.add(new Descriptor(new ClosingFile(), 0, 0))).toBe(1);
  });

  test("renumbering onto itself changes nothing", () => {
    const { table, files } = filled(2);
    expect(table.renumber(1, 1)).toBe(Errno.ESUCCESS);
    expect(table.get(1)?.file).toBe(files[1]);
    expect(files[1]!.closeCount).toBe(0);
  });

  test("a file behind several numbers is closed with the last one", () => {
    const table = new DescriptorTable(8);
    const file = new ClosingFile();
    table.share(file);
    for (let number = 0; number < 3; number++) table.add(new Descriptor(file, RIGHTS_ALL, 0));
    table.close(1);
    table.renumber(2, 0);
    expect(file.closeCount).toBe(0);
    table.close(0);
    expect(file.closeCount).toBe(1);
  });

  test("closes all at the end, once", () => {
    const { table, files } = filled(3);
    table.close(1);
    table.closeAll();
    table.closeAll();
    expect(files.map((file) => file.closeCount)).toEqual([1, 1, 1]);
  });
});

const READ = Rights.FD_READ;
const WRITE = Rights.FD_WRITE;

test.each([
  {
    type: FileType.regularFile,
    read: true,
    write: true,
    has: READ | WRITE | Rights.FD_SEEK | Rights.FD_ALLOCATE,
    lacks: Rights.PATH_OPEN,
  },
  {
    type: FileType.regularFile,
    read: true,
    write: false,
    has: READ | Rights.FD_TELL,
    lacks: WRITE | Rights.FD_ALLOCATE | Rights.FD_FILESTAT_SET_SIZE,
  },
  {
    type: FileType.regularFile,
    read: false,
    write: true,
    has: WRITE | Rights.FD_FILESTAT_SET_SIZE,
    lacks: READ,
  },
  // isatty in wasi-libc: a character device without these two.
  {
    type: FileType.characterDevice,
    read: true,
    write: true,
    has: READ | WRITE,
    lacks: Rights.FD_SEEK | Rights.FD_TELL,
  },
  {
    type: FileType.directory,
    read: true,
    write: true,
    has: Rights.PATH_OPEN | Rights.FD_READDIR,
    lacks: READ | WRITE | Rights.FD_SEEK | Rights.FD_FILESTAT_SET_SIZE,
  },
])("rights of type $type, read $read, write $write", ({ type, read, write, has, lacks }) => {
  const rights = rightsFor(type, read, write);
  expect(rights & has).toBe(has);
  expect(rights & lacks).toBe(0);
});
