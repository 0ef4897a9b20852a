/**
 * A guest without a program: its memory is poked and its functions are called from a test. Files, streams and the end
 * of a program are the runtime's real ones; time is the test's.
 */
import { randomFillSync } from "node:crypto";
import { BufferSource } from "../../../runtime/core/kernel/buffer-stream.ts";
import { openOwnPipe } from "../../../runtime/core/kernel/pipe.ts";
import { ProgramEnd } from "../../../runtime/core/kernel/program-system.ts";
import { type ByteSink, type ByteSource, StreamFile } from "../../../runtime/core/kernel/stream.ts";
import { FileSystem } from "../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../runtime/core/vfs/mount-table.ts";
import {
  type FileTraffic,
  isFailure,
  type OpenFile,
  type PollTarget,
  type System,
} from "../../../shim/abi/system.ts";
import { Guest } from "../../../shim/guest.ts";
import { createImports } from "../../../shim/imports.ts";
import { PREVIEW1 } from "../../../shim/preview1/table.ts";
import { UNSTABLE } from "../../../shim/preview1/unstable.ts";

export const START_NS = 1_700_000_000_000_000_000n;
const ROOT = { uid: 0, gid: 0, groups: [], umask: 0o022 };

/** Keeps what is written. */
export class CollectingSink implements ByteSink {
  readonly writes: Uint8Array[] = [];
  write(source: Uint8Array): number {
    this.writes.push(source.slice());
    return source.length;
  }
  tryWrite(source: Uint8Array): number {
    return this.write(source);
  }
  writable(): boolean {
    return true;
  }
  get text(): string {
    return Buffer.concat(this.writes).toString();
  }
}

/** Time passes only while somebody waits. */
class TestTime {
  realtimeNs = START_NS;
  monotonicNs = 5_000n;
  /** Every wait, as it was asked for. */
  readonly waits: (bigint | undefined)[] = [];
  /** Called where a real thread would sleep: may make something ready. */
  whileWaiting: (() => void) | undefined;

  pass(ns: bigint): void {
    this.realtimeNs += ns;
    this.monotonicNs += ns;
  }
}

export interface TestGuestOptions {
  args?: readonly string[];
  environ?: readonly string[];
  stdin?: ByteSource;
  /** Instead of a pipe. */
  stdinFile?: OpenFile;
  /** Names of preopens, with their paths in the file system; "/" is made a root, others capabilities. */
  preopens?: readonly (readonly [name: string, path: string])[];
  descriptorsMax?: number;
  memory?: WebAssembly.Memory;
  raise?: (signal: string) => number;
  /** Its runtime has none. */
  withoutPipes?: boolean;
  fileTraffic?: FileTraffic;
}

/** A system call by its WASI name: numbers and bigints as WebAssembly would pass them; answers an errno. */
export type Call = (...parameters: (number | bigint)[]) => number;

export class TestGuest {
  readonly time = new TestTime();
  readonly stdout = new CollectingSink();
  readonly stderr = new CollectingSink();
  readonly files: MountTable;
  readonly fileSystem: FileSystem;
  readonly system: System;
  readonly guest: Guest;
  readonly memory: WebAssembly.Memory;
  readonly preview1: Readonly<Record<string, Call>>;
  readonly unstable: Readonly<Record<string, Call>>;

  constructor(options: TestGuestOptions = {}) {
    const { time } = this;
    this.fileSystem = new FileSystem({ nowNs: () => time.realtimeNs, device: 1n });
    this.files = new MountTable(this.fileSystem);
    const preopens = options.preopens ?? [["/", "/"]];
    this.system = {
      args: options.args ?? ["program"],
      environ: options.environ ?? [],
      stdio: [
        options.stdinFile ?? new StreamFile(1n, { source: options.stdin ?? new BufferSource(undefined) }),
        new StreamFile(2n, { sink: this.stdout }),
        new StreamFile(3n, { sink: this.stderr }),
      ],
      preopens: preopens.map(([name, path]) => {
        const directory = this.files.openPreopen(path, name !== "/" || path !== "/", ROOT);
        if (isFailure(directory)) throw new Error(`no preopen ${path}: ${directory}`);
        return { name, directory };
      }),
      clocks: {
        now: (clock) =>
          clock === "realtime" ? time.realtimeNs : clock === "monotonic" ? time.monotonicNs : 7n,
        resolution: () => 1n,
      },
      processes: {
        wait: (targets, timeoutNs) => wait(time, targets, timeoutNs),
        yield: () => {},
        exit: (status) => {
          throw new ProgramEnd({ kind: "exit", status });
        },
        raise: options.raise ?? (() => 0),
      },
      random: (target) => randomFillSync(target),
      fileTraffic: options.fileTraffic,
      openPipe: options.withoutPipes === true ? undefined : openOwnPipe,
    };
    this.guest = new Guest(this.system, { descriptorsMax: options.descriptorsMax ?? 64 });
    this.memory = options.memory ?? new WebAssembly.Memory({ initial: 2 });
    this.guest.memory.attach(this.memory);
    this.preview1 = everyFunction(this.guest, "wasi_snapshot_preview1", PREVIEW1);
    this.unstable = everyFunction(this.guest, "wasi_unstable", UNSTABLE);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }
  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  call(name: string, ...parameters: (number | bigint)[]): number {
    return this.preview1[name]!(...parameters);
  }

  /** Puts text somewhere in memory; answers its size in bytes. */
  put(ptr: number, text: string): number {
    const bytes = new TextEncoder().encode(text);
    this.bytes.set(bytes, ptr);
    return bytes.length;
  }

  text(ptr: number, sizeBytes: number): string {
    return Buffer.from(this.memory.buffer as ArrayBuffer, ptr, sizeBytes).toString();
  }

  u32(ptr: number): number {
    return this.view.getUint32(ptr, true);
  }

  u64(ptr: number): bigint {
    return this.view.getBigUint64(ptr, true);
  }

  /** Writes an array of iovecs. */
  iovecs(ptr: number, buffers: readonly (readonly [ptr: number, sizeBytes: number])[]): void {
    for (const [index, [bufferPtr, sizeBytes]] of buffers.entries()) {
      this.view.setUint32(ptr + index * 8, bufferPtr, true);
      this.view.setUint32(ptr + index * 8 + 4, sizeBytes, true);
    }
  }
}

function wait(time: TestTime, targets: PollTarget[], timeoutNs: bigint | undefined): number {
  time.waits.push(timeoutNs);
  for (let round = 0; ; round++) {
    let readyCount = 0;
    for (const target of targets) {
      target.ready = target.file.readiness(target.wanted);
      if (target.ready !== 0) readyCount++;
    }
    if (readyCount > 0 || timeoutNs === 0n) return readyCount;
    if (round === 0 && time.whileWaiting !== undefined) {
      time.whileWaiting();
      continue;
    }
    if (timeoutNs === undefined) throw new Error("this wait would never end");
    time.pass(timeoutNs);
    return 0;
  }
}

function everyFunction(guest: Guest, module: string, table: readonly { name: string }[]) {
  const imports = table.map(({ name }) => ({ module, name, kind: "function" }));
  return createImports(guest, imports)[module] as Readonly<Record<string, Call>>;
}
