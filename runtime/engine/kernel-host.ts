/** The kernel of this engine, in a worker of its own: started when the first container needs it. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { assert, WpodError } from "../core/error.ts";
import { Bell } from "../core/ipc/bell.ts";
import { Gate } from "../core/ipc/gate.ts";
import { Mailbox } from "../core/ipc/mailbox.ts";
import {
  CONTROL_CLIENT,
  type KernelAnswer,
  type KernelRequest,
  type NumberedAnswer,
  type NumberedRequest,
} from "../core/kernel/kernel-messages.ts";
import { STDIO_COUNT } from "../core/kernel/remote/shared-files.ts";
import type { FilesSpec, ProcessSpec, RecallMessage, StandardStreams, TreePlace } from "../core/kernel/spec.ts";
import { buffersOf, type FileSystemState } from "../core/vfs/snapshot.ts";

const ENTRY = new URL("../worker/kernel.worker.ts", import.meta.url);

/** Programs that may use one kernel at a time, and the bit of its messages. */
const CLIENTS_MAX = 1024;

/** A program's place at the kernel. */
export interface Seat {
  readonly client: number;
  readonly place: TreePlace;
}

export class KernelHost implements AsyncDisposable {
  readonly #gate = Gate.create(CLIENTS_MAX);
  readonly #pending = new Map<number, PromiseWithResolvers<FileSystemState | undefined>>();
  readonly #freeClients: number[] = [];
  readonly #ownBell = new Bell();
  #nextClient = CONTROL_CLIENT + 1;
  #nextRequest = 1;
  #worker: Worker | undefined;
  #failure: Error | undefined;

  /** @throws WpodError MOUNT_INVALID, BLOB_CORRUPT */
  async openTree(key: string, files: FilesSpec, owner: { uid: number; gid: number }): Promise<void> {
    await this.#ask({ kind: "open-tree", key, files, owner }, files.snapshot);
  }

  /** Its last state, when it is to be kept. */
  closeTree(key: string, keep: boolean): Promise<FileSystemState | undefined> {
    return this.#ask({ kind: "close-tree", key, keep });
  }

  /** A seat for a program that isn't there yet: it may ask as soon as it runs. */
  async seat(
    key: string,
    process: ProcessSpec,
    bell: Bell = this.#ownBell,
    streams: StandardStreams | undefined = undefined,
  ): Promise<Seat> {
    const client = this.#takeClient();
    const mailbox = Mailbox.create();
    try {
      await this.#ask({
        kind: "attach",
        client,
        key,
        mailbox: mailbox.buffer,
        bell: bell.buffer,
        credentials: process.credentials,
        preopens: process.preopens,
        handlesMax: process.descriptorsMax + (streams === undefined ? 0 : STDIO_COUNT),
        streams,
      });
    } catch (error) {
      this.#freeClients.push(client);
      throw error;
    }
    return {
      client,
      place: { kind: "kernel", gate: this.#gate.buffer, client, mailbox: mailbox.buffer },
    };
  }

  /**
   * A running program comes, and its files with it.
   * @param bring has it sent here
   * @param gone when its thread has ended: nothing will come then
   * @throws WpodError CONTAINER_STATE when it has ended first
   */
  async takeOver(
    key: string,
    files: FilesSpec,
    process: ProcessSpec,
    bell: Bell,
    gone: Promise<void>,
    bring: (message: RecallMessage<MessagePort>, arrived: Promise<unknown>) => void,
  ): Promise<Seat> {
    const client = this.#takeClient();
    const mailbox = Mailbox.create();
    const place = { gate: this.#gate.buffer, client, mailbox: mailbox.buffer };
    const { port1, port2 } = new MessageChannel();
    const arrived = this.#ask(
      {
        kind: "expect",
        client,
        key,
        files: { ...files, snapshot: undefined },
        owner: process.credentials,
        mailbox: mailbox.buffer,
        bell: bell.buffer,
        handlesMax: process.descriptorsMax,
      },
      undefined,
      port1,
    );
    bring({ kind: "recall", ...place, port: port2 }, arrived);
    const forget = () => void this.#ask({ kind: "forget", client }).catch(() => {});
    void gone.then(forget);
    try {
      await arrived;
    } catch (error) {
      this.#freeClients.push(client);
      throw error;
    }
    return { client, place: { kind: "kernel", ...place } };
  }

  /** One for a further thread of a program. It may ask at once: nobody has to wait for the kernel's answer. */
  seatThread({ client: peer }: Seat): Seat {
    const client = this.#takeClient();
    const mailbox = Mailbox.create();
    this.#ask({ kind: "attach-thread", client, peer, mailbox: mailbox.buffer }).catch(() => {});
    return {
      client,
      place: { kind: "kernel", gate: this.#gate.buffer, client, mailbox: mailbox.buffer },
    };
  }

  /** After the program's thread has ended. */
  async leave({ client }: Seat): Promise<void> {
    await this.#ask({ kind: "detach", client });
    this.#freeClients.push(client);
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
  ): Promise<FileSystemState | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const worker = this.#start();
    const id = this.#nextRequest++;
    const answered = Promise.withResolvers<FileSystemState | undefined>();
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
    const worker = new Worker(ENTRY, {
      stdout: true,
      stderr: true,
      env: {},
      execArgv: [],
      workerData: this.#gate.buffer,
      trackUnmanagedFds: true,
    });
    worker.on("message", (message: NumberedAnswer) => this.#hear(message));
    worker.on("error", (error: Error) => this.#fail(error));
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

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#fail(new WpodError("USAGE", "the engine was disposed of"));
  }
}

function settle(
  { resolve, reject }: PromiseWithResolvers<FileSystemState | undefined>,
  answer: KernelAnswer,
): void {
  if (answer.kind === "done") resolve(answer.snapshot);
  else
    reject(
      new WpodError(answer.code, answer.message, answer.hint === undefined ? {} : { hint: answer.hint }),
    );
}
