/** What holds for any sequence of operations: compared with a naive model, or with the native file system. */
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { CHUNK_BYTES } from "../../../../runtime/core/vfs/chunk.ts";
import { FileContent } from "../../../../runtime/core/vfs/file-content.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { LowerContent } from "../../../../runtime/core/vfs/lower-content.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { buffersOf, restoreSnapshot, takeSnapshot } from "../../../../runtime/core/vfs/snapshot.ts";
import { Space } from "../../../../runtime/core/vfs/space.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { isFailure, type OpenFile, type Stat } from "../../../../shim/abi/system.ts";
import { errnoName } from "./case-runner.ts";
import { dump, openPath, READ } from "./inspect.ts";
import { makeLayer } from "./layer-fixture.ts";
import { NativeFile } from "./native-directory.ts";
import { USED_MEMORY } from "./used-memory.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const RUNS = process.env.WPOD_TEST_LONG === "1" ? 2000 : 60;
let time = 0n;
const nowNs = () => ++time;

describe("content", { timeout: RUNS > 60 ? 300_000 : 30_000 }, () => {
  type Step = { op: "write" | "read" | "truncate"; at: number; size: number };
  const near = fc.oneof(
    fc.nat(2000),
    fc.integer({ min: CHUNK_BYTES - 50, max: CHUNK_BYTES + 50 }),
    fc.integer({ min: 2 * CHUNK_BYTES - 50, max: 2 * CHUNK_BYTES + 50 }),
    fc.nat(700_000),
  );
  const steps = fc.array(
    fc.record<Step>({ op: fc.constantFrom("write", "read", "truncate"), at: near, size: near }),
    { maxLength: 25 },
  );

  test("is what a plain buffer would be, over nothing and over a layer, and all space comes back", () => {
    fc.assert(
      fc.property(steps, fc.oneof(fc.constant(0), near), (todo, lowerBytes) => {
        const space = new Space(Number.MAX_SAFE_INTEGER, 10);
        space.memory = USED_MEMORY;
        const stored = Uint8Array.from({ length: lowerBytes }, (_, index) => index % 255);
        const blob = {
          sizeBytes: lowerBytes,
          read: (target: Uint8Array, offset: number) => {
            target.set(stored.subarray(offset, offset + target.length));
            return target.length;
          },
        };
        const lower = lowerBytes === 0 ? undefined : new LowerContent(blob, 0, 0, lowerBytes, undefined);
        const content = new FileContent(space, lower);
        let model = Buffer.from(stored);
        for (const [count, { op, at, size }] of todo.entries()) {
          if (op === "write") {
            const source = new Uint8Array(size).fill(count + 1);
            expect(content.write(source, at)).toBe(size);
            if (size > 0 && at + size > model.length)
              model = Buffer.concat([model, Buffer.alloc(at + size - model.length)]);
            model.set(source, size > 0 ? at : 0);
          } else if (op === "truncate") {
            expect(content.truncate(at)).toBe(0);
            model = Buffer.concat([model.subarray(0, at), Buffer.alloc(Math.max(0, at - model.length))]);
          } else {
            const target = Buffer.alloc(size, 0xaa);
            const seen = content.read(target, at);
            const wanted = model.subarray(at, at + size);
            expect(seen).toBe(wanted.length);
            expect(target.subarray(0, seen).equals(wanted)).toBe(true);
          }
          expect(content.sizeBytes).toBe(model.length);
        }
        content.release();
        expect(space.bytes).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});

const NAMES = ["a", "b", "c"];
const name = fc.constantFrom(...NAMES);
const path = fc
  .tuple(
    fc.array(fc.oneof({ weight: 6, arbitrary: name }, { weight: 1, arbitrary: fc.constantFrom(".", "..") }), {
      minLength: 1,
      maxLength: 3,
    }),
    fc.boolean(),
  )
  .map(([parts, slash]) => parts.join("/") + (slash && parts.length === 1 ? "/" : ""));
/** A long one counts. */
const target = fc.oneof(
  path,
  path.map((short) => short + "/.".repeat(40)),
);

const operation = fc.oneof(
  fc.record({ op: fc.constant("mkdir" as const), path }),
  fc.record({ op: fc.constant("rmdir" as const), path }),
  fc.record({ op: fc.constant("unlink" as const), path }),
  fc.record({ op: fc.constant("put" as const), path, text: fc.constantFrom("x", "yy", "") }),
  fc.record({ op: fc.constant("rename" as const), path, to: path }),
  fc.record({ op: fc.constant("link" as const), path, to: path }),
  fc.record({ op: fc.constant("symlink" as const), path, to: target }),
  fc.record({ op: fc.constant("stat" as const), path, follow: fc.boolean() }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The name of the errno, or what was seen. */
function apply(root: OpenFile, one: Operation): unknown {
  switch (one.op) {
    case "mkdir":
      return errnoName(root.makeDirectoryAt(one.path, 0o755));
    case "rmdir":
      return errnoName(root.removeDirectoryAt(one.path));
    case "unlink":
      return errnoName(root.unlinkAt(one.path));
    case "rename":
      return errnoName(root.renameAt(one.path, root, one.to));
    case "link":
      return errnoName(root.linkAt(one.path, false, root, one.to));
    case "symlink":
      return errnoName(root.makeSymlinkAt(one.to, one.path));
    case "put": {
      const file = root.openAt(one.path, { ...READ, write: true, create: true, truncate: true });
      if (isFailure(file)) return errnoName(file);
      const count = file.write(new TextEncoder().encode(one.text));
      file.close();
      return count;
    }
    default: {
      const stat = {} as Stat;
      const answer = root.statAt(one.path, one.follow, stat);
      return answer < 0
        ? errnoName(answer)
        : [stat.type, stat.type === 3 ? 0 : stat.sizeBytes, stat.linkCount];
    }
  }
}

describe("sequences of operations", () => {
  const scratch = fs.mkdtempSync(join(tmpdir(), "wpod-sequences-"));
  afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));
  let folderCount = 0;

  test.runIf(process.platform === "linux")("answer what the native file system answers", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 5, maxLength: 40 }), (operations) => {
        // A tree of its own height above it, so that ".." stays inside of both.
        const folder = join(scratch, String(folderCount++), "r/s/t");
        fs.mkdirSync(folder, { recursive: true });
        const native = new NativeFile(fs.openSync(folder, fs.constants.O_RDONLY));
        const table = new MountTable(new FileSystem({ nowNs, device: 1n }));
        const top = table.openRoot(ROOT);
        for (const step of ["r", "r/s", "r/s/t"]) top.makeDirectoryAt(step, 0o755);
        const memory = openPath(top, "r/s/t", { directory: true });
        try {
          for (const one of operations)
            expect(apply(memory, one), JSON.stringify(one)).toEqual(apply(native, one));
          expect(dump(memory)).toEqual(dumpNative(folder));
        } finally {
          native.close();
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("leave what a snapshot gives back elsewhere, over layers", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 30 }),
        fc.array(operation, { maxLength: 10 }),
        (operations, later) => {
          const layers = [
            makeLayer({
              entries: [
                { path: "a/a", content: new TextEncoder().encode("lower") },
                { path: "a/b/c", content: new TextEncoder().encode("deep") },
                { path: "b/a", hardLink: "a/a" },
                { path: "c", target: "a" },
              ],
            }),
            makeLayer({ entries: [{ path: "b/c", content: new TextEncoder().encode("upper") }] }),
          ];
          const make = () => new FileSystem({ layers, nowNs, device: 1n, bytesMax: 1e6, inodesMax: 1e3 });
          const before = make();
          const root = new MountTable(before).openRoot(ROOT);
          for (const one of operations) apply(root, one);
          const inodes = numbers(root);
          const seen = dump(root);
          const usage = before.usage();
          const state = takeSnapshot(before);
          const after = make();
          restoreSnapshot(after, structuredClone(state, { transfer: buffersOf(state) }));
          const restored = new MountTable(after).openRoot(ROOT);
          expect(dump(restored)).toEqual(seen);
          expect(numbers(restored)).toEqual(inodes);
          expect(after.usage()).toEqual(usage);
          // And it goes on as if nothing had been.
          const twin = make();
          const twinRoot = new MountTable(twin).openRoot(ROOT);
          for (const one of operations) apply(twinRoot, one);
          for (const one of later) {
            expect(apply(restored, one), JSON.stringify(one)).toEqual(apply(twinRoot, one));
          }
          expect(dump(restored)).toEqual(dump(twinRoot));
          expect(after.usage()).toEqual(twin.usage());
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** Node's own recursion walks into links. */
function dumpNative(folder: string, prefix = ""): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = join(folder, entry.name);
    const short = prefix + entry.name;
    if (entry.isDirectory()) Object.assign(seen, { [`${short}/`]: "" }, dumpNative(full, `${short}/`));
    else seen[short] = entry.isSymbolicLink() ? `-> ${fs.readlinkSync(full)}` : fs.readFileSync(full, "utf8");
  }
  return seen;
}

/** Inode numbers and counts of links, by path. */
function numbers(root: OpenFile): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const path of Object.keys(dump(root))) {
    const stat = {} as Stat;
    root.statAt(path.replace(/\/$/, ""), false, stat);
    seen[path] = `${stat.inode} ${stat.linkCount}`;
  }
  return seen;
}

describe("the path walk", () => {
  /** The same by texts: lexical, over a table of what is where. */
  function naive(tree: Map<string, string>, path: string): string {
    let at: string[] = [];
    let parts = path.split("/");
    if (path === "") return "ENOENT";
    let linkCount = 0;
    while (parts.length > 0) {
      const part = parts.shift()!;
      const here = at.join("/");
      const kind = at.length === 0 ? "directory" : tree.get(here)!;
      if (kind !== "directory") return "ENOTDIR";
      if (part === "" || part === ".") continue;
      if (part === "..") {
        at.pop();
        continue;
      }
      const next = [...at, part].join("/");
      const what = tree.get(next);
      if (what === undefined) return "ENOENT";
      if (what.startsWith("-> ")) {
        if (++linkCount > 40) return "ELOOP";
        const target = what.slice(3);
        if (target.startsWith("/")) at = [];
        parts = [...target.split("/"), ...parts];
        continue;
      }
      at.push(part);
    }
    return `/${at.join("/")}`;
  }

  const component = fc.constantFrom("a", "b", "c", ".", "..", "");
  const anyPath = fc
    .tuple(fc.boolean(), fc.array(component, { minLength: 1, maxLength: 6 }))
    .map(([absolute, parts]) => (absolute ? "/" : "") + parts.join("/"))
    .filter((text) => text !== "");

  test("finds what a naive one finds", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.array(name, { minLength: 1, maxLength: 3 }),
            fc.oneof(fc.constantFrom("directory", "file"), anyPath),
          ),
          {
            maxLength: 15,
          },
        ),
        fc.array(anyPath, { minLength: 5, maxLength: 20 }),
        (plan, paths) => {
          const tree = new FileSystem({ nowNs, device: 1n });
          const root = new MountTable(tree).openRoot(ROOT);
          const known = new Map<string, string>();
          for (const [parts, what] of plan) {
            const full = parts.join("/");
            const parent = parts.slice(0, -1).join("/");
            if (known.has(full) || (parent !== "" && known.get(parent) !== "directory")) continue;
            if (what === "directory") root.makeDirectoryAt(full, 0o755);
            else if (what === "file") openPath(root, full, { write: true, create: true }).close();
            else root.makeSymlinkAt(what, full);
            known.set(full, what === "directory" || what === "file" ? what : `-> ${what}`);
          }
          const inodes = new Map<bigint, string>([[1n, "/"]]);
          for (const full of known.keys()) {
            const stat = {} as Stat;
            root.statAt(full, false, stat);
            inodes.set(stat.inode, `/${full}`);
          }
          for (const one of paths) {
            const stat = {} as Stat;
            const answer = root.statAt(one, true, stat);
            const seen = answer < 0 ? errnoName(answer) : inodes.get(stat.inode);
            expect(seen, one).toBe(naive(known, one));
          }
        },
      ),
      { numRuns: RUNS * 2 },
    );
  });
});

describe("a listing", () => {
  test("under changes shows nothing twice, and all that was there all the time", () => {
    const change = fc.record({ add: fc.boolean(), which: fc.nat(300) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.array(change, { maxLength: 30 }), { maxLength: 60 }),
        (startCount, batch, changes) => {
          const root = new MountTable(new FileSystem({ nowNs, device: 1n })).openRoot(ROOT);
          const put = (file: string) => openPath(root, file, { write: true, create: true }).close();
          const always = new Set<string>();
          for (let index = 0; index < startCount; index++) {
            put(`f${index}`);
            always.add(`f${index}`);
          }
          const seen: string[] = [];
          let cookie = 0;
          for (let round = 0; ; round++) {
            let left = batch;
            root.readDirectory(cookie, (next, _inode, _type, file) => {
              if (left === 0) return false;
              left--;
              cookie = next;
              seen.push(file);
              return true;
            });
            if (left > 0) break;
            for (const { add, which } of changes[round] ?? []) {
              const file = `f${which}`;
              if (add) put(file);
              else if (root.unlinkAt(file) === 0) always.delete(file);
            }
          }
          // What was removed and made again is another entry: it may be seen once more.
          const stable = seen.filter((file) => always.has(file));
          expect(new Set(stable).size).toBe(stable.length);
          expect(new Set(stable)).toEqual(always);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test("of 100,000 names is linear, and cookies of entries that went still work", () => {
    const root = new MountTable(new FileSystem({ nowNs, device: 1n })).openRoot(ROOT);
    const count = 100_000;
    for (let index = 0; index < count; index++) {
      openPath(root, `f${index}`, { write: true, create: true }).close();
    }
    let cookie = 0;
    let seen = 0;
    const start = performance.now();
    for (;;) {
      let got = 0;
      root.readDirectory(cookie, (next) => {
        if (got === 50) return false;
        got++;
        cookie = next;
        return true;
      });
      seen += got;
      if (got < 50) break;
    }
    expect(seen).toBe(count + 2);
    // Quadratic would be a hundred times this.
    expect(performance.now() - start).toBeLessThan(2000);
    for (let index = 0; index < count; index += 1) if (index % 1000 !== 0) root.unlinkAt(`f${index}`);
    const rest: string[] = [];
    root.readDirectory(50_003, (_next, _inode, _type, file) => rest.push(file) > 0);
    expect(rest[0]).toBe("f51000");
    expect(rest).toHaveLength(49);
  });
});

test("errno names", () => {
  expect(errnoName(-Errno.ENOENT)).toBe("ENOENT");
});
