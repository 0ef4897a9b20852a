/** Eight clients of one kernel do whatever comes, in turn, on the same files: each answer, and the tree, are a model's. */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { ContainerTree } from "../../../../runtime/core/kernel/container-tree.ts";
import { FileSystem, type Layer } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../../../shim/abi/system.ts";
import { KernelHere } from "../../../fixtures/kernel-here.ts";
import {
  type ModelListing,
  type ModelOpen,
  type ModelOpenOptions,
  TreeModel,
} from "../../../fixtures/tree-model.ts";
import { makeLayer } from "../vfs/layer-fixture.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const CLIENTS = 8;
const SUPERUSER = { uid: 0, gid: 0, groups: [], umask: 0 };
const OPENED: OpenOptions = { ...PLAIN, read: true, write: true, mode: 0o666 };
/** Few names: clients are to meet. */
const PATHS = ["a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "d/e", "d/e/a"];
const NOTHING_MADE: ModelOpenOptions = {
  write: false,
  create: false,
  exclusive: false,
  truncate: false,
  append: false,
};
const DIRECTORIES = [".", "d", "e", "d/e"];

const path = fc.constantFrom(...PATHS);
const size = fc.oneof(fc.nat(300), fc.nat(300_000));
const anyOf = <const Kind extends string>(...kinds: Kind[]) => fc.constantFrom(...kinds);
const open = fc.record({
  kind: anyOf("open"),
  path,
  create: fc.boolean(),
  exclusive: fc.boolean(),
  truncate: fc.boolean(),
  append: fc.boolean(),
});
const onFile = { slot: fc.nat(3), size, at: size };
const named = { path, toPath: path };
const look = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: anyOf("stat"), ...named }) },
  { weight: 2, arbitrary: fc.record({ kind: anyOf("openToRead"), path }) },
  { weight: 2, arbitrary: fc.record({ kind: anyOf("read", "readAt"), ...onFile }) },
  { weight: 1, arbitrary: fc.record({ kind: anyOf("list"), path: fc.constantFrom(...DIRECTORIES) }) },
  { weight: 2, arbitrary: fc.record({ kind: anyOf("next"), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: anyOf("close"), slot: fc.nat(3) }) },
);
const change = fc.oneof(
  { weight: 4, arbitrary: open },
  { weight: 4, arbitrary: fc.record({ kind: anyOf("write", "writeAt", "truncate"), ...onFile }) },
  { weight: 1, arbitrary: fc.record({ kind: anyOf("close"), slot: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: anyOf("lock"),
      slot: fc.nat(3),
      lock: anyOf("none", "shared", "exclusive"),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: anyOf("unlink", "makeDirectory", "removeDirectory", "rename", "link"),
      ...named,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: anyOf("leave") }) },
);
const operation = fc.oneof(look, change);
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;

interface Listing {
  file: OpenFile;
  model: ModelListing;
  cookie: number;
  names: string[];
}

/** The kernel is told of every change in it. */
function treeOf(root: FileSystem, table: MountTable): ContainerTree {
  return {
    root,
    table,
    fileSystems: [root],
    movedNode: () => undefined,
    openRoot: (who) => table.openRoot(who),
    openCapability: () => expect.fail("not asked for"),
  };
}

/** One client, and what the model has of it. */
class Client {
  readonly #here: KernelHere;
  readonly #table: MountTable;
  readonly #model: TreeModel;
  readonly #layer: Layer | undefined;
  #root: OpenFile;
  #client: number;
  #slots: { file: OpenFile; open: ModelOpen }[] = [];
  #listing: Listing | undefined;

  constructor(here: KernelHere, table: MountTable, model: TreeModel, layer: Layer | undefined) {
    this.#here = here;
    this.#table = table;
    this.#model = model;
    this.#layer = layer;
    [this.#root, this.#client] = this.#join();
  }

  #join(): [root: OpenFile, client: number] {
    const { root, client } = this.#here.join(this.#table.openRoot(SUPERUSER), 1024, () => this.#layer?.blob);
    return [root, client];
  }

  perform(step: Operation, serial: number): void {
    const model = this.#model;
    switch (step.kind) {
      case "open":
        this.#open(step.path, { ...step, write: true });
        return;
      case "openToRead":
        this.#open(step.path, NOTHING_MADE);
        return;
      case "write":
      case "writeAt":
      case "read":
      case "readAt":
      case "truncate":
        this.#onFile(step.kind, step.slot, step.size, step.at, serial);
        return;
      case "lock": {
        const slot = this.#slots[step.slot];
        if (slot !== undefined)
          expect(slot.file.lock!(step.lock, false)).toBe(model.lock(slot.open, step.lock));
        return;
      }
      case "close":
        for (const { file, open } of this.#slots.splice(step.slot, 1)) {
          file.close();
          model.close(open);
        }
        return;
      case "unlink":
        expect(this.#root.unlinkAt(step.path)).toBe(model.unlink(step.path));
        return;
      case "makeDirectory":
        expect(this.#root.makeDirectoryAt(step.path, 0o777)).toBe(model.makeDirectory(step.path));
        return;
      case "removeDirectory":
        expect(this.#root.removeDirectoryAt(step.path)).toBe(model.removeDirectory(step.path));
        return;
      case "rename":
        expect(this.#root.renameAt(step.path, this.#root, step.toPath)).toBe(
          model.rename(step.path, step.toPath),
        );
        return;
      case "link":
        expect(this.#root.linkAt(step.path, false, this.#root, step.toPath)).toBe(
          model.link(step.path, step.toPath),
        );
        return;
      case "stat":
        this.#stat(step.path);
        return;
      case "list":
        this.#beginList(step.path);
        return;
      case "next":
        this.#readList(step.count);
        return;
      case "leave":
        this.#leave();
        return;
    }
  }

  #open(path: string, options: ModelOpenOptions): void {
    if (this.#slots.length >= 4) return;
    const model = this.#model;
    const found = model.stat(path);
    // A directory can be opened to be read: that is for lists.
    if (!options.write && typeof found !== "number" && found.kind === "directory") return;
    const expected = model.open(path, options);
    const file = this.#root.openAt(path, { ...OPENED, ...options });
    expect(isFailure(file) ? file : 0).toBe(typeof expected === "number" ? expected : 0);
    if (!isFailure(file) && typeof expected !== "number") this.#slots.push({ file, open: expected });
  }

  #onFile(
    kind: "write" | "writeAt" | "read" | "readAt" | "truncate",
    index: number,
    size: number,
    at: number,
    serial: number,
  ): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    const { file, open } = slot;
    const model = this.#model;
    if (kind === "truncate") expect(file.truncate(size)).toBe(model.truncate(open, size));
    else if (kind === "write" || kind === "writeAt") {
      const source = Uint8Array.from({ length: size }, (_, place) => (serial * 31 + place) % 251);
      const count = kind === "write" ? file.write(source) : file.writeAt(source, at);
      expect(count).toBe(kind === "write" ? model.write(open, source) : model.writeAt(open, source, at));
    } else {
      const target = new Uint8Array(size);
      const count = kind === "read" ? file.read(target) : file.readAt(target, at);
      const expected = kind === "read" ? model.read(open, size) : model.readAt(open, size, at);
      expect(count).toBe(expected.length);
      if (Buffer.compare(target.subarray(0, count), expected) !== 0) throw new Error(`${kind}: other bytes`);
    }
  }

  #stat(path: string): void {
    const stat = {} as Stat;
    const answer = this.#root.statAt(path, true, stat);
    const expected = this.#model.stat(path);
    expect(answer).toBe(typeof expected === "number" ? expected : 0);
    if (typeof expected === "number") return;
    if (expected.kind === "directory") expect(stat.type).toBe(FileType.directory);
    else
      expect(stat).toMatchObject({
        type: FileType.regularFile,
        sizeBytes: expected.bytes.length,
        linkCount: expected.linkCount,
      });
  }

  #beginList(path: string): void {
    this.#endList();
    const expected = this.#model.list(path);
    const file = this.#root.openAt(path, { ...OPENED, write: false, directory: true });
    expect(isFailure(file) ? file : 0).toBe(typeof expected === "number" ? expected : 0);
    if (isFailure(file) || typeof expected === "number") return;
    this.#listing = { file, model: expected, cookie: 0, names: [] };
  }

  /** So many entries, as far as there are. At the end: what stayed was there once, and nothing that never was. */
  #readList(count: number): void {
    const listing = this.#listing;
    if (listing === undefined) return;
    let taken = 0;
    const answer = listing.file.readDirectory(listing.cookie, (next, _inode, _type, name) => {
      if (taken === count) return false;
      taken++;
      listing.cookie = next;
      listing.names.push(name);
      return true;
    });
    expect(answer).toBe(0);
    if (taken === count) return;
    const names = listing.names.filter((name) => name !== "." && name !== "..");
    for (const name of names) expect([...listing.model.seenOnce]).toContain(name);
    for (const name of listing.model.stayed) {
      expect({ name, count: names.filter((seen) => seen === name).length }).toEqual({ name, count: 1 });
    }
    this.#endList();
  }

  #endList(): void {
    if (this.#listing === undefined) return;
    this.#listing.file.close();
    this.#model.endList(this.#listing.model);
    this.#listing = undefined;
  }

  /** Without a word, and another one comes. */
  #leave(): void {
    this.#here.kernel.detach(this.#client);
    for (const { open } of this.#slots) this.#model.close(open);
    if (this.#listing !== undefined) this.#model.endList(this.#listing.model);
    this.#slots = [];
    this.#listing = undefined;
    [this.#root, this.#client] = this.#join();
  }

  /** Everything that is open can be read as it is in the model. */
  check(): void {
    for (const { file, open } of this.#slots) {
      const target = new Uint8Array(open.node.bytes.length + 1);
      expect(file.readAt(target, 0)).toBe(open.node.bytes.length);
      expect(Buffer.compare(target.subarray(0, -1), open.node.bytes)).toBe(0);
    }
    for (const path of PATHS) this.#stat(path);
  }

  end(): void {
    this.#endList();
    for (const { file } of this.#slots) file.close();
    this.#here.kernel.detach(this.#client);
  }
}

/** What an image has, and how large. */
const LAYER_FILES = { a: 10, b: 5000, "d/a": 300_000, "d/b": 0, "e/a": 100 };
const LAYER_DIRECTORIES = ["d", "e"];
const layerByte = (index: number) => (index * 13) % 241;

function makeImage(model: TreeModel): Layer {
  for (const path of LAYER_DIRECTORIES) model.makeDirectory(path);
  const files = Object.entries(LAYER_FILES).map(([path, length]) => {
    const content = Uint8Array.from({ length }, (_, index) => layerByte(index));
    const made = model.open(path, { ...NOTHING_MADE, write: true, create: true });
    if (typeof made !== "number") model.write(made, content);
    return { path, content, mode: 0o666 };
  });
  const directories = ["", ...LAYER_DIRECTORIES].map((path) => ({
    path,
    type: "directory" as const,
    mode: 0o777,
  }));
  return makeLayer({ entries: [...directories, ...files] });
}

test.each(["nothing", "an image's files"])(
  "in a tree that has %s, every answer is what the model says, for whichever client, in whatever order",
  (content) => {
    // Several steps of one client before another has its turn: so that it comes to count on something. Half of them only look,
    // since whoever changes names forgets what it knew.
    const turn = fc.oneof(
      fc.record({
        client: fc.integer({ min: 2, max: CLIENTS - 1 }),
        steps: fc.array(operation, { minLength: 1, maxLength: 10 }),
      }),
      fc.record({ client: fc.nat(CLIENTS / 2 - 1), steps: fc.array(look, { minLength: 1, maxLength: 10 }) }),
      fc.record({
        client: fc.integer({ min: CLIENTS / 2, max: CLIENTS - 1 }),
        steps: fc.array(change, { minLength: 1, maxLength: 10 }),
      }),
    );
    const turns = fc.array(turn, { minLength: 5, maxLength: 40, size: "max" });
    fc.assert(
      fc.property(turns, (history) => {
        const here = new KernelHere();
        const model = new TreeModel();
        const layer = content === "nothing" ? undefined : makeImage(model);
        const layers = layer === undefined ? [] : [layer];
        const fileSystem = new FileSystem({ nowNs: () => 0n, device: 1n, rootMode: 0o777, layers });
        const table = new MountTable(fileSystem);
        here.kernel.addTree("tree", treeOf(fileSystem, table));
        const clients = Array.from({ length: CLIENTS }, () => new Client(here, table, model, layer));
        let serial = 0;
        for (const { client, steps } of history) {
          for (const step of steps) clients[client]!.perform(step, serial++);
        }
        for (const client of clients) client.check();
        for (const client of clients) client.end();
        expect(here.kernel.openCount).toBe(0);
        expect(fileSystem.locks.count).toBe(0);
      }),
      { numRuns: LONG ? 2_000 : 60 },
    );
  },
  LONG ? 600_000 : 60_000,
);
