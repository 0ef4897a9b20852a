import { expect, test } from "vitest";
import type { WpodError } from "../../../../runtime/core/error.ts";
import { makeMemory } from "../../../../runtime/core/wasm/imported-memory.ts";
import { buildModule } from "../../../fixtures/module-builder.ts";

const PAGE_BYTES = 65_536;

test.each([
  { minimum: 0, maximum: undefined, shared: false, memory64: false },
  { minimum: 2, maximum: 2, shared: false, memory64: false },
  { minimum: 1, maximum: 9, shared: true, memory64: false },
  { minimum: 1, maximum: undefined, shared: false, memory64: true },
  { minimum: 1, maximum: 5, shared: true, memory64: true },
])(
  "a memory of $minimum to $maximum pages, shared: $shared, 64 bits: $memory64, is what the module asks for",
  (limits) => {
    const module = new WebAssembly.Module(
      buildModule({ imports: [{ module: "env", name: "memory", kind: "memory", limits }] }),
    );
    const memory = makeMemory({
      minimumPages: limits.minimum,
      maximumPages: limits.maximum,
      shared: limits.shared,
      memory64: limits.memory64,
      pageSizeBytes: PAGE_BYTES,
    });
    expect(memory.buffer.byteLength).toBe(limits.minimum * PAGE_BYTES);
    expect(memory.buffer instanceof SharedArrayBuffer).toBe(limits.shared);
    // It links: WebAssembly compares the types.
    expect(() => new WebAssembly.Instance(module, { env: { memory } })).not.toThrow();
  },
);

test("one that no host has room for is refused in words", () => {
  const type = { maximumPages: undefined, shared: false, memory64: true, pageSizeBytes: PAGE_BYTES };
  expect(() => makeMemory({ ...type, minimumPages: 2 ** 40 })).toThrow(
    expect.objectContaining({ code: "MEMORY_LIMIT" }) as WpodError,
  );
});
