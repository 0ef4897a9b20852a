/** A folder in memory that notes every step, so that a test can stop at any of them, or in the middle of one. */
import type { StoreFile, StoreFolder } from "../../../../../runtime/core/vfs/store-folder.ts";
import { Errno } from "../../../../../shim/abi/errno.ts";
import type { Failure } from "../../../../../shim/abi/system.ts";

export type Step =
  | { kind: "create"; name: string }
  | { kind: "write"; file: MemoryBytes; offset: number; bytes: Uint8Array }
  | { kind: "truncate"; file: MemoryBytes; size: number }
  | { kind: "sync"; file: MemoryBytes }
  | { kind: "rename"; name: string; toName: string }
  | { kind: "remove"; name: string }
  | { kind: "syncFolder" };

/** One file's bytes, whatever it is called. */
export class MemoryBytes {
  bytes = new Uint8Array(0);
  syncedBytes = 0;
}

export class RecordedFolder implements StoreFolder {
  readonly files = new Map<string, MemoryBytes>();
  readonly steps: Step[] = [];
  /** What the next writes and syncs answer; 0: they work. */
  failure = 0;

  list(): string[] {
    return [...this.files.keys()];
  }

  open(name: string): StoreFile | undefined {
    const file = this.files.get(name);
    return file && this.#handle(file);
  }

  create(name: string): StoreFile | Failure {
    if (this.failure < 0) return this.failure as Failure;
    const file = new MemoryBytes();
    this.files.set(name, file);
    this.steps.push({ kind: "create", name });
    return this.#handle(file);
  }

  rename(name: string, toName: string): number {
    this.files.set(toName, this.files.get(name)!);
    this.files.delete(name);
    this.steps.push({ kind: "rename", name, toName });
    return 0;
  }

  remove(name: string): number {
    this.files.delete(name);
    this.steps.push({ kind: "remove", name });
    return 0;
  }

  discard(name: string): void {
    this.remove(name);
  }

  sync(): number {
    this.steps.push({ kind: "syncFolder" });
    return this.failure;
  }

  #handle(file: MemoryBytes): StoreFile {
    const folder = this;
    return {
      get sizeBytes() {
        return file.bytes.length;
      },
      read(target, offset) {
        if (offset + target.length > file.bytes.length) return -Errno.EIO;
        target.set(file.bytes.subarray(offset, offset + target.length));
        return 0;
      },
      write(source, offset) {
        if (folder.failure < 0) return folder.failure;
        put(file, offset, source);
        folder.steps.push({ kind: "write", file, offset, bytes: source.slice() });
        return 0;
      },
      truncate(size) {
        file.bytes = file.bytes.slice(0, size);
        folder.steps.push({ kind: "truncate", file, size });
        return 0;
      },
      sync() {
        if (folder.failure < 0) return folder.failure;
        folder.steps.push({ kind: "sync", file });
        return 0;
      },
      startSync() {},
      close() {},
    };
  }
}

function put(file: MemoryBytes, offset: number, source: Uint8Array): void {
  if (offset + source.length > file.bytes.length) {
    const larger = new Uint8Array(offset + source.length);
    larger.set(file.bytes);
    file.bytes = larger;
  }
  file.bytes.set(source, offset);
}

/** The folder as a process that was killed left it: the first steps, and of the next one, a write, so many bytes. */
export function folderAfter(steps: readonly Step[], stepCount: number, bytesOfNext: number): RecordedFolder {
  const folder = new RecordedFolder();
  const twins = new Map<MemoryBytes, MemoryBytes>();
  // A step says which file by what it was when it was recorded; creation comes first, in the same order.
  let created: MemoryBytes | undefined;
  const twin = (file: MemoryBytes) => {
    let known = twins.get(file);
    if (known === undefined) {
      known = created ?? new MemoryBytes();
      created = undefined;
      twins.set(file, known);
    }
    return known;
  };
  for (const [index, step] of steps.slice(0, stepCount + 1).entries()) {
    const isCut = index === stepCount;
    if (isCut && step.kind !== "write") break;
    if (step.kind === "create") {
      created = new MemoryBytes();
      folder.files.set(step.name, created);
    } else if (step.kind === "write") {
      put(twin(step.file), step.offset, isCut ? step.bytes.subarray(0, bytesOfNext) : step.bytes);
    } else if (step.kind === "truncate") {
      const file = twin(step.file);
      file.bytes = file.bytes.slice(0, step.size);
    } else if (step.kind === "sync") {
      const file = twin(step.file);
      file.syncedBytes = file.bytes.length;
    } else if (step.kind === "rename") {
      folder.files.set(step.toName, folder.files.get(step.name)!);
      folder.files.delete(step.name);
    } else if (step.kind === "remove") {
      folder.files.delete(step.name);
    }
  }
  return folder;
}

/** The same files, cut: what a loss of power may leave of what was not synced. */
export function cutFolder(
  folder: RecordedFolder,
  cut: (name: string, file: MemoryBytes) => number,
): RecordedFolder {
  const after = new RecordedFolder();
  for (const [name, file] of folder.files) {
    const twin = new MemoryBytes();
    twin.bytes = file.bytes.slice(0, cut(name, file));
    after.files.set(name, twin);
  }
  return after;
}
