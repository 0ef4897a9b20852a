import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as layout from "../../../../shim/abi/layout.ts";

interface Struct {
  sizeBytes: number;
  fields: Record<string, { offset: number }>;
}

const read = (name: string): { layouts: Record<string, Struct> } =>
  JSON.parse(readFileSync(new URL(`../../../../spec/wasi-preview1/${name}`, import.meta.url), "utf8"));
const { layouts } = read("types.json");
const { layouts: unstable } = read("types-unstable.json");

/** Ours name the fields of nested structs in one word. */
const NESTED: Record<string, string> = {
  tag: "u.tag",
  clock_id: "u.clock.id",
  clock_timeout: "u.clock.timeout",
  clock_flags: "u.clock.flags",
  file_descriptor: "u.fd_readwrite.file_descriptor",
  nbytes: "fd_readwrite.nbytes",
  flags: "fd_readwrite.flags",
  pr_name_len: "dir.pr_name_len",
};

test.each<{ name: string; ours: object; spec: Struct }>([
  { name: "iovec", ours: layout.IOVEC, spec: layouts.iovec! },
  { name: "ciovec", ours: layout.IOVEC, spec: layouts.ciovec! },
  { name: "dirent", ours: layout.DIRENT, spec: layouts.dirent! },
  { name: "fdstat", ours: layout.FDSTAT, spec: layouts.fdstat! },
  { name: "filestat", ours: layout.FILESTAT, spec: layouts.filestat! },
  { name: "filestat of wasi_unstable", ours: layout.FILESTAT_UNSTABLE, spec: unstable.filestat! },
  { name: "prestat", ours: layout.PRESTAT, spec: layouts.prestat! },
  { name: "subscription", ours: layout.SUBSCRIPTION, spec: layouts.subscription! },
  { name: "subscription of wasi_unstable", ours: layout.SUBSCRIPTION_UNSTABLE, spec: unstable.subscription! },
  { name: "event", ours: layout.EVENT, spec: layouts.event! },
])("$name is laid out as the specification says", ({ ours, spec }) => {
  const { sizeBytes, ...offsets } = ours as Record<string, number>;
  expect(sizeBytes).toBe(spec.sizeBytes);
  for (const [field, offset] of Object.entries(offsets)) {
    const known = spec.fields[field] ?? spec.fields[NESTED[field] ?? ""];
    expect(known?.offset, field).toBe(offset);
  }
});
