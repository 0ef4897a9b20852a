/** Open descriptions of `/dev/null`, `zero`, `full`, `random` and `urandom`. @see null(4), full(4), random(4) */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { OpenOptions, Stat } from "../../../shim/abi/system.ts";
import { FileBase } from "./file-base.ts";
import type { MemoryNode } from "./memory-node.ts";

/** What a device does with bytes. */
export interface DeviceBehaviour {
  /** Fills the target, or answers how far it came; 0 is the end. */
  read(target: Uint8Array): number;
  write(source: Uint8Array): number;
}

export function nullDevice(): DeviceBehaviour {
  return { read: () => 0, write: (source) => source.length };
}

export function zeroDevice(): DeviceBehaviour {
  return { read: fillZeros, write: (source) => source.length };
}

export function fullDevice(): DeviceBehaviour {
  return { read: fillZeros, write: (source) => (source.length === 0 ? 0 : -Errno.ENOSPC) };
}

/** Writing mixes nothing in: the host's generator needs no help from a guest. */
export function randomDevice(random: (target: Uint8Array) => void): DeviceBehaviour {
  return {
    read: (target) => {
      random(target);
      return target.length;
    },
    write: (source) => source.length,
  };
}

function fillZeros(target: Uint8Array): number {
  target.fill(0);
  return target.length;
}

export class DeviceFile extends FileBase {
  readonly type = FileType.characterDevice;
  readonly node: MemoryNode;
  readonly #behaviour: DeviceBehaviour;
  readonly readable: boolean;
  readonly writable: boolean;

  constructor(node: MemoryNode, behaviour: DeviceBehaviour, options: OpenOptions) {
    super();
    this.node = node;
    this.#behaviour = behaviour;
    this.readable = options.read;
    this.writable = options.write;
    this.append = options.append;
    this.nonblock = options.nonblock;
    node.hold();
  }

  read(target: Uint8Array): number {
    return this.readable ? this.#behaviour.read(target) : -Errno.EBADF;
  }
  write(source: Uint8Array): number {
    return this.writable ? this.#behaviour.write(source) : -Errno.EBADF;
  }
  readAt(target: Uint8Array): number {
    return this.read(target);
  }
  writeAt(source: Uint8Array): number {
    return this.write(source);
  }
  /** These devices have no position; Linux answers 0 for every seek on them. */
  seek(): number {
    return 0;
  }
  stat(into: Stat): number {
    return this.node.fillStat(into, this.node.linkCount);
  }
  truncate(): number {
    return -Errno.EINVAL;
  }
  allocate(): number {
    return -Errno.ENODEV;
  }
  setTimes(): number {
    return 0;
  }
  sync(): number {
    return -Errno.EINVAL;
  }
  readableBytes(): number {
    return 0;
  }
  close(): void {
    this.node.drop();
  }
}
