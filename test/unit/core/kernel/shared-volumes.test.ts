import { expect, test } from "vitest";
import type { TreeServices } from "../../../../runtime/core/kernel/container-tree.ts";
import { SharedVolumes } from "../../../../runtime/core/kernel/shared-volumes.ts";
import { FilesMemory } from "../../../../runtime/core/quota/files-memory.ts";
import { MemoryAccount } from "../../../../runtime/core/quota/memory-account.ts";
import { MemoryBudget } from "../../../../runtime/core/quota/memory-budget.ts";
import { makeChunk } from "../../../../runtime/core/vfs/chunk.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { PageCache } from "../../../../runtime/core/vfs/page-cache.ts";

/** What happens to volumes, in order. */
function volumes() {
  const events: string[] = [];
  let number = 0;
  const shared = new SharedVolumes(
    () => {
      const own = ++number;
      return { [Symbol.dispose]: () => void events.push(`closed ${own}`) } as unknown as TreeServices &
        Disposable;
    },
    ({ device }) => events.push(`opened ${device - 2n ** 32n}`),
  );
  const make = (device: bigint) => {
    const fileSystem = new FileSystem({ nowNs: () => 0n, device });
    fileSystem.keeper = {
      lasts: true,
      sync: () => 0,
      flush: () => events.push("flushed") * 0,
      settle() {},
      release: () => true,
      close: () => 0,
    };
    return fileSystem;
  };
  return { shared, make, events };
}

test("the first opens a volume, the last closes it, and all have the same", () => {
  const { shared, make, events } = volumes();
  const uses = [shared.use(), shared.use(), shared.use()];
  const [first, second] = uses.map((use) => use.open("/a", make));
  expect(second).toBe(first);
  expect(events).toEqual(["opened 0"]);
  uses[0]![Symbol.dispose]();
  uses[2]![Symbol.dispose]();
  expect(events).toEqual(["opened 0", "flushed", "flushed"]);
  expect(shared.count).toBe(1);
  uses[1]![Symbol.dispose]();
  expect(events.slice(3)).toEqual(["closed 1"]);
  expect(shared.count).toBe(0);
  using again = shared.use();
  expect(again.open("/a", make)).not.toBe(first);
  expect(events.slice(4)).toEqual(["opened 1"]);
});

test("one that a container has at two places counts once, and its end twice does nothing", () => {
  const { shared, make, events } = volumes();
  const use = shared.use();
  const other = shared.use();
  expect(use.open("/a", make)).toBe(use.open("/a", make));
  expect(use.open("/b", make)).not.toBe(other.open("/a", make));
  use[Symbol.dispose]();
  use[Symbol.dispose]();
  expect(shared.count).toBe(1);
  other[Symbol.dispose]();
  expect(events).toEqual(["opened 0", "opened 1", "flushed", "closed 2", "closed 1"]);
});

test("what is to be done at the end is done while its volumes are open", () => {
  const { shared, make, events } = volumes();
  const use = shared.use();
  use.open("/a", make);
  use.atEnd(() => events.push("end"));
  use[Symbol.dispose]();
  expect(events).toEqual(["opened 0", "end", "closed 1"]);
});

test("one that can't be opened is nobody's", () => {
  const { shared, make, events } = volumes();
  using use = shared.use();
  const fail = () => {
    throw new Error("damaged");
  };
  expect(() => use.open("/a", fail)).toThrow("damaged");
  expect(events).toEqual(["closed 1"]);
  expect(shared.count).toBe(0);
  use.open("/a", make);
  expect(shared.count).toBe(1);
});

test("what is in memory is charged to the first container that is there, which others follow", () => {
  const { shared, make } = volumes();
  const budgets = [0, 1, 2].map(() => MemoryBudget.create(1 << 20));
  const uses = budgets.map((budget) => {
    const use = shared.use();
    const open = () => use.open("/a", make, new FilesMemory(MemoryAccount.create(budget)));
    return { use, open };
  });
  const free = () => budgets.map(({ freeBytes }) => (1 << 20) - freeBytes);
  // Somebody who counts nothing came first.
  using uncounted = shared.use();
  const { space } = uncounted.open("/a", make);
  const store = { put: () => 0, fetch: () => 0, moved() {} };
  space.pages = new PageCache(store, 1 << 20, false);
  space.pages.keep(makeChunk(new Uint8Array(64 * 1024), 64 * 1024, 0, 0));
  for (const { open } of uses) open();
  expect(free()).toEqual([64 * 1024, 0, 0]);
  uses[1]!.use[Symbol.dispose]();
  expect(free()).toEqual([64 * 1024, 0, 0]);
  uses[0]!.use[Symbol.dispose]();
  expect(free()).toEqual([0, 0, 64 * 1024]);
  space.pages.keep(makeChunk(new Uint8Array(64 * 1024), 64 * 1024, 0, 0));
  expect(free()).toEqual([0, 0, 128 * 1024]);
  uses[2]!.use[Symbol.dispose]();
  expect(free()).toEqual([0, 0, 0]);
});
