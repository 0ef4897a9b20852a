/** What a stack of layers shows, and that looking at it and writing to it cost what they should. */
import { describe, expect, test } from "vitest";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { OpenFile, Stat } from "../../../../shim/abi/system.ts";
import { dump, openPath as open, READ, readText as read } from "./inspect.ts";
import { type LayerSpec, makeLayer } from "./layer-fixture.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const NOW_NS = 1_700_000_000_000_000_000n;
const bytes = (text: string) => new TextEncoder().encode(text);
const file = (path: string, text = path) => ({ path, content: bytes(text) });
const directory = (path: string, mode = 0o755) => ({ path, type: "directory" as const, mode });

function stack(specs: LayerSpec[]) {
  const layers = specs.map(makeLayer);
  const tree = new FileSystem({ layers, nowNs: () => NOW_NS, device: 1n });
  return { layers, tree, root: new MountTable(tree).openRoot(ROOT) };
}

function statOf(root: OpenFile, path: string): Stat {
  const stat = {} as Stat;
  expect(root.statAt(path, false, stat)).toBe(0);
  return stat;
}

describe("merging", () => {
  const cases: { name: string; layers: LayerSpec[]; shows: Record<string, string> }[] = [
    {
      name: "an upper file hides a lower one",
      layers: [{ entries: [file("a", "old"), file("b")] }, { entries: [file("a", "new")] }],
      shows: { a: "new", b: "b" },
    },
    {
      name: "directories merge",
      layers: [{ entries: [directory("d"), file("d/a")] }, { entries: [directory("d"), file("d/b")] }],
      shows: { "d/": "", "d/a": "d/a", "d/b": "d/b" },
    },
    {
      name: "a whiteout hides a file, and a directory with all that is in it",
      layers: [{ entries: [file("a"), file("b"), file("d/x/y")] }, { entries: [], whiteouts: ["a", "d"] }],
      shows: { b: "b" },
    },
    {
      name: "a whiteout in a directory that the layer doesn't name",
      layers: [{ entries: [file("d/a"), file("d/b")] }, { entries: [], whiteouts: ["d/a"] }],
      shows: { "d/": "", "d/b": "d/b" },
    },
    {
      name: "a whiteout doesn't hide what its own layer has",
      layers: [
        { entries: [directory("d"), file("d/old")] },
        { entries: [directory("d"), file("d/new")], whiteouts: ["d"] },
      ],
      shows: { "d/": "", "d/new": "d/new" },
    },
    {
      name: "what was hidden can come again in a layer above",
      layers: [
        { entries: [file("a", "1")] },
        { entries: [], whiteouts: ["a"] },
        { entries: [file("a", "3")] },
      ],
      shows: { a: "3" },
    },
    {
      name: "a whiteout in the middle hides only what is below it",
      layers: [
        { entries: [file("d/one")] },
        { entries: [file("d/two")], whiteouts: ["d"] },
        { entries: [file("d/three")] },
      ],
      shows: { "d/": "", "d/two": "d/two", "d/three": "d/three" },
    },
    {
      name: "an opaque directory hides all that is below it",
      layers: [
        { entries: [file("d/a"), file("d/e/b"), file("c")] },
        { entries: [directory("d"), file("d/n")], opaque: ["d"] },
      ],
      shows: { c: "c", "d/": "", "d/n": "d/n" },
    },
    {
      name: "an opaque directory in the middle",
      layers: [
        { entries: [file("d/one")] },
        { entries: [file("d/two")], opaque: ["d"] },
        { entries: [file("d/three")] },
      ],
      shows: { "d/": "", "d/two": "d/two", "d/three": "d/three" },
    },
    {
      name: "an opaque directory under one that merges",
      layers: [
        { entries: [file("a/b/old"), file("a/keep")] },
        { entries: [file("a/b/new")], opaque: ["a/b"] },
      ],
      shows: { "a/": "", "a/b/": "", "a/b/new": "a/b/new", "a/keep": "a/keep" },
    },
    {
      name: "an opaque root",
      layers: [{ entries: [file("a"), file("d/b")] }, { entries: [file("c")], opaque: [""] }],
      shows: { c: "c" },
    },
    {
      name: "a file replaces a directory",
      layers: [{ entries: [file("d/a")] }, { entries: [file("d", "file")] }],
      shows: { d: "file" },
    },
    {
      name: "a directory replaces a file, and nothing of below shows",
      layers: [{ entries: [file("d/a")] }, { entries: [file("d")] }, { entries: [file("d/b")] }],
      shows: { "d/": "", "d/b": "d/b" },
    },
    {
      name: "a link replaces a directory",
      layers: [{ entries: [file("d/a"), file("e/b")] }, { entries: [{ path: "d", target: "e" }] }],
      shows: { d: "-> e", "e/": "", "e/b": "e/b" },
    },
    {
      name: "devices and FIFOs are there, and inert",
      layers: [
        {
          entries: [
            { path: "c", type: "character-device" },
            { path: "p", type: "fifo" },
          ],
        },
      ],
      shows: { c: `type ${FileType.characterDevice}`, p: `type ${FileType.unknown}` },
    },
    { name: "no entries", layers: [{ entries: [] }], shows: {} },
    {
      name: "names that an index must not have",
      layers: [
        {
          entries: [
            { ...file("a") },
            { path: "..", content: bytes("x") },
            { path: ".", content: bytes("x") },
          ],
        },
      ],
      shows: { a: "a" },
    },
  ];
  test.each(cases)("$name", ({ layers, shows }) => {
    expect(dump(stack(layers).root)).toEqual(shows);
  });

  test("an upper directory's attributes win, those of an implied one don't", () => {
    const { root } = stack([
      {
        entries: [
          { ...directory("d", 0o700), uid: 5 },
          { ...directory("e", 0o711), uid: 6 },
        ],
      },
      { entries: [{ ...directory("d", 0o1777), uid: 7 }, file("e/x")] },
    ]);
    expect(statOf(root, "d")).toMatchObject({ mode: 0o1777, uid: 7 });
    expect(statOf(root, "e")).toMatchObject({ mode: 0o711, uid: 6 });
  });

  test("a directory that only paths mention is 0755", () => {
    expect(statOf(stack([{ entries: [file("d/x")] }]).root, "d").mode).toBe(0o755);
  });

  test("devices can't be opened", () => {
    const { root } = stack([
      {
        entries: [
          { path: "c", type: "character-device" },
          { path: "p", type: "fifo" },
        ],
      },
    ]);
    expect(root.openAt("c", READ)).toBe(-Errno.EACCES);
    expect(root.openAt("p", READ)).toBe(-Errno.ENXIO);
  });
});

describe("hard links", () => {
  const spec: LayerSpec = {
    entries: [file("a/x", "hello"), { path: "b/y", hardLink: "a/x" }, { path: "b/z", hardLink: "a/x" }],
  };

  test("are one file, also when their directories are looked at later", () => {
    const { root } = stack([spec]);
    const first = open(root, "a/x", { write: true });
    first.write(bytes("HE"));
    expect(statOf(root, "a/x").linkCount).toBe(3);
    expect(statOf(root, "b/y").inode).toBe(statOf(root, "a/x").inode);
    expect(read(root, "b/z")).toBe("HEllo");
    expect(root.unlinkAt("a/x")).toBe(0);
    expect(statOf(root, "b/y").linkCount).toBe(2);
  });

  test("one name replaced above leaves the others", () => {
    const { root } = stack([spec, { entries: [file("a/x", "other")] }]);
    expect(read(root, "b/y")).toBe("hello");
    expect(statOf(root, "b/y").inode).not.toBe(statOf(root, "a/x").inode);
  });
});

describe("cost", () => {
  const megabyte = new Uint8Array(1 << 20).map((_, index) => index % 251);

  test("a write copies the chunks that it touches, and nothing else", () => {
    const { layers, root, tree } = stack([{ entries: [{ path: "big", content: megabyte }] }]);
    const opened = open(root, "big", { write: true });
    expect(opened.writeAt(bytes("x"), 300_000)).toBe(1);
    expect(layers[0]!.blob.readBytes).toBe(256 * 1024);
    expect(tree.usage()).toEqual({ bytes: 256 * 1024, inodes: 0 });
    const seen = new Uint8Array(megabyte.length);
    expect(opened.readAt(seen, 0)).toBe(megabyte.length);
    const wanted = megabyte.slice();
    wanted[300_000] = 0x78;
    expect(Buffer.compare(seen, wanted)).toBe(0);
  });

  test("a whole chunk that is overwritten isn't read", () => {
    const { layers, root } = stack([{ entries: [{ path: "big", content: megabyte }] }]);
    const opened = open(root, "big", { write: true });
    opened.writeAt(new Uint8Array(256 * 1024), 256 * 1024);
    expect(layers[0]!.blob.readBytes).toBe(0);
  });

  test("truncating and appending at the edge of a chunk copy nothing", () => {
    const { layers, root, tree } = stack([{ entries: [{ path: "big", content: megabyte }] }]);
    const opened = open(root, "big", { write: true });
    expect(opened.truncate(700_000)).toBe(0);
    expect(opened.truncate(512 * 1024)).toBe(0);
    expect(opened.writeAt(bytes("end"), 512 * 1024)).toBe(3);
    expect(layers[0]!.blob.readBytes).toBe(0);
    expect(tree.usage().bytes).toBe(3);
  });

  test("looking at one directory doesn't read the others", () => {
    const asked: string[] = [];
    const layer = makeLayer({ entries: [file("a/x"), file("b/y"), file("c/d/z")] });
    const index = {
      ...layer.index,
      children: (path: string) => {
        asked.push(path);
        return layer.index.children(path);
      },
    };
    const tree = new FileSystem({ layers: [{ index, blob: layer.blob }], nowNs: () => NOW_NS, device: 1n });
    const root = new MountTable(tree).openRoot(ROOT);
    statOf(root, "a/x");
    statOf(root, "a/x");
    expect(asked).toEqual(["", "a"]);
    expect(root.renameAt("c", root, "moved")).toBe(0);
    expect(asked).toEqual(["", "a"]);
    expect(read(root, "moved/d/z")).toBe("c/d/z");
  });

  test("sparse pieces, zeros between them", () => {
    const sparse = {
      sizeBytes: 1_000_000,
      pieces: [
        { startBytes: 0, sizeBytes: 0 },
        { startBytes: 10, sizeBytes: 3 },
        { startBytes: 300_000, sizeBytes: 2 },
      ],
    };
    const { root } = stack([{ entries: [{ path: "s", content: bytes("abcde"), sparse }] }]);
    const opened = open(root, "s", { write: true });
    const text = (offset: number, size: number) => {
      const buffer = new Uint8Array(size);
      return new TextDecoder().decode(buffer.subarray(0, opened.readAt(buffer, offset)));
    };
    expect(statOf(root, "s").sizeBytes).toBe(1_000_000);
    expect(text(9, 5)).toBe("\0abc\0");
    expect(text(299_999, 4)).toBe("\0de\0");
    expect(opened.writeAt(bytes("X"), 300_001)).toBe(1);
    expect(text(299_999, 4)).toBe("\0dX\0");
    expect(text(999_999, 4)).toBe("\0");
  });

  test("a blob that can't be read is EIO, and changes nothing", () => {
    const layer = makeLayer({ entries: [file("a", "hello")] });
    const blob = { sizeBytes: 0, read: () => -Errno.EIO };
    const tree = new FileSystem({ layers: [{ index: layer.index, blob }], nowNs: () => NOW_NS, device: 1n });
    const opened = open(new MountTable(tree).openRoot(ROOT), "a", { write: true });
    expect(opened.read(new Uint8Array(5))).toBe(-Errno.EIO);
    expect(opened.writeAt(bytes("x"), 2)).toBe(-Errno.EIO);
    expect(tree.usage().bytes).toBe(0);
    const short = { sizeBytes: 0, read: () => 0 };
    const cut = new FileSystem({
      layers: [{ index: layer.index, blob: short }],
      nowNs: () => NOW_NS,
      device: 1n,
    });
    expect(open(new MountTable(cut).openRoot(ROOT), "a").read(new Uint8Array(5))).toBe(-Errno.EIO);
  });
});
