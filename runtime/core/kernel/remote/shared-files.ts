/**
 * Open files that the threads of one program share: positions are the kernel's, handles mean the same to every thread, and one
 * that another thread has closed answers EBADF.
 */
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { SharedFile, SharedFiles } from "../../../../shim/abi/shared-files.ts";
import {
  type Failure,
  type OpenFile,
  type PipeFiles,
  Readiness,
  type Whence,
} from "../../../../shim/abi/system.ts";
import { assert } from "../../error.ts";
import { NO_OFFSET } from "../protocol.ts";
import type { ThreadsSpec } from "../spec.ts";
import { appends, type Connection, typeOf } from "./connection.ts";
import { RemoteDirectory } from "./remote-directory.ts";
import { RemoteFile, RemoteHandle, RemoteStream } from "./remote-file.ts";
import { openRemotePipe } from "./remote-pipe.ts";

/** Standard streams have the first handles, and stay open as long as the program. */
export const STDIO_COUNT = 3;
/** Nothing rings when a descriptor of the host has room again: the wait for it starts short and doubles. */
const WAIT_MS_FIRST = 0.05;
const WAIT_MS_MAX = 4;

class SharedRegularFile extends RemoteFile implements SharedFile {
  override read(target: Uint8Array): number {
    return this.transfer("read", target, NO_OFFSET);
  }
  override write(source: Uint8Array): number {
    return this.transfer("write", source, NO_OFFSET);
  }
  override seek(offset: number, whence: Whence): number {
    return this.callSeek(offset, whence);
  }
  override readableBytes(): number {
    return this.callReadableBytes();
  }
}

export class SharedStream extends RemoteStream implements SharedFile {
  readonly #needsTime: boolean;

  /** @param needsTime nobody rings when it is ready: it has to be asked again and again */
  constructor(connection: Connection, handle: number, type: FileType, needsTime = false) {
    super(connection, handle, type);
    this.#needsTime = needsTime;
  }

  /** What is closed is ready: to answer EBADF. */
  override readiness(wanted: Readiness): Readiness {
    const ready = super.readiness(wanted);
    return ready < 0 ? wanted | Readiness.hangup : ready;
  }

  protected override await(seen: number, tries: number): void {
    const timeoutMs = this.#needsTime ? Math.min(WAIT_MS_FIRST * 2 ** tries, WAIT_MS_MAX) : Infinity;
    this.connection.bell.wait(seen, timeoutMs);
  }
}

export class SharedDirectory extends RemoteDirectory implements SharedFile {
  protected override opened(handle: number, nonblock: boolean): OpenFile {
    const { connection } = this;
    const file = makeFile(connection, handle, typeOf(connection.mailbox));
    file.adoptStatus(appends(connection.mailbox), nonblock);
    return file;
  }
}

function makeFile(connection: Connection, handle: number, type: FileType): SharedFile {
  if (type === FileType.directory) return new SharedDirectory(connection, handle);
  if (type === FileType.regularFile) return new SharedRegularFile(connection, handle, false);
  return new SharedStream(connection, handle, type);
}

export function openSharedPipe(connection: Connection): PipeFiles | Failure {
  return openRemotePipe(connection, (handle) => new SharedStream(connection, handle, FileType.unknown));
}

/** Standard streams at the kernel: for the connection's options. */
export function sharedStdio(
  specs: ThreadsSpec["stdio"],
): (connection: Connection) => readonly [OpenFile, OpenFile, OpenFile] {
  return (connection) => {
    const stream = (handle: 0 | 1 | 2) =>
      new SharedStream(connection, handle, specs[handle].type, specs[handle].needsTime);
    return [stream(0), stream(1), stream(2)];
  };
}

/** What a thread of a program finds behind the numbers of its descriptors. */
export function sharedFiles(connection: Connection, preopenNames: readonly string[]): SharedFiles {
  return {
    handleOf(file) {
      assert(file instanceof RemoteHandle, "a file of a program with threads is with the kernel");
      return file.handle;
    },
    fileOf(handle, type) {
      const standard = connection.stdio[handle];
      if (standard instanceof SharedStream) return standard;
      return makeFile(connection, handle, type);
    },
    keptMax: STDIO_COUNT,
    preopenNames,
  };
}
