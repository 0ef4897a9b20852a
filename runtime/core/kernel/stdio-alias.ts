/**
 * What `/dev/stdin`, `/dev/stdout` and `/dev/stderr` lead to in a kernel that serves many: a client's own streams, which
 * its own thread has. Never used as a file: opening answers which of the three it is.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Readiness } from "../../../shim/abi/system.ts";
import { SpecialFile } from "./special-file.ts";

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
