/** A client's end of its kernel: calls, and the handles that name what it has open there. */
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { BlobReader, OpenFile } from "../../../../shim/abi/system.ts";
import type { Bell } from "../../ipc/bell.ts";
import type { Gate } from "../../ipc/gate.ts";
import type { Mailbox } from "../../ipc/mailbox.ts";
import { putText } from "../../ipc/text.ts";
import { PATH_BYTES_MAX } from "../../vfs/path-walk.ts";
import { utf8Length } from "../../vfs/utf8.ts";
import type { ArenaMessage } from "../kernel-messages.ts";
import { CallFlag, Place } from "../protocol.ts";
import { type HandleSource, OwnHandles } from "./handle-source.ts";
import { LocalView } from "./local-view.ts";

export type Stdio = readonly [OpenFile, OpenFile, OpenFile];

export interface ConnectionOptions {
  mailbox: Mailbox;
  gate: Gate;
  /** Its bit in the gate. */
  client: number;
  /** Of this thread: rung by the kernel, and by whoever else feeds it. */
  bell: Bell;
  /** In this thread, or at the kernel too. */
  stdio: Stdio | ((connection: Connection) => Stdio);
  /** Its own ones, unless it is a thread of several. */
  handles?: HandleSource;
  /** The content of an image's layers, for who reads them here. */
  openBlob?: (layer: number) => BlobReader | undefined;
  /** Shared memory that the kernel has sent, and nobody has taken yet. */
  receiveArena?: () => ArenaMessage | undefined;
}

/** From here on a path has to be measured: a unit of UTF-16 takes three bytes at most. */
const PATH_UNITS_SAFE = PATH_BYTES_MAX / 3;

export class Connection {
  readonly mailbox: Mailbox;
  readonly bell: Bell;
  readonly stdio: Stdio;
  /** What needn't be asked. Only a program with one thread has it. */
  readonly view: LocalView;
  readonly #gate: Gate;
  readonly #client: number;
  readonly #handles: HandleSource;

  constructor(options: ConnectionOptions) {
    this.mailbox = options.mailbox;
    this.bell = options.bell;
    this.#gate = options.gate;
    this.#client = options.client;
    this.#handles = options.handles ?? new OwnHandles();
    this.view = new LocalView(
      options.mailbox.posts,
      () => this.#gate.knock(this.#client),
      (handle) => this.giveHandle(handle),
      options.openBlob,
      options.receiveArena,
    );
    this.stdio = typeof options.stdio === "function" ? options.stdio(this) : options.stdio;
  }

  /** A number that names nothing here yet. */
  takeHandle(): number {
    return this.#handles.take();
  }

  giveHandle(handle: number): void {
    this.#handles.give(handle);
  }

  /** The numbers of the call stand in the mailbox already. */
  call(operation: number, handle: number, flags: number): number {
    const { numbers } = this.mailbox;
    numbers[Place.handle] = handle;
    numbers[Place.flags] = flags;
    return this.mailbox.call(operation, this.#gate, this.#client);
  }

  callAt(operation: number, handle: number, flags: number, path: string): number {
    if (isTooLong(path)) return -Errno.ENAMETOOLONG;
    this.mailbox.numbers[Place.pathBytes] = putText(this.mailbox.data, 0, path);
    return this.call(operation, handle, flags);
  }

  callWithTwo(operation: number, handle: number, flags: number, path: string, other: string): number {
    if (isTooLong(path) || isTooLong(other)) return -Errno.ENAMETOOLONG;
    const { numbers, data } = this.mailbox;
    const pathBytes = putText(data, 0, path);
    numbers[Place.pathBytes] = pathBytes;
    numbers[Place.otherPathBytes] = putText(data, pathBytes, other);
    return this.call(operation, handle, flags);
  }
}

function isTooLong(path: string): boolean {
  return path.length > PATH_UNITS_SAFE && utf8Length(path) > PATH_BYTES_MAX;
}

/** What an answer says about what was opened. */
export function typeOf(mailbox: Mailbox): FileType {
  const type = mailbox.numbers[Place.type]!;
  return (Object.values(FileType) as number[]).includes(type) ? (type as FileType) : FileType.unknown;
}

export function appends(mailbox: Mailbox): boolean {
  return (mailbox.numbers[Place.flags]! & CallFlag.append) !== 0;
}
