/** The devices of a container: `/dev`. Nothing of the host's is among them. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { type OpenFile, Readiness } from "../../../shim/abi/system.ts";
import type { MemoryFileSystem } from "../tree/memory-file-system.ts";
import { SpecialFile } from "./special-file.ts";

/** Largest piece of randomness made in one read. */
const RANDOM_BYTES_MAX = 65_536;

class DeviceFile extends SpecialFile {
  readonly #read: (target: Uint8Array) => number;
  readonly #write: (source: Uint8Array) => number;

  constructor(inode: bigint, read: (target: Uint8Array) => number, write: (source: Uint8Array) => number) {
    super(FileType.characterDevice, inode);
    this.#read = read;
    this.#write = write;
  }

  override read(target: Uint8Array): number {
    return this.#read(target);
  }
  override write(source: Uint8Array): number {
    return this.#write(source);
  }
  override readAt(target?: Uint8Array): number {
    return this.#read(target!);
  }
  override writeAt(source?: Uint8Array): number {
    return this.#write(source!);
  }
  override seek(): number {
    return 0;
  }
  override readableBytes(): number {
    return 0;
  }
  override readiness(wanted: Readiness): Readiness {
    return wanted & (Readiness.read | Readiness.write);
  }
  override sync(): number {
    return 0;
  }
}

const zero = (target: Uint8Array): number => {
  target.fill(0);
  return target.length;
};
const take = (source: Uint8Array): number => source.length;

/**
 * Fills `/dev`.
 * @param stdio what `/dev/stdin`, `/dev/stdout` and `/dev/stderr` lead to
 * @see null(4), full(4), random(4)
 */
export function fillDevices(
  fileSystem: MemoryFileSystem,
  stdio: readonly [OpenFile, OpenFile, OpenFile] | undefined,
  random: (target: Uint8Array) => void,
): void {
  const randomRead = (target: Uint8Array): number => {
    const piece = target.subarray(0, RANDOM_BYTES_MAX);
    random(piece);
    return piece.length;
  };
  const devices: [string, (target: Uint8Array) => number, (source: Uint8Array) => number][] = [
    ["null", () => 0, take],
    ["zero", zero, take],
    ["full", zero, () => -Errno.ENOSPC],
    ["random", randomRead, take],
    ["urandom", randomRead, take],
  ];
  for (const [index, [name, read, write]] of devices.entries()) {
    fileSystem.addDevice(fileSystem.root, name, 0o666, () => new DeviceFile(BigInt(index + 2), read, write));
  }
  for (const [index, name] of ["stdin", "stdout", "stderr"].entries()) {
    fileSystem.addDevice(fileSystem.root, name, 0o666, () => stdio?.[index] ?? -Errno.ENXIO);
  }
  fileSystem.addDevice(fileSystem.root, "tty", 0o666, () => -Errno.ENXIO);
}
