/** What kind of thing a standard descriptor of this process is, and how a guest's thread may use it directly. */
import { constants, fstatSync, openSync } from "node:fs";

/**
 * A descriptor that the guest's thread can write without ever sleeping in the kernel, or undefined where there is
 * none: then the bytes go through a ring to this thread. A file never makes a writer sleep; a pipe or terminal can be
 * opened anew on Linux; a socket can't.
 */
export function directWriteDescriptor(fd: number): { fd: number; owned: boolean } | undefined {
  const kind = descriptorKind(fd);
  if (kind === "file") return { fd, owned: false };
  if (kind !== "pipe" && kind !== "device") return undefined;
  const own = openAnew(fd, constants.O_WRONLY);
  return own === undefined ? undefined : { fd: own, owned: true };
}

/** The same description's file opened once more, without blocking; undefined where the platform can't. */
export function openAnew(fd: number, access: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return openSync(`/proc/self/fd/${fd}`, access | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined; // a socket, a descriptor of another user, no /proc
  }
}

/** "missing" is a descriptor that is closed: reads are the end, writes go nowhere. */
export function descriptorKind(fd: number): "file" | "pipe" | "device" | "socket" | "missing" {
  try {
    const stat = fstatSync(fd);
    if (stat.isFile()) return "file";
    if (stat.isFIFO()) return "pipe";
    if (stat.isSocket()) return "socket";
    return "device";
  } catch {
    return "missing";
  }
}
