/** A descriptor's file, once more. */
import {
  chownSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { reopen } from "../../../../runtime/node/hostdir/reopen.ts";

const { O_RDWR, O_CREAT, O_APPEND, O_WRONLY } = constants;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wpod-reopen-"));
  path = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As somebody to whom modes mean something. */
function asUser<Result>(run: () => Result): Result {
  if (!isRoot) return run();
  chownSync(path, NOBODY, NOBODY);
  process.seteuid!(NOBODY);
  try {
    return run();
  } finally {
    process.seteuid!(0);
  }
}

describe.runIf(process.platform === "linux")("a file", () => {
  test("that nobody may open is opened again by its owner, and nobody may open it afterwards", () => {
    const fd = openSync(path, O_RDWR | O_CREAT, 0);
    const again = asUser(() => {
      expect(() => openSync(path, O_WRONLY)).toThrow(/EACCES/);
      return reopen(fd, O_WRONLY | O_APPEND);
    });
    expect(statSync(path).mode & 0o777).toBe(0);
    writeSync(fd, "one");
    writeSync(again, " two", 0);
    expect(readFileSync(path, "utf8")).toBe("one two");
    for (const one of [fd, again]) closeSync(one);
  });

  test.runIf(isRoot)("of somebody else stays shut", () => {
    const fd = openSync(path, O_RDWR | O_CREAT, 0o400);
    process.seteuid!(NOBODY);
    try {
      expect(() => reopen(fd, O_WRONLY)).toThrow(/EPERM|EACCES/);
    } finally {
      process.seteuid!(0);
    }
    expect(statSync(path).mode & 0o777).toBe(0o400);
    closeSync(fd);
  });

  test("that has no name any more is opened again", () => {
    const fd = openSync(path, O_RDWR | O_CREAT, 0o600);
    rmSync(path);
    const again = reopen(fd, O_RDWR);
    writeSync(again, "text");
    expect(readFileSync(fd, "utf8")).toBe("text");
    for (const one of [fd, again]) closeSync(one);
  });
});
