/** One suite of file-system cases, over every tree and over the native file system, which is the judge. */
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import { Operation } from "../../../../runtime/core/kernel/protocol.ts";
import type { Credentials } from "../../../../runtime/core/vfs/credentials.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { openJournal } from "../../../../runtime/core/vfs/journal/journal.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { KernelHere } from "../../../fixtures/kernel-here.ts";
import { type FileCase, loadCases, plant } from "./case-file.ts";
import { type CaseTarget, runCase } from "./case-runner.ts";
import { fingerprint } from "./journal/history.ts";
import { RecordedFolder } from "./journal/recorded-folder.ts";
import { type EntrySpec, makeLayer } from "./layer-fixture.ts";
import { NativeFile, plantNative } from "./native-directory.ts";
import { plantMemory } from "./plant-memory.ts";

const nowNs = () => BigInt(Date.now()) * 1_000_000n;

const SUPERUSER: Credentials = { uid: 0, gid: 0, groups: [], umask: 0 };

function credentialsOf(one: FileCase): Credentials {
  return { ...SUPERUSER, ...one.user };
}

function targetOf(table: MountTable, one: FileCase, prefix: string): CaseTarget {
  const credentials = credentialsOf(one);
  const root = prefix === "" ? table.openRoot(credentials) : table.openPreopen(prefix, false, credentials);
  if (typeof root === "number") throw new Error("the root can't be opened");
  return { root, preopen: (path) => table.openPreopen(`${prefix}/${path}`, true, credentials) };
}

function memory(one: FileCase): CaseTarget {
  const tree = new FileSystem({ nowNs, device: 1n, rootMode: 0o777 });
  plantMemory(tree, plant(one));
  return targetOf(new MountTable(tree), one, "");
}

/** In a folder, with hardly any room in memory; and then the folder has to have the same. */
function runKept(one: FileCase): void {
  const folder = new RecordedFolder();
  const open = () => {
    const tree = new FileSystem({ nowNs, device: 1n, rootMode: 0o777 });
    const options = { identity: "", residentBytesMax: 1, deadBytesMin: 100, growthBytesMin: 100 };
    return { tree, journal: openJournal(tree, folder, options) };
  };
  const look = (fileSystem: FileSystem) =>
    fingerprint({ fileSystem, root: new MountTable(fileSystem).openRoot(SUPERUSER) });
  const { tree, journal } = open();
  plantMemory(tree, plant(one));
  runCase(one, targetOf(new MountTable(tree), one, ""));
  const seen = look(tree);
  expect(journal.close()).toBe(0);
  const again = open();
  expect(look(again.tree)).toBe(seen);
}

function tmpfs(one: FileCase): CaseTarget {
  const table = new MountTable(new FileSystem({ nowNs, device: 1n }));
  const tree = new FileSystem({ nowNs, device: 2n, rootMode: 0o777, bytesMax: 2 ** 24, inodesMax: 1000 });
  plantMemory(tree, plant(one));
  table.mount("/mnt/tmp", { tree });
  const target = targetOf(table, one, "/mnt/tmp");
  return target;
}

/** The set-up, spread over layers as `pick` says; a hard link stands with its file. */
function layered(one: FileCase, pick: (index: number) => number, layerCount: number): CaseTarget {
  const planted = plant(one);
  const entries: EntrySpec[][] = Array.from({ length: layerCount }, () => []);
  entries[0]!.push({ path: "", type: "directory", mode: 0o777 });
  const layerOf = new Map<string, number>();
  planted.forEach((item, index) => {
    const layer = item.kind === "link" ? layerOf.get(item.text)! : pick(index);
    layerOf.set(item.path, layer);
    const common = {
      path: item.path,
      mode: item.mode,
      uid: item.uid,
      gid: item.gid,
      mtimeNs: item.mtimeNs ?? 0n,
    };
    entries[layer]!.push(
      item.kind === "directory"
        ? { ...common, type: "directory" }
        : item.kind === "symlink"
          ? { ...common, target: item.text, mode: 0o777 }
          : item.kind === "link"
            ? { ...common, hardLink: item.text }
            : { ...common, content: new TextEncoder().encode(item.text) },
    );
  });
  const layers = entries.map((list) => makeLayer({ entries: list }));
  return targetOf(new MountTable(new FileSystem({ nowNs, device: 1n, layers })), one, "");
}

const scratch = fs.mkdtempSync(join(tmpdir(), "wpod-cases-"));
fs.chmodSync(scratch, 0o755);
let folderCount = 0;

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

function hostFolder(one: FileCase): string {
  const folder = join(scratch, String(folderCount++));
  fs.mkdirSync(folder);
  fs.chmodSync(folder, 0o777);
  plantNative(folder, plant(one));
  return folder;
}

function runNative(one: FileCase): void {
  const folder = hostFolder(one);
  const root = new NativeFile(fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY));
  const umask = process.umask(0);
  if (one.user !== undefined) {
    process.setgroups!(one.user.groups);
    process.setegid!(one.user.gid);
    process.seteuid!(one.user.uid);
  }
  try {
    runCase(one, { root, preopen: () => expect.fail("the data must say that this is not native") });
  } finally {
    if (one.user !== undefined) {
      process.seteuid!(0);
      process.setegid!(0);
      process.setgroups!([]);
    }
    process.umask(umask);
    root.close();
  }
}

/** A directory of the host, mounted. */
function bind(one: FileCase, portable: boolean): CaseTarget & Disposable {
  const table = new MountTable(new FileSystem({ nowNs, device: 1n }));
  const tree = openHostTree(hostFolder(one), { readOnly: false, device: 2n, uid: 0, gid: 0, portable });
  table.mount("/mnt/host", { tree });
  const target = targetOf(table, one, "/mnt/host");
  return {
    ...target,
    [Symbol.dispose]() {
      target.root.close();
      tree.close();
    },
  };
}

/** The same tree, behind a kernel: nothing may stay open there. */
function runThroughKernel(one: FileCase, target: CaseTarget): void {
  const here = new KernelHere();
  const { root, adopt, connection } = here.join(target.root);
  runCase(one, {
    root,
    preopen(path) {
      const directory = target.preopen(path);
      return typeof directory === "number" ? directory : adopt(directory);
    },
  });
  // What the client keeps open for the next time goes, and a call has the kernel do what was posted.
  connection.view.forgetLookUps();
  root.close();
  connection.call(Operation.join, 0, 0);
  expect(here.kernel.openCount, "files that are left open").toBe(0);
  here.kernel.detach(0);
}

function runBind(one: FileCase, run = runCase, portable = false): void {
  const before = openDescriptors();
  {
    using target = bind(one, portable);
    run(one, target);
  }
  expect(openDescriptors(), "descriptors that are left open").toBe(before);
}

function openDescriptors(): number {
  return fs.readdirSync("/proc/self/fd").length;
}

const files = loadCases();

test("there are 200 cases or more, each with a name of its own", () => {
  const names = files.flatMap(({ file, cases }) => cases.map((one) => `${file}: ${one.name}`));
  expect(names.length).toBeGreaterThanOrEqual(200);
  expect(new Set(names).size).toBe(names.length);
});

const backends: { name: string; run: (one: FileCase) => void }[] = [
  { name: "memory", run: (one) => runCase(one, memory(one)) },
  { name: "memory, kept in a folder", run: runKept },
  { name: "tmpfs", run: (one) => runCase(one, tmpfs(one)) },
  {
    name: "image",
    run: (one) =>
      runCase(
        one,
        layered(one, () => 0, 1),
      ),
  },
  {
    name: "image of three layers",
    run: (one) =>
      runCase(
        one,
        layered(one, (index) => index % 3, 3),
      ),
  },
  { name: "native", run: runNative },
  { name: "bind", run: (one) => runBind(one) },
  { name: "bind, where there is no /proc", run: (one) => runBind(one, runCase, true) },
  { name: "memory, through a kernel", run: (one) => runThroughKernel(one, memory(one)) },
  {
    name: "image of three layers, through a kernel",
    run: (one) =>
      runThroughKernel(
        one,
        layered(one, (index) => index % 3, 3),
      ),
  },
  { name: "tmpfs, through a kernel", run: (one) => runThroughKernel(one, tmpfs(one)) },
  { name: "bind, through a kernel", run: (one) => runBind(one, runThroughKernel) },
];

const isRoot = process.getuid?.() === 0;

/** What takes a descriptor, or a `link` that doesn't follow: such hosts have neither for us. */
const NEEDS_PROC: readonly string[] = [
  "link to a symbolic link links the link",
  "link to a dangling link, and to a loop",
  "a removed directory stays open, empty and without new names",
  "a directory made again under the same name is another",
];

for (const { name, run } of backends) {
  const backend = name.split(", ")[0]!;
  const isHost = backend === "native" || backend === "bind";
  describe.runIf(!isHost || process.platform === "linux")(name, () => {
    for (const { file, cases } of files) {
      for (const one of cases) {
        if (one.not?.[backend] !== undefined) continue;
        if (name.endsWith("no /proc") && NEEDS_PROC.includes(one.name)) continue;
        // Another user's rights can only be had by root.
        if (name === "native" && one.user !== undefined && !isRoot) continue;
        test(`${file}: ${one.name}`, () => run(one));
      }
    }
  });
}

test("errors of mounts are for people", () => {
  const table = new MountTable(new FileSystem({ nowNs, device: 1n }));
  expect(() => table.mount("relative", { tree: new FileSystem({ nowNs, device: 2n }) })).toThrow(WpodError);
});
