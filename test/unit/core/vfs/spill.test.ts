/** Contents that go out of memory and come back, in a file that nobody keeps. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHUNK_BYTES } from "../../../../runtime/core/vfs/chunk.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { buffersOf, restoreSnapshot, takeSnapshot } from "../../../../runtime/core/vfs/snapshot.ts";
import { Spill } from "../../../../runtime/core/vfs/spill.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { openPath } from "./inspect.ts";
import { RecordedFolder } from "./journal/recorded-folder.ts";
import { USED_MEMORY } from "./used-memory.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const RUNS = process.env.WPOD_TEST_LONG === "1" ? 500 : 25;
const OPTIONS = { name: "spill", residentBytesMax: 300_000 };
let time = 0n;

function make(folder: RecordedFolder) {
  const fileSystem = new FileSystem({ nowNs: () => ++time, device: 1n, bytesMax: 1e8 });
  const spill = new Spill(fileSystem, folder, OPTIONS);
  spill.pages.memory = USED_MEMORY;
  return { fileSystem, spill, root: new MountTable(fileSystem).openRoot(ROOT) };
}

const near = fc.oneof(
  fc.nat(3000),
  fc.integer({ min: CHUNK_BYTES - 50, max: CHUNK_BYTES + 50 }),
  fc.nat(900_000),
);
const step = fc.record({
  op: fc.constantFrom("write", "write", "read", "truncate", "remove"),
  file: fc.constantFrom("a", "b", "c"),
  at: near,
  size: near,
});

describe("a spill", () => {
  test("gives back what plain buffers would, whatever is cut and removed, also after a move", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(40), (steps, movesAt) => {
        const folder = new RecordedFolder();
        let { fileSystem, root } = make(folder);
        const model = new Map<string, Buffer>();
        for (const [count, { op, file, at, size }] of steps.entries()) {
          if (count === movesAt) {
            expect(fileSystem.keeper!.release()).toBe(true);
            const state = takeSnapshot(fileSystem);
            const moved = structuredClone(state, { transfer: buffersOf(state) });
            fileSystem = new FileSystem({ nowNs: () => ++time, device: 1n, bytesMax: 1e8 });
            const { nodes } = restoreSnapshot(fileSystem, moved);
            new Spill(fileSystem, folder, OPTIONS, nodes).pages.memory = USED_MEMORY;
            root = new MountTable(fileSystem).openRoot(ROOT);
          }
          if (op === "remove") {
            root.unlinkAt(file);
            model.delete(file);
            continue;
          }
          const opened = openPath(root, file, { create: true, write: true, read: true });
          let known = model.get(file) ?? Buffer.alloc(0);
          if (op === "write" && size > 0) {
            expect(opened.writeAt(new Uint8Array(size).fill(count + 1), at)).toBe(size);
            if (at + size > known.length)
              known = Buffer.concat([known, Buffer.alloc(at + size - known.length)]);
            known.fill(count + 1, at, at + size);
          } else if (op === "truncate") {
            opened.truncate(at);
            known = Buffer.concat([known.subarray(0, at), Buffer.alloc(Math.max(0, at - known.length))]);
          }
          model.set(file, known);
          const seen = Buffer.alloc(known.length + 1, 0xee);
          expect(opened.readAt(seen, 0)).toBe(known.length);
          expect(seen.subarray(0, known.length).equals(known)).toBe(true);
          opened.close();
          const { pages } = fileSystem.space;
          expect(pages!.residentBytes).toBeLessThanOrEqual(OPTIONS.residentBytesMax);
        }
        for (const file of ["a", "b", "c"]) root.unlinkAt(file);
        expect(fileSystem.usage().bytes).toBe(0);
        expect(fileSystem.space.pages!.residentBytes).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });

  test("makes no file before memory is full, and uses places again", () => {
    const folder = new RecordedFolder();
    const { root } = make(folder);
    openPath(root, "a", { create: true, write: true }).write(new Uint8Array(200_000));
    expect(folder.list()).toEqual([]);
    for (let round = 0; round < 20; round++) {
      const file = openPath(root, "b", { create: true, write: true, truncate: true });
      file.write(new Uint8Array(4 * CHUNK_BYTES).fill(round));
      file.close();
    }
    expect(folder.list()).toEqual(["spill"]);
    expect(folder.files.get("spill")!.bytes.length).toBeLessThanOrEqual(6 * CHUNK_BYTES);
  });

  test("writes small files many at a time, side by side, and gives each back", () => {
    const folder = new RecordedFolder();
    const { root } = make(folder);
    const content = (index: number) => new Uint8Array(1000 + (index % 25)).fill(index);
    const COUNT = 2000;
    for (let index = 0; index < COUNT; index++) {
      const file = openPath(root, `${index}`, { create: true, write: true });
      expect(file.write(content(index))).toBe(content(index).length);
      file.close();
    }
    // Of 2 MB that don't fit, in places of a kilobyte.
    expect(folder.files.get("spill")!.bytes.length).toBeLessThanOrEqual(COUNT * 1024 + CHUNK_BYTES);
    expect(folder.steps.filter(({ kind }) => kind === "write").length).toBeLessThan(60);
    const seen = new Uint8Array(2000);
    for (let index = 0; index < COUNT; index++) {
      const file = openPath(root, `${index}`);
      expect(file.readAt(seen, 0)).toBe(content(index).length);
      expect(Buffer.compare(seen.subarray(0, content(index).length), content(index))).toBe(0);
      file.close();
    }
  });

  test("finds a larger place for what has grown, and the small one is another's", () => {
    const folder = new RecordedFolder();
    const { root } = make(folder);
    const fill = () => {
      const file = openPath(root, "filler", { create: true, write: true, truncate: true });
      file.write(new Uint8Array(2 * CHUNK_BYTES).fill(1));
      file.close();
    };
    const file = openPath(root, "a", { create: true, write: true, read: true });
    for (let sizeBytes = 400; sizeBytes < CHUNK_BYTES; sizeBytes *= 3) {
      file.writeAt(new Uint8Array(sizeBytes).fill(sizeBytes), 0);
      fill();
      const seen = new Uint8Array(sizeBytes);
      expect(file.readAt(seen, 0)).toBe(sizeBytes);
      expect(seen.every((byte) => byte === sizeBytes % 256)).toBe(true);
    }
    expect(folder.files.get("spill")!.bytes.length).toBeLessThanOrEqual(4 * CHUNK_BYTES);
  });

  test("on a full disk refuses what doesn't fit, and keeps what it has", () => {
    const folder = new RecordedFolder();
    const { root } = make(folder);
    const file = openPath(root, "a", { create: true, write: true, read: true });
    expect(file.write(new Uint8Array(250_000).fill(7))).toBe(250_000);
    folder.failure = -Errno.ENOSPC;
    expect(file.writeAt(new Uint8Array(200_000).fill(8), 500_000)).toBe(-Errno.ENOSPC);
    const seen = new Uint8Array(250_000);
    expect(file.readAt(seen, 0)).toBe(250_000);
    expect(seen.every((byte) => byte === 7)).toBe(true);
    folder.failure = 0;
    expect(file.writeAt(new Uint8Array(200_000).fill(8), 500_000)).toBe(200_000);
  });
});
