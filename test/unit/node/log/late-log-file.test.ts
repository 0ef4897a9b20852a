import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LateLogFile } from "../../../../runtime/node/log/late-log-file.ts";

const LINE = new TextEncoder().encode("line\n");
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wpod-log-"));
  path = join(folder, "later", "ctr.log");
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => new LateLogFile(path, { fileBytesMax: 10_000, fileCountMax: 1, drops: false }, () => 0n);

test("a log whose folder comes later has what is written from then on", () => {
  const log = open();
  log.append("stdout", LINE);
  mkdirSync(join(folder, "later"));
  log.append("stderr", LINE);
  log.append("stderr", LINE);
  log.close();
  expect(readFileSync(path, "utf8").trimEnd().split("\n")).toEqual([
    expect.stringMatching(/ stderr F line$/),
    expect.stringMatching(/ stderr F line$/),
  ]);
});

test("one that nothing was written to is no file", () => {
  const log = open();
  log.close();
  log.close();
  expect(() => readFileSync(path)).toThrow("ENOENT");
});
