/** What is posted can't fail: a write that leaves a gap is charged for it, so on a file system that is nearly full it is asked about. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { CachedDirectory } from "../../runtime/core/kernel/remote/cached-directory.ts";
import { PLAIN } from "../../runtime/core/vfs/open-options.ts";
import { KernelHost } from "../../runtime/engine/kernel-host.ts";
import { Errno } from "../../shim/abi/errno.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../shim/abi/system.ts";
import { CLIENT_PROCESS } from "../fixtures/kernel-client/client-thread.ts";
import { connectHere } from "../fixtures/kernel-client/connect-here.ts";

const DISK_BYTES = 1024 * 1024;
const OPEN: OpenOptions = { ...PLAIN, read: true, write: true, create: true, mode: 0o644 };

let kernel: KernelHost;
let treeNumber = 0;
beforeAll(() => {
  kernel = new KernelHost();
});
afterAll(() => kernel[Symbol.asyncDispose]());

/** The `/` of a container whose disk has so many bytes left. */
async function rootWith(freeBytes: number): Promise<OpenFile> {
  const tree = `tree-${treeNumber++}`;
  const files = { layers: [], snapshot: undefined, folders: [], mounts: [], etcFiles: [], readOnly: false };
  const owner = { uid: 0, gid: 0 };
  await kernel.openTree(tree, { ...files, diskBytesMax: DISK_BYTES, inodesMax: 1000 }, owner);
  const seat = await kernel.seat(tree, CLIENT_PROCESS);
  const connection = connectHere(seat);
  const root = new CachedDirectory(connection, connection.takeHandle());
  const fill = opened(root, "fill");
  expect(fill.write(new Uint8Array(DISK_BYTES - freeBytes))).toBe(DISK_BYTES - freeBytes);
  return root;
}

function opened(root: OpenFile, path: string): OpenFile {
  const file = root.openAt(path, OPEN);
  if (isFailure(file)) throw new Error(`${path}: ${file}`);
  return file;
}

test.each([
  { what: "behind the end", setUp: () => {}, at: 240_000 },
  {
    what: "in a hole",
    setUp: (file: OpenFile) => {
      file.truncate(10_000_000);
      file.writeAt(new Uint8Array(1), 9_961_472);
    },
    at: 5_000_000,
  },
  {
    what: "where another descriptor has cut it off",
    setUp: (file: OpenFile, root: OpenFile) => {
      file.write(new Uint8Array(100_000));
      file.write(new Uint8Array(50_000));
      opened(root, "file").truncate(0);
      opened(root, "fill").writeAt(new Uint8Array(150_000), DISK_BYTES - 200_000);
    },
    at: 150_000,
  },
])("a write $what says what was done", async ({ setUp, at }) => {
  const root = await rootWith(200_000);
  const file = opened(root, "file");
  expect(file.writeAt(new Uint8Array(10), 0)).toBe(10);
  setUp(file, root);
  const stat = {} as Stat;
  file.stat(stat);
  const before = stat.sizeBytes;
  const count = file.writeAt(new Uint8Array(5).fill(7), at);
  file.stat(stat);
  const seen = new Uint8Array(5);
  file.readAt(seen, at);
  if (count < 0) expect([count, stat.sizeBytes, [...seen]]).toEqual([-Errno.ENOSPC, before, [0, 0, 0, 0, 0]]);
  else expect([count, stat.sizeBytes >= at + 5, [...seen]]).toEqual([5, true, [7, 7, 7, 7, 7]]);
});
