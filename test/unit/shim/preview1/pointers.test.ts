/**
 * Every function with every kind of pointer, generated from `spec/wasi-preview1/syscalls.json`: it answers an errno and
 * nothing but, never throws, writes nowhere but where it was told to, and makes no host memory grow.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { ProgramEnd } from "../../../../runtime/core/kernel/program-system.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { TestGuest } from "../test-guest.ts";

interface Parameter {
  name: string;
  type: "i32" | "i64";
  is?: string;
  lengthOf?: string;
  pointer?: { role: "in" | "out" | "unused"; bytes?: number; count?: string; of?: string };
}
interface SyscallSpec {
  name: string;
  modules: ("wasi_snapshot_preview1" | "wasi_unstable")[];
  params: Parameter[];
  results: string[];
}

const file = new URL("../../../../spec/wasi-preview1/syscalls.json", import.meta.url);
const spec: SyscallSpec[] = JSON.parse(readFileSync(file, "utf8"));

const LONG = process.env.WPOD_TEST_LONG === "1";
const RUNS = LONG ? 300 : 30;
const PAGES = 2;
const MEMORY_BYTES = PAGES * 65_536;
const ERRNOS = new Set<number>(Object.values(Errno));

/** Where to: inside, at the end, just over it, at 2 GiB, 4 GiB. WebAssembly passes an `i32` as a signed number. */
const pointer = fc
  .oneof(
    { weight: 4, arbitrary: fc.nat(MEMORY_BYTES) },
    { weight: 2, arbitrary: fc.integer({ min: MEMORY_BYTES - 80, max: MEMORY_BYTES + 8 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 0x7fff_ffff, 0x8000_0000, 0xffff_ff00, 0xffff_ffff) },
  )
  .map((value) => value | 0);
const length = fc
  .oneof(
    { weight: 4, arbitrary: fc.nat(64) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 1023, 1024, 1025, 4096, MEMORY_BYTES, 0x1000_0000) },
    { weight: 1, arbitrary: fc.constantFrom(0x1fff_ffff, 0x2000_0000, 0x7fff_ffff, 0xffff_ffff) },
  )
  .map((value) => value | 0);
const descriptor = fc
  .oneof(
    { weight: 6, arbitrary: fc.nat(6) },
    { weight: 1, arbitrary: fc.constantFrom(7, 63, 64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff) },
  )
  .map((value) => value | 0);
const small = fc.oneof(fc.nat(8), fc.constantFrom(31, 255, 65_535, 0x7fff_ffff, -1));
const wide = fc.oneof(
  fc.bigInt(-2n, 300n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), -1n),
);

function argument(parameter: Parameter): fc.Arbitrary<number | bigint> {
  if (parameter.pointer !== undefined) return pointer;
  if (parameter.lengthOf !== undefined) return length;
  if (parameter.is === "fd") return descriptor;
  return parameter.type === "i64" ? wide : small;
}

/** A guest with a file, a directory and streams open, and plausible structs all over its memory. */
function populated(seed: Uint8Array): TestGuest {
  const test = new TestGuest({ args: ["program", "ä"], environ: ["A=1"], stdin: endless });
  const path = test.put(0, "file");
  const options = { read: 2n, write: 64n };
  expect(test.call("path_open", 3, 1, 0, path, 1, options.read | options.write, 0n, 0, 64)).toBe(0);
  test.put(0, "directory");
  expect(test.call("path_create_directory", 3, 0, 9)).toBe(0);
  expect(test.call("path_open", 3, 1, 0, 9, 2, options.read, 0n, 0, 64)).toBe(0);
  for (let at = 0; at < MEMORY_BYTES; at += seed.length) {
    test.bytes.set(seed.subarray(0, Math.min(seed.length, MEMORY_BYTES - at)), at);
  }
  // What would wait for ever is ready at last.
  test.time.whileWaiting = () => test.time.pass(10n ** 30n);
  return test;
}

const endless = { read: (target: Uint8Array) => target.length, available: () => 8, ended: () => false };

/** Words that are pointers, lengths, tags and letters at once. */
const seeds = [
  Uint8Array.from(Buffer.from("file\0\0\0\0directory/../..\0\0")),
  new Uint8Array(8),
  new Uint8Array(8).fill(0xff),
  new Uint8Array(new Uint32Array([64, 8, 0x1fff0, 32, 1, 0, 2, 0]).buffer),
];

/** Ranges that a call may write to, as its parameters describe them; undefined where they don't say. */
function writable(call: SyscallSpec, values: readonly (number | bigint)[], test: TestGuest) {
  const counts: Record<string, number> = {
    "@args": test.guest.args.starts.length,
    "@argsBytes": test.guest.args.bytes.length,
    "@environ": test.guest.environ.starts.length,
    "@environBytes": test.guest.environ.bytes.length,
  };
  const countOf = (name: string) => {
    const index = call.params.findIndex((parameter) => parameter.name === name);
    return index < 0 ? counts[name]! : Number(values[index]) >>> 0;
  };
  const ranges: [number, number][] = [];
  for (const [index, { pointer: role }] of call.params.entries()) {
    if (role === undefined || role.role === "unused") continue;
    const ptr = Number(values[index]) >>> 0;
    const count = role.count === undefined ? 1 : countOf(role.count);
    if (role.role === "out") ranges.push([ptr, ptr + role.bytes! * count]);
    if (role.of !== "iovec" || ptr + count * 8 > MEMORY_BYTES) continue;
    for (let at = ptr; at < ptr + count * 8; at += 8)
      ranges.push([test.u32(at), test.u32(at) + test.u32(at + 4)]);
  }
  return ranges;
}

describe.each(["wasi_snapshot_preview1", "wasi_unstable"] as const)("%s", (module) => {
  test.each(spec.filter(({ modules }) => modules.includes(module)))("$name", (call) => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.tuple(...call.params.map(argument)), (seed, values) => {
        const guest = populated(seed);
        const functions = module === "wasi_unstable" ? guest.unstable : guest.preview1;
        const before = guest.bytes.slice();
        const ranges = writable(call, values, guest);
        let errno: number | undefined;
        try {
          errno = functions[call.name]!(...values);
        } catch (thrown) {
          // The only thing that may be thrown, and only by the function that ends a program.
          if (!(thrown instanceof ProgramEnd) || call.results.length > 0) throw thrown;
        }
        if (call.results.length > 0) expect(ERRNOS).toContain(errno);
        expect(guest.memory.buffer.byteLength).toBe(MEMORY_BYTES);
        const after = guest.bytes;
        if (Buffer.compare(before, after) === 0) return;
        for (const [from, to] of ranges) after.fill(0, from, to);
        for (const [from, to] of ranges) before.fill(0, from, to);
        expect(Buffer.compare(before, after)).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("a call with one pointer that leaves memory has no effect", () => {
  /** Calls that would succeed, and whose success shows in the file system, a position or the table of descriptors. */
  const PATH = 256;
  const OUT = 512;
  const IOVECS = 768;
  const cases: { name: string; values: (number | bigint)[] }[] = [
    { name: "fd_read", values: [4, IOVECS, 2, OUT] },
    { name: "fd_pread", values: [4, IOVECS, 2, 0n, OUT] },
    { name: "fd_write", values: [4, IOVECS, 2, OUT] },
    { name: "fd_pwrite", values: [4, IOVECS, 2, 0n, OUT] },
    { name: "fd_seek", values: [4, 1n, 0, OUT] },
    { name: "fd_readdir", values: [3, 1024, 256, 0n, OUT] },
    { name: "path_open", values: [3, 0, PATH, 3, 1, 2n, 0n, 0, OUT] },
    { name: "path_create_directory", values: [3, PATH, 3] },
    { name: "path_symlink", values: [PATH, 3, 3, PATH, 3] },
    { name: "path_link", values: [3, 0, PATH + 8, 4, 3, PATH, 3] },
    { name: "path_rename", values: [3, PATH + 8, 4, 3, PATH, 3] },
    { name: "path_unlink_file", values: [3, PATH + 8, 4] },
    { name: "path_filestat_set_times", values: [3, 0, PATH + 8, 4, 1n, 1n, 5] },
  ];

  const prepared = () => {
    const guest = new TestGuest();
    guest.put(PATH, "new");
    guest.put(PATH + 8, "file");
    expect(guest.call("path_open", 3, 0, PATH + 8, 4, 1, 66n, 0n, 0, OUT)).toBe(0);
    guest.put(1024, "content!");
    guest.iovecs(IOVECS, [
      [1024, 4],
      [1028, 4],
    ]);
    expect(guest.call("fd_pwrite", 4, IOVECS, 2, 0n, OUT)).toBe(0);
    guest.time.pass(1_000_000_000n);
    return guest;
  };

  /** What a guest can see of it. */
  const state = (guest: TestGuest) => {
    const see = [];
    for (const name of ["fd_tell", "fd_filestat_get"]) {
      expect(guest.call(name, 4, 4096)).toBe(0);
      see.push([...guest.bytes.slice(4096, 4160)]);
    }
    guest.bytes.fill(0, 8192, 12_288);
    expect(guest.call("fd_readdir", 3, 8192, 4096, 0n, 4096)).toBe(0);
    see.push(guest.text(8192, guest.u32(4096)));
    see.push(guest.call("fd_close", 5));
    return see;
  };

  for (const { name, values } of cases) {
    const row = spec.find((call) => call.name === name)!;
    const pointers = row.params.flatMap(({ pointer: role }, index) => (role === undefined ? [] : [index]));
    test.each(pointers)(`${name}: pointer %d`, (index) => {
      const guest = prepared();
      const untouched = state(prepared());
      const wrong = [...values];
      // The first address where not all of it fits.
      const { bytes, count } = row.params[index]!.pointer!;
      const elements =
        count === undefined ? 1 : Number(values[row.params.findIndex((p) => p.name === count)]);
      wrong[index] = MEMORY_BYTES - bytes! * elements + 1;
      expect(guest.call(name, ...wrong)).toBe(Errno.EFAULT);
      expect(state(guest)).toEqual(untouched);
    });

    test(`${name}: with all pointers right it has one`, () => {
      const guest = prepared();
      const before = state(prepared());
      expect(guest.call(name, ...values)).toBe(0);
      if (name === "fd_pread" || name === "fd_readdir" || name === "fd_pwrite") return; // seen in memory alone
      expect(state(guest)).not.toEqual(before);
    });
  }
});

afterAll(() => {
  // Dozens of runs for each of 177 functions: host memory that a guest could make grow would show here.
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(2 ** 30);
});
