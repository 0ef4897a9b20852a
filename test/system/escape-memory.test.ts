/** Programs that try to take memory that isn't counted. What they take is bounded, and never ends the process. */
import { describe, expect, test } from "vitest";
import { call, i32Const, i32Eq, i32WrapI64 } from "../../runtime/core/wasm/assembly.ts";
import { ARRAY_BYTES_MAX } from "../../runtime/core/wasm/interruptible.ts";
import { signed } from "../../runtime/core/wasm/reader.ts";
import type { RunOptions } from "../../runtime/engine/types.ts";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { arrayMaker, GREEDY_INSTANCES, OBJECT_TAKERS, tableGrower } from "../fixtures/heap-takers.ts";
import { buildModule, type Limits } from "../fixtures/module-builder.ts";
import { WebAssembly } from "../fixtures/web-assembly.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const MIB = 1 << 20;
const DROP = 0x1a;
const TIMEOUT_MS = 60_000;
const setUp = engineForFile();
const run = (bytes: Uint8Array, options: RunOptions = {}) =>
  setUp.engine.run({ wasm: bytes, name: "greedy.wasm" }, { timeoutMs: TIMEOUT_MS, ...options });

/** Node 24 lacks the newer exceptions. */
const known = ({ bytes }: { bytes: Uint8Array }) => WebAssembly.validate(bytes);

describe("objects on the heap of a thread", { timeout: 2 * TIMEOUT_MS }, () => {
  test.each(OBJECT_TAKERS.filter(known))("$name, without end: 137, and others go on", async ({ bytes }) => {
    const limits = LONG ? {} : { memoryBytesMax: 32 * MIB };
    expect(await run(bytes, { limits })).toMatchObject({
      exitCode: 137,
      oomKilled: true,
      reason: "out of memory for its objects, files and descriptors",
    });
  });

  test.each([
    { type: 0x78, of: "i8", elementBytes: 1 },
    { type: 0x77, of: "i16", elementBytes: 2 },
    { type: 0x7f, of: "i32", elementBytes: 4 },
    { type: 0x7c, of: "f64", elementBytes: 8 },
    { type: 0x6e, of: "anyref", elementBytes: 8 },
    { type: 0x7b, of: "v128", elementBytes: 16 },
  ])("an array of $of has so many bytes, and not an element more", async ({ type, elementBytes }) => {
    const most = ARRAY_BYTES_MAX / elementBytes;
    expect(await run(arrayMaker(type, most))).toMatchObject({ exitCode: 0 });
    expect(await run(arrayMaker(type, most + 1))).toMatchObject({
      exitCode: 134,
      reason: "trap: requested new array is too large",
    });
  });
});

describe("tables", () => {
  test.each([
    { element: "funcref", by: 10_000 },
    { element: "externref", by: 10_000 },
    { element: "funcref", by: 1 },
  ] as const)("of $element grow by $by until they are refused", async ({ element, by }) => {
    expect(await run(tableGrower(element, by))).toMatchObject({ exitCode: 0 });
  });

  test.each(GREEDY_INSTANCES)("$name: refused before anything is made", async ({ bytes }) => {
    await expect(run(bytes)).rejects.toMatchObject({
      code: "MEMORY_LIMIT",
      message: expect.stringMatching(
        /^the module begins with \d+ bytes of tables, elements and objects, 8388608 is the most$/,
      ),
    });
  });
});

describe("memories without a limit that somebody gave", () => {
  const EXIT = { module: "wasi_snapshot_preview1", name: "proc_exit", kind: "function", type: 1 } as const;
  const exiting = (memories: readonly Limits[], grow: readonly number[]) =>
    buildModule({
      types: [
        { params: [], results: [] },
        { params: ["i32"], results: [] },
      ],
      imports: [EXIT],
      memories,
      // Whether it was refused.
      functions: [{ type: 0, body: [...grow, ...i32Const(-1), ...i32Eq, ...call(0)] }],
      exports: [{ name: "_start", kind: "function", index: 1 }],
    });
  const growing = (memory: number, pages: number) => [...i32Const(pages), 0x40, memory];

  test.each([
    { name: "one of 4 GiB", bytes: exiting([{ minimum: 0 }], growing(0, 65_536)), status: 0 },
    {
      name: "two of 2.5 GiB",
      bytes: exiting([{ minimum: 0 }, { minimum: 0 }], [...growing(0, 30_000), DROP, ...growing(1, 40_000)]),
      status: 137,
    },
    {
      name: "one of 5 GiB, with addresses of 64 bits",
      bytes: exiting([{ minimum: 0, memory64: true }], [0x42, ...signed(80_000), 0x40, 0, ...i32WrapI64]),
      status: 137,
    },
  ])("$name: $status", async ({ bytes, status }) => {
    expect(await run(bytes)).toMatchObject({ exitCode: status });
  });
});
