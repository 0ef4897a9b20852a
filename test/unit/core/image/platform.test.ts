import { describe, expect, test } from "vitest";
import {
  choosePlatform,
  formatPlatform,
  isWasm,
  parsePlatform,
} from "../../../../runtime/core/image/platform.ts";

const offer = (text: string) => ({ platform: text === "" ? undefined : parsePlatform(text) });

describe("parsing", () => {
  test.each(["wasi/wasm", "linux/arm/v7", "wasm32/wasi"])("%s comes back as it was", (text) => {
    expect(formatPlatform(parsePlatform(text))).toBe(text);
  });
  test.each(["", "wasi", "a/b/c/d", "/wasm", "wasi/", "wasi/wa sm", "../x"])("refuses %j", (text) => {
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

test.each([
  ["wasi/wasm", true],
  ["wasip1/wasm", true],
  ["wasip2/wasm", true],
  ["wasi/wasm32", true],
  ["wasm32/wasi", true],
  ["wasm/wasi", true],
  ["linux/wasm", false],
  ["linux/amd64", false],
  ["wasi/amd64", false],
  ["wasm/wasm", false],
])("%s is WebAssembly: %s", (text, expected) => {
  expect(isWasm(parsePlatform(text))).toBe(expected);
});

const choices: { name: string; offers: string[]; wanted?: string; chosen: number | "refused" }[] = [
  { name: "wasm before linux", offers: ["linux/amd64", "wasi/wasm"], chosen: 1 },
  {
    name: "preview 1 before what may be a component",
    offers: ["wasip2/wasm", "wasm32/wasi", "wasip1/wasm"],
    chosen: 2,
  },
  { name: "preview 2 alone", offers: ["linux/amd64", "wasip2/wasm"], chosen: 1 },
  { name: "wasm before silence", offers: ["", "wasi/wasm"], chosen: 1 },
  { name: "silence before linux", offers: ["linux/amd64", ""], chosen: 1 },
  { name: "a single linux, which may hold wasm", offers: ["windows/amd64", "linux/amd64"], chosen: 1 },
  { name: "several linux ones are machine code", offers: ["linux/amd64", "linux/arm64"], chosen: "refused" },
  { name: "windows", offers: ["windows/amd64"], chosen: "refused" },
  { name: "nothing", offers: [], chosen: "refused" },
  { name: "what was asked for", offers: ["wasi/wasm", "linux/amd64"], wanted: "linux/amd64", chosen: 1 },
  {
    name: "any spelling of what was asked for",
    offers: ["linux/amd64", "wasm32/wasi"],
    wanted: "wasi/wasm",
    chosen: 1,
  },
  { name: "wasi for wasip1", offers: ["wasi/wasm"], wanted: "wasip1/wasm", chosen: 0 },
  { name: "the exact spelling first", offers: ["wasip1/wasm", "wasi/wasm"], wanted: "wasi/wasm", chosen: 1 },
  { name: "preview 2 is not preview 1", offers: ["wasip2/wasm"], wanted: "wasip1/wasm", chosen: "refused" },
  { name: "a variant that wasn't asked for", offers: ["linux/arm/v7"], wanted: "linux/arm", chosen: 0 },
  { name: "another variant", offers: ["linux/arm/v7"], wanted: "linux/arm/v6", chosen: "refused" },
  { name: "not what was asked for", offers: ["wasi/wasm"], wanted: "linux/amd64", chosen: "refused" },
];

test.each(choices)("chooses: $name", ({ offers, wanted, chosen }) => {
  const choose = () =>
    choosePlatform(offers.map(offer), wanted === undefined ? undefined : parsePlatform(wanted), "the image");
  if (chosen !== "refused") {
    expect(choose().index).toBe(chosen);
    expect(choose().reason).not.toBe("");
    return;
  }
  expect(choose).toThrow(expect.objectContaining({ code: "IMAGE_PLATFORM" }));
  // What it does offer is told.
  for (const text of offers) expect(choose).toThrow(text);
});
