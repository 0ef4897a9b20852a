/** A look into the files of a container that doesn't run yet, at the kernel: another container there has its volumes open. */
import type { OpenFile } from "../../shim/abi/system.ts";
import { Bell } from "../core/ipc/bell.ts";
import type { FilesSpec } from "../core/kernel/spec.ts";
import type { KernelHost } from "./kernel-host.ts";
import { LOOKER, rootThrough } from "./live-files.ts";

/**
 * @param key no other tree's
 * @param look waits for the kernel at each call of `root`, which is closed when it returns
 * @throws WpodError MOUNT_INVALID, BLOB_CORRUPT, and what `look` throws
 */
export async function lookAtKernel<T>(
  kernel: KernelHost,
  key: string,
  files: FilesSpec,
  look: (root: OpenFile) => T,
): Promise<T> {
  await kernel.openTree(key, files, LOOKER.credentials);
  try {
    const seat = await kernel.seat(key, LOOKER, { bell: new Bell() });
    try {
      return look(rootThrough(seat));
    } finally {
      await kernel.leave(seat);
    }
  } finally {
    await kernel.closeTree(key, false);
  }
}
