import { describe, expect, test } from "vitest";
import type { ByteSource } from "../../../../runtime/core/kernel/stream.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { FdFlags } from "../../../../shim/abi/flags.ts";
import { RIGHTS_ALL, Rights } from "../../../../shim/abi/rights.ts";
import { GATHER_BYTES_MAX, IOVECS_MAX } from "../../../../shim/limits.ts";
import { START_NS, TestGuest, type TestGuestOptions } from "../test-guest.ts";

const PATH = 8;
const OUT = 256;
const IOVECS = 512;
const DATA = 16_384;
const END = 2 * 65_536;
const ALL = BigInt(RIGHTS_ALL);
const PREOPEN = 3;
const FILE = 4;

const CREATE = 1;
const DIRECTORY = 2;

function open(guest: TestGuest, path: string, openFlags: number, rights = ALL, fdFlags = 0): number {
  const size = guest.put(PATH, path);
  const errno = guest.call("path_open", PREOPEN, 1, PATH, size, openFlags, rights, 0n, fdFlags, OUT);
  return errno === 0 ? guest.u32(OUT) : -errno;
}

/** A guest with "file" open as `FILE`, holding this. */
function withFile(content = "", options: TestGuestOptions = {}): TestGuest {
  const guest = new TestGuest(options);
  expect(open(guest, "file", CREATE)).toBe(FILE);
  if (content !== "") expect(write(guest, FILE, [content])).toEqual({ errno: 0, count: content.length });
  expect(guest.call("fd_seek", FILE, 0n, 0, OUT)).toBe(0);
  return guest;
}

function write(guest: TestGuest, fd: number, pieces: readonly string[]) {
  let at = DATA;
  guest.iovecs(
    IOVECS,
    pieces.map((piece) => {
      const size = guest.put(at, piece);
      at += size;
      return [at - size, size] as const;
    }),
  );
  const errno = guest.call("fd_write", fd, IOVECS, pieces.length, OUT);
  return { errno, count: guest.u32(OUT) };
}

function read(guest: TestGuest, fd: number, sizes: readonly number[], name = "fd_read", ...offset: bigint[]) {
  let at = DATA;
  guest.bytes.fill(0x2e, DATA, DATA + 4096);
  guest.iovecs(
    IOVECS,
    sizes.map((size) => {
      at += size;
      return [at - size, size] as const;
    }),
  );
  guest.view.setUint32(OUT, 0xffff_ffff, true);
  const errno = guest.call(name, fd, IOVECS, sizes.length, ...offset, OUT);
  return errno === 0 ? guest.text(DATA, guest.u32(OUT)) : errno;
}

/** A pipe that gives its pieces one at a time, and has to be waited for after each. */
class Pieces implements ByteSource {
  readonly #pieces: string[];
  waits = 0;
  constructor(pieces: string[]) {
    this.#pieces = pieces;
  }
  read(target: Uint8Array): number {
    const piece = this.#pieces[0];
    if (piece === undefined) {
      this.waits++;
      return 0;
    }
    const { written } = new TextEncoder().encodeInto(piece, target);
    this.#pieces[0] = piece.slice(written);
    if (this.#pieces[0] === "") this.#pieces.splice(0, 1, "wait");
    return written;
  }
  available(): number {
    return this.#pieces[0] === "wait" ? 0 : (this.#pieces[0]?.length ?? 0);
  }
  ended(): boolean {
    return false;
  }
}

describe("reading", () => {
  test.each([
    { name: "into one buffer", sizes: [4], read: "cont" },
    { name: "into several, in order", sizes: [2, 3, 2], read: "content" },
    { name: "past empty ones", sizes: [0, 3, 0, 9], read: "content" },
    { name: "stops at the end of the file", sizes: [5, 5, 5], read: "content" },
    { name: "into nothing", sizes: [], read: "" },
    { name: "into an empty one", sizes: [0], read: "" },
    { name: "into two empty ones", sizes: [0, 0], read: "" },
  ])("$name", ({ sizes, read: expected }) => {
    const guest = withFile("content");
    expect(read(guest, FILE, sizes)).toBe(expected);
    expect(guest.call("fd_tell", FILE, OUT)).toBe(0);
    expect(guest.u64(OUT)).toBe(BigInt(expected.length));
    expect(guest.bytes[DATA + expected.length]).toBe(0x2e); // nothing behind it
  });

  test.each([
    { offset: 0n, read: "cont" },
    { offset: 5n, read: "nt" },
    { offset: 7n, read: "" },
    { offset: 2n ** 53n, read: "" },
    { offset: 2n ** 63n - 1n, read: "" },
    { offset: -1n, read: Errno.EINVAL }, // 2^64 - 1
  ])("at $offset: $read", ({ offset, read: expected }) => {
    const guest = withFile("content");
    expect(read(guest, FILE, [4], "fd_pread", offset)).toBe(expected);
    expect(read(guest, FILE, [1, 3], "fd_pread", offset)).toBe(expected);
    expect(guest.call("fd_tell", FILE, OUT)).toBe(0);
    expect(guest.u64(OUT)).toBe(0n);
  });

  test("a pipe is not waited for once it has given something", () => {
    const stdin = new Pieces(["abcd"]);
    const guest = new TestGuest({ stdin });
    expect(read(guest, 0, [2, 2, 8])).toBe("abcd");
    expect(stdin.waits).toBe(0);
  });

  test.each([
    { name: "a directory", fd: PREOPEN, call: "fd_read", errno: Errno.EISDIR },
    { name: "a directory", fd: PREOPEN, call: "fd_pread", errno: Errno.EISDIR },
    { name: "standard output", fd: 1, call: "fd_read", errno: Errno.EBADF },
    { name: "standard input", fd: 0, call: "fd_pread", errno: Errno.ESPIPE },
    { name: "nothing", fd: 9, call: "fd_read", errno: Errno.EBADF },
    { name: "nothing", fd: -1, call: "fd_pread", errno: Errno.EBADF },
  ])("$call of $name", ({ fd, call, errno }) => {
    expect(read(withFile(), fd, [4], call, ...(call === "fd_pread" ? [0n] : []))).toBe(errno);
  });

  test("what was opened for writing only is EBADF, and the other way round", () => {
    const guest = new TestGuest();
    const writer = open(guest, "file", CREATE, BigInt(Rights.FD_WRITE));
    const reader = open(guest, "file", 0, BigInt(Rights.FD_READ));
    const neither = open(guest, "file", 0, 0n);
    expect(read(guest, writer, [4])).toBe(Errno.EBADF);
    expect(write(guest, reader, ["x"]).errno).toBe(Errno.EBADF);
    expect(read(guest, neither, [4])).toBe(Errno.EBADF);
    expect(write(guest, neither, ["x"]).errno).toBe(Errno.EBADF);
    expect(guest.call("fd_filestat_set_size", reader, 0n)).toBe(Errno.EINVAL); // ftruncate(2)
    expect(guest.call("fd_allocate", reader, 0n, 1n)).toBe(Errno.EBADF);
  });
});

describe("buffers", () => {
  const cases = [
    { name: "as many as there may be", count: IOVECS_MAX, errno: 0 },
    { name: "one too many", count: IOVECS_MAX + 1, errno: Errno.EINVAL },
    { name: "2^32 - 1", count: -1, errno: Errno.EINVAL },
  ];
  test.each(cases)("$name", ({ count, errno }) => {
    const guest = withFile("content");
    guest.bytes.fill(0, DATA, END);
    for (const name of ["fd_read", "fd_write"]) {
      expect(guest.call(name, FILE, DATA, count, OUT), name).toBe(errno);
    }
  });

  test.each([
    {
      name: "the last one leaves memory",
      buffers: [
        [DATA, 2],
        [END - 1, 2],
      ],
      errno: Errno.EFAULT,
    },
    {
      name: "one ends with memory",
      buffers: [
        [DATA, 2],
        [END - 2, 2],
      ],
      errno: 0,
    },
    {
      name: "an empty one is outside",
      buffers: [
        [DATA, 2],
        [END + 1, 0],
      ],
      errno: Errno.EFAULT,
    },
    {
      name: "one is near 4 GiB",
      buffers: [
        [DATA, 2],
        [0xffff_fffe, 4],
      ],
      errno: Errno.EFAULT,
    },
    {
      name: "one has all of 32 bits",
      buffers: [
        [DATA, 2],
        [0, 0xffff_ffff],
      ],
      errno: Errno.EFAULT,
    },
  ] as { name: string; buffers: [number, number][]; errno: number }[])(
    "$name: $errno, and no byte moves before it is known",
    ({ buffers, errno }) => {
      for (const name of ["fd_read", "fd_write"]) {
        const guest = withFile("content");
        guest.bytes.fill(0x2e, DATA, DATA + 8);
        guest.iovecs(IOVECS, buffers);
        expect(guest.call(name, FILE, IOVECS, 2, OUT), name).toBe(errno);
        expect(guest.call("fd_tell", FILE, OUT)).toBe(0);
        expect(guest.u64(OUT), name).toBe(errno === 0 ? 4n : 0n);
        if (name === "fd_read") expect(guest.text(DATA, 2)).toBe(errno === 0 ? "co" : "..");
      }
    },
  );

  test("more than a u32 can count is EINVAL", () => {
    const guest = withFile("content", { memory: new WebAssembly.Memory({ initial: 1024 }) });
    const buffers = Array.from({ length: 64 }, () => [0, 1024 * 65_536] as const); // 4 GiB, and then some
    guest.iovecs(DATA, [...buffers, [0, 1]]);
    expect(guest.call("fd_read", FILE, DATA, 64, OUT)).toBe(Errno.EINVAL);
    expect(guest.call("fd_write", FILE, DATA, 64, OUT)).toBe(Errno.EINVAL);
    expect(guest.call("fd_read", FILE, DATA, 63, OUT)).toBe(0);
  });
});

describe("writing", () => {
  test.each([
    { name: "one buffer", pieces: ["hello"], writes: ["hello"] },
    { name: "several go out in one piece", pieces: ["hel", "", "lo", "\n"], writes: ["hello\n"] },
    { name: "one of several that has it all", pieces: ["", "hello", ""], writes: ["hello"] },
    { name: "nothing", pieces: [], writes: [] },
    { name: "an empty one", pieces: [""], writes: [] },
  ])("$name", ({ pieces, writes }) => {
    const guest = new TestGuest();
    expect(write(guest, 1, pieces)).toEqual({ errno: 0, count: writes.join("").length });
    expect(guest.stdout.writes.map((bytes) => Buffer.from(bytes).toString())).toEqual(writes);
  });

  test.each([
    { name: "all that is gathered", sizes: [GATHER_BYTES_MAX - 1, 1], writes: [GATHER_BYTES_MAX] },
    { name: "a byte more goes out one by one", sizes: [GATHER_BYTES_MAX, 1], writes: [GATHER_BYTES_MAX, 1] },
  ])("$name", ({ sizes, writes }) => {
    const guest = new TestGuest({ memory: new WebAssembly.Memory({ initial: 4 }) });
    guest.iovecs(
      IOVECS,
      sizes.map((size) => [DATA, size] as const),
    );
    expect(guest.call("fd_write", 1, IOVECS, sizes.length, OUT)).toBe(0);
    expect(guest.u32(OUT)).toBe(sizes[0]! + sizes[1]!);
    expect(guest.stdout.writes.map((bytes) => bytes.length)).toEqual(writes);
  });

  test.each([
    { offset: 2n, errno: 0, content: "coXYent" },
    { offset: 7n, errno: 0, content: "contentXY" },
    { offset: 9n, errno: 0, content: "content\0\0XY" },
    { offset: -1n, errno: Errno.EINVAL, content: "content" },
    { offset: 2n ** 53n, errno: Errno.EFBIG, content: "content" },
  ])("at $offset", ({ offset, errno, content }) => {
    const guest = withFile("content");
    guest.put(DATA, "XY");
    guest.iovecs(IOVECS, [
      [DATA, 1],
      [DATA + 1, 1],
    ]);
    expect(guest.call("fd_pwrite", FILE, IOVECS, 2, offset, OUT)).toBe(errno);
    expect(read(guest, FILE, [64])).toBe(content);
  });

  test("a descriptor with SYNC syncs what it has written", () => {
    const guest = new TestGuest();
    const synced: boolean[] = [];
    for (const flags of [0, FdFlags.DSYNC, FdFlags.SYNC, FdFlags.RSYNC, FdFlags.DSYNC | FdFlags.SYNC]) {
      const fd = open(guest, "file", CREATE, ALL, flags);
      const file = guest.guest.descriptors.get(fd)!.file;
      file.sync = (dataOnly) => synced.push(dataOnly) * 0;
      expect(write(guest, fd, ["x"]).errno).toBe(0);
    }
    expect(synced).toEqual([true, false, false]);
  });

  test.each([
    { name: "a directory", fd: PREOPEN, errno: Errno.EBADF },
    { name: "standard input", fd: 0, errno: Errno.EBADF },
    { name: "nothing", fd: 9, errno: Errno.EBADF },
  ])("to $name is $errno", ({ fd, errno }) => {
    expect(write(new TestGuest(), fd, ["x"]).errno).toBe(errno);
  });
});

test("what is read from regular files and written to them is told, each call once, when its answer is there", () => {
  const told: [way: string, bytes: number, answer: number][] = [];
  const tell = (way: string) => (bytes: number) => void told.push([way, bytes, guest.u32(OUT)]);
  const guest = new TestGuest({ fileTraffic: { read: tell("read"), wrote: tell("wrote") } });
  expect(open(guest, "file", CREATE)).toBe(FILE);
  write(guest, FILE, ["one", "", "more"]);
  write(guest, FILE, [""]);
  write(guest, 1, ["standard output"]);
  guest.iovecs(IOVECS, [[DATA, 2]]);
  guest.call("fd_pwrite", FILE, IOVECS, 1, 100n, OUT);
  read(guest, FILE, [1], "fd_pread", 0n);
  read(guest, FILE, [50, 60]);
  read(guest, FILE, [50]);
  read(guest, 0, [4]);
  write(guest, PREOPEN, ["a directory"]);
  expect(told).toEqual([
    ["wrote", 7, 7],
    ["wrote", 2, 2],
    ["read", 1, 1],
    ["read", 95, 95],
  ]);
});

describe("seeking", () => {
  test.each([
    { offset: 3n, whence: 0, unstable: 2, errno: 0, position: 3n },
    { offset: 3n, whence: 1, unstable: 0, errno: 0, position: 5n },
    { offset: -3n, whence: 2, unstable: 1, errno: 0, position: 4n },
    { offset: 100n, whence: 0, unstable: 2, errno: 0, position: 100n },
    { offset: -1n, whence: 0, unstable: 2, errno: Errno.EINVAL, position: 2n },
    { offset: -3n, whence: 1, unstable: 0, errno: Errno.EINVAL, position: 2n },
    { offset: 2n ** 53n, whence: 0, unstable: 2, errno: Errno.EOVERFLOW, position: 2n },
    { offset: 2n ** 53n - 1n, whence: 1, unstable: 0, errno: Errno.EOVERFLOW, position: 2n },
    { offset: -(2n ** 63n), whence: 2, unstable: 1, errno: Errno.EINVAL, position: 2n },
    { offset: 0n, whence: 3, unstable: 3, errno: Errno.EINVAL, position: 2n },
    { offset: 0n, whence: -1, unstable: -1, errno: Errno.EINVAL, position: 2n },
  ])("$offset from $whence", ({ offset, whence, unstable, errno, position }) => {
    for (const [functions, value] of [
      ["preview1", whence],
      ["unstable", unstable],
    ] as const) {
      const guest = withFile("content");
      expect(guest.call("fd_seek", FILE, 2n, 0, OUT)).toBe(0);
      expect(guest[functions].fd_seek!(FILE, offset, value, OUT)).toBe(errno);
      if (errno === 0) expect(guest.u64(OUT)).toBe(position);
      expect(guest.call("fd_tell", FILE, OUT)).toBe(0);
      expect(guest.u64(OUT)).toBe(position);
    }
  });

  test.each([
    { name: "standard input", fd: 0, errno: Errno.ESPIPE },
    { name: "a directory", fd: PREOPEN, errno: Errno.EISDIR },
    { name: "nothing", fd: 9, errno: Errno.EBADF },
  ])("$name: $errno", ({ fd, errno }) => {
    const guest = new TestGuest();
    for (const whence of [0, 1, 2]) expect(guest.call("fd_seek", fd, 0n, whence, OUT)).toBe(errno);
    expect(guest.call("fd_tell", fd, OUT)).toBe(errno);
  });

  test("with FD_TELL alone a position can be asked for, not changed", () => {
    const guest = withFile("content");
    expect(guest.call("fd_fdstat_set_rights", FILE, BigInt(Rights.FD_TELL), 0n)).toBe(0);
    expect(guest.call("fd_tell", FILE, OUT)).toBe(0);
    expect(guest.call("fd_seek", FILE, 0n, 1, OUT)).toBe(0);
    expect(guest.call("fd_seek", FILE, 1n, 1, OUT)).toBe(Errno.ENOTCAPABLE);
    expect(guest.call("fd_seek", FILE, 0n, 0, OUT)).toBe(Errno.ENOTCAPABLE);
  });
});

describe("size", () => {
  test.each([
    { size: 3n, errno: 0, content: "con" },
    { size: 9n, errno: 0, content: "content\0\0" },
    { size: 2n ** 53n, errno: Errno.EFBIG, content: "content" },
    { size: -1n, errno: Errno.EINVAL, content: "content" },
  ])("set to $size", ({ size, errno, content }) => {
    const guest = withFile("content");
    expect(guest.call("fd_filestat_set_size", FILE, size)).toBe(errno);
    expect(read(guest, FILE, [64])).toBe(content);
  });

  test.each([
    { offset: 0n, length: 9n, errno: 0, size: 9n },
    { offset: 2n, length: 2n, errno: 0, size: 7n },
    { offset: 7n, length: 1n, errno: 0, size: 8n },
    { offset: 0n, length: 0n, errno: Errno.EINVAL, size: 7n },
    { offset: -1n, length: 1n, errno: Errno.EINVAL, size: 7n },
    { offset: 1n, length: -1n, errno: Errno.EINVAL, size: 7n },
    { offset: 2n ** 53n - 1n, length: 1n, errno: Errno.EFBIG, size: 7n },
    { offset: 2n ** 63n - 1n, length: 2n ** 63n - 1n, errno: Errno.EFBIG, size: 7n },
  ])("allocated: $length at $offset", ({ offset, length, errno, size }) => {
    const guest = withFile("content");
    expect(guest.call("fd_allocate", FILE, offset, length)).toBe(errno);
    expect(guest.call("fd_filestat_get", FILE, OUT)).toBe(0);
    expect(guest.u64(OUT + 32)).toBe(size);
  });

  test.each([
    { fd: 1, errno: Errno.ESPIPE },
    { fd: PREOPEN, errno: Errno.EBADF },
    { fd: 9, errno: Errno.EBADF },
  ])("of descriptor $fd", ({ fd, errno }) => {
    expect(new TestGuest().call("fd_allocate", fd, 0n, 1n)).toBe(errno);
  });
});

test.each([
  { fd: FILE, offset: 0n, length: 0n, advice: 5, errno: 0 },
  { fd: FILE, offset: 2n ** 63n - 1n, length: 1n, advice: 0, errno: 0 },
  { fd: FILE, offset: -1n, length: 1n, advice: 0, errno: Errno.EINVAL },
  { fd: FILE, offset: 0n, length: -1n, advice: 0, errno: Errno.EINVAL },
  { fd: FILE, offset: 0n, length: 1n, advice: 6, errno: Errno.EINVAL },
  { fd: 0, offset: 0n, length: 1n, advice: 0, errno: Errno.ESPIPE },
  { fd: PREOPEN, offset: 0n, length: 1n, advice: 0, errno: Errno.EBADF },
  { fd: 9, offset: 0n, length: 1n, advice: 0, errno: Errno.EBADF },
])("fd_advise($fd, $offset, $length, $advice) is $errno", ({ fd, offset, length, advice, errno }) => {
  expect(withFile().call("fd_advise", fd, offset, length, advice)).toBe(errno);
});

describe("status", () => {
  test("of a file, a directory and a stream", () => {
    const guest = withFile();
    const types = [0, PREOPEN, FILE].map((fd) => {
      guest.bytes.fill(0xaa, OUT, OUT + 32);
      expect(guest.call("fd_fdstat_get", fd, OUT)).toBe(0);
      expect([OUT + 1, OUT + 4, OUT + 5, OUT + 6, OUT + 7].map((at) => guest.bytes[at])).toEqual([
        0, 0, 0, 0, 0,
      ]);
      expect(guest.bytes[OUT + 24]).toBe(0xaa);
      return guest.bytes[OUT];
    });
    expect(types).toEqual([FileType.unknown, FileType.directory, FileType.regularFile]);
  });

  test("flags are kept, and change how it writes", () => {
    const guest = withFile("content");
    const all = FdFlags.APPEND | FdFlags.DSYNC | FdFlags.NONBLOCK | FdFlags.RSYNC | FdFlags.SYNC;
    expect(guest.call("fd_fdstat_set_flags", FILE, all)).toBe(0);
    expect(guest.call("fd_fdstat_get", FILE, OUT)).toBe(0);
    expect(guest.view.getUint16(OUT + 2, true)).toBe(all);
    expect(guest.call("fd_fdstat_set_flags", FILE, 32)).toBe(Errno.EINVAL);
    expect(guest.call("fd_fdstat_set_flags", FILE, 0x1_0000)).toBe(Errno.EINVAL);
    write(guest, FILE, ["!"]);
    expect(guest.call("fd_fdstat_set_flags", FILE, 0)).toBe(0);
    expect(guest.call("fd_seek", FILE, 0n, 0, OUT)).toBe(0);
    write(guest, FILE, ["C"]);
    expect(guest.call("fd_seek", FILE, 0n, 0, OUT)).toBe(0);
    expect(read(guest, FILE, [64])).toBe("Content!");
  });

  test("rights can be given away, and not come back", () => {
    const guest = withFile("content");
    const rights = () => {
      expect(guest.call("fd_fdstat_get", FILE, OUT)).toBe(0);
      return [guest.u64(OUT + 8), guest.u64(OUT + 16)] as const;
    };
    const [base, inheriting] = rights();
    const less = base & ~BigInt(Rights.FD_READ | Rights.FD_FILESTAT_GET);
    expect(guest.call("fd_fdstat_set_rights", FILE, less, 0n)).toBe(0);
    expect(rights()).toEqual([less, 0n]);
    expect(read(guest, FILE, [4])).toBe(Errno.EBADF);
    expect(guest.call("fd_filestat_get", FILE, OUT)).toBe(Errno.ENOTCAPABLE);
    for (const [more, inherited] of [
      [base, 0n],
      [less, inheriting],
      [-1n, 0n],
      [less | (1n << 30n), 0n],
    ] as const) {
      expect(guest.call("fd_fdstat_set_rights", FILE, more, inherited)).toBe(Errno.ENOTCAPABLE);
    }
    expect(rights()).toEqual([less, 0n]);
  });

  test("a descriptor that isn't open has none", () => {
    const guest = new TestGuest();
    for (const name of ["fd_fdstat_get", "fd_filestat_get", "fd_prestat_get"]) {
      expect(guest.call(name, 9, OUT)).toBe(Errno.EBADF);
    }
    for (const name of ["fd_sync", "fd_datasync", "fd_close"]) expect(guest.call(name, 9)).toBe(Errno.EBADF);
    expect(guest.call("fd_fdstat_set_flags", 9, 0)).toBe(Errno.EBADF);
    expect(guest.call("fd_fdstat_set_rights", 9, 0n, 0n)).toBe(Errno.EBADF);
    expect(guest.call("fd_filestat_set_times", 9, 0n, 0n, 0)).toBe(Errno.EBADF);
  });
});

describe("filestat", () => {
  test.each([
    { functions: "preview1", size: 64, at: { nlink: 24, size: 32, mtim: 48 } },
    { functions: "unstable", size: 56, at: { nlink: 20, size: 24, mtim: 40 } },
  ] as const)("$functions: exactly $size bytes, padding zeroed", ({ functions, size, at }) => {
    const guest = withFile("content");
    guest.bytes.fill(0xaa, OUT - 8, OUT + 80);
    expect(guest[functions].fd_filestat_get!(FILE, OUT)).toBe(0);
    expect(guest.bytes[OUT - 1]).toBe(0xaa);
    expect(guest.bytes[OUT + size]).toBe(0xaa);
    expect(guest.bytes.slice(OUT, OUT + size).includes(0xaa)).toBe(false);
    expect(guest.bytes[OUT + 16]).toBe(FileType.regularFile);
    expect(guest.u32(OUT + at.nlink)).toBe(1);
    expect(guest.u64(OUT + at.size)).toBe(7n);
    expect(guest.u64(OUT + at.mtim)).toBe(START_NS);
  });

  test.each([
    { name: "neither", flags: 0, atim: START_NS, mtim: START_NS },
    { name: "both, to a time", flags: 1 | 4, atim: 123n, mtim: 456n },
    { name: "both, to now", flags: 2 | 8, atim: START_NS + 9n, mtim: START_NS + 9n },
    { name: "one each", flags: 1 | 8, atim: 123n, mtim: START_NS + 9n },
    { name: "access alone", flags: 1, atim: 123n, mtim: START_NS },
  ])("sets times: $name", ({ flags, atim, mtim }) => {
    const guest = withFile();
    guest.time.pass(9n);
    expect(guest.call("fd_filestat_set_times", FILE, 123n, 456n, flags)).toBe(0);
    expect(guest.call("fd_filestat_get", FILE, OUT)).toBe(0);
    expect([guest.u64(OUT + 40), guest.u64(OUT + 48)]).toEqual([atim, mtim]);
  });

  test.each([3, 12, 15, 16, 0x1_0000])("flags %d contradict each other or aren't known", (flags) => {
    expect(withFile().call("fd_filestat_set_times", FILE, 1n, 2n, flags)).toBe(Errno.EINVAL);
  });

  test("times before 1970 are shown as its beginning", () => {
    const guest = withFile();
    const { file } = guest.guest.descriptors.get(FILE)!;
    expect(file.setTimes({ kind: "set", ns: -5_000_000_000n }, { kind: "set", ns: -1n })).toBe(0);
    expect(guest.call("fd_filestat_get", FILE, OUT)).toBe(0);
    expect([guest.u64(OUT + 40), guest.u64(OUT + 48)]).toEqual([0n, 0n]);
  });
});

describe("preopens", () => {
  const guest = new TestGuest({
    preopens: [
      ["/", "/"],
      ["ä/data", "/"],
    ],
  });

  test.each([
    { fd: 3, size: 1 },
    { fd: 4, size: 7 },
  ])("$fd has a name of $size bytes", ({ fd, size }) => {
    guest.bytes.fill(0xaa, OUT, OUT + 64);
    expect(guest.call("fd_prestat_get", fd, OUT)).toBe(0);
    expect([...guest.bytes.slice(OUT, OUT + 9)]).toEqual([0, 0, 0, 0, size, 0, 0, 0, 0xaa]);
  });

  test.each([
    { size: 6, errno: Errno.ENAMETOOLONG, name: "" },
    { size: 7, errno: 0, name: "ä/data" },
    { size: 9, errno: 0, name: "ä/data" },
  ])("$size bytes of room for a name of 7", ({ size, errno, name }) => {
    guest.bytes.fill(0, OUT, OUT + 64);
    expect(guest.call("fd_prestat_dir_name", 4, OUT, size)).toBe(errno);
    expect(guest.text(OUT, 7).replace(/\0+$/, "")).toBe(name);
  });

  test.each([0, 5, -1])("%d is none: EBADF ends the search of programs", (fd) => {
    expect(guest.call("fd_prestat_get", fd, OUT)).toBe(Errno.EBADF);
    expect(guest.call("fd_prestat_dir_name", fd, OUT, 64)).toBe(Errno.EBADF);
  });

  test("a directory opened by the program is none, nor a preopen once it is closed", () => {
    const other = new TestGuest();
    expect(open(other, ".", DIRECTORY, BigInt(Rights.FD_READDIR))).toBe(4);
    expect(other.call("fd_prestat_get", 4, OUT)).toBe(Errno.EBADF);
    expect(other.call("fd_close", 3)).toBe(0);
    expect(other.call("fd_prestat_get", 3, OUT)).toBe(Errno.EBADF);
  });
});

describe("fd_renumber", () => {
  test("moves a descriptor with all that belongs to it, also over a preopen", () => {
    const guest = withFile("content");
    expect(guest.call("fd_renumber", FILE, PREOPEN)).toBe(0);
    expect(read(guest, PREOPEN, [64])).toBe("content");
    expect(guest.call("fd_prestat_get", PREOPEN, OUT)).toBe(Errno.EBADF);
    expect(guest.call("fd_close", FILE)).toBe(Errno.EBADF);
  });

  test("takes a preopen along", () => {
    const guest = withFile();
    expect(guest.call("fd_renumber", PREOPEN, FILE)).toBe(0);
    expect(guest.call("fd_prestat_get", FILE, OUT)).toBe(0);
  });

  test.each([
    { from: FILE, to: 5, errno: Errno.EBADF },
    { from: 5, to: FILE, errno: Errno.EBADF },
    { from: 5, to: 5, errno: Errno.EBADF },
    { from: FILE, to: -1, errno: Errno.EBADF },
    { from: FILE, to: FILE, errno: 0 },
  ])("$from to $to is $errno, and changes nothing", ({ from, to, errno }) => {
    const guest = withFile("content");
    expect(guest.call("fd_renumber", from, to)).toBe(errno);
    expect(read(guest, FILE, [64])).toBe("content");
  });
});

describe("fd_readdir", () => {
  const NAMES = ["a", "bb", "x".repeat(255), "ä€😀"];

  function directory() {
    const guest = new TestGuest();
    for (const name of NAMES) expect(open(guest, name, CREATE)).toBeGreaterThan(3);
    return guest;
  }

  interface Entry {
    next: bigint;
    type: number;
    name: string;
  }

  /** Reads a directory as a C library does: with a buffer of this size, from the last whole entry on. */
  function list(guest: TestGuest, size: number): Entry[] {
    const entries: Entry[] = [];
    let cookie = 0n;
    for (;;) {
      guest.bytes.fill(0xaa, DATA - 1, DATA + size + 1);
      expect(guest.call("fd_readdir", PREOPEN, DATA, size, cookie, OUT)).toBe(0);
      expect(guest.bytes[DATA - 1]).toBe(0xaa);
      expect(guest.bytes[DATA + size]).toBe(0xaa);
      const used = guest.u32(OUT);
      expect(used).toBeLessThanOrEqual(size);
      let at = DATA;
      while (at + 24 <= DATA + used) {
        const nameSize = guest.u32(at + 16);
        if (at + 24 + nameSize > DATA + used) break;
        expect([...guest.bytes.slice(at + 21, at + 24)]).toEqual([0, 0, 0]);
        cookie = guest.u64(at);
        entries.push({ next: cookie, type: guest.bytes[at + 20]!, name: guest.text(at + 24, nameSize) });
        at += 24 + nameSize;
      }
      if (used < size) return entries;
    }
  }

  test.each([279, 280, 300, 512, 1000, 8192])("with %d bytes: every entry, once", (size) => {
    const entries = list(directory(), size);
    expect(entries.map(({ name }) => name).sort()).toEqual([".", "..", ...NAMES].sort());
    expect(new Set(entries.map(({ next }) => next)).size).toBe(entries.length);
    const types = new Set(entries.slice(2).map(({ type }) => type));
    expect(types).toEqual(new Set([FileType.regularFile]));
  });

  test("every smaller buffer holds the beginning of what a larger one holds", () => {
    const guest = directory();
    expect(guest.call("fd_readdir", PREOPEN, DATA, 8192, 0n, OUT)).toBe(0);
    const whole = guest.bytes.slice(DATA, DATA + guest.u32(OUT));
    for (let size = 0; size <= whole.length; size++) {
      guest.bytes.fill(0xaa, DATA, DATA + 8192);
      expect(guest.call("fd_readdir", PREOPEN, DATA, size, 0n, OUT)).toBe(0);
      expect(guest.u32(OUT)).toBe(size);
      expect(Buffer.compare(guest.bytes.slice(DATA, DATA + size), whole.slice(0, size))).toBe(0);
      expect(guest.bytes[DATA + size]).toBe(0xaa);
    }
  });

  test.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, -1n])(
    "a cookie that was made up, %d: nothing",
    (cookie) => {
      const guest = directory();
      expect(guest.call("fd_readdir", PREOPEN, DATA, 512, cookie, OUT)).toBe(0);
      expect(guest.u32(OUT)).toBe(0);
    },
  );

  test.each([
    { name: "a file", fd: FILE, errno: Errno.ENOTDIR },
    { name: "a stream", fd: 0, errno: Errno.ENOTDIR },
    { name: "nothing", fd: 9, errno: Errno.EBADF },
  ])("$name: $errno", ({ fd, errno }) => {
    expect(withFile().call("fd_readdir", fd, DATA, 512, 0n, OUT)).toBe(errno);
  });
});

test("syncing", () => {
  const guest = withFile();
  for (const name of ["fd_sync", "fd_datasync"]) {
    expect(guest.call(name, FILE)).toBe(0);
    expect(guest.call(name, PREOPEN)).toBe(0);
    expect(guest.call(name, 1)).toBe(Errno.EINVAL); // a pipe
  }
});
