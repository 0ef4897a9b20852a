/** `wpod_proc`: what programs have between them, which preview 1 has no functions for. `wpod_proc.h` declares it for C. */
import { Errno } from "../abi/errno.ts";
import { isFailure } from "../abi/system.ts";
import { Descriptor, rightsFor } from "../descriptor.ts";
import type { Guest } from "../guest.ts";
import type { Syscall } from "../preview1/table.ts";

const FD_BYTES = 4;

/**
 * `pipe(fds: ptr) -> errno`: two descriptors, as two `i32`: the first one reads what the second one writes.
 *
 * @returns EFAULT, EMFILE, ENFILE: nothing has happened then
 * @see pipe(2)
 */
function procPipe(guest: Guest, fdsPtr: number): Errno {
  if (!guest.memory.contains(fdsPtr, 2 * FD_BYTES)) return Errno.EFAULT;
  const pipe = guest.system.openPipe?.() ?? -Errno.ENOTSUP;
  if (isFailure(pipe)) return -pipe as Errno;
  const { reader, writer } = pipe;
  const readerFd = guest.descriptors.add(new Descriptor(reader, rightsFor(reader.type, true, false), 0));
  if (readerFd < 0) {
    reader.close();
    writer.close();
    return -readerFd as Errno;
  }
  const writerFd = guest.descriptors.add(new Descriptor(writer, rightsFor(writer.type, false, true), 0));
  if (writerFd < 0) {
    guest.descriptors.close(readerFd);
    writer.close();
    return -writerFd as Errno;
  }
  guest.memory.setU32(fdsPtr, readerFd);
  guest.memory.setU32(fdsPtr + FD_BYTES, writerFd);
  return Errno.ESUCCESS;
}

/** Functions of the module `wpod_proc`. */
export const PROC: readonly Syscall[] = [
  {
    name: "pipe",
    level: "full",
    note: "",
    bind: (guest) => (fds: number) => procPipe(guest, fds >>> 0),
  },
];
