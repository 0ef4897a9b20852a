/** An open regular file of a program with one thread: what nobody else can change isn't asked, what can't fail isn't awaited. */
import { Errno } from "../../../../shim/abi/errno.ts";
import type { LockKind } from "../../../../shim/abi/system.ts";
import { CHUNK_BYTES } from "../../vfs/chunk.ts";
import { Operation, Place, POST_WANTED, Real } from "../protocol.ts";
import type { Connection } from "./connection.ts";
import { FileMap } from "./file-map.ts";
import type { KeptFile } from "./local-view.ts";
import { RemoteFile } from "./remote-file.ts";
import { lockRemote } from "./remote-lock.ts";

/** Of one posted write: small enough for several to be on their way. */
const PIECE_BYTES = 64 * 1024;

/** Below this a call that brings the bytes along is as quick. */
const SHARED_READ_BYTES_MIN = 4096;
/** Files of one small chunk never are in shared memory. */
const UNMAPPED_MAX = 8;

export class CachedFile extends RemoteFile {
  readonly #kept: KeptFile | undefined;
  /** Of the view, when it was learned that writes may be posted, or that the content is the layer's. */
  #stamp = 0;
  #lookUpsStamp = 0;
  /** Written without a gap, and so charged, while the stamp is that of the look-ups: what is cut off by other names ends those. */
  #wholeFrom = 0;
  #wholeTo = 0;
  #wholeStamp = 0;
  #map: FileMap | undefined = undefined;
  /** How often there was nothing to read that way. */
  #unmapped = 0;
  #wasLocked = false;
  /** Of one that others have open under the same handle: what is locked in its place. */
  #lockHandle: number | undefined = undefined;

  private constructor(
    connection: Connection,
    handle: number,
    append: boolean,
    kept: KeptFile | undefined,
    position = 0,
  ) {
    super(connection, handle, append, position);
    this.#kept = kept;
  }

  /** Reads what a layer has. */
  static ofLayer(connection: Connection, kept: KeptFile): CachedFile {
    const file = new CachedFile(connection, kept.handle, false, kept);
    kept.userCount++;
    file.#lookUpsStamp = connection.view.lookUpsStamp;
    return file;
  }

  /** Of any content. @param posts its writes may be posted, for now */
  static opened(
    connection: Connection,
    handle: number,
    append: boolean,
    posts: boolean,
    position = 0,
  ): CachedFile {
    const file = new CachedFile(connection, handle, append, undefined, position);
    if (posts) file.#stamp = connection.view.stamp;
    file.#wholeStamp = connection.view.lookUpsStamp;
    return file;
  }

  override setStatus(append: boolean, nonblock: boolean): number {
    if (this.#kept === undefined) return super.setStatus(append, nonblock);
    // Others have the same handle; what is only read has no use for either.
    this.append = append;
    this.nonblock = nonblock;
    return 0;
  }

  override readAt(target: Uint8Array, offset: number): number {
    const kept = this.#kept;
    const { view } = this.connection;
    view.look();
    if (kept === undefined || this.#lookUpsStamp !== view.lookUpsStamp) {
      return this.#readShared(target, offset) ?? super.readAt(target, offset);
    }
    if (offset < 0) return -Errno.EINVAL;
    const left = kept.sizeBytes - offset;
    if (left <= 0) return 0;
    return kept.blob.read(
      left < target.length ? target.subarray(0, left) : target,
      kept.offsetBytes + offset,
    );
  }

  /** What lies in the kernel's memory, which this thread sees. Undefined: it has to be asked for. */
  #readShared(target: Uint8Array, offset: number): number | undefined {
    if (offset < 0 || target.length < SHARED_READ_BYTES_MIN) return undefined;
    const { view } = this.connection;
    let map = this.#map;
    const index = Math.floor(offset / CHUNK_BYTES);
    if (map === undefined || map.stamp !== view.attributesStamp || !map.has(index)) {
      if (this.#unmapped > UNMAPPED_MAX) return undefined;
      map = this.#ask(offset);
      if (map === undefined) return undefined;
    }
    const count = map.read(target, offset);
    // What was changed meanwhile, or is another file's by now, had the view expire first.
    return count === undefined || !view.isStill(view.number) ? undefined : count;
  }

  #ask(offset: number): FileMap | undefined {
    const { connection } = this;
    const { mailbox, view } = connection;
    mailbox.reals[Real.offset] = offset;
    const count = this.call(Operation.map, 0);
    this.#map = count > 0 && view.accepts(mailbox) ? FileMap.read(mailbox, view, offset, count) : undefined;
    if (this.#map === undefined) this.#unmapped++;
    return this.#map;
  }

  override write(source: Uint8Array): number {
    if (this.append) return super.write(source);
    const count = this.writeAt(source, this.position);
    if (count > 0) this.position += count;
    return count;
  }

  protected override writePart(part: Uint8Array, offset: number): number {
    const { view, mailbox } = this.connection;
    view.look();
    const posted = this.#post(part, offset);
    if (posted > 0) this.#note(offset, offset + posted);
    if (posted > 0 && posted === part.length) return posted;
    const count = this.callWrite(posted === 0 ? part : part.subarray(posted), offset + posted, POST_WANTED);
    if (count >= 0 && view.accepts(mailbox)) {
      this.#stamp = view.stamp;
      view.takeCredit(mailbox);
      view.forgetAttributes();
    } else view.forgetLookUps();
    if (count > 0 && !this.append) this.#note(offset, offset + posted + count);
    return count < 0 && posted === 0 ? count : posted + Math.max(count, 0);
  }

  /** How much of it need not be waited for. */
  #post(part: Uint8Array, offset: number): number {
    if (this.append || offset < 0 || this.#stamp !== this.connection.view.stamp) return 0;
    // In a hole, or behind the end, what lies before it in its chunk is charged too, for which nothing is set aside.
    if (!this.#isWhole(offset)) return 0;
    let done = 0;
    while (done < part.length) {
      const piece = done === 0 && part.length <= PIECE_BYTES ? part : part.subarray(done, done + PIECE_BYTES);
      if (!this.connection.view.postWrite(this.handle, piece, offset + done)) break;
      done += piece.length;
    }
    return done;
  }

  #isWhole(offset: number): boolean {
    if (this.#wholeStamp !== this.connection.view.lookUpsStamp) return offset === 0;
    return offset >= this.#wholeFrom && offset <= this.#wholeTo;
  }

  #note(from: number, to: number): void {
    const isConnected = this.#isWhole(from) && this.#wholeStamp === this.connection.view.lookUpsStamp;
    this.#wholeFrom = isConnected ? this.#wholeFrom : from;
    this.#wholeTo = isConnected ? Math.max(this.#wholeTo, to) : to;
    this.#wholeStamp = this.connection.view.lookUpsStamp;
  }

  override truncate(sizeBytes: number): number {
    this.connection.view.forgetLookUps();
    return super.truncate(sizeBytes);
  }

  override allocate(offset: number, length: number): number {
    this.connection.view.forgetLookUps();
    return super.allocate(offset, length);
  }

  override setTimes(...changes: Parameters<RemoteFile["setTimes"]>): number {
    this.connection.view.forgetAttributes();
    return super.setTimes(...changes);
  }

  override lock(kind: LockKind, wait: boolean): number {
    this.#wasLocked ||= kind !== "none";
    if (this.#kept === undefined) return super.lock(kind, wait);
    const { connection } = this;
    if (this.#lockHandle === undefined) {
      // Others have the same handle, and another lock.
      const handle = connection.takeHandle();
      connection.mailbox.numbers[Place.otherHandle] = handle;
      const answer = this.call(Operation.reopen, 0);
      if (answer < 0) {
        connection.giveHandle(handle);
        return answer;
      }
      this.#lockHandle = handle;
    }
    return lockRemote(connection, this.#lockHandle, kind, wait);
  }

  override close(): void {
    const { connection, handle } = this;
    if (this.#kept !== undefined) {
      if (this.#lockHandle !== undefined) {
        connection.call(Operation.close, this.#lockHandle, 0);
        connection.giveHandle(this.#lockHandle);
      }
      connection.view.release(this.#kept);
      return;
    }
    // A lock that goes with it may be waited for: the kernel has to hear of it now.
    if (this.#wasLocked) this.call(Operation.close, 0);
    else connection.view.postClose(handle);
    connection.giveHandle(handle);
  }
}
