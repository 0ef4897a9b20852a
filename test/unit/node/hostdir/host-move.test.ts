/** A container with bind mounts moves to another thread's tree: what is open and mounted there is the same, whatever the host did. */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import {
  assembleTree,
  type ContainerTree,
  type MovedFiles,
  takeFiles,
} from "../../../../runtime/core/kernel/container-tree.ts";
import {
  describeFile,
  type MovedFile,
  type MovedHostFile,
  openMoved,
} from "../../../../runtime/core/kernel/moved-files.ts";
import type { FilesSpec, MountPlan } from "../../../../runtime/core/kernel/spec.ts";
import { treeServices } from "../../../../runtime/node/tree-services.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../../../shim/abi/system.ts";
import { CREATE, DIRECTORY, READ, WRITE } from "../../../fixtures/hostile-client.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const bytes = (text: string) => new TextEncoder().encode(text);

let base: string;
let descriptors: number;
let closing: Disposable[];
beforeEach(() => {
  closing = [];
  base = mkdtempSync(join(tmpdir(), "wpod-move-"));
  for (const folder of ["in/sub/deep", "in/gone", "other", "out"]) mkdirSync(join(base, folder), { recursive: true });
  for (const file of ["in/file", "in/sub/file", "in/sub/deep/file", "other/file", "out/file", "out/secret", "single"]) {
    writeFileSync(join(base, file), file);
  }
  descriptors = readdirSync("/proc/self/fd").length;
}); // biome-ignore format: lists
afterEach(() => {
  for (const one of closing.reverse()) one[Symbol.dispose]();
  expect(readdirSync("/proc/self/fd").length, "descriptors that are left open").toBe(descriptors);
  rmSync(base, { recursive: true, force: true });
});

function bind(source: string, target: string, readOnly = false): MountPlan {
  return {
    kind: "bind",
    source: join(base, source),
    target,
    readOnly,
    sizeBytesMax: 0,
    mode: 0,
  };
}

function specOf(...mounts: MountPlan[]): FilesSpec {
  return {
    layers: [],
    snapshot: undefined,
    folders: [],
    mounts,
    etcFiles: [],
    readOnly: false,
    diskBytesMax: 1 << 20,
    inodesMax: 1000,
  };
}

interface Moving {
  root: OpenFile;
  open(path: string, options: OpenOptions): OpenFile;
  /** To another tree, after `meanwhile`; what was open, in the order in which it was opened. */
  move(meanwhile: () => void): OpenFile[];
}

function container(...mounts: MountPlan[]): Moving {
  const spec = specOf(...mounts);
  const services = treeServices();
  const tree = assembleTree(spec, services, undefined);
  const opened: OpenFile[] = [];
  const root = tree.openRoot(ROOT);
  const open = (path: string, options: OpenOptions) => {
    const file = root.openAt(path, options);
    if (isFailure(file)) throw new Error(`${path}: ${file}`);
    opened.push(file);
    return file;
  };
  const move = (meanwhile: () => void) => {
    const files = takeFiles(tree, [root, ...opened]);
    const described = [root, ...opened].map((file) => describeFile(file, tree.table)!);
    meanwhile();
    const newServices = treeServices();
    const moved: ContainerTree = assembleTree(spec, newServices, undefined, structuredClone(files));
    const openHost = (file: MovedHostFile) => newServices.reopen(moved.table.mounts[file.mount]!, file);
    const movedFiles = structuredClone(described).map((file) =>
      openMoved(file, { ...moved, openHost, pipes: new Map() }),
    );
    // The first thread has ended.
    for (const file of [root, ...opened]) file.close();
    services[Symbol.dispose]();
    closing.push(newServices, ...movedFiles.map((file) => ({ [Symbol.dispose]: () => file.close() })));
    return movedFiles;
  };
  return { root, open, move };
}

function content(at: OpenFile, path: string): string | number {
  const file = at.openAt(path, READ);
  if (isFailure(file)) return file;
  const text = rest(file);
  file.close();
  return text;
}

/** From its position on. */
function rest(file: OpenFile): string {
  const target = new Uint8Array(1000);
  const count = file.read(target);
  return count < 0 ? `errno ${-count}` : Buffer.from(target.subarray(0, count)).toString();
}

describe.runIf(process.platform === "linux")("a bind mount that moves", () => {
  test("shows the directory that was mounted, not what its path leads to by then", () => {
    const { move } = container(bind("in", "/m"), bind("single", "/f"));
    const [root] = move(() => {
      renameSync(join(base, "in"), join(base, "moved"));
      symlinkSync("out", join(base, "in"));
      renameSync(join(base, "single"), join(base, "moved-single"));
      symlinkSync("out/secret", join(base, "single"));
    });
    expect(content(root!, "m/file")).toBe("in/file");
    expect(content(root!, "m/secret")).toBe(-Errno.ENOENT);
    expect(content(root!, "f")).toBe("single");
    const made = root!.openAt("m/new", CREATE);
    (made as OpenFile).close();
    expect(readdirSync(join(base, "moved"))).toContain("new");
    expect(readdirSync(join(base, "out")).sort()).toEqual(["file", "secret"]);
  });

  test("keeps its right to be written, or not", () => {
    const { move } = container(bind("in", "/m", true), bind("other", "/w"));
    const [root] = move(() => {});
    expect(root!.openAt("m/new", CREATE)).toBe(-Errno.EROFS);
    expect(root!.unlinkAt("w/file")).toBe(0);
  });

  test("stands where it stood in another one, also when that place was renamed or replaced", () => {
    const { move } = container(bind("in", "/m"), bind("other", "/m/sub/deep"));
    const [root] = move(() => {
      renameSync(join(base, "in/sub"), join(base, "in/renamed"));
      mkdirSync(join(base, "in/sub/deep"), { recursive: true });
    });
    expect(content(root!, "m/renamed/deep/file")).toBe("other/file");
    expect(content(root!, "m/sub/deep/file")).toBe(-Errno.ENOENT);
    expect(content(root!, "m/renamed/deep/../file")).toBe("in/sub/file");
  });
});

describe.runIf(process.platform === "linux")("an open file that moves", () => {
  const cases: readonly { name: string; options: OpenOptions }[] = [
    { name: "to read", options: READ },
    { name: "to read and write", options: WRITE },
    { name: "to write", options: { ...WRITE, read: false } },
    { name: "to append", options: { ...WRITE, append: true } },
  ];
  test.each(cases)("$name: the same file, position and rights", ({ options }) => {
    const { open, move } = container(bind("in", "/m"));
    const before = open("m/file", options);
    expect(before.seek(3, "set")).toBe(3);
    const [, file] = move(() => {
      renameSync(join(base, "in/file"), join(base, "out/renamed"));
      symlinkSync(join(base, "out/secret"), join(base, "in/file"));
    });
    expect(rest(file!)).toBe(options.read ? "file" : `errno ${Errno.EBADF}`);
    expect(file!.seek(0, "current")).toBe(options.read ? 7 : 3);
    const written = file!.write(bytes("+"));
    expect(written).toBe(options.write ? 1 : -Errno.EBADF);
    const where = options.append || options.read ? "in/file+" : "in/+ile";
    expect(readFileSync(join(base, "out/renamed"), "utf8")).toBe(options.write ? where : "in/file");
    expect(readFileSync(join(base, "out/secret"), "utf8")).toBe("out/secret");
    expect(file!.append).toBe(options.append);
  });

  test("without a name, or without the right to be opened again", () => {
    const { open, move } = container(bind("in", "/m"));
    open("m/file", WRITE);
    open("m/made", { ...CREATE, mode: 0o000 }).write(bytes("one"));
    const [, removed, made] = move(() => rmSync(join(base, "in/file")));
    expect(rest(removed!)).toBe("in/file");
    expect(made!.write(bytes(" two"))).toBe(4);
    expect(statSync(join(base, "in/made")).mode & 0o777).toBe(0);
  });
});

describe.runIf(process.platform === "linux")("an open directory that moves", () => {
  test("is the same one, renamed, moved out or removed; its parent is never outside", () => {
    const { open, move } = container(bind("in", "/m"));
    for (const path of ["m/sub", "m/sub/deep", "m/gone", "m"]) open(path, DIRECTORY);
    const [, sub, deep, gone, mount] = move(() => {
      renameSync(join(base, "in/sub/deep"), join(base, "out/deep"));
      renameSync(join(base, "in/sub"), join(base, "in/renamed"));
      symlinkSync(join(base, "out"), join(base, "in/sub"));
      rmSync(join(base, "in/gone"), { recursive: true });
    });
    expect(content(sub!, "file")).toBe("in/sub/file");
    expect(content(sub!, "../file")).toBe("in/file");
    expect(content(sub!, "../../m/file")).toBe("in/file");
    expect(content(deep!, "file")).toBe("in/sub/deep/file");
    expect(content(deep!, "../secret")).toBe(-Errno.ENOENT);
    expect(content(deep!, "../file")).toBe("in/file");
    expect(content(deep!, "../../out/secret")).toBe(-Errno.ENOENT);
    expect(gone!.openAt("new", CREATE)).toBe(-Errno.ENOENT);
    expect(gone!.stat({} as Stat)).toBe(0);
    expect(content(mount!, "renamed/file")).toBe("in/sub/file");
    expect(content(mount!, "sub/secret")).toBe(-Errno.ENOENT);
  });
});

describe.runIf(process.platform === "linux")(
  "what another thread has open, when that thread has ended",
  () => {
    /** As it was described, and by now closed. */
    function gone(): { spec: FilesSpec; files: MovedFiles; file: MovedFile; directory: MovedFile } {
      const spec = specOf(bind("in", "/m"));
      const services = treeServices();
      const tree = assembleTree(spec, services, undefined);
      const root = tree.openRoot(ROOT);
      const opened = [root.openAt("m/file", READ), root.openAt("m/sub", DIRECTORY)] as OpenFile[];
      const [file, directory] = opened.map((one) => describeFile(one, tree.table)!);
      const files = takeFiles(tree, [root]);
      for (const one of [root, ...opened]) one.close();
      services[Symbol.dispose]();
      return { spec, files, file: file!, directory: directory! };
    }

    test.each([
      { name: "closed", reuse: () => [] },
      {
        // The numbers that were free are given to what the guest must never see.
        name: "closed, and its number used again",
        reuse: () =>
          Array.from({ length: 40 }, (_, index) =>
            openSync(join(base, index % 2 === 0 ? "out" : "out/secret"), "r"),
          ),
      },
    ])("$name: refused, for the mount and for files", ({ reuse }) => {
      const { spec, files, file, directory } = gone();
      const others: number[] = reuse();
      const services = treeServices();
      closing.push(services, { [Symbol.dispose]: () => closeAll(others) });
      expect(() => assembleTree(spec, services, undefined, files)).toThrow(WpodError);
      const tree = assembleTree(spec, services, undefined);
      const openHost = (moved: MovedHostFile) => services.reopen(tree.table.mounts[moved.mount]!, moved);
      const moved = { ...tree, openHost, pipes: new Map() };
      expect(() => openMoved(file, moved)).toThrow(/an open file of a bind mount/);
      expect(() => openMoved(directory, moved)).toThrow(/an open directory of a bind mount/);
    });
  },
);

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}
