import { expect, test } from "vitest";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import type { MemoryLink } from "../../../../runtime/core/vfs/memory-link.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { isEmpty, populate } from "../../../../runtime/core/vfs/populate.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { Stat } from "../../../../shim/abi/system.ts";
import { dump } from "./inspect.ts";
import { makeLayer } from "./layer-fixture.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const nowNs = () => 99n;
const text = (value: string) => new TextEncoder().encode(value);

function image(): MemoryLink {
  const layers = [
    makeLayer({
      entries: [
        { path: "v", type: "directory", mode: 0o750, uid: 3, gid: 4, mtimeNs: 7n },
        { path: "v/a", content: text("one"), mode: 0o640, uid: 5, mtimeNs: 8n },
        { path: "v/d/e/f", content: text("deep") },
        { path: "v/l", target: "a" },
        { path: "v/same", hardLink: "v/a" },
        { path: "beside", content: text("not this") },
      ],
    }),
    makeLayer({ entries: [{ path: "v/d/new", content: text("upper") }], whiteouts: ["v/l"] }),
  ];
  return new FileSystem({ layers, nowNs, device: 1n }).root.lookUp("v") as MemoryLink;
}

test("a volume gets what the image shows there, with owners, modes, times and links", () => {
  const volume = new FileSystem({ nowNs, device: 2n });
  expect(isEmpty(volume)).toBe(true);
  expect(populate(volume, image())).toBe(0);
  expect(isEmpty(volume)).toBe(false);
  const root = new MountTable(volume).openRoot(ROOT);
  expect(dump(root)).toEqual({
    a: "one",
    "d/": "",
    "d/e/": "",
    "d/e/f": "deep",
    "d/new": "upper",
    same: "one",
  });
  const stat = {} as Stat;
  root.statAt("a", false, stat);
  expect(stat).toMatchObject({ mode: 0o640, uid: 5, mtimeNs: 8n, linkCount: 2 });
  root.stat(stat);
  expect(stat).toMatchObject({ mode: 0o750, uid: 3, gid: 4, mtimeNs: 7n });
});

test.each([
  ["bytes", { bytesMax: 6 }],
  ["names", { inodesMax: 3 }],
])("is refused where its %s don't fit", (_name, limits) => {
  const volume = new FileSystem({ nowNs, device: 2n, ...limits });
  expect(populate(volume, image())).toBe(-Errno.ENOSPC);
});

test("a sparse file larger than the volume is refused before its zeros are read", () => {
  const size = 2 ** 50;
  const layers = [
    makeLayer({ entries: [{ path: "v/hole", sparse: { sizeBytes: size, pieces: [] }, content: text("") }] }),
  ];
  const from = new FileSystem({ layers, nowNs, device: 1n }).root.lookUp("v") as MemoryLink;
  expect(populate(new FileSystem({ nowNs, device: 2n, bytesMax: 2 ** 30 }), from)).toBe(-Errno.ENOSPC);
});
