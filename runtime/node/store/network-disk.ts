/**
 * File systems that several machines can write. SQLite's write-ahead log keeps its index in memory that processes share,
 * so there are two states, one a machine, and the database gets damaged; often their locks are none, too.
 *
 * @see https://www.sqlite.org/wal.html "does not work over a network filesystem"
 */
import { statfsSync } from "node:fs";

/** `f_type`. What FUSE and 9p stand for can't be told by it: whether they will do is found by trying. @see statfs(2) */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, "nfs"],
  [0x517b, "smb"],
  [0xff534d42, "cifs"],
  [0xfe534d42, "smb2"],
  [0x564c, "ncp"],
  [0x5346414f, "afs"],
  [0x6b414653, "afs"],
  [0x73757245, "coda"],
  [0x00c36400, "ceph"],
  [0x0bd00bd0, "lustre"],
  [0x01161970, "gfs2"],
  [0x7461636f, "ocfs2"],
  [0x47504653, "gpfs"],
  [0xaad7aaea, "panfs"],
  [0x19830326, "beegfs"],
]);

/** Undefined: none that is known as one. */
export function networkTypeName(type: number): string | undefined {
  // Node may give it as a signed number.
  return NETWORK_TYPES.get(type >>> 0);
}

/** The kind of network file system that a folder lies on; undefined: on none, or nobody can tell. Linux only. */
export function networkDiskOf(folder: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return networkTypeName(statfsSync(folder).type);
  } catch {
    return undefined;
  }
}
