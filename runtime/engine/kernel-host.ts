/** The kernel of this engine, in a worker of its own: started when the first container needs it. */
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { assert, WpodError } from "../core/error.ts";
import { Bell } from "../core/ipc/bell.ts";
import { Gate } from "../core/ipc/gate.ts";
import { CALLS_ONLY_MAILBOX_BYTES, MAILBOX_BYTES, Mailbox } from "../core/ipc/mailbox.ts";
import {
  CONTROL_CLIENT,
  type KernelAnswer,
  type KernelCounts,
  type KernelRequest,
  type NumberedAnswer,
  type NumberedRequest,
} from "../core/kernel/kernel-messages.ts";
import { KEPT_HANDLES_MAX } from "../core/kernel/protocol.ts";
import { STDIO_COUNT } from "../core/kernel/remote/shared-files.ts";
import type {
  FilesSpec,
  KernelPlace,
  LayerFiles,
  ProcessSpec,
  RecallMessage,
  StandardStreams,
} from "../core/kernel/spec.ts";
import { MemoryAccount } from "../core/quota/memory-account.ts";
import { type MemoryBudget, memoryLimit } from "../core/quota/memory-budget.ts";
import { buffersOf, type FileSystemState } from "../core/vfs/snapshot.ts";
import { CLIENTS_MAX, takeKernel } from "./kernel-entry.ts";
import { KernelWork } from "./kernel-work.ts";

/** A program's place at the kernel. */
export interface Seat {
  readonly client: number;
  readonly place: KernelPlace;
  /** Whose memory its mailbox is; undefined: nobody's of a container. */
  readonly budget: MemoryBudget | undefined;
  /** What its mailbox is charged to. */
  readonly account: MemoryAccount | undefined;
  /** Where shared memory comes; a part of its place, and so given away when a thread gets that. */
  readonly port: MessagePort | undefined;
}

/** Of a seat: what doesn't go without saying. */
export interface SeatOptions {
  /** Rung when something that it waits for may have changed. */
  bell?: Bell;
  /** Of a program with threads. */
  streams?: StandardStreams | undefined;
  /** Of its container. */
  budget?: MemoryBudget | undefined;
}

const MAILBOXES_MAX = 16;

type Done = Extract<KernelAnswer, { kind: "done" }>;
/** Told when the kernel's thread has ended, and the files that were there are lost. */
export type LossListener = (loss: WpodError) => void;

/** Every method that asks the kernel throws a WpodError KERNEL_LOST when its thread ends meanwhile; the next call starts another. */
export class KernelHost implements AsyncDisposable {
  readonly #layers = new Map<string, readonly LayerFiles[]>();
  readonly #ownBell = new Bell();
  /** Of clients that have gone: V8 is in no hurry to collect shared memory, and a thousand of them are most of a gigabyte. */
  readonly #mailboxes: SharedArrayBuffer[] = [];
  /** What belongs to one thread, and goes with it. */
  #gate = Gate.create(CLIENTS_MAX);
  #pending = new Map<number, PromiseWithResolvers<Done>>();
  #trees = new Map<string, LossListener>();
  #freeClients: number[] = [];
  #nextClient = CONTROL_CLIENT + 1;
  #worker: Worker | undefined;
  #work: KernelWork | undefined;

  #nextRequest = 1;
  #disposed = false;

  /** Has its thread start, which is as long as much of what comes before the first request. */
  prestart(): void {
    if (this.#disposed || this.#worker !== undefined) return;
    this.#start().unref();
  }

  /** @throws WpodError MOUNT_INVALID, BLOB_CORRUPT */
  async openTree(
    key: string,
    files: FilesSpec,
    owner: { uid: number; gid: number },
    lost: LossListener = () => {},
  ): Promise<void> {
    this.#layers.set(key, files.layers);
    await this.#withTree(key, lost, () =>
      this.#ask({ kind: "open-tree", key, files, owner }, files.snapshot),
    );
  }

  /** Its last state, when it is to be kept; undefined when it was lost. */
  async closeTree(key: string, keep: boolean): Promise<FileSystemState | undefined> {
    this.#layers.delete(key);
    if (!this.#trees.delete(key)) return undefined;
    return (await this.#ask({ kind: "close-tree", key, keep })).snapshot;
  }

  /** CPU time that it used for these since this was asked last, in microseconds. */
  async takeWork(clients: readonly number[]): Promise<number> {
    return (await this.#work?.take(clients)) ?? 0;
  }

  /** What is in use there, for whoever looks after it. */
  async counts(): Promise<KernelCounts> {
    return (await this.#ask({ kind: "count" })).counts!;
  }

  /** The tree is there while nothing of this went wrong. */
  async #withTree(key: string, lost: LossListener, open: () => Promise<unknown>): Promise<void> {
    this.#trees.set(key, lost);
    try {
      await open();
    } catch (error) {
      this.#trees.delete(key);
      throw error;
    }
  }

  /** A seat that nobody has yet. @throws WpodError LIMIT_REACHED, MEMORY_LIMIT */
  reserve(budget: MemoryBudget | undefined, mailboxBytes = MAILBOX_BYTES): Seat {
    // The gate is its thread's.
    this.prestart();
    const client = this.#takeClient();
    const account = budget && MemoryAccount.create(budget);
    if (account?.charge(mailboxBytes) === false) {
      this.#freeClients.push(client);
      throw memoryLimit(budget!, "the way from a thread to the kernel", mailboxBytes);
    }
    const mailbox = this.#takeMailbox(mailboxBytes);
    const gate = this.#gate.buffer;
    const place = { kind: "kernel", gate, client, mailbox, layers: [], arenas: undefined } as const;
    return { client, place, budget, account, port: undefined };
  }

  /** A seat for a program that isn't there yet: it may ask as soon as it runs. @throws WpodError LIMIT_REACHED, MEMORY_LIMIT */
  async seat(key: string, process: ProcessSpec, options: SeatOptions = {}): Promise<Seat> {
    const { bell = this.#ownBell, streams, budget } = options;
    // Threads of one program ask each time.
    const reserved = this.reserve(budget, streams === undefined ? MAILBOX_BYTES : CALLS_ONLY_MAILBOX_BYTES);
    const { client, place } = reserved;
    const { port1, port2 } = new MessageChannel();
    const request: KernelRequest = {
      kind: "attach",
      client,
      key,
      mailbox: place.mailbox,
      bell: bell.buffer,
      credentials: process.credentials,
      preopens: process.preopens,
      handlesMax: process.descriptorsMax + KEPT_HANDLES_MAX + (streams === undefined ? 0 : STDIO_COUNT),
      streams,
    };
    try {
      await this.#ask(request, undefined, port1);
    } catch (error) {
      this.#giveBack({ ...reserved, port: port2 });
      throw error;
    }
    const layers = this.#layers.get(key) ?? [];
    return { ...reserved, place: { ...place, layers, arenas: port2 }, port: port2 };
  }

  /**
   * A running program comes, and its files with it, to the seat that was reserved for it.
   * @param bring has it sent here
   * @param gone when its thread has ended: nothing will come then
   * @throws WpodError CONTAINER_STATE when it has ended first
   */
  async takeOver(
    reserved: Seat,
    key: string,
    files: FilesSpec,
    process: ProcessSpec,
    bell: Bell,
    gone: Promise<void>,
    lost: LossListener,
    bring: (message: RecallMessage<MessagePort>, arrived: Promise<unknown>) => void,
  ): Promise<Seat> {
    const { client, place } = reserved;
    const { gate, mailbox } = place;
    const { port1, port2 } = new MessageChannel();
    const request: KernelRequest = {
      kind: "expect",
      client,
      key,
      files: { ...files, snapshot: undefined },
      owner: process.credentials,
      mailbox,
      bell: bell.buffer,
      handlesMax: process.descriptorsMax + KEPT_HANDLES_MAX,
    };
    const arrived = this.#withTree(key, lost, () => this.#ask(request, undefined, port1));
    bring({ kind: "recall", gate, client, mailbox, port: port2 }, arrived);
    let isExpected = true;
    void gone.then(() => {
      if (isExpected) this.#ask({ kind: "forget", client }).catch(() => {});
    });
    try {
      await arrived;
    } catch (error) {
      this.#giveBack(reserved);
      throw error;
    } finally {
      isExpected = false;
    }
    return { ...reserved, place: { ...place, layers: files.layers } };
  }

  /**
   * One for a further thread of a program. It may ask at once: nobody has to wait for the kernel's answer.
   * @throws WpodError LIMIT_REACHED, MEMORY_LIMIT
   */
  seatThread({ client: peer, budget }: Seat): Seat {
    const reserved = this.reserve(budget, CALLS_ONLY_MAILBOX_BYTES);
    const { client, place } = reserved;
    this.#ask({ kind: "attach-thread", client, peer, mailbox: place.mailbox }).catch(() => {});
    return reserved;
  }

  /** After the program's thread has ended. */
  async leave(seat: Seat): Promise<void> {
    try {
      if (this.#isHere(seat)) await this.#ask({ kind: "detach", client: seat.client });
    } catch (error) {
      // Gone with the thread.
      if (this.#isHere(seat)) throw error;
    }
    this.#giveBack(seat);
    if (this.#mailboxes.length < MAILBOXES_MAX) this.#mailboxes.push(seat.place.mailbox);
  }

  #takeMailbox(sizeBytes: number): SharedArrayBuffer {
    const index = this.#mailboxes.findIndex(({ byteLength }) => byteLength === sizeBytes);
    const [known] = index < 0 ? [] : this.#mailboxes.splice(index, 1);
    if (known === undefined) return Mailbox.create(sizeBytes).buffer;
    // Nothing of one client is there for another.
    new Uint8Array(known).fill(0);
    return known;
  }

  /** It belongs to the thread that is there now. */
  #isHere({ place }: Seat): boolean {
    return place.gate === this.#gate.buffer;
  }

  #giveBack(seat: Seat): void {
    seat.account?.close();
    // Nothing, where a thread has got it.
    seat.port?.close();
    if (!this.#isHere(seat)) return;
    this.#work?.forget(seat.client);
    this.#freeClients.push(seat.client);
  }

  #takeClient(): number {
    const client = this.#freeClients.pop() ?? this.#nextClient++;
    if (client < CLIENTS_MAX) return client;
    this.#nextClient--;
    throw new WpodError("LIMIT_REACHED", `${CLIENTS_MAX - 1} programs use this engine's kernel already`, {
      hint: "wait until some have ended",
    });
  }

  async #ask(
    request: KernelRequest,
    moved: FileSystemState | undefined = undefined,
    port: MessagePort | undefined = undefined,
  ): Promise<Done> {
    if (this.#disposed) throw disposed();
    const worker = this.#start();
    const id = this.#nextRequest++;
    const answered = Promise.withResolvers<Done>();
    this.#pending.set(id, answered);
    worker.ref();
    const message: NumberedRequest<MessagePort> =
      port === undefined ? { id, request } : { id, request, port };
    worker.postMessage(message, [
      ...(moved === undefined ? [] : buffersOf(moved)),
      ...(port === undefined ? [] : [port]),
    ]);
    this.#gate.knock(CONTROL_CLIENT);
    return answered.promise;
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const { worker, gate, worked } = takeKernel();
    this.#gate = gate;
    this.#work = new KernelWork(worker, worked);
    let why = "it was ended";
    worker.on("message", (message: NumberedAnswer) => this.#hear(message));
    worker.on("error", (error: Error) => {
      why = error.message.split("\n", 1)[0]!;
    });
    worker.once("exit", () => this.#lose(worker, why));
    this.#worker = worker;
    return worker;
  }

  #hear({ id, answer }: NumberedAnswer): void {
    const answered = this.#pending.get(id);
    assert(answered !== undefined, "the kernel answers what it was asked");
    this.#pending.delete(id);
    // Alone it keeps no process alive: it has nothing to do without its clients.
    if (this.#pending.size === 0) this.#worker?.unref();
    settle(answered, answer);
  }

  /** Its thread has ended. Whoever had files there has lost them; the next request starts a new one. */
  #lose(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    const loss = new WpodError(
      "KERNEL_LOST",
      `the kernel, which had the container's files, has ended: ${why}`,
      {
        hint: "containers that start from now on get a new one",
      },
    );
    const pending = this.#pending;
    const trees = this.#trees;
    this.#worker = undefined;
    this.#gate = Gate.create(CLIENTS_MAX);
    this.#pending = new Map();
    this.#trees = new Map();
    this.#freeClients = [];
    this.#nextClient = CONTROL_CLIENT + 1;
    for (const { reject } of pending.values()) reject(loss);
    for (const lost of trees.values()) lost(loss);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    for (const { reject } of this.#pending.values()) reject(disposed());
    this.#pending.clear();
  }
}

function disposed(): WpodError {
  return new WpodError("USAGE", "the engine was disposed of");
}

function settle({ resolve, reject }: PromiseWithResolvers<Done>, answer: KernelAnswer): void {
  if (answer.kind === "done") resolve(answer);
  else
    reject(
      new WpodError(answer.code, answer.message, answer.hint === undefined ? {} : { hint: answer.hint }),
    );
}
