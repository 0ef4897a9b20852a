/**
 * Preview 1 under random calls: only errnos come back, nothing is thrown, and the host doesn't grow. 20,000 calls in each
 * placement; 1,000,000 with WPOD_TEST_LONG=1, and with WPOD_TEST_SEED=n the same ones again.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { BufferSource, NULL_SINK } from "../../../../runtime/core/kernel/buffer-stream.ts";
import { ProgramEnd } from "../../../../runtime/core/kernel/program-system.ts";
import { STDIO_COUNT } from "../../../../runtime/core/kernel/remote/shared-files.ts";
import { KernelStreamFile, StreamFile } from "../../../../runtime/core/kernel/stream.ts";
import { deviceTree } from "../../../../runtime/core/vfs/devices.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { createDescriptorRecords } from "../../../../shim/abi/descriptor-records.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { isFailure, type OpenFile, type System } from "../../../../shim/abi/system.ts";
import { SharedDescriptorTable } from "../../../../shim/shared-descriptor-table.ts";
import { KernelHere } from "../../../fixtures/kernel-here.ts";
import { DESCRIPTORS_MAX, randomCalls, type SystemUnderTest } from "../../../fixtures/random-calls.ts";
import { threadsHere } from "../../../fixtures/threads-here.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const CALLS = LONG ? 1_000_000 : 20_000;
const SEED = Number(process.env.WPOD_TEST_SEED ?? 1);
/** What a host may have more at the end than after its first guests: noise of its own. */
const GROWTH_BYTES_MAX = 4 << 20;
const ROOT = { uid: 0, gid: 0, groups: [], umask: 0o022 };
const nowNs = () => 1_700_000_000_000_000_000n;

/** The same for the same seed. */
function fillSame(target: Uint8Array): void {
  for (let index = 0; index < target.length; index++)
    target[index] = Math.imul(index + 1, 0x9e37_79b9) >>> 24;
}

/** A container's files: bounded, so that a mad guest meets the bounds. */
function filesOf(): MountTable {
  const table = new MountTable(new FileSystem({ nowNs, device: 1n, bytesMax: 1 << 20, inodesMax: 100 }));
  table.mount("/dev", { tree: deviceTree({ nowNs, device: 2n, random: fillSame, openers: {} }) });
  return table;
}

function rootOf(table: MountTable, path = "/"): OpenFile {
  const root = table.openPreopen(path, path !== "/", ROOT);
  if (isFailure(root)) throw new Error(`no ${path}: ${root}`);
  return root;
}

/** A program with this directory open as `/`, and as a capability. */
function systemOver(root: OpenFile, capability: OpenFile): System {
  return {
    args: ["program", "ä"],
    environ: ["A=1"],
    stdio: [
      new StreamFile(1n, { source: new BufferSource(new Uint8Array(100)) }),
      new StreamFile(2n, { sink: NULL_SINK }),
      new StreamFile(3n, { sink: NULL_SINK }),
    ],
    preopens: [
      { name: "/", directory: root },
      { name: "here", directory: capability },
    ],
    clocks: { now: () => 5n, resolution: () => 1n },
    processes: {
      wait(targets) {
        for (const target of targets) target.ready = target.file.readiness(target.wanted);
        return targets.filter(({ ready }) => ready !== 0).length;
      },
      yield: () => {},
      exit: (status) => {
        throw new ProgramEnd({ kind: "exit", status });
      },
      raise: (signal) => {
        throw new ProgramEnd({ kind: "signal", signal });
      },
    },
    random: fillSame,
  };
}

/** A capability that is a directory of the host, and the root above it, as `see` shows them. */
function bound(see: (root: OpenFile) => OpenFile, leave = () => {}): SystemUnderTest {
  const folder = mkdtempSync(join(tmpdir(), "wpod-random-"));
  const table = filesOf();
  const tree = openHostTree(folder, { readOnly: false, device: 3n, uid: 0, gid: 0 });
  table.mount("/m", { tree });
  return {
    system: systemOver(see(rootOf(table)), see(rootOf(table, "/m"))),
    [Symbol.dispose]() {
      leave();
      tree.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A client that is gone has nothing open. */
function leaveKernel(here: KernelHere): void {
  here.kernel.detach(0);
  expect(here.kernel.openCount, "files that are open without a client").toBe(0);
}

const PLACEMENTS: readonly { name: string; open: () => SystemUnderTest }[] = [
  {
    name: "in its own worker",
    open() {
      const table = filesOf();
      return { system: systemOver(rootOf(table), rootOf(table, "/")), [Symbol.dispose]() {} };
    },
  },
  {
    name: "behind a kernel",
    open() {
      const table = filesOf();
      const here = new KernelHere();
      const { root, adopt } = here.join(rootOf(table));
      return {
        system: systemOver(root, adopt(rootOf(table))),
        [Symbol.dispose]() {
          leaveKernel(here);
        },
      };
    },
  },
  {
    name: "as one of two threads",
    open() {
      const table = filesOf();
      const here = new KernelHere();
      const preopens = ["/", "here"].map((name) => ({ name, directory: rootOf(table) }));
      const [thread] = threadsHere(here, 2, {
        bell: new Bell(),
        stdio: [
          new KernelStreamFile(1n, { source: new BufferSource(new Uint8Array(100)) }),
          new KernelStreamFile(2n, { sink: NULL_SINK }),
          new KernelStreamFile(3n, { sink: NULL_SINK }),
        ],
        preopens,
        handlesMax: DESCRIPTORS_MAX + STDIO_COUNT,
      });
      const { connection, files } = thread!;
      const [root, capability] = thread!.preopens;
      const records = createDescriptorRecords(DESCRIPTORS_MAX, 2);
      return {
        system: { ...systemOver(root!, capability!), stdio: connection.stdio },
        shared: {
          descriptors: new SharedDescriptorTable(records, DESCRIPTORS_MAX, files),
          filled: false,
        },
        [Symbol.dispose]() {
          for (const client of [0, 1]) here.kernel.detach(client);
          expect(here.kernel.openCount, "files that a program left open").toBe(0);
        },
      };
    },
  },
  { name: "over a bind mount", open: () => bound((root) => root) },
  {
    name: "over a bind mount, behind a kernel",
    open() {
      const here = new KernelHere();
      const { adopt } = here.join(rootOf(filesOf()));
      return bound(adopt, () => leaveKernel(here));
    },
  },
];

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Bytes that the host holds, without what is garbage. */
function hostBytes(): number {
  // Once for what nobody has, and again for the shared memory that hung on it.
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
}

const descriptorCount = () => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);

describe.each(PLACEMENTS)("$name", ({ open }) => {
  test("only errnos come back, and the host doesn't grow", { timeout: 1_800_000 }, () => {
    let descriptors = 0;
    let first = 0;
    const result = randomCalls(open, CALLS, SEED, (calls) => {
      if (first > 0 || calls < CALLS / 4) return;
      first = hostBytes();
      descriptors = descriptorCount();
    });
    expect(hostBytes() - first).toBeLessThan(GROWTH_BYTES_MAX);
    expect(descriptorCount()).toBe(descriptors);
    // It is no noise: the calls get somewhere, and to their bounds.
    for (const name of ["path_open", "fd_write", "fd_read", "fd_readdir", "path_rename", "path_link", "poll_oneoff", "fd_renumber"]) {
      expect(result.succeeded.get(name) ?? 0, name).toBeGreaterThan(0);
    }
    for (const errno of [Errno.EBADF, Errno.EFAULT, Errno.ENOENT, Errno.EINVAL, Errno.ENAMETOOLONG, Errno.EILSEQ, Errno.EISDIR, Errno.ENOTDIR]) {
      expect(result.errnos.get(errno) ?? 0, String(errno)).toBeGreaterThan(0);
    }
  }); // biome-ignore format: lists
});
