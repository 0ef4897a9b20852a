/**
 * Node's module for terminals, for who meets one. Not an import: most runs have no terminal, and it takes half a millisecond of
 * each start.
 */
import type { ReadStream, WriteStream } from "node:tty";

export function isTerminal(fd: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(fd);
}

export function openTerminalReader(fd: number): ReadStream {
  return new (process.getBuiltinModule("node:tty").ReadStream)(fd);
}

export function openTerminalWriter(fd: number): WriteStream {
  return new (process.getBuiltinModule("node:tty").WriteStream)(fd);
}
