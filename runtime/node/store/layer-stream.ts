/**
 * One pass over a layer: its blob is read, digested and unpacked, the tar in it is digested, indexed and written, all at
 * once and in bounded memory. Unpacking, reading and writing happen in the thread pool; this thread digests what the
 * pool made before, so that the whole takes little longer than unpacking alone.
 */
import { createHash, type Hash } from "node:crypto";
import { close, constants, fdatasync, fsync, open, write } from "node:fs";
import type { Transform } from "node:stream";
import { promisify } from "node:util";
import { WpodError } from "../../core/error.ts";
import type { Digest } from "../../core/image/digest.ts";
import { LayerIndexBuilder } from "../../core/image/index-builder.ts";
import { LAYER_BYTES_MAX } from "../../core/image/limits.ts";
import { TarScanner } from "../../core/image/tar.ts";
import { DURABLE_FLAGS } from "../host/descriptor-calls.ts";
import { isRestricted } from "../host/permission-flags.ts";
import type { Member } from "./archive.ts";
import { createDecompressor, recognize, START_BYTES } from "./compression.ts";

export interface StreamedLayer {
  /** Of the blob. */
  digest: Digest;
  compressedBytes: number;
  /** Of the tar in it. */
  diffId: Digest;
  sizeBytes: number;
  index: Uint8Array;
}

export interface StreamOptions {
  /** Where the tar is written, a new file; undefined to verify only. It is left behind on failure. */
  tarPath?: string;
  /** What the blob must be; checked first when something else is wrong with it. */
  digest?: Digest | undefined;
  /** Names it in messages: "layer sha256:...". */
  what: string;
  signal?: AbortSignal | undefined;
}

const READ_BYTES = 1024 * 1024;
/** Unwritten bytes at which unpacking waits for the disk. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;
/** The disk is told to start in between: else all of it would wait for the sync at the end. */
const SYNC_BYTES = 32 * 1024 * 1024;

/**
 * @throws WpodError BLOB_CORRUPT when the blob hasn't the digest that it should; IMAGE_INVALID when it has, and is no layer
 */
export async function streamLayer(member: Member, options: StreamOptions): Promise<StreamedLayer> {
  const { what, signal } = options;
  const reader = new DigestingReader(member);
  const target = options.tarPath === undefined ? undefined : await TarFile.create(options.tarPath);
  try {
    const sink = new LayerSink(target);
    try {
      await unpack(reader, sink, what, signal);
    } catch (error) {
      throw await explain(error, member, options);
    }
    const digest = reader.digest();
    if (options.digest !== undefined && digest !== options.digest) throw corrupt(what, digest);
    let index: Uint8Array;
    try {
      index = sink.finish();
    } catch (error) {
      throw await explain(error, member, options);
    }
    await target?.finish();
    return {
      digest,
      compressedBytes: reader.bytes,
      diffId: sink.diffId ?? digest,
      sizeBytes: sink.bytes,
      index,
    };
  } finally {
    await target?.close();
  }
}

async function unpack(
  reader: DigestingReader,
  sink: LayerSink,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const first = await reader.next();
  const kind = recognize(first.subarray(0, START_BYTES));
  if (kind === "gzip" || kind === "zstd") {
    sink.digestApart();
    await decompress(createDecompressor(kind), first, reader, sink, signal);
    return;
  }
  if (kind !== "tar" && first.length > 0) {
    const found =
      kind === "unknown" ? "no tar" : kind === "wasm" ? "a bare module" : `compressed with ${kind}`;
    throw new WpodError(
      "IMAGE_INVALID",
      `${what} is ${found}; a layer is a tar, also compressed with gzip or zstd`,
    );
  }
  // Not compressed: the digest of the blob is its diffID, and is only computed once.
  for (let chunk = first; chunk.length > 0; chunk = await reader.next()) {
    checkAborted(signal);
    reader.update(chunk);
    // The buffer comes again after the next one: by then it must be written.
    await sink.ready();
    sink.take(chunk);
  }
}

async function decompress(
  decompressor: Transform,
  first: Uint8Array,
  reader: DigestingReader,
  sink: LayerSink,
  signal: AbortSignal | undefined,
): Promise<void> {
  let over = false;
  const waiting: Uint8Array[] = [];
  // What came is digested after the pool got its next task, not before: the two then run at once.
  const digestWaiting = () => {
    try {
      for (const chunk of waiting.splice(0)) sink.take(chunk);
      if (sink.isFull && !decompressor.isPaused()) {
        decompressor.pause();
        sink.ready().then(
          () => decompressor.resume(),
          (error) => decompressor.destroy(error),
        );
      }
    } catch (error) {
      decompressor.destroy(error as Error);
    }
  };
  const ended = new Promise<void>((resolve, reject) => {
    decompressor.on("data", (chunk: Uint8Array) => {
      waiting.push(chunk);
      queueMicrotask(digestWaiting);
    });
    decompressor.on("end", () => {
      over = true;
      digestWaiting();
      resolve();
    });
    decompressor.on("error", reject);
  });
  // It is awaited below; a failure before that is no unhandled one.
  ended.catch(() => {});
  try {
    for (let chunk = first; chunk.length > 0; ) {
      checkAborted(signal);
      // After its end it takes no more, and would never answer.
      const written = over ? undefined : writeChunk(decompressor, chunk);
      const next = reader.next();
      next.catch(() => {}); // awaited below, or of no interest any more
      reader.update(chunk);
      await Promise.race([written, ended]);
      chunk = await next;
    }
    if (!over) decompressor.end();
    await ended;
  } finally {
    decompressor.destroy();
  }
}

function writeChunk(decompressor: Transform, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    decompressor.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** A blob whose digest is wrong was damaged on its way: that is the news, not what the damage did to the unpacking. */
async function explain(
  error: unknown,
  member: Member,
  { digest, what, signal }: StreamOptions,
): Promise<unknown> {
  const isHostError = !(error instanceof WpodError) && (error as NodeJS.ErrnoException).syscall !== undefined;
  if (signal?.aborted || isHostError) return error;
  if (digest !== undefined) {
    const found = await digestMember(member);
    if (found !== digest) return corrupt(what, found);
  }
  if (!(error instanceof WpodError)) {
    return new WpodError("IMAGE_INVALID", `${what} can't be unpacked: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (error.message.startsWith(what)) return error;
  return new WpodError(error.code, `${what}: ${error.message}`, { cause: error });
}

function corrupt(what: string, found: Digest): WpodError {
  return new WpodError("BLOB_CORRUPT", `${what} is corrupt: what came has the digest ${found}`, {
    hint: "copy or pull the image again; nothing was imported",
  });
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new WpodError("ABORTED", "the import was aborted; nothing was imported", { cause: signal.reason });
  }
}

/** Reads a blob piece by piece into two buffers that take turns, and digests what it is told to. */
class DigestingReader {
  bytes = 0;
  readonly #member: Member;
  readonly #hash = createHash("sha256");
  readonly #buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)] as const;
  #turn = 0;
  #offsetBytes = 0;

  constructor(member: Member) {
    this.#member = member;
  }

  /** The next piece, empty at the end. The one before the last is overwritten. */
  async next(): Promise<Uint8Array> {
    const buffer = this.#buffers[this.#turn++ % 2] as Buffer;
    let count = 0;
    while (count < READ_BYTES) {
      const step = await this.#member.read(buffer.subarray(count), this.#offsetBytes + count);
      if (step === 0) break;
      count += step;
    }
    this.#offsetBytes += count;
    return buffer.subarray(0, count);
  }

  update(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
  }

  digest(): Digest {
    return hex(this.#hash);
  }
}

async function digestMember(member: Member): Promise<Digest> {
  const reader = new DigestingReader(member);
  for (let chunk = await reader.next(); chunk.length > 0; chunk = await reader.next()) reader.update(chunk);
  return reader.digest();
}

/** Takes the bytes of the tar: digest, index and file grow together. */
class LayerSink {
  bytes = 0;
  readonly #builder = new LayerIndexBuilder();
  readonly #scanner = new TarScanner((entry) => this.#builder.add(entry));
  readonly #file: TarFile | undefined;
  #hash: Hash | undefined;
  #diffId: Digest | undefined;

  constructor(file: TarFile | undefined) {
    this.#file = file;
  }

  /** The tar's digest is not the blob's. */
  digestApart(): void {
    this.#hash = createHash("sha256");
  }

  /** Undefined when nobody asked to digest it apart. */
  get diffId(): Digest | undefined {
    if (this.#hash !== undefined) this.#diffId ??= hex(this.#hash);
    return this.#diffId;
  }

  /** @param chunk written later: it must not change */
  take(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.bytes > LAYER_BYTES_MAX) {
      throw new WpodError("IMAGE_INVALID", `it unpacks to more than ${LAYER_BYTES_MAX} bytes`);
    }
    this.#file?.append(chunk);
    this.#hash?.update(chunk);
    this.#scanner.push(chunk);
  }

  get isFull(): boolean {
    return this.#file !== undefined && this.#file.pendingBytes > PENDING_BYTES_MAX;
  }

  /** When more may come. */
  async ready(): Promise<void> {
    await this.#file?.drained();
  }

  finish(): Uint8Array {
    this.#scanner.finish();
    return this.#builder.finish(this.bytes);
  }
}

/** A new file that grows at its end, in the background. */
class TarFile {
  pendingBytes = 0;
  readonly #fd: number;
  #offsetBytes = 0;
  #unsyncedBytes = 0;
  #syncing: Promise<void> = Promise.resolve();
  #tail: Promise<void> = Promise.resolve();

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static async create(path: string): Promise<TarFile> {
    return new TarFile(await openAsync(path, O_WRONLY | O_CREAT | O_EXCL | DURABLE_FLAGS, 0o600));
  }

  append(chunk: Uint8Array): void {
    this.pendingBytes += chunk.length;
    this.#tail = this.#tail.then(() => this.#write(chunk));
    // The failure is told to whoever waits next.
    this.#tail.catch(() => {});
  }

  drained(): Promise<void> {
    return this.#tail;
  }

  /** All is on the disk. */
  async finish(): Promise<void> {
    await this.#tail;
    await this.#syncing;
    // Each write was durable where this isn't permitted.
    if (!isRestricted()) await fsyncAsync(this.#fd);
  }

  async close(): Promise<void> {
    // The descriptor's number may be given away at once: nothing may still use it.
    await Promise.allSettled([this.#tail, this.#syncing]);
    await closeAsync(this.#fd);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    let at = 0;
    while (at < chunk.length) {
      const { bytesWritten } = await writeAsync(this.#fd, chunk, at, chunk.length - at, this.#offsetBytes);
      at += bytesWritten;
      this.#offsetBytes += bytesWritten;
    }
    this.pendingBytes -= chunk.length;
    this.#unsyncedBytes += chunk.length;
    if (this.#unsyncedBytes < SYNC_BYTES || isRestricted()) return;
    this.#unsyncedBytes = 0;
    this.#syncing = this.#syncing.then(() => fdatasyncAsync(this.#fd));
    this.#syncing.catch(() => {});
  }
}

const { O_WRONLY, O_CREAT, O_EXCL } = constants;
const openAsync = promisify(open);
const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);
const fsyncAsync = promisify(fsync);
const closeAsync = promisify(close);

function hex(hash: Hash): Digest {
  return `sha256:${hash.digest("hex")}`;
}
