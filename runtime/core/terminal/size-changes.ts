/** A file that can be read when its terminal has another size than it had: columns, then rows, each a `u16`. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { Readiness } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import { SpecialFile } from "../kernel/special-file.ts";
import type { ControlBlock, TerminalSize } from "./control-block.ts";

const SIZE_BYTES = 4;

export class SizeChanges extends SpecialFile {
  readonly #control: ControlBlock;
  readonly #bell: Bell;
  #seen: TerminalSize;

  constructor(control: ControlBlock, bell: Bell) {
    super(FileType.unknown, 0n);
    this.#control = control;
    this.#bell = bell;
    this.#seen = control.size;
  }

  override read(target: Uint8Array): number {
    if (target.length < SIZE_BYTES) return -Errno.EINVAL;
    for (;;) {
      const seen = this.#bell.now();
      if (this.#hasChanged()) break;
      if (this.nonblock) return -Errno.EAGAIN;
      this.#bell.wait(seen);
    }
    const { columns, rows } = this.#control.size;
    this.#seen = { columns, rows };
    target.set([columns & 0xff, columns >> 8, rows & 0xff, rows >> 8]);
    return SIZE_BYTES;
  }

  override write(): number {
    return -Errno.EBADF;
  }

  override readableBytes(): number {
    return this.#hasChanged() ? SIZE_BYTES : 0;
  }

  override readiness(wanted: Readiness): Readiness {
    return this.#hasChanged() ? wanted & Readiness.read : Readiness.none;
  }

  #hasChanged(): boolean {
    const { columns, rows } = this.#control.size;
    return columns !== this.#seen.columns || rows !== this.#seen.rows;
  }
}
