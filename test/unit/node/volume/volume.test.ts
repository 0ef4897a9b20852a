/** Embedders see a container's files as `node:fs` shows a disk: over lazy layers, limits and our rules of names. */
import { expect, test } from "vitest";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { openVolume } from "../../../../runtime/node/volume/volume.ts";
import type { Stat } from "../../../../shim/abi/system.ts";
import { makeLayer } from "../../core/vfs/layer-fixture.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nowNs = () => BigInt(Date.now()) * 1_000_000n;

function imageFiles(limits: { bytesMax?: number; inodesMax?: number } = {}): FileSystem {
  const layer = makeLayer({
    entries: [
      { path: "etc/hello", content: bytes("hello\n"), mtimeNs: 1_500_000_000_123_456_789n },
      { path: "etc/deep/er/file", content: bytes("deep") },
      { path: "etc/link", target: "hello" },
      { path: "etc/up", target: "deep/er" },
    ],
  });
  return new FileSystem({ layers: [layer], nowNs, device: 1n, ...limits });
}

test("files of the image can be read, listed and asked about", () => {
  const volume = openVolume(imageFiles());
  expect(volume.readFileSync("/etc/hello", "utf8")).toBe("hello\n");
  expect(volume.readFileSync("/etc/link", "utf8")).toBe("hello\n");
  expect(volume.readdirSync("/etc")).toEqual(["deep", "hello", "link", "up"]);
  const stat = volume.statSync("/etc/hello");
  expect(stat.isFile()).toBe(true);
  expect(stat.size).toBe(6);
  expect(stat.mtimeMs).toBe(1_500_000_000_123);
  expect(volume.lstatSync("/etc/link").isSymbolicLink()).toBe(true);
  expect(volume.readlinkSync("/etc/link")).toBe("hello");
  expect(volume.realpathSync("/etc/up/file")).toBe("/etc/deep/er/file");
  expect(volume.existsSync("/etc/nothing")).toBe(false);
});

test("what is written is what the guest reads", () => {
  const files = imageFiles();
  const volume = openVolume(files);
  volume.mkdirSync("/work/a/b", { recursive: true });
  volume.writeFileSync("/work/a/b/big", new Uint8Array(700_000).fill(7));
  volume.appendFileSync("/etc/hello", "more");
  volume.symlinkSync("a/b/big", "/work/s");
  volume.linkSync("/etc/hello", "/work/h");
  const root = new MountTable(files).openRoot({ uid: 0, gid: 0, groups: [], umask: 0 });
  const stat = {} as Stat;
  expect(root.statAt("work/s", true, stat)).toBe(0);
  expect(stat.sizeBytes).toBe(700_000);
  expect(root.statAt("work/h", true, stat)).toBe(0);
  expect(stat.linkCount).toBe(2);
  expect(volume.readFileSync("/work/h", "utf8")).toBe("hello\nmore");
  expect(volume.readdirSync("/work", { recursive: true })).toContain("a/b/big");
});

test("dots after a link go up from its target", () => {
  const volume = openVolume(imageFiles());
  expect(volume.readFileSync("/etc/up/../../hello", "utf8")).toBe("hello\n");
  expect(() => volume.readFileSync("/etc/up/../hello")).toThrow(/ENOENT/);
});

test.each([
  { name: "over a full directory", from: "/a", to: "/etc", code: "ENOTEMPTY" },
  { name: "into itself", from: "/etc", to: "/etc/deep/x", code: "EINVAL" },
  { name: "a file over a directory", from: "/etc/hello", to: "/a", code: "EISDIR" },
  { name: "of nothing", from: "/nothing", to: "/a", code: "ENOENT" },
])("a rename $name is $code", ({ from, to, code }) => {
  const volume = openVolume(imageFiles());
  volume.mkdirSync("/a");
  expect(() => volume.renameSync(from, to)).toThrow(expect.objectContaining({ code }));
});

test("a link is renamed, not its target", () => {
  const volume = openVolume(imageFiles());
  volume.renameSync("/etc/link", "/etc/other");
  expect(volume.readlinkSync("/etc/other")).toBe("hello");
  expect(volume.readFileSync("/etc/hello", "utf8")).toBe("hello\n");
});

test("an unlinked file stays while it is open, and its space comes back after that", () => {
  const files = imageFiles();
  const volume = openVolume(files);
  const before = files.usage();
  volume.writeFileSync("/f", new Uint8Array(1000));
  const fd = volume.openSync("/f", "r+");
  volume.unlinkSync("/f");
  expect(volume.existsSync("/f")).toBe(false);
  expect(volume.readSync(fd, new Uint8Array(2000), 0, 2000, 0)).toBe(1000);
  expect(files.usage().bytes).toBe(before.bytes + 1000);
  volume.closeSync(fd);
  expect(files.usage()).toEqual(before);
});

test("removing a tree removes all of it", () => {
  const files = imageFiles();
  const volume = openVolume(files);
  volume.mkdirSync("/etc/new/x", { recursive: true });
  volume.writeFileSync("/etc/new/x/f", "x");
  volume.rmSync("/etc", { recursive: true });
  expect(volume.readdirSync("/")).toEqual([]);
  expect(files.usage()).toEqual({ bytes: 0, inodes: 0 });
  expect(() => volume.rmSync("/etc")).toThrow(/ENOENT/);
  volume.rmSync("/etc", { force: true });
});

test("limits hold for embedders too", () => {
  const files = imageFiles({ bytesMax: 1000, inodesMax: 2 });
  const volume = openVolume(files);
  volume.writeFileSync("/a", new Uint8Array(1000));
  expect(() => volume.appendFileSync("/a", "x")).toThrow(expect.objectContaining({ code: "ENOSPC" }));
  volume.writeFileSync("/b", "");
  expect(() => volume.writeFileSync("/c", "")).toThrow(expect.objectContaining({ code: "ENOSPC" }));
  expect(() => volume.symlinkSync("a", "/s")).toThrow(expect.objectContaining({ code: "ENOSPC" }));
});

test("promises and descriptors", async () => {
  const volume = openVolume(imageFiles());
  await volume.promises.writeFile("/p", "promised");
  expect(await volume.promises.readFile("/p", "utf8")).toBe("promised");
  await volume.promises.rename("/p", "/q");
  const handle = await volume.promises.open("/q", "r");
  expect((await handle.stat()).size).toBe(8);
  await handle.close();
  volume.utimesSync("/q", 1, 2);
  expect(volume.statSync("/q").mtimeMs).toBe(2000);
  volume.chmodSync("/q", 0o600);
  expect(volume.statSync("/q").mode & 0o777).toBe(0o600);
});
