import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PREVIEW1 } from "../../../../shim/preview1/table.ts";
import { UNSTABLE } from "../../../../shim/preview1/unstable.ts";
import { TestGuest } from "../test-guest.ts";

interface SyscallSpec {
  name: string;
  modules: string[];
  params: { type: "i32" | "i64" }[];
  level: string;
  note: string;
}

const file = new URL("../../../../spec/wasi-preview1/syscalls.json", import.meta.url);
const spec: SyscallSpec[] = JSON.parse(readFileSync(file, "utf8"));

describe.each([
  { module: "wasi_snapshot_preview1", table: PREVIEW1 },
  { module: "wasi_unstable", table: UNSTABLE },
])("$module", ({ module, table }) => {
  const rows = spec.filter(({ modules }) => modules.includes(module));

  test("has the functions of the specification, once each, with its level and note", () => {
    const ours = table.map(({ name, level, note }) => ({ name, level, note }));
    const theirs = rows.map(({ name, level, note }) => ({ name, level, note }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(ours.sort(byName)).toEqual(theirs.sort(byName));
    expect(new Set(ours.map(({ name }) => name)).size).toBe(ours.length);
  });

  test.each(rows)("$name takes its parameters one by one", ({ name, params, level }) => {
    const { guest } = new TestGuest();
    const bound = table.find((row) => row.name === name)!.bind(guest);
    // Without a network what follows the descriptor is not looked at; else a missing parameter would be a NaN.
    if (level === "full") expect(bound.length).toBe(params.length);
    else expect(bound.length).toBeLessThanOrEqual(params.length);
  });
});

test("preview 1 has 46 functions of its own", () => {
  expect(PREVIEW1.filter(({ level }) => level === "full")).toHaveLength(42);
  const sockets = ["sock_accept", "sock_recv", "sock_send", "sock_shutdown"];
  expect(PREVIEW1.map(({ name }) => name)).toEqual(expect.arrayContaining(sockets));
});
