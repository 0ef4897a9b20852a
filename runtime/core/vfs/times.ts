/** Who may change the times of a file. @see utimensat(2) */
import { Errno } from "../../../shim/abi/errno.ts";
import type { TimeChange } from "../../../shim/abi/system.ts";
import { Access, type Credentials, isPermitted, type Owned } from "./credentials.ts";
import type { MountFlags } from "./dentry.ts";

/** 0; EROFS; EACCES where "now" needs the right to write; EPERM where another time needs the owner. */
export function mayChangeTimes(
  file: Owned,
  mount: MountFlags,
  credentials: Credentials,
  access: TimeChange,
  modify: TimeChange,
): number {
  if (access.kind === "keep" && modify.kind === "keep") return 0;
  if (mount.readOnly) return -Errno.EROFS;
  if (credentials.uid === 0 || credentials.uid === file.uid) return 0;
  if (access.kind !== "now" || modify.kind !== "now") return -Errno.EPERM;
  return isPermitted(file, credentials, Access.write) ? 0 : -Errno.EACCES;
}
