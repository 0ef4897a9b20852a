/** The files of a running container: with its first program, until a second one comes; then with the kernel. */
import type { MessagePort } from "node:worker_threads";
import type { OpenFile } from "../../shim/abi/system.ts";
import { WpodError } from "../core/error.ts";
import { Bell } from "../core/ipc/bell.ts";
import { Gate } from "../core/ipc/gate.ts";
import { Mailbox } from "../core/ipc/mailbox.ts";
import { NULL_SINK } from "../core/kernel/buffer-stream.ts";
import { SUPERUSER } from "../core/kernel/container-tree.ts";
import { Connection } from "../core/kernel/remote/connection.ts";
import { RemoteDirectory } from "../core/kernel/remote/remote-directory.ts";
import type { FilesSpec, ProcessSpec, RecallMessage, StandardStreams } from "../core/kernel/spec.ts";
import { StreamFile } from "../core/kernel/stream.ts";
import type { MemoryBudget } from "../core/quota/memory-budget.ts";
import type { FileSystemState } from "../core/vfs/snapshot.ts";
import type { KernelHost, Seat, SeatOptions } from "./kernel-host.ts";
import { DESCRIPTORS_MAX } from "./limits.ts";

/** This thread hears of the kernel's end only when it doesn't wait for it. */
const PATIENCE_MS = 30_000;

/** Who looks from this thread. */
export const LOOKER: ProcessSpec = {
  argv: [],
  env: [],
  credentials: { ...SUPERUSER, groups: [] },
  preopens: [{ name: "/", path: "/" }],
  descriptorsMax: DESCRIPTORS_MAX,
};

/** The `/` of who has this seat, for this thread. Each call of it waits for the kernel. */
export function rootThrough({ place }: Seat): OpenFile {
  const { gate, client, mailbox } = place;
  const nothing = new StreamFile(0n, { sink: NULL_SINK });
  const connection = new Connection({
    mailbox: new Mailbox(mailbox, PATIENCE_MS),
    gate: new Gate(gate),
    client,
    bell: new Bell(),
    stdio: [nothing, nothing, nothing],
  });
  return new RemoteDirectory(connection, connection.takeHandle());
}

/** The program that has the files with it. */
export interface FirstProgram {
  readonly process: ProcessSpec;
  readonly bell: Bell;
  readonly gone: Promise<void>;
  /** Of a program with threads: they are at the kernel then, as its files are from the start. */
  readonly streams?: StandardStreams | undefined;
  recall(message: RecallMessage<MessagePort>, moved: Promise<unknown>): void;
  /** The kernel has ended, and its files with it. */
  lost(loss: WpodError): void;
}

export class LiveFiles {
  readonly #kernel: KernelHost;
  readonly #key: string;
  readonly #spec: FilesSpec;
  readonly #first: FirstProgram;
  readonly #budget: MemoryBudget;
  readonly #seats = new Set<Seat>();
  /** On its way to the kernel, or there. */
  #moved: Promise<void> | undefined;
  #root: Promise<OpenFile> | undefined;

  /** @param budget of the container */
  constructor(kernel: KernelHost, key: string, spec: FilesSpec, budget: MemoryBudget, first: FirstProgram) {
    this.#kernel = kernel;
    this.#key = key;
    this.#spec = spec;
    this.#first = first;
    this.#budget = budget;
  }

  /** They are with the kernel, or on their way. */
  get isShared(): boolean {
    return this.#moved !== undefined;
  }

  /** Where its first program has them with the kernel. @throws WpodError MOUNT_INVALID, BLOB_CORRUPT, MEMORY_LIMIT, LIMIT_REACHED */
  async seatFirst(): Promise<Seat> {
    const { process, bell, streams } = this.#first;
    this.#moved = this.#kernel.openTree(this.#key, this.#spec, process.credentials, (loss) =>
      this.#first.lost(loss),
    );
    await this.#moved;
    return this.#take(process, { bell, streams, budget: this.#budget });
  }

  /** One more program. @throws WpodError CONTAINER_STATE when the first has ended; MEMORY_LIMIT, LIMIT_REACHED */
  async join(process: ProcessSpec, bell: Bell, streams?: StandardStreams): Promise<Seat> {
    await this.#moveToKernel();
    return this.#take(process, { bell, streams, budget: this.#budget });
  }

  async #take(process: ProcessSpec, options: SeatOptions): Promise<Seat> {
    const seat = await this.#kernel.seat(this.#key, process, options);
    this.#seats.add(seat);
    return seat;
  }

  /** After its thread has ended. */
  async leave(seat: Seat): Promise<void> {
    if (this.#seats.delete(seat)) await this.#kernel.leave(seat);
  }

  /** The container's `/` for this thread, with every right. Each call of it waits for the kernel. */
  async look(): Promise<OpenFile> {
    const root = this.#root ?? this.#openRoot();
    this.#root = root;
    try {
      return await root;
    } catch (error) {
      // Whoever asks next may be luckier.
      if (this.#root === root) this.#root = undefined;
      throw error;
    }
  }

  async #openRoot(): Promise<OpenFile> {
    await this.#moveToKernel();
    // It is this thread that looks: its mailbox is not the container's.
    return rootThrough(await this.#take(LOOKER, {}));
  }

  async #moveToKernel(): Promise<void> {
    // Where that is refused, its first program goes on as it was.
    this.#moved ??= this.#moveFirst(this.#kernel.reserve(this.#budget));
    await this.#moved;
  }

  async #moveFirst(reserved: Seat): Promise<void> {
    const { process, bell, gone } = this.#first;
    try {
      const seat = await this.#kernel.takeOver(
        reserved,
        this.#key,
        this.#spec,
        process,
        bell,
        gone,
        (loss) => this.#first.lost(loss),
        (message, arrived) => this.#first.recall(message, arrived),
      );
      this.#seats.add(seat);
    } catch (error) {
      // It has sent its files, and waits for an answer that doesn't come; if it has ended, this does nothing.
      if (error instanceof WpodError) this.#first.lost(error);
      throw error;
    }
  }

  /**
   * All its programs have ended. Its last state where the kernel has it and it is to be kept; undefined where its first
   * program had it to the end.
   */
  async close(keep: boolean): Promise<FileSystemState | undefined> {
    if (this.#moved === undefined) return undefined;
    try {
      await this.#moved;
    } catch (error) {
      // Nothing came to the kernel.
      if (error instanceof WpodError) return undefined;
      throw error;
    }
    await Promise.all([...this.#seats].map((seat) => this.leave(seat)));
    return this.#kernel.closeTree(this.#key, keep);
  }
}
