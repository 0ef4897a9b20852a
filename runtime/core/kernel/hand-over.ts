/**
 * Moves the files of a running program from its own thread to a kernel, once: when a second program comes. The program is
 * stopped where it is no matter: between two calls, while a call waits, or inside its own code; it sees nothing of it.
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import type {
  Attention,
  Failure,
  FileExchange,
  LockKind,
  OpenFile,
  PipeFiles,
} from "../../../shim/abi/system.ts";
import { assert } from "../error.ts";
import { Bell } from "../ipc/bell.ts";
import { SleepCount } from "../ipc/sleep-count.ts";
import { isLockable } from "../vfs/lock-table.ts";
import { MemoryFile } from "../vfs/memory-file.ts";
import { buffersOf } from "../vfs/snapshot.ts";
import { type ContainerTree, type MovedFiles, takeFiles } from "./container-tree.ts";
import { describeFile, isHostMovable, type MovedFile } from "./moved-files.ts";
import { openOwnPipe } from "./pipe.ts";
import { Operation } from "./protocol.ts";
import { CachedDirectory } from "./remote/cached-directory.ts";
import { CachedFile } from "./remote/cached-file.ts";
import type { Connection } from "./remote/connection.ts";
import { RemoteStream } from "./remote/remote-file.ts";
import { openRemotePipe } from "./remote/remote-pipe.ts";

/** What the program's thread sends to the kernel's. */
export interface HandOverMessage {
  files: MovedFiles;
  /** What it has open, by the handles that it goes on with. */
  open: { handle: number; file: MovedFile; lock: LockKind }[];
}

/** Where the files go: known only when the engine wants it. */
export interface Destination {
  connection: Connection;
  /** Sends it to the kernel, and knocks. */
  send(message: HandOverMessage, buffers: ArrayBuffer[]): void;
}

export class HandOver implements Attention {
  readonly wanted: Int32Array;
  inHost = true;
  files: FileExchange | undefined = undefined;
  #tree: ContainerTree | undefined;
  /** Where they are now, when they have moved. */
  #connection: Connection | undefined = undefined;
  readonly #destination: () => Destination | undefined;

  /** @param destination reads what the engine sent; undefined when it didn't */
  constructor(wanted: Int32Array, tree: ContainerTree, destination: () => Destination | undefined) {
    this.wanted = wanted;
    this.#tree = tree;
    this.#destination = destination;
  }

  /** The files are still in this thread. */
  get isHere(): boolean {
    return this.#tree !== undefined;
  }

  /** A new pipe, where the files are. */
  openPipe(): PipeFiles | Failure {
    return this.#connection === undefined
      ? openOwnPipe(this.#tree?.memory)
      : openRemotePipe(this.#connection);
  }

  /** Called by who interrupts the program anywhere; false when it has to wait for the end of a call. */
  interrupt(): boolean {
    if (this.inHost || Atomics.load(this.wanted, 0) === 0) return false;
    this.attend();
    return true;
  }

  attend(): void {
    Atomics.store(this.wanted, 0, 0);
    const tree = this.#tree;
    if (tree === undefined || this.files === undefined) return;
    const destination = this.#destination();
    if (destination === undefined) return;
    const before = this.inHost;
    this.inHost = true;
    this.#move(tree, this.files, destination);
    this.#tree = undefined;
    this.#connection = destination.connection;
    this.inHost = before;
  }

  #move(tree: ContainerTree, files: FileExchange, { connection, send }: Destination): void {
    const open: HandOverMessage["open"] = [];
    const moving: OpenFile[] = [];
    files.exchange((file) => {
      const moved = describeFile(file, tree.table);
      if (moved === undefined) return file;
      const handle = connection.takeHandle();
      open.push({ handle, file: moved, lock: isLockable(file) ? file.lockKind : "none" });
      moving.push(file);
      return remote(connection, handle, file);
    });
    const message = { files: takeFiles(tree, moving), open };
    send(message, message.files.states.flatMap(buffersOf));
    assert(connection.call(Operation.join, 0, 0) === 0, "the kernel has taken the files over");
    // The kernel has descriptors of its own for them now.
    for (const file of moving) if (isHostMovable(file)) file.close();
  }
}

function remote(connection: Connection, handle: number, file: OpenFile): OpenFile {
  const { append, nonblock } = file;
  const other =
    file.type === FileType.directory
      ? new CachedDirectory(connection, handle)
      : file.type === FileType.regularFile
        ? CachedFile.opened(connection, handle, append, false, positionOf(file))
        : new RemoteStream(connection, handle, file.type);
  other.append = append;
  other.nonblock = nonblock;
  return other;
}

function positionOf(file: OpenFile): number {
  if (file instanceof MemoryFile) return file.position;
  return Math.max(file.seek(0, "current"), 0);
}

/**
 * The futex of a program's thread: before it sleeps, and when it wakes, the engine has its word. Before, too: what was wanted, and
 * rung for, since the last call ended would else be heard of only at the next ring.
 */
export class AttentiveBell extends Bell {
  attention: Attention | undefined = undefined;
  readonly #sleeps: SleepCount;

  /** @param buffer of `SLEEPER_BELL_BYTES` */
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
    this.#sleeps = new SleepCount(buffer);
  }

  override wait(seen: number, timeoutMs?: number): void {
    if (this.#attend()) return;
    this.#sleeps.sleep(() => super.wait(seen, timeoutMs));
    this.#attend();
  }

  /** Whoever waits looks again afterwards. */
  #attend(): boolean {
    const { attention } = this;
    if (attention === undefined || Atomics.load(attention.wanted, 0) === 0) return false;
    attention.attend();
    return true;
  }
}
