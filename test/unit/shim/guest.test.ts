import { expect, test } from "vitest";
import { StreamFile } from "../../../runtime/core/kernel/stream.ts";
import { Errno } from "../../../shim/abi/errno.ts";
import { Guest } from "../../../shim/guest.ts";
import { CollectingSink, TestGuest } from "./test-guest.ts";

test("one open file as standard output and error is closed with the second of them", () => {
  const { system } = new TestGuest();
  let closeCount = 0;
  const both = new StreamFile(2n, { sink: new CollectingSink() });
  both.close = () => {
    closeCount++;
  };
  const guest = new Guest({ ...system, stdio: [system.stdio[0], both, both] }, { descriptorsMax: 8 });
  expect(guest.descriptors.close(1)).toBe(Errno.ESUCCESS);
  expect(closeCount).toBe(0);
  guest.close();
  expect(closeCount).toBe(1);
});

test("what is open at the start always fits", () => {
  const { guest } = new TestGuest({ descriptorsMax: 1 });
  expect(guest.descriptors.get(3)).toBeDefined();
  expect(guest.descriptors.hasRoom()).toBe(false);
});

test("a guest whose memory is shared is served like any other, also after it has grown", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 3, shared: true });
  const guest = new TestGuest({ memory, args: ["ä"] });
  const size = guest.put(8, "ä-file");
  expect(guest.call("path_open", 3, 0, 8, size, 1, 66n, 0n, 0, 64)).toBe(Errno.ESUCCESS);
  memory.grow(1);
  const far = 100_000; // only there since it has grown
  guest.put(far, "content");
  guest.iovecs(512, [
    [far, 3],
    [far + 3, 4],
  ]);
  expect(guest.call("fd_write", 4, 512, 2, far + 64)).toBe(Errno.ESUCCESS);
  expect(guest.u32(far + 64)).toBe(7);
  guest.bytes.fill(0, far, far + 7);
  expect(guest.call("fd_pread", 4, 512, 2, 0n, 64)).toBe(Errno.ESUCCESS);
  expect(Buffer.from(guest.bytes.slice(far, far + 7)).toString()).toBe("content");
  expect(guest.call("fd_readdir", 3, far, 256, 0n, 64)).toBe(Errno.ESUCCESS);
  expect(Buffer.from(guest.bytes.slice(far, far + guest.u32(64))).includes("ä-file")).toBe(true);
  expect(guest.call("args_get", 128, far)).toBe(Errno.ESUCCESS);
  expect([...guest.bytes.slice(far, far + 3)]).toEqual([0xc3, 0xa4, 0]);
  expect(guest.call("random_get", far, 32)).toBe(Errno.ESUCCESS);
  expect(guest.bytes.slice(far, far + 32).every((byte) => byte === 0)).toBe(false);
});

test("without a directory that was granted no path leads to a file", () => {
  const alone = new TestGuest({ preopens: [] });
  alone.fileSystem.root.createFile("secret", 0o666, 0, 0);
  const calls = Object.entries(alone.preview1).filter(([name]) => name.startsWith("path_"));
  expect(calls).toHaveLength(10);
  for (const [name, call] of calls) {
    for (const path of ["secret", "/secret", ".", "/", "../secret"]) {
      alone.bytes.set(new TextEncoder().encode(path), 64);
      for (const fd of [0, 1, 2, 3, 4, -1, -100]) {
        const errno = call(...CALLS[name]!(fd, 64, path.length));
        expect([Errno.EBADF, Errno.ENOTDIR, Errno.ENOTCAPABLE], `${name} ${fd} ${path}`).toContain(errno);
      }
    }
  }
});

/** Arguments that are right but for the descriptor. */
const CALLS: Record<string, (fd: number, ptr: number, size: number) => (number | bigint)[]> = {
  path_create_directory: (fd, ptr, size) => [fd, ptr, size],
  path_filestat_get: (fd, ptr, size) => [fd, 1, ptr, size, 1024],
  path_filestat_set_times: (fd, ptr, size) => [fd, 1, ptr, size, 0n, 0n, 2],
  path_link: (fd, ptr, size) => [fd, 0, ptr, size, fd, 128, 1],
  path_open: (fd, ptr, size) => [fd, 1, ptr, size, 0, 2n, 0n, 0, 1024],
  path_readlink: (fd, ptr, size) => [fd, ptr, size, 1024, 64, 2048],
  path_remove_directory: (fd, ptr, size) => [fd, ptr, size],
  path_rename: (fd, ptr, size) => [fd, ptr, size, fd, 128, 1],
  path_symlink: (fd, ptr, size) => [ptr, size, fd, ptr, size],
  path_unlink_file: (fd, ptr, size) => [fd, ptr, size],
};
