import { expect, test } from "vitest";
import { hostFunction } from "../../../../runtime/core/wasm/host-function.ts";
import { MalformedError } from "../../../../runtime/core/wasm/reader.ts";
import { flagWaits, WAITED_EXPORT, WAITING_EXPORT } from "../../../../runtime/core/wasm/wait-flag.ts";
import { FAMILIES } from "../../../fixtures/instruction-families.ts";
import { buildModule } from "../../../fixtures/module-builder.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const I32 = 0x41;
const I64 = 0x42;
/** memory.atomic.wait32 and wait64 of address 0, for as long as they say. */
const wait32 = (expected: number, ns: number) => [I32, 0, I32, expected, I64, ns, 0xfe, 0x01, 2, 0];
const wait64 = (expected: number, ns: number) => [I32, 0, I64, expected, I64, ns, 0xfe, 0x02, 3, 0];
/** A call of what looks from outside. */
const LOOK = [0x10, 0];

function waiting(body: readonly number[]): Uint8Array<ArrayBuffer> {
  return buildModule({
    types: [
      { params: [], results: [] },
      { params: [], results: ["i32"] },
    ],
    imports: [{ module: "host", name: "look", kind: "function", type: 0 }],
    functions: [{ type: 1, body }],
    memories: [{ minimum: 1, maximum: 1, shared: true }],
    exports: [{ name: "run", kind: "function", index: 1 }],
  });
}

test.each([
  { what: "a wait that ends at once", body: wait32(1, 0), answer: 1 },
  { what: "a wait of 64 bits", body: wait64(1, 0), answer: 1 },
  { what: "a wait that times out", body: wait32(0, 1), answer: 2 },
  { what: "two", body: [...wait32(1, 0), 0x1a, ...wait64(0, 1)], answer: 2 },
])("$what does as it did, and the flag is down around it", ({ body, answer }) => {
  const flags: unknown[] = [];
  let flag: { value: number } | undefined;
  const module = new WebAssembly.Module(
    flagWaits(waiting([...LOOK, ...body, ...LOOK])) as Uint8Array<ArrayBuffer>,
  );
  const { exports } = new WebAssembly.Instance(module, {
    host: { look: () => void flags.push(flag?.value) },
  });
  flag = exports[WAITING_EXPORT] as { value: number };
  expect((exports.run as () => number)()).toBe(answer);
  expect(flags).toEqual([0, 0]);
  expect(flag.value).toBe(0);
});

test("who is to wait behind it is told", () => {
  let flag: { value: number } | undefined;
  let count = 0;
  // Between the flag and the wait there is no place to look from: the flag is set before, as by an interrupt.
  const bytes = flagWaits(waiting([...wait32(1, 0), 0x1a, ...LOOK, ...wait32(1, 0)]));
  const told = Buffer.from(bytes).toString("hex").replaceAll("410124", "410224");
  const module = new WebAssembly.Module(Uint8Array.from(Buffer.from(told, "hex")));
  const { exports } = new WebAssembly.Instance(module, { host: { look: () => void count++ } });
  flag = exports[WAITING_EXPORT] as { value: number };
  let waited = 0;
  const table = exports[WAITED_EXPORT] as { set(index: number, value: unknown): void };
  table.set(
    0,
    hostFunction(() => {
      waited++;
      return flag!.value;
    }),
  );
  expect((exports.run as () => number)()).toBe(1);
  expect([count, waited, flag.value]).toEqual([1, 2, 0]);
});

test("a wait that traps leaves the flag up: nothing follows it", () => {
  const unaligned = [I32, 1, I32, 0, I64, 0, 0xfe, 0x01, 2, 0];
  const module = new WebAssembly.Module(flagWaits(waiting(unaligned)) as Uint8Array<ArrayBuffer>);
  const { exports } = new WebAssembly.Instance(module, { host: { look: () => {} } });
  expect(exports.run as () => number).toThrow(/unaligned/);
  expect((exports[WAITING_EXPORT] as { value: number }).value).toBe(1);
});

test("who never waits is as it was", () => {
  const bytes = waiting([I32, 7]);
  expect(flagWaits(bytes)).toBe(bytes);
  for (const { bytes: family } of FAMILIES.filter((one) => WebAssembly.validate(one.bytes))) {
    expect(WebAssembly.validate(flagWaits(family) as Uint8Array<ArrayBuffer>)).toBe(true);
  }
});

test("what isn't understood is said", () => {
  expect(() => flagWaits(waiting([0xff]))).toThrow(MalformedError);
});
