/** What many files cost a container that has little memory. */
import { expect, test } from "vitest";
import { FilesMemory } from "../../../../runtime/core/quota/files-memory.ts";
import { MemoryAccount } from "../../../../runtime/core/quota/memory-account.ts";
import { MemoryBudget } from "../../../../runtime/core/quota/memory-budget.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { INODE_BYTES, InodeMemory } from "../../../../runtime/core/vfs/inode-memory.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";

const FREE = 1024;
const BLOCK = 64;
const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };

function container(inodes: number) {
  const budget = MemoryBudget.create(inodes * INODE_BYTES);
  return { budget, memory: new FilesMemory(MemoryAccount.create(budget)) };
}

test.each([
  { count: 0, charged: 0 },
  { count: FREE, charged: 0 },
  { count: FREE + 1, charged: BLOCK },
  { count: FREE + BLOCK, charged: BLOCK },
  { count: FREE + BLOCK + 1, charged: 2 * BLOCK },
])("$count inodes take $charged KiB", ({ count, charged }) => {
  const { budget, memory } = container(1000);
  const inodes = new InodeMemory();
  inodes.chargeTo(memory, 0);
  expect(inodes.resize(count)).toBe(true);
  expect(budget.usedBytes).toBe(charged * INODE_BYTES);
  // The same, where they were there before.
  const { budget: another, memory: other } = container(1000);
  inodes.chargeTo(other, count);
  expect([budget.usedBytes, another.usedBytes]).toEqual([0, charged * INODE_BYTES]);
  inodes.chargeTo(undefined, count);
  expect(another.usedBytes).toBe(0);
});

test("what goes is free again, but for a block that the next one finds", () => {
  const { budget, memory } = container(10 * BLOCK);
  const inodes = new InodeMemory();
  inodes.chargeTo(memory, 0);
  expect(inodes.resize(FREE + 10 * BLOCK)).toBe(true);
  expect(inodes.resize(FREE + 10 * BLOCK + 1)).toBe(false);
  expect(inodes.resize(FREE + 3 * BLOCK)).toBe(true);
  expect(budget.usedBytes).toBe(4 * BLOCK * INODE_BYTES);
  expect(budget.take(6 * BLOCK)).toBe(true);
  expect(inodes.resize(FREE + 4 * BLOCK)).toBe(true);
  expect(inodes.resize(FREE + 4 * BLOCK + 1)).toBe(false);
});

test("a tree is full when its container has no memory left for a name", () => {
  const { budget, memory } = container(2 * BLOCK);
  const tree = new FileSystem({ nowNs: () => 0n, device: 1n });
  tree.space.chargeInodesTo(memory);
  const root = new MountTable(tree).openRoot(ROOT);
  let count = 0;
  while (root.makeDirectoryAt(`${count}`, 0o755) === 0) count++;
  expect(count).toBe(FREE + 2 * BLOCK);
  expect(root.makeDirectoryAt("more", 0o755)).toBe(-Errno.ENOSPC);
  expect(root.makeSymlinkAt("t", "more")).toBe(-Errno.ENOSPC);
  // A call that is posted has what was set aside for it.
  expect(tree.space.setAside(10, 1)).toBe(0);
  for (let index = 0; index < count; index++) expect(root.removeDirectoryAt(`${index}`)).toBe(0);
  expect(budget.usedBytes).toBe(BLOCK * INODE_BYTES);
  expect(tree.space.setAside(10, 1)).toBe(1);
});
