/** A file system in a folder of the host: what is there, whose it is, and what is said when it can't be used. */
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import {
  type LayerDirectory,
  openLayerDirectory,
} from "../../../../runtime/node/layerdir/layer-directory.ts";
import { openPath, readText } from "../../core/vfs/inspect.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const scratch = fs.mkdtempSync(join(tmpdir(), "wpod-layerdir-"));
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));
let count = 0;
let time = 0n;

function open(path: string, residentBytesMax = 1 << 20): LayerDirectory {
  return openLayerDirectory(path, { identity: "", nowNs: () => ++time, device: 1n, residentBytesMax });
}

function rootOf(layer: LayerDirectory) {
  return new MountTable(layer.fileSystem).openRoot(ROOT);
}

/** A folder that has one file in it, `f`. */
function filled(): string {
  const path = join(scratch, String(count++));
  const layer = open(path);
  openPath(rootOf(layer), "f", { create: true, write: true }).write(new TextEncoder().encode("hello"));
  expect(layer.close()).toBe(0);
  return path;
}

test("what was written is there at the next opening", () => {
  const layer = open(filled());
  expect(readText(rootOf(layer), "f")).toBe("hello");
  expect(layer.close()).toBe(0);
});

test("nothing is made before something is written, and what is made is private", () => {
  const path = join(scratch, String(count++));
  const layer = open(path);
  expect(rootOf(layer).unlinkAt("nothing")).toBeLessThan(0);
  expect(layer.sync()).toBe(0);
  expect(fs.existsSync(path)).toBe(false);
  openPath(rootOf(layer), "f", { create: true, write: true }).write(new Uint8Array(10));
  expect(layer.sync()).toBe(0);
  expect(fs.statSync(path).mode & 0o777).toBe(0o700);
  for (const name of fs.readdirSync(path)) expect(fs.statSync(join(path, name)).mode & 0o777).toBe(0o600);
  expect(layer.close()).toBe(0);
});

test("a gigabyte would go through little memory: 40 MiB through 2", () => {
  const layer = open(join(scratch, String(count++)), 2 << 20);
  const file = openPath(rootOf(layer), "big", { create: true, write: true, read: true });
  const piece = new Uint8Array(1 << 20);
  for (let index = 0; index < 40; index++) expect(file.write(piece.fill(index + 1))).toBe(piece.length);
  for (let index = 0; index < 40; index++) {
    expect(file.readAt(piece, index << 20)).toBe(piece.length);
    expect(piece.every((byte) => byte === index + 1)).toBe(true);
    expect(layer.residentBytes).toBeLessThanOrEqual(2 << 20);
  }
  expect(layer.close()).toBe(0);
});

describe("is refused in a sentence:", () => {
  const cases: [string, (path: string) => void, RegExp][] = [
    [
      "a journal of another version",
      (path) => patch(join(path, "journal"), 8, 2),
      /can't be used: a journal has version 2, and this wpod reads version 1/,
    ],
    ["a journal that is none", (path) => patch(join(path, "journal"), 0, 0), /no journal/],
    [
      "data of another version",
      (path) => patch(join(path, "data.1"), 8, 2),
      /data\.1 is no data file of this version/,
    ],
    [
      "a journal that is a link",
      (path) => {
        fs.renameSync(join(path, "journal"), join(path, "elsewhere"));
        fs.symlinkSync("elsewhere", join(path, "journal"));
      },
      /is a link/,
    ],
    [
      "a journal that is a folder",
      (path) => {
        fs.rmSync(join(path, "journal"));
        fs.mkdirSync(join(path, "journal"));
      },
      /can't be opened: EISDIR/,
    ],
  ];
  test.each(cases)("%s", (_name, spoil, message) => {
    const path = filled();
    spoil(path);
    expect(() => open(path)).toThrow(message);
    expect(() => open(path)).toThrow(WpodError);
  });

  test.runIf(process.getuid?.() === 0)("a data file of another user", () => {
    const path = filled();
    fs.chownSync(join(path, "data.1"), 12345, 0);
    expect(() => open(path)).toThrow(/data\.1" belongs to another user/);
  });

  test("other layers", () => {
    const path = filled();
    expect(() => openLayerDirectory(path, { identity: "other", nowNs: () => 0n, device: 1n })).toThrow(
      /belongs to another image/,
    );
  });
});

function patch(path: string, at: number, value: number): void {
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, Uint8Array.of(value), 0, 1, at);
  fs.closeSync(fd);
}
