/**
 * What `/dev/stdin`, `/dev/stdout`, `/dev/stderr` and `/dev/tty` lead to in a kernel that serves many: a client's own
 * streams, which its own thread has. Never used as a file: opening answers which of them it is.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, Readiness } from "../../../shim/abi/system.ts";
import { SpecialFile } from "./special-file.ts";

/** Index of `/dev/tty`: the one of the streams that is a terminal, if any is. */
const TERMINAL_INDEX = 3;

/** What a client has behind an index: a failure where it has no terminal. */
export function aliased(index: number, stdio: readonly OpenFile[]): OpenFile | Failure {
  if (index !== TERMINAL_INDEX) return stdio[index]!;
  return terminalAmong(stdio) ?? -Errno.ENXIO;
}

/** What `/dev/tty` leads to; undefined without a terminal. */
export function terminalAmong(stdio: readonly OpenFile[]): OpenFile | undefined {
  if (stdio.some((file) => file instanceof StdioAlias)) return new StdioAlias(TERMINAL_INDEX);
  return stdio.find((file) => file.terminal !== undefined);
}

export class StdioAlias extends SpecialFile {
  readonly index: number;

  constructor(index: number) {
    super(FileType.unknown, BigInt(index));
    this.index = index;
  }

  override read(): number {
    return -Errno.EIO;
  }
  override write(): number {
    return -Errno.EIO;
  }
  override readiness(wanted: Readiness): Readiness {
    return wanted;
  }
  override readableBytes(): number {
    return 0;
  }
}
