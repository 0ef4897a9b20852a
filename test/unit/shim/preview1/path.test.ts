import { describe, expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { RIGHTS_ALL, Rights } from "../../../../shim/abi/rights.ts";
import { START_NS, TestGuest } from "../test-guest.ts";

const PATH = 1024;
const PATH2 = 8192;
const OUT = 256;
const BUFFER = 16_384;
const PREOPEN = 3;

const CREAT = 1;
const DIRECTORY = 2;
const EXCL = 4;
const TRUNC = 8;
const READ = BigInt(Rights.FD_READ);
const WRITE = BigInt(Rights.FD_WRITE);

interface Open {
  path?: string | Uint8Array;
  fd?: number;
  lookup?: number;
  flags?: number;
  rights?: bigint;
  fdFlags?: number;
}

/** A descriptor, or a negative errno. */
function open(guest: TestGuest, asked: Open): number {
  const { path = "file", fd = PREOPEN, lookup = 0, flags = 0, rights = READ, fdFlags = 0 } = asked;
  const bytes = typeof path === "string" ? Buffer.from(path) : path;
  guest.bytes.set(bytes, PATH);
  const errno = guest.call("path_open", fd, lookup, PATH, bytes.length, flags, rights, 0n, fdFlags, OUT);
  return errno === 0 ? guest.u32(OUT) : -errno;
}

/** "file" of 7 bytes, "directory", and "link" to the file. */
function populated(): TestGuest {
  const guest = new TestGuest({ descriptorsMax: 8 });
  const fd = open(guest, { flags: CREAT, rights: READ | WRITE });
  expect(guest.call("fd_filestat_set_size", fd, 7n)).toBe(0);
  expect(guest.call("fd_close", fd)).toBe(0);
  expect(guest.call("path_create_directory", PREOPEN, PATH, guest.put(PATH, "directory"))).toBe(0);
  guest.put(PATH, "file");
  expect(guest.call("path_symlink", PATH, 4, PREOPEN, PATH2, guest.put(PATH2, "link"))).toBe(0);
  return guest;
}

function size(guest: TestGuest, path: string, lookup = 0): bigint | number {
  const errno = guest.call("path_filestat_get", PREOPEN, lookup, PATH, guest.put(PATH, path), OUT);
  return errno === 0 ? guest.u64(OUT + 32) : errno;
}

describe("path_open", () => {
  test.each<Open & { name: string; answer: number }>([
    { name: "a file", answer: 4 },
    { name: "what isn't there", path: "none", answer: -Errno.ENOENT },
    { name: "to create", path: "none", flags: CREAT, answer: 4 },
    { name: "to create what is there", flags: CREAT, answer: 4 },
    { name: "to create it newly", flags: CREAT | EXCL, answer: -Errno.EEXIST },
    { name: "a file as a directory", flags: DIRECTORY, answer: -Errno.ENOTDIR },
    { name: "to create a directory", flags: CREAT | DIRECTORY, answer: -Errno.EINVAL },
    { name: "a directory", path: "directory", flags: DIRECTORY, answer: 4 },
    {
      name: "a directory, to write",
      path: "directory",
      flags: DIRECTORY,
      rights: READ | WRITE,
      answer: -Errno.EISDIR,
    },
    { name: "a directory, to write, not knowing", path: "directory", rights: WRITE, answer: -Errno.EISDIR },
    { name: "a link, followed", path: "link", lookup: 1, answer: 4 },
    { name: "a link, not followed", path: "link", answer: -Errno.ELOOP },
    { name: "a path with a slash behind a file", path: "file/", answer: -Errno.ENOTDIR },
    { name: "an empty path", path: "", answer: -Errno.ENOENT },
    { name: "a NUL", path: "file\0", answer: -Errno.EINVAL },
    { name: "what is no UTF-8", path: Uint8Array.of(0x66, 0xff), answer: -Errno.EILSEQ },
    { name: "no path at all", path: "a".repeat(5000), answer: -Errno.ENAMETOOLONG },
    { name: "with no rights", rights: 0n, answer: 4 },
    { name: "with all rights", rights: -1n, answer: 4 },
    { name: "with unknown lookup flags", lookup: 2, answer: -Errno.EINVAL },
    { name: "with unknown flags", flags: 16, answer: -Errno.EINVAL },
    { name: "with unknown descriptor flags", fdFlags: 32, answer: -Errno.EINVAL },
    { name: "from a stream", fd: 0, answer: -Errno.ENOTDIR },
    { name: "from nowhere", fd: 7, answer: -Errno.EBADF },
  ])("$name", ({ name: _, answer, ...asked }) => {
    expect(open(populated(), asked)).toBe(answer);
  });

  test("truncates", () => {
    const guest = populated();
    expect(open(guest, { flags: TRUNC, rights: WRITE })).toBe(4);
    expect(size(guest, "file")).toBe(0n);
  });

  test("truncates also with no right to write, as wasmtime does", () => {
    const guest = populated();
    expect(open(guest, { flags: TRUNC, rights: 0n })).toBe(4);
    expect(size(guest, "file")).toBe(0n);
  });

  test("appends and doesn't block where asked to", () => {
    const guest = populated();
    const fd = open(guest, { rights: READ | WRITE, fdFlags: 1 | 4 });
    expect(guest.call("fd_fdstat_get", fd, OUT)).toBe(0);
    expect(guest.view.getUint16(OUT + 2, true)).toBe(5);
  });

  test("of a file: no directory", () => {
    const guest = populated();
    const fd = open(guest, {});
    expect(open(guest, { fd })).toBe(-Errno.ENOTDIR);
  });

  test("the last number, and one too many: EMFILE, and nothing is created or truncated", () => {
    const guest = populated();
    for (let fd = 4; fd < 8; fd++) expect(open(guest, {})).toBe(fd);
    expect(open(guest, {})).toBe(-Errno.EMFILE);
    expect(open(guest, { path: "new", flags: CREAT, rights: WRITE })).toBe(-Errno.EMFILE);
    expect(open(guest, { flags: TRUNC, rights: WRITE })).toBe(-Errno.EMFILE);
    expect(size(guest, "new")).toBe(Errno.ENOENT);
    expect(size(guest, "file")).toBe(7n);
    expect(guest.call("fd_close", 5)).toBe(0);
    expect(open(guest, {})).toBe(5);
  });
});

describe("rights of a directory", () => {
  /** A directory without these rights, neither for itself nor to pass on. */
  function without(rights: number, inherited = rights): { guest: TestGuest; fd: number } {
    const guest = populated();
    const fd = open(guest, { path: ".", flags: DIRECTORY });
    expect(guest.call("fd_fdstat_get", fd, OUT)).toBe(0);
    const base = guest.u64(OUT + 8) & ~BigInt(rights);
    const inheriting = guest.u64(OUT + 16) & ~BigInt(inherited);
    expect(guest.call("fd_fdstat_set_rights", fd, base, inheriting)).toBe(0);
    return { guest, fd };
  }

  test.each([
    { right: Rights.PATH_OPEN, asked: {} },
    { right: Rights.PATH_CREATE_FILE, asked: { flags: CREAT } },
    { right: Rights.PATH_FILESTAT_SET_SIZE, asked: { flags: TRUNC, rights: WRITE } },
    { right: Rights.FD_READ, asked: { rights: READ } },
    { right: Rights.FD_WRITE, asked: { rights: READ | WRITE } },
  ])("path_open without right $right", ({ right, asked }) => {
    const { guest, fd } = without(right);
    expect(open(guest, { fd, ...asked })).toBe(-Errno.ENOTCAPABLE);
    expect(size(guest, "file")).toBe(7n);
    const other = without(Rights.PATH_SYMLINK);
    expect(open(other.guest, { fd: other.fd, ...asked })).toBe(5);
  });

  test("what isn't passed on is lacking in what is opened, and below it", () => {
    const { guest, fd } = without(0, Rights.FD_FILESTAT_GET | Rights.PATH_CREATE_DIRECTORY);
    const child = open(guest, {
      fd,
      path: "directory",
      flags: DIRECTORY,
      rights: BigInt(RIGHTS_ALL) & ~WRITE,
    });
    expect(guest.call("fd_filestat_get", child, OUT)).toBe(Errno.ENOTCAPABLE);
    expect(guest.call("path_create_directory", child, PATH, 1)).toBe(Errno.ENOTCAPABLE);
    expect(guest.call("fd_filestat_get", fd, OUT)).toBe(0);
    const grandchild = open(guest, { fd: child, path: ".", flags: DIRECTORY });
    expect(guest.call("fd_filestat_get", grandchild, OUT)).toBe(Errno.ENOTCAPABLE);
  });

  const PATHS: (number | bigint)[] = [PATH, 4];
  test.each([
    { name: "path_create_directory", right: Rights.PATH_CREATE_DIRECTORY, rest: PATHS },
    { name: "path_remove_directory", right: Rights.PATH_REMOVE_DIRECTORY, rest: PATHS },
    { name: "path_unlink_file", right: Rights.PATH_UNLINK_FILE, rest: PATHS },
    { name: "path_filestat_get", right: Rights.PATH_FILESTAT_GET, rest: [0, ...PATHS, OUT] },
    {
      name: "path_filestat_set_times",
      right: Rights.PATH_FILESTAT_SET_TIMES,
      rest: [0, ...PATHS, 0n, 0n, 0],
    },
    { name: "path_readlink", right: Rights.PATH_READLINK, rest: [...PATHS, BUFFER, 64, OUT] },
    { name: "path_rename", right: Rights.PATH_RENAME_SOURCE, rest: [...PATHS, 4, PATH2, 4] },
    { name: "path_rename", right: Rights.PATH_RENAME_TARGET, rest: [...PATHS, 4, PATH2, 4] },
    { name: "path_link", right: Rights.PATH_LINK_SOURCE, rest: [0, ...PATHS, 4, PATH2, 4] },
    { name: "path_link", right: Rights.PATH_LINK_TARGET, rest: [0, ...PATHS, 4, PATH2, 4] },
    { name: "fd_readdir", right: Rights.FD_READDIR, rest: [BUFFER, 64, 0n, OUT] },
  ])("$name without right $right", ({ name, right, rest }) => {
    const { guest, fd } = without(right);
    guest.put(PATH, "file");
    guest.put(PATH2, "none");
    expect(fd).toBe(4);
    expect(guest.call(name, fd, ...rest)).toBe(Errno.ENOTCAPABLE);
    expect(guest.call(name, 0, ...rest)).toBe(Errno.ENOTDIR);
    expect(guest.call(name, 7, ...rest)).toBe(Errno.EBADF);
  });

  test("path_symlink without its right", () => {
    const { guest, fd } = without(Rights.PATH_SYMLINK);
    expect(guest.call("path_symlink", PATH, 4, fd, PATH2, 4)).toBe(Errno.ENOTCAPABLE);
    expect(guest.call("path_symlink", PATH, 4, 0, PATH2, 4)).toBe(Errno.ENOTDIR);
    expect(guest.call("path_symlink", PATH, 4, 7, PATH2, 4)).toBe(Errno.EBADF);
  });
});

describe("path_filestat_get", () => {
  test.each([
    { path: "file", lookup: 0, type: FileType.regularFile },
    { path: "link", lookup: 0, type: FileType.symbolicLink },
    { path: "link", lookup: 1, type: FileType.regularFile },
    { path: "directory", lookup: 0, type: FileType.directory },
  ])("$path, lookup $lookup", ({ path, lookup, type }) => {
    const guest = populated();
    guest.bytes.fill(0xaa, OUT - 1, OUT + 80);
    expect(guest.call("path_filestat_get", PREOPEN, lookup, PATH, guest.put(PATH, path), OUT)).toBe(0);
    expect(guest.bytes[OUT + 16]).toBe(type);
    expect(guest.bytes.slice(OUT, OUT + 64).includes(0xaa)).toBe(false);
    expect([guest.bytes[OUT - 1], guest.bytes[OUT + 64]]).toEqual([0xaa, 0xaa]);
    guest.bytes.fill(0xaa, OUT - 1, OUT + 80);
    expect(guest.unstable.path_filestat_get!(PREOPEN, lookup, PATH, path.length, OUT)).toBe(0);
    expect(guest.bytes[OUT + 16]).toBe(type);
    expect(guest.bytes.slice(OUT, OUT + 56).includes(0xaa)).toBe(false);
    expect(guest.bytes[OUT + 56]).toBe(0xaa);
  });

  test("unknown flags", () => {
    expect(size(populated(), "file", 2)).toBe(Errno.EINVAL);
  });
});

test.each([
  { lookup: 0, path: "link", seen: 0, mtim: 77n },
  { lookup: 1, path: "link", seen: 1, mtim: 77n },
  { lookup: 1, path: "link", seen: 0, mtim: START_NS },
])("path_filestat_set_times of $path, lookup $lookup, seen with $seen", ({ lookup, path, seen, mtim }) => {
  const guest = populated();
  const length = guest.put(PATH, path);
  expect(guest.call("path_filestat_set_times", PREOPEN, lookup, PATH, length, 0n, 77n, 4)).toBe(0);
  expect(guest.call("path_filestat_get", PREOPEN, seen, PATH, length, OUT)).toBe(0);
  expect(guest.u64(OUT + 48)).toBe(mtim);
  expect(guest.call("path_filestat_set_times", PREOPEN, lookup, PATH, length, 0n, 0n, 12)).toBe(Errno.EINVAL);
  expect(guest.call("path_filestat_set_times", PREOPEN, 2, PATH, length, 0n, 0n, 4)).toBe(Errno.EINVAL);
});

describe("path_readlink", () => {
  test.each([
    { target: "file", room: 10, read: "file" },
    { target: "file", room: 4, read: "file" },
    { target: "file", room: 3, read: "fil" },
    { target: "file", room: 0, read: "" },
    { target: "ä", room: 3, read: "ä" },
  ])("of $target into $room bytes", ({ target, room, read }) => {
    const guest = new TestGuest();
    const length = guest.put(PATH, target);
    expect(guest.call("path_symlink", PATH, length, PREOPEN, PATH2, guest.put(PATH2, "link"))).toBe(0);
    guest.bytes.fill(0xaa, BUFFER, BUFFER + 16);
    expect(guest.call("path_readlink", PREOPEN, PATH2, 4, BUFFER, room, OUT)).toBe(0);
    expect(guest.text(BUFFER, guest.u32(OUT))).toBe(read);
    expect(guest.bytes[BUFFER + guest.u32(OUT)]).toBe(0xaa);
  });

  test("a character may be cut: bytes are what is counted", () => {
    const guest = new TestGuest();
    const length = guest.put(PATH, "ä");
    expect(guest.call("path_symlink", PATH, length, PREOPEN, PATH2, guest.put(PATH2, "link"))).toBe(0);
    expect(guest.call("path_readlink", PREOPEN, PATH2, 4, BUFFER, 1, OUT)).toBe(0);
    expect([guest.u32(OUT), guest.bytes[BUFFER]]).toEqual([1, 0xc3]);
  });

  test("of a file is EINVAL", () => {
    const guest = populated();
    expect(guest.call("path_readlink", PREOPEN, PATH, guest.put(PATH, "file"), BUFFER, 9, OUT)).toBe(
      Errno.EINVAL,
    );
  });
});

test("links, renames, removals reach the file system, with both paths", () => {
  const guest = populated();
  const at = (path: string) => [PATH, guest.put(PATH, path)] as const;
  const to = (path: string) => [PATH2, guest.put(PATH2, path)] as const;
  expect(guest.call("path_link", PREOPEN, 0, ...at("file"), PREOPEN, ...to("directory/hard"))).toBe(0);
  expect(guest.call("path_link", PREOPEN, 2, ...at("file"), PREOPEN, ...to("other"))).toBe(Errno.EINVAL);
  expect(guest.call("path_link", PREOPEN, 0, ...at("file"), 0, ...to("other"))).toBe(Errno.ENOTDIR);
  expect(guest.call("path_link", PREOPEN, 0, ...at("file"), 7, ...to("other"))).toBe(Errno.EBADF);
  expect(size(guest, "directory/hard")).toBe(7n);
  expect(guest.call("path_remove_directory", PREOPEN, ...at("directory"))).toBe(Errno.ENOTEMPTY);
  expect(guest.call("path_rename", PREOPEN, ...at("directory/hard"), PREOPEN, ...to("moved"))).toBe(0);
  expect(guest.call("path_rename", PREOPEN, ...at("moved"), 7, ...to("x"))).toBe(Errno.EBADF);
  expect(guest.call("path_unlink_file", PREOPEN, ...at("directory"))).toBe(Errno.EISDIR);
  expect(guest.call("path_remove_directory", PREOPEN, ...at("directory"))).toBe(0);
  expect(guest.call("path_unlink_file", PREOPEN, ...at("moved"))).toBe(0);
  expect(size(guest, "moved")).toBe(Errno.ENOENT);
});
