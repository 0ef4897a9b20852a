/**
 * The shared state of many programs: trees of files, and the clients that use them. One thread owns it; nobody waits for a
 * lock, and a client that is ended anywhere leaves only what `detach` clears away.
 */
import type { OpenFile } from "../../../shim/abi/system.ts";
import { assert } from "../error.ts";
import type { Bell } from "../ipc/bell.ts";
import type { Gate } from "../ipc/gate.ts";
import type { Mailbox } from "../ipc/mailbox.ts";
import type { Credentials } from "../vfs/credentials.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { ArenaMemory } from "./arena-memory.ts";
import type { ContainerTree } from "./container-tree.ts";
import { type ArenaSender, KernelClient } from "./kernel-client.ts";
import { OpenHandles } from "./open-handles.ts";
import { Views } from "./views.ts";
import type { WorkClock } from "./work-clock.ts";

/** A program that joins: in order, the files that it finds open have the handles from 0 on. */
export interface ClientOptions {
  /** Its bit in the gate. */
  client: number;
  mailbox: Mailbox;
  /** Rung when something that it waits for may have changed. */
  bell: Bell;
  files: readonly OpenFile[];
  /** Handles that it may have at a time. */
  handlesMax: number;
  /** It may have peers (`attachThread`): nothing is said to one of them that another could make wrong. */
  hasThreads?: boolean;
}

const BITS_PER_SLOT = 32;

export class Kernel {
  readonly #gate: Gate;
  readonly #clients: (KernelClient | undefined)[] = [];
  #messages: { client: number; read: () => void } | undefined = undefined;
  readonly #trees = new Map<string, ContainerTree>();
  readonly #views: Views;
  readonly #memory = new ArenaMemory((watchers) => this.#views.expireAll(watchers));
  readonly #sendArena: ArenaSender;

  /**
   * @param sendArena gives a client a buffer of shared memory, before it is told of a place in it
   * @param clock told for whom it works
   */
  constructor(gate: Gate, sendArena: ArenaSender = () => {}, clock?: WorkClock) {
    this.#gate = gate;
    this.#views = new Views(clock);
    this.#sendArena = sendArena;
  }

  /** Who knocks as `client` has sent messages. */
  onMessages(client: number, read: () => void): void {
    this.#messages = { client, read };
  }

  addTree(key: string, tree: ContainerTree): void {
    assert(!this.#trees.has(key), `the tree ${key} is added once`);
    for (const fileSystem of tree.fileSystems) this.watch(fileSystem);
    this.#trees.set(key, tree);
  }

  /** Clients hear of its changes, and may read its contents where they are. */
  watch(fileSystem: FileSystem): void {
    fileSystem.watcher = this.#views;
    const { space } = fileSystem;
    space.memory = this.#memory;
    if (space.pages !== undefined) space.pages.memory = this.#memory;
  }

  tree(key: string): ContainerTree | undefined {
    return this.#trees.get(key);
  }

  /** Its clients have gone before. */
  removeTree(key: string): void {
    this.#trees.delete(key);
  }

  get clientCount(): number {
    return this.#clients.reduce((count, client) => count + (client === undefined ? 0 : 1), 0);
  }

  /** Open files of all clients. */
  get openCount(): number {
    const all = new Set(this.#clients.map((client) => client?.handles));
    return [...all].reduce((count, handles) => count + (handles?.count ?? 0), 0);
  }

  get treeCount(): number {
    return this.#trees.size;
  }

  attach(options: ClientOptions): KernelClient {
    const { client, mailbox, bell, files, handlesMax, hasThreads = false } = options;
    const attached = this.#seat(client, mailbox, new OpenHandles(bell, handlesMax), !hasThreads);
    for (const [handle, file] of files.entries()) attached.adopt(handle, file);
    return attached;
  }

  /**
   * One more thread of a program that is a client already: they have the same files open, and the same bell.
   *
   * @returns undefined when that client isn't there any more
   */
  attachThread(client: number, mailbox: Mailbox, peer: number): KernelClient | undefined {
    const handles = this.#clients[peer]?.handles;
    return handles && this.#seat(client, mailbox, handles, false);
  }

  #seat(client: number, mailbox: Mailbox, handles: OpenHandles, isAlone: boolean): KernelClient {
    assert(this.#clients[client] === undefined, `client ${client} is free`);
    const seated = new KernelClient(client, mailbox, handles, {
      views: this.#views,
      memory: this.#memory,
      sendArena: this.#sendArena,
      isAlone,
    });
    this.#clients[client] = seated;
    return seated;
  }

  /** Everything that it had open is closed. Does nothing for one that isn't there. */
  detach(client: number): void {
    this.#clients[client]?.close();
    this.#clients[client] = undefined;
  }

  /** Serves each client that knocked, once; if none had, does what was posted meanwhile. False when there was nothing. */
  serve(): boolean {
    let served = false;
    for (let index = 0; index < this.#gate.slotCount; index++) {
      let bits = this.#gate.take(index);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        this.#serveClient(index * BITS_PER_SLOT + bit);
        served = true;
      }
    }
    // Who posts on knocks again only when there is much: this thread needn't sleep until then.
    return served || this.#views.drain();
  }

  /** It has memory for what comes next, which nobody needs if nothing comes. */
  get hasSpareMemory(): boolean {
    return this.#memory.spareCount > 0;
  }

  giveSpareMemory(): void {
    this.#memory.trim();
  }

  #serveClient(client: number): void {
    if (client === this.#messages?.client) this.#messages.read();
    else this.#clients[client]?.serve();
  }
}

/** The directories that a program finds open. @throws WpodError MOUNT_INVALID */
export function openPreopens(
  tree: ContainerTree,
  preopens: readonly { name: string; path: string }[],
  credentials: Credentials,
): { name: string; directory: OpenFile }[] {
  return preopens.map(({ name, path }) => ({
    name,
    directory:
      path === "/" && name === "/" ? tree.openRoot(credentials) : tree.openCapability(path, credentials),
  }));
}
