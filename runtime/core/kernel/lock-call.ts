/** A client's call for an advisory lock. The kernel never waits: it says when the client is to ask again. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { LockKind, OpenFile } from "../../../shim/abi/system.ts";
import { isLockable } from "../vfs/lock-table.ts";
import { MemoryFile } from "../vfs/memory-file.ts";
import { PLAIN } from "../vfs/open-options.ts";
import type { OpenHandles } from "./open-handles.ts";

/** As calls name them: by their place here. */
export const LOCK_KINDS: readonly LockKind[] = ["none", "shared", "exclusive"];

/**
 * @param wait the client waits at its bell after EAGAIN
 * @returns EDEADLK it would wait for nobody but itself; EINVAL for what can't be locked
 */
export function lockFor(
  handles: OpenHandles,
  file: OpenFile,
  kind: LockKind | undefined,
  wait: boolean,
): number {
  if (kind === undefined || !isLockable(file)) return -Errno.EINVAL;
  const lock = file.ownLock;
  const blockers = wait ? lock.blockers(kind) : [];
  if (blockers.length > 0 && handles.isAlone && blockers.every((blocker) => handles.hasLock(blocker))) {
    return -Errno.EDEADLK;
  }
  const answer = lock.change(kind);
  if (answer === -Errno.EAGAIN && wait) lock.await(handles.bell);
  return answer;
}

/** Another description of what is open in memory, to be locked for itself. ENOTSUP for what isn't. */
export function reopenFor(handles: OpenHandles, file: OpenFile, handle: number): number {
  if (handles.has(handle)) return -Errno.EBADF;
  if (handles.isFull) return -Errno.EMFILE;
  if (!(file instanceof MemoryFile)) return -Errno.ENOTSUP;
  const { readable, writable, append, nonblock, mount, credentials } = file;
  const options = { ...PLAIN, read: readable, write: writable, append, nonblock };
  handles.set(handle, new MemoryFile(file.node, options, mount, credentials));
  return 0;
}
