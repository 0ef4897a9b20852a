/** The same system calls under wasmtime and under our shim: errnos and what was written, and where the two differ, why. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Errno } from "../../../shim/abi/errno.ts";
import { createImports } from "../../../shim/imports.ts";
import { python } from "../../fixtures/programs/python-package.ts";
import { runWasmtime } from "../../fixtures/wasmtime.ts";
import { OUT_PTR, type ProbeCall, probeModule } from "./probe.ts";
import { TestGuest } from "./test-guest.ts";

const FETCH_TIMEOUT_MS = 300_000;
const READ = 2n;
const WRITE = 64n;
const U64_MAX = -1n;

interface Compared extends ProbeCall {
  /** What we answer instead, and why. */
  readonly ours?: readonly [errno: number, reason: string];
}

/** Memory from here on is compared at the end: what a call writes there both runtimes have to write alike. */
const KEPT_PTR = 2560;
const kept = (slot: number) => KEPT_PTR + slot * 64;

const IOVEC = 6144; // 4 bytes
const IOVEC_KEPT = 6152; // the same, compared
const IOVEC_HELLO = 6160;
/** Subscriptions of 48 bytes. */
const POLL_NOW = 6400; // monotonic, due at once
const POLL_CPU = 6544; // the process's time
const POLL_CLOSED = 6592; // a descriptor that isn't open
const POLL_FILE = 6640; // a regular file
const data: [number, Uint8Array][] = [
  [IOVEC, words(OUT_PTR + 64, 4)],
  [IOVEC_KEPT, words(kept(0), 4)],
  [IOVEC_HELLO, words(7000, 11)],
  [7000, Buffer.from("hello world")],
  [POLL_NOW, words(11, 22, 0, 0, 1)],
  [POLL_CPU, words(11, 22, 0, 0, 2)],
  [POLL_CLOSED, words(11, 22, 1, 0, 77)],
  [POLL_FILE, words(11, 22, 1, 0, 4)],
];

function words(...values: number[]): Uint8Array {
  return new Uint8Array(new Uint32Array(values).buffer);
}

const open = (
  path: string,
  flags: number,
  rights: bigint,
  more: { lookup?: number; fdFlags?: number; fd?: number } = {},
) => ({
  name: "path_open",
  args: [more.fd ?? 3, more.lookup ?? 0, path, flags, rights, 0n, more.fdFlags ?? 0, OUT_PTR],
});

/** One after the other, on one directory: 3 is the preopen, 4 a file, 5 a directory, 6 a file opened for reading only. */
const CALLS: Compared[] = [
  open("file", 1, READ | WRITE),
  { name: "path_create_directory", args: [3, "directory"] },
  open("directory", 2, READ),
  open("file", 0, READ),
  { name: "path_symlink", args: ["file", 3, "link"] },

  { name: "fd_pwrite", args: [4, IOVEC_HELLO, 1, 0n, kept(1)] },
  { name: "fd_read", args: [4, IOVEC_KEPT, 1, kept(2)] },
  { name: "fd_tell", args: [4, kept(3)] },
  { name: "fd_pread", args: [4, IOVEC_KEPT, 1, 6n, kept(4)] },
  { name: "fd_pread", args: [4, IOVEC, 1, U64_MAX, OUT_PTR] },
  { name: "fd_read", args: [4, 0, 0, kept(5)] },
  { name: "fd_read", args: [5, IOVEC, 1, OUT_PTR], ours: [Errno.EISDIR, "POSIX"] },
  { name: "fd_read", args: [1, IOVEC, 1, OUT_PTR] },
  { name: "fd_read", args: [77, IOVEC, 1, OUT_PTR] },
  { name: "fd_write", args: [6, IOVEC, 1, OUT_PTR] },
  { name: "fd_write", args: [5, IOVEC, 1, OUT_PTR] },
  { name: "fd_write", args: [0, IOVEC, 1, OUT_PTR] },
  { name: "fd_pread", args: [0, IOVEC, 1, 0n, OUT_PTR] },
  { name: "fd_pwrite", args: [4, IOVEC_HELLO, 1, U64_MAX, OUT_PTR] },

  { name: "fd_seek", args: [4, 2n, 0, kept(6)] },
  { name: "fd_seek", args: [4, -1n, 1, kept(7)] },
  { name: "fd_seek", args: [4, 3n, 2, kept(8)] },
  { name: "fd_seek", args: [4, -1n, 0, OUT_PTR] },
  { name: "fd_seek", args: [5, 0n, 0, OUT_PTR], ours: [Errno.EISDIR, "as reading it"] },
  { name: "fd_seek", args: [0, 0n, 0, OUT_PTR] },
  { name: "fd_tell", args: [1, OUT_PTR] },

  { name: "fd_filestat_set_size", args: [4, 5n] },
  { name: "fd_filestat_set_size", args: [4, U64_MAX] },
  { name: "fd_filestat_set_size", args: [6, 5n] },
  { name: "fd_filestat_set_size", args: [5, 5n] },
  { name: "fd_filestat_set_times", args: [4, 5n, 7n, 5] },
  { name: "fd_filestat_set_times", args: [4, 5n, 7n, 3] },
  { name: "fd_filestat_get", args: [4, OUT_PTR] },
  { name: "fd_allocate", args: [4, 0n, 9n], ours: [Errno.ESUCCESS, "it is done"] },
  { name: "fd_advise", args: [4, 0n, 9n, 5] },
  { name: "fd_advise", args: [5, 0n, 9n, 0] },
  { name: "fd_advise", args: [0, 0n, 9n, 0], ours: [Errno.ESPIPE, "POSIX"] },
  { name: "fd_sync", args: [4] },
  { name: "fd_sync", args: [5], ours: [Errno.ESUCCESS, "POSIX: a directory can be synced"] },
  { name: "fd_datasync", args: [6] },
  { name: "fd_fdstat_set_flags", args: [4, 1] },
  { name: "fd_fdstat_set_flags", args: [4, 16], ours: [Errno.ESUCCESS, "it is done"] },
  { name: "fd_fdstat_set_rights", args: [6, 0n, 0n], ours: [Errno.ESUCCESS, "rights can be given away"] },
  { name: "fd_fdstat_get", args: [77, OUT_PTR] },

  { name: "fd_prestat_get", args: [3, kept(9)] },
  { name: "fd_prestat_get", args: [4, OUT_PTR] },
  { name: "fd_prestat_get", args: [0, OUT_PTR] },
  { name: "fd_prestat_dir_name", args: [3, OUT_PTR, 0] },
  { name: "fd_prestat_dir_name", args: [3, kept(10), 1] },
  { name: "fd_prestat_dir_name", args: [4, OUT_PTR, 1], ours: [Errno.EBADF, "as fd_prestat_get"] },
  { name: "fd_readdir", args: [4, OUT_PTR, 64, 0n, OUT_PTR + 128], ours: [Errno.ENOTDIR, "POSIX"] },
  { name: "fd_readdir", args: [5, OUT_PTR, 0, 0n, OUT_PTR + 128] },
  { name: "fd_renumber", args: [6, 77] },
  { name: "fd_renumber", args: [77, 6] },
  { name: "fd_renumber", args: [6, 6] },
  { name: "fd_close", args: [77] },

  open("none", 0, READ),
  open("file", 1 | 4, READ),
  open("file", 2, READ),
  open("x", 1 | 2, READ),
  open("directory", 2, READ | WRITE),
  open("directory", 0, WRITE),
  open("link", 0, READ),
  { ...open("link", 2, READ), ours: [Errno.ENOTDIR, "Linux; POSIX allows both"] },
  open("file/", 0, READ),
  open("", 0, READ),
  open("a\0b", 0, READ),
  open("/file", 0, READ),
  open("../file", 0, READ),
  open("directory/../../x", 0, READ),
  open("n".repeat(256), 0, READ),
  open("file", 0, READ, { fd: 4 }),
  { ...open("file", 0, READ, { fd: 0 }), ours: [Errno.ENOTDIR, "POSIX"] },
  open("file", 0, READ, { fd: 77 }),

  { name: "path_filestat_get", args: [3, 0, "none", OUT_PTR] },
  { name: "path_filestat_get", args: [4, 0, "file", OUT_PTR], ours: [Errno.ENOTDIR, "POSIX"] },
  { name: "path_filestat_set_times", args: [3, 0, "file", 0n, 0n, 12] },
  { name: "path_readlink", args: [3, "link", kept(11), 4, kept(11) + 64] },
  { name: "path_readlink", args: [3, "link", kept(12), 3, kept(12) + 64] },
  { name: "path_readlink", args: [3, "link", OUT_PTR, 0, OUT_PTR + 64] },
  { name: "path_readlink", args: [3, "file", OUT_PTR, 9, OUT_PTR + 64] },
  { name: "path_link", args: [3, 0, "file", 3, "link"] },
  { name: "path_link", args: [3, 1, "link", 3, "hard"], ours: [Errno.ESUCCESS, "linkat(2) follows"] },
  { name: "path_link", args: [3, 0, "directory", 3, "hard2"] },
  { name: "path_rename", args: [3, "none", 3, "x"] },
  { name: "path_rename", args: [3, "directory", 3, "file"] },
  { name: "path_rename", args: [3, "file", 3, "directory"] },
  { name: "path_rename", args: [3, "directory", 3, "directory/x"] },
  { name: "path_symlink", args: ["x", 3, "link"] },
  { name: "path_symlink", args: ["/x", 3, "absolute"] },
  { name: "path_symlink", args: ["", 3, "empty"] },
  { name: "path_unlink_file", args: [3, "directory"] },
  { name: "path_unlink_file", args: [3, "link/"] },
  { name: "path_remove_directory", args: [3, "file"] },
  { name: "path_remove_directory", args: [3, "."] },
  { name: "path_create_directory", args: [3, "file"] },
  { name: "path_create_directory", args: [3, ""] },

  { name: "clock_time_get", args: [2, 0n, OUT_PTR], ours: [Errno.ESUCCESS, "there is such a clock"] },
  { name: "poll_oneoff", args: [0, OUT_PTR, 0, OUT_PTR + 512] },
  { name: "poll_oneoff", args: [POLL_NOW, kept(13), 1, kept(13) + 512] },
  {
    name: "poll_oneoff",
    args: [POLL_CPU, OUT_PTR, 1, OUT_PTR + 512],
    ours: [Errno.ESUCCESS, "an event with an error"],
  },
  {
    name: "poll_oneoff",
    args: [POLL_CLOSED, OUT_PTR, 1, OUT_PTR + 512],
    ours: [Errno.ESUCCESS, "an event with an error, as POLLNVAL"],
  },
  { name: "poll_oneoff", args: [POLL_FILE, OUT_PTR, 1, OUT_PTR + 512] },
  { name: "random_get", args: [OUT_PTR, 0] },
  { name: "sched_yield", args: [] },
  { name: "sock_accept", args: [4, 0, OUT_PTR] },
  { name: "sock_shutdown", args: [4, 3] },
  { name: "sock_shutdown", args: [77, 3] },
  { name: "sock_recv", args: [4, IOVEC, 1, 0, OUT_PTR, OUT_PTR + 8] },
  { name: "sock_send", args: [4, IOVEC, 1, 0, OUT_PTR] },
];

/** wasmtime ends a program for a pointer outside of memory, or a number that no flag or enumeration has: none is here. */
test("answers as wasmtime does, and where not, for a reason", { timeout: FETCH_TIMEOUT_MS }, async ({
  skip,
}) => {
  if (python === undefined) skip("needs python3 with pip, for wasmtime");
  const probe = probeModule(CALLS, data);
  const directory = mkdtempSync(join(tmpdir(), "wpod-probe-"));
  try {
    const module = join(directory, "probe.wasm");
    writeFileSync(module, probe);
    mkdirSync(join(directory, "root"));
    const run = await runWasmtime({ module, argv: ["probe"], directories: { ".": join(directory, "root") } });
    expect(run.trap).toBeNull();
    const theirs = run.stdout;
    const ours = runOurs(probe);
    const expected = CALLS.map((call, index) => {
      const errno = theirs.readUInt32LE(index * 4);
      if (call.ours !== undefined)
        expect(errno, `${told(call)}: no difference any more`).not.toBe(call.ours[0]);
      return `${told(call)}: ${call.ours?.[0] ?? errno}`;
    });
    expect(CALLS.map((call, index) => `${told(call)}: ${ours.readUInt32LE(index * 4)}`)).toEqual(expected);
    expect(ours.subarray(KEPT_PTR)).toEqual(theirs.subarray(KEPT_PTR));
    expect(ours.subarray(KEPT_PTR).some((byte) => byte !== 0)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const told = ({ name, args }: ProbeCall) => `${name}(${args.join(", ").slice(0, 60)})`;

function runOurs(probe: Uint8Array<ArrayBuffer>): Buffer {
  const guest = new TestGuest({ preopens: [[".", "/"]] });
  const module = new WebAssembly.Module(probe);
  const instance = new WebAssembly.Instance(
    module,
    createImports(guest.guest, WebAssembly.Module.imports(module)),
  );
  guest.guest.memory.attach(instance.exports.memory as WebAssembly.Memory);
  (instance.exports._start as () => void)();
  return Buffer.concat(guest.stdout.writes);
}
