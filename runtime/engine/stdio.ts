/** Joins the three streams of a guest to what the caller wants: its own streams, buffers, functions, or nothing. */
import { closeSync } from "node:fs";
import { Readable, type Writable } from "node:stream";
import { WpodError } from "../core/error.ts";
import type { Bell } from "../core/ipc/bell.ts";
import { Ring } from "../core/ipc/ring.ts";
import type { StreamSpec } from "../core/kernel/spec.ts";
import { descriptorKind, directWriteDescriptor } from "../node/stdio/descriptor.ts";
import { emptyRing, fillRing } from "../node/stdio/ring-pump.ts";
import { openStdin } from "../node/stdio/stdin.ts";
import { StreamReader } from "../node/stdio/stream-reader.ts";
import { StreamWriter } from "../node/stdio/stream-writer.ts";
import type { InputSource, OutputTarget } from "./types.ts";

/** A pipe of Linux holds as much; larger rings didn't move bytes faster. */
const RING_BYTES = 64 * 1024;

export interface OutputJoint {
  spec: StreamSpec;
  /** The guest has gone: hands on what is left, then lets go of everything. Waits for a slow reader until `drop`. */
  finish(): Promise<void>;
  /** Hands on nothing more, whatever is left. */
  drop(): void;
  /** What was collected. */
  collected(): Uint8Array;
  /** More was written than is collected. */
  truncated(): boolean;
  /** What the caller's function threw; undefined when it didn't. */
  failure(): { error: unknown } | undefined;
}

export interface InputJoint {
  spec: StreamSpec;
  finish(): void;
}

export function joinInput(source: InputSource | undefined, bell: Bell): InputJoint {
  if (typeof source === "string" && source !== "inherit" && source !== "ignore") {
    return joinBytes(Buffer.from(source));
  }
  if (source instanceof Uint8Array) return joinBytes(source);
  const input = openInput(source);
  return input === undefined ? NO_INPUT : joinSource(input.chunks, bell, input.close);
}

export interface OpenInput {
  chunks: AsyncIterator<Uint8Array | string>;
  close(): void;
}

/** @returns undefined: there is none */
export function openInput(source: InputSource | undefined): OpenInput | undefined {
  if (source === undefined || source === "ignore") return undefined;
  if (source === "inherit") {
    const stdin = openStdin();
    return stdin && { chunks: new StreamReader(stdin.stream), close: stdin.close };
  }
  if (typeof source === "string") return { chunks: once(Buffer.from(source)), close() {} };
  if (source instanceof Uint8Array) return { chunks: once(Uint8Array.from(source)), close() {} };
  if (typeof source !== "object" || source === null || !(Symbol.asyncIterator in source)) {
    throw new WpodError("USAGE", "stdin is neither a text, bytes, a stream nor an async iterable");
  }
  return {
    // The caller's stream stays the caller's, and open, when the guest doesn't read it to its end.
    chunks: source instanceof Readable ? new StreamReader(source) : source[Symbol.asyncIterator](),
    close() {},
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const NO_INPUT: InputJoint = { spec: { kind: "null" }, finish() {} };

function joinBytes(bytes: Uint8Array): InputJoint {
  return { spec: { kind: "bytes", bytes: Uint8Array.from(bytes) }, finish() {} };
}

function joinSource(source: AsyncIterator<Uint8Array | string>, bell: Bell, close: () => void): InputJoint {
  const ring = Ring.create(RING_BYTES, bell);
  void fillRing(ring, source);
  return {
    spec: { kind: "ring", buffer: ring.buffer },
    finish() {
      ring.abandon();
      ring.hostBell.ring();
      void letGo(source);
      close();
    },
  };
}

/** Whatever a source of the caller's does about it. */
export async function letGo(source: AsyncIterator<unknown>): Promise<void> {
  try {
    await source.return?.();
  } catch {
    // The guest has gone: nobody is left to tell.
  }
}

/** @param fd the descriptor that "inherit" means */
export function joinOutput(
  target: OutputTarget | undefined,
  fd: 1 | 2,
  bell: Bell,
  collectBytesMax: number,
): OutputJoint {
  if (target === "inherit") return inherit(fd, bell);
  const taker = takeOutput(target, fd, collectBytesMax);
  return taker === undefined ? plainJoint({ kind: "null" }) : joinTaker(taker, bell);
}

function inherit(fd: 1 | 2, bell: Bell): OutputJoint {
  if (descriptorKind(fd) === "missing") return plainJoint({ kind: "null" });
  const direct = directWriteDescriptor(fd);
  if (direct === undefined) return joinTaker(takeForStream(ownStream(fd)), bell);
  return plainJoint({ kind: "descriptor", fd: direct.fd }, () => {
    if (direct.owned) closeSync(direct.fd);
  });
}

/** Node's own stream: the descriptor stays this process's, open, and shared with others as it was. */
function ownStream(fd: 1 | 2): Writable {
  return fd === 1 ? process.stdout : process.stderr;
}

function plainJoint(spec: StreamSpec, close: () => void = () => {}): OutputJoint {
  return {
    spec,
    async finish() {
      close();
    },
    drop() {},
    collected: () => new Uint8Array(0),
    truncated: () => false,
    failure: () => undefined,
  };
}

export const NO_OUTPUT: OutputJoint = plainJoint({ kind: "null" });

/** What the caller wants done with a guest's output, in this thread. */
export interface OutputTaker extends Pick<OutputJoint, "collected" | "truncated" | "failure"> {
  /** The bytes are a copy. What it throws ends the stream for the guest. */
  take(bytes: Uint8Array): unknown;
  /** Nothing is handed on any more. */
  done(): void;
}

/**
 * @param fd the descriptor that "inherit" means
 * @returns undefined: the output goes nowhere
 */
export function takeOutput(
  target: OutputTarget | undefined,
  fd: 1 | 2,
  collectBytesMax: number,
): OutputTaker | undefined {
  if (target === "ignore") return undefined;
  if (target === "inherit") {
    return descriptorKind(fd) === "missing" ? undefined : takeForStream(ownStream(fd));
  }
  if (target === undefined || target === "collect") return takeAll(collectBytesMax);
  if (typeof target !== "function" && typeof target?.write !== "function") {
    throw new WpodError("USAGE", `${fd === 1 ? "stdout" : "stderr"} is neither a stream nor a function`);
  }
  return typeof target === "function" ? takeForFunction(target) : takeForStream(target);
}

/** The guest sees a broken pipe, and the caller what its function threw. */
function takeForFunction(take: (bytes: Uint8Array) => unknown): OutputTaker {
  let failure: { error: unknown } | undefined;
  return {
    ...plainTaker(async (bytes) => {
      try {
        await take(bytes);
      } catch (error) {
        failure = { error };
        throw error;
      }
    }),
    failure: () => failure,
  };
}

function takeForStream(stream: Writable): OutputTaker {
  const writer = new StreamWriter(stream);
  return plainTaker(
    (bytes) => writer.write(bytes),
    () => writer.close(),
  );
}

function takeAll(bytesMax: number): OutputTaker {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  let truncated = false;
  return {
    ...plainTaker((bytes) => {
      const room = bytesMax - sizeBytes;
      if (bytes.length > room) truncated = true;
      if (room <= 0) return;
      chunks.push(bytes.subarray(0, room));
      sizeBytes += Math.min(room, bytes.length);
    }),
    collected: () => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)),
    truncated: () => truncated,
  };
}

export function plainTaker(take: OutputTaker["take"], done: () => void = () => {}): OutputTaker {
  const { collected, truncated, failure } = NO_OUTPUT;
  return { take, done, collected, truncated, failure };
}

/** A ring of the guest's, emptied into the taker. */
export function joinTaker({ take, done, ...results }: OutputTaker, bell: Bell): OutputJoint {
  const ring = Ring.create(RING_BYTES, bell);
  const emptied = emptyRing(ring, take).finally(done);
  const dropped = Promise.withResolvers<void>();
  return {
    ...results,
    spec: { kind: "ring", buffer: ring.buffer },
    async finish() {
      ring.end();
      ring.hostBell.ring();
      await Promise.race([emptied, dropped.promise]);
    },
    drop() {
      ring.abandon();
      ring.guestBell.ring();
      ring.hostBell.ring();
      dropped.resolve();
    },
  };
}
