/** A file as one piece: for a module that is compiled, and for the small files that a kernel reads for itself. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { BlobReader, Failure } from "../../../shim/abi/system.ts";
import { Access, type Credentials, isPermitted } from "./credentials.ts";
import { MemoryLink } from "./memory-link.ts";
import type { MountTable } from "./mount-table.ts";
import { Follow } from "./path-walk.ts";

/** Where the bytes of an unmodified file of an image lie: whoever has the blob can read them without the tree. */
export interface BlobPlace {
  readonly kind: "blob";
  readonly blob: BlobReader;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface FileBytes {
  readonly kind: "bytes";
  /** Its own buffer; the caller may transfer it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * @param path absolute, or seen from the root
 * @returns EFBIG beyond `bytesMax`; EISDIR; EACCES also for what is no regular file
 */
export function wholeFile(
  table: MountTable,
  path: string,
  credentials: Credentials,
  bytesMax: number,
): BlobPlace | FileBytes | Failure {
  const walk = table.walk;
  const failure = walk.run(table.root, table.root.root, path, Follow.always, credentials, false);
  if (failure < 0) return failure;
  const found = walk.found;
  if (found === undefined) return -Errno.ENOENT;
  if (found.type === FileType.directory) return -Errno.EISDIR;
  if (found.type !== FileType.regularFile || !isPermitted(found, credentials, Access.read))
    return -Errno.EACCES;
  if (found instanceof MemoryLink) {
    const content = found.node.content!;
    const lower = content.lower;
    if (lower !== undefined && lower.pieces === undefined && content.isLower) {
      if (lower.sizeBytes > bytesMax) return -Errno.EFBIG;
      return { kind: "blob", blob: lower.blob, offsetBytes: lower.offsetBytes, sizeBytes: lower.sizeBytes };
    }
  }
  return readWhole(table, path, credentials, bytesMax);
}

function readWhole(
  table: MountTable,
  path: string,
  credentials: Credentials,
  bytesMax: number,
): FileBytes | Failure {
  const file = table.open(
    path,
    {
      read: true,
      write: false,
      append: false,
      create: false,
      exclusive: false,
      truncate: false,
      directory: false,
      nonblock: true,
      followLast: true,
      mode: 0,
    },
    credentials,
  );
  if (typeof file === "number") return file;
  try {
    const sizeBytes = file.readableBytes();
    if (sizeBytes > bytesMax) return -Errno.EFBIG;
    const bytes = new Uint8Array(sizeBytes);
    let done = 0;
    while (done < sizeBytes) {
      const count = file.readAt(bytes.subarray(done), done);
      if (count < 0) return count;
      if (count === 0) break;
      done += count;
    }
    return { kind: "bytes", bytes: done === sizeBytes ? bytes : bytes.slice(0, done) };
  } finally {
    file.close();
  }
}
