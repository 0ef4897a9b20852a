/** Joins the three streams of a guest to what the caller wants: its own streams, buffers, functions, or nothing. */
import { closeSync } from "node:fs";
import { Readable } from "node:stream";
import type { Bell } from "../core/ipc/bell.ts";
import { Ring } from "../core/ipc/ring.ts";
import type { StreamSpec } from "../core/kernel/spec.ts";
import { descriptorKind, directWriteDescriptor } from "../node/stdio/descriptor.ts";
import { emptyRing, fillRing, openStdin, streamTaker } from "../node/stdio/ring-pump.ts";
import type { InputSource, OutputTarget } from "./types.ts";

/** A pipe of Linux holds as much; larger rings didn't move bytes faster. */
const RING_BYTES = 256 * 1024;

export interface OutputJoint {
  spec: StreamSpec;
  /** The guest has gone: hands on what is left, then lets go of everything. */
  finish(): Promise<void>;
  /** What was collected. */
  collected(): Uint8Array;
  /** More was written than is collected. */
  truncated(): boolean;
}

export interface InputJoint {
  spec: StreamSpec;
  finish(): void;
}

export function joinInput(source: InputSource | undefined, bell: Bell): InputJoint {
  if (source === undefined || source === "ignore") return { spec: { kind: "null" }, finish() {} };
  if (source === "inherit") {
    if (descriptorKind(0) === "missing") return { spec: { kind: "null" }, finish() {} };
    const stdin = openStdin();
    return joinSource(stdin, bell, () => stdin.destroy());
  }
  if (typeof source === "string") return joinBytes(Buffer.from(source));
  if (source instanceof Uint8Array) return joinBytes(source);
  // The caller's stream stays the caller's, and open, when the guest doesn't read it to its end.
  return joinSource(
    source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source,
    bell,
    () => {},
  );
}

function joinBytes(bytes: Uint8Array): InputJoint {
  return { spec: { kind: "bytes", bytes: Uint8Array.from(bytes) }, finish() {} };
}

function joinSource(source: AsyncIterable<Uint8Array | string>, bell: Bell, close: () => void): InputJoint {
  const ring = Ring.create(RING_BYTES, bell);
  void fillRing(ring, source);
  return {
    spec: { kind: "ring", buffer: ring.buffer },
    finish() {
      ring.abandon();
      ring.hostBell.ring();
      close();
    },
  };
}

/** @param fd the descriptor that "inherit" means */
export function joinOutput(
  target: OutputTarget | undefined,
  fd: 1 | 2,
  bell: Bell,
  collectBytesMax: number,
): OutputJoint {
  if (target === "ignore") return plainJoint({ kind: "null" });
  if (target === "inherit") return inherit(fd, bell);
  if (target === undefined || target === "collect") return collect(bell, collectBytesMax);
  return joinTaker(typeof target === "function" ? target : streamTaker(target), bell);
}

function inherit(fd: 1 | 2, bell: Bell): OutputJoint {
  if (descriptorKind(fd) === "missing") return plainJoint({ kind: "null" });
  const direct = directWriteDescriptor(fd);
  if (direct === undefined) {
    // Node's own stream: the descriptor stays this process's, open, and shared with others as it was.
    const stream = fd === 1 ? process.stdout : process.stderr;
    stream.on("error", ignore);
    return joinTaker(streamTaker(stream), bell, () => void stream.off("error", ignore));
  }
  return plainJoint({ kind: "descriptor", fd: direct.fd }, () => {
    if (direct.owned) closeSync(direct.fd);
  });
}

function plainJoint(spec: StreamSpec, close: () => void = () => {}): OutputJoint {
  return {
    spec,
    async finish() {
      close();
    },
    collected: () => new Uint8Array(0),
    truncated: () => false,
  };
}

function joinTaker(
  take: (bytes: Uint8Array) => unknown,
  bell: Bell,
  close: () => void | Promise<void> = () => {},
): OutputJoint {
  const ring = Ring.create(RING_BYTES, bell);
  const emptied = emptyRing(ring, take);
  return {
    ...plainJoint({ kind: "ring", buffer: ring.buffer }),
    async finish() {
      ring.end();
      ring.hostBell.ring();
      await emptied;
      await close();
    },
  };
}

function collect(bell: Bell, bytesMax: number): OutputJoint {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  let truncated = false;
  const joint = joinTaker((bytes) => {
    const room = bytesMax - sizeBytes;
    if (bytes.length > room) truncated = true;
    if (room <= 0) return;
    chunks.push(bytes.subarray(0, room));
    sizeBytes += Math.min(room, bytes.length);
  }, bell);
  return {
    ...joint,
    collected: () => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)),
    truncated: () => truncated,
  };
}

/** A write that fails is told to whoever wrote. */
function ignore(): void {}
