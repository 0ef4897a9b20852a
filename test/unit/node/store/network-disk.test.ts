/** Which disks several machines can write. */
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { networkDiskOf, networkTypeName } from "../../../../runtime/node/store/network-disk.ts";

// As the kernel's include/uapi/linux/magic.h has them, read as the signed numbers that some hosts give, too.
test.each([
  [0x6969, "nfs"],
  [0xff534d42, "cifs"],
  [0xff534d42 | 0, "cifs"],
  [0xfe534d42, "smb2"],
  [0x00c36400, "ceph"],
  [0xef53, undefined], // ext4
  [0x01021994, undefined], // tmpfs
  [0x9123683e, undefined], // btrfs
  [0x65735546, undefined], // fuse: it may be anything
  [0x01021997, undefined], // 9p: so may this
])("%s is %s", (type, name) => expect(networkTypeName(type)).toBe(name));

test("this machine's temporary folder is on none; one that isn't there is on none", () => {
  expect(networkDiskOf(tmpdir())).toBeUndefined();
  expect(networkDiskOf("/no/such/folder")).toBeUndefined();
});
