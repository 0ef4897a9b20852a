/**
 * `wpod_tty`: what preview 1 has no functions for, and a program in a terminal wants. `wpod_tty.h` declares them for C.
 *
 * In every function: EBADF where the descriptor isn't open, ENOTTY where it is no terminal, EFAULT where a pointer leaves
 * memory; nothing has happened then. A module may import them in any container: without a terminal all is ENOTTY.
 */
import { Errno } from "../abi/errno.ts";
import type { Terminal } from "../abi/system.ts";
import { Descriptor, rightsFor } from "../descriptor.ts";
import type { Guest } from "../guest.ts";
import type { Syscall } from "../preview1/table.ts";

const SIZE_BYTES = 4;
const MODE_BYTES = 4;
const FD_BYTES = 4;

/** `get_size(fd, size: ptr) -> errno`: two `u16`, columns and rows; 0 is unknown. @see ioctl_tty(2), TIOCGWINSZ */
function ttyGetSize(guest: Guest, fd: number, sizePtr: number): Errno {
  const terminal = terminalOf(guest, fd);
  if (typeof terminal === "number") return terminal;
  if (!guest.memory.contains(sizePtr, SIZE_BYTES)) return Errno.EFAULT;
  const { columns, rows } = terminal.size();
  guest.memory.setU16(sizePtr, columns);
  guest.memory.setU16(sizePtr + 2, rows);
  return Errno.ESUCCESS;
}

/** `get_mode(fd, mode: ptr) -> errno`: a `u32`, the bits of `wpod_tty.h`. @see tcgetattr(3) */
function ttyGetMode(guest: Guest, fd: number, modePtr: number): Errno {
  const terminal = terminalOf(guest, fd);
  if (typeof terminal === "number") return terminal;
  if (!guest.memory.contains(modePtr, MODE_BYTES)) return Errno.EFAULT;
  guest.memory.setU32(modePtr, terminal.settings());
  return Errno.ESUCCESS;
}

/**
 * `set_mode(fd, mode: u32) -> errno`: for what is written and typed from now on.
 *
 * @returns EINVAL a bit that means nothing
 * @see tcsetattr(3)
 */
function ttySetMode(guest: Guest, fd: number, mode: number): Errno {
  const terminal = terminalOf(guest, fd);
  if (typeof terminal === "number") return terminal;
  const answer = terminal.configure(mode);
  return answer < 0 ? (-answer as Errno) : Errno.ESUCCESS;
}

/**
 * `size_changes(fd, changes: ptr) -> errno`: a new descriptor, that a poll finds readable when the size is another one.
 * Reading it waits for that, and answers the new size as `get_size` has it; EINVAL into less than its 4 bytes.
 *
 * @returns EMFILE, ENFILE
 */
function ttySizeChanges(guest: Guest, fd: number, changesPtr: number): Errno {
  const terminal = terminalOf(guest, fd);
  if (typeof terminal === "number") return terminal;
  if (!guest.memory.contains(changesPtr, FD_BYTES)) return Errno.EFAULT;
  const refused = guest.descriptors.refusal();
  if (refused !== Errno.ESUCCESS) return refused;
  const file = terminal.openSizeChanges();
  const changes = guest.descriptors.add(new Descriptor(file, rightsFor(file.type, true, false), 0));
  if (changes < 0) {
    file.close();
    return -changes as Errno;
  }
  guest.memory.setU32(changesPtr, changes);
  return Errno.ESUCCESS;
}

function terminalOf(guest: Guest, fd: number): Terminal | Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  return descriptor.file.terminal ?? Errno.ENOTTY;
}

const full = (name: string, bind: Syscall["bind"]): Syscall => ({ name, level: "full", note: "", bind });

/** Functions of the module `wpod_tty`. */
export const TTY: readonly Syscall[] = [
  full("get_size", (guest) => (fd: number, size: number) => ttyGetSize(guest, fd >>> 0, size >>> 0)),
  full("get_mode", (guest) => (fd: number, mode: number) => ttyGetMode(guest, fd >>> 0, mode >>> 0)),
  full("set_mode", (guest) => (fd: number, mode: number) => ttySetMode(guest, fd >>> 0, mode >>> 0)),
  full("size_changes", (guest) => {
    return (fd: number, changes: number) => ttySizeChanges(guest, fd >>> 0, changes >>> 0);
  }),
];
