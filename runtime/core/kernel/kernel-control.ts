/** The engine's requests to a kernel: trees and clients come and go. */
import type { OpenFile } from "../../../shim/abi/system.ts";
import { WpodError } from "../error.ts";
import { Bell } from "../ipc/bell.ts";
import { Mailbox } from "../ipc/mailbox.ts";
import type { FileSystemState } from "../vfs/snapshot.ts";
import {
  assembleTree,
  type ContainerTree,
  lastState,
  type MovedFiles,
  SUPERUSER,
  type TreeServices,
} from "./container-tree.ts";
import type { HandOverMessage } from "./hand-over.ts";
import { type Kernel, openPreopens } from "./kernel.ts";
import type { ExpectRequest, KernelAnswer, KernelRequest } from "./kernel-messages.ts";
import { type MovedHostFile, openMoved } from "./moved-files.ts";
import { SharedVolumes, type VolumeUse } from "./shared-volumes.ts";
import type { StandardStreams } from "./spec.ts";
import { StdioAlias } from "./stdio-alias.ts";

/** What a tree needs of its thread; let go of when the tree is closed. */
export type ServicesOpener = (owner: { uid: number; gid: number }) => TreeServices & Disposable;

/** Standard streams of a program with threads. Their calls never wait. */
export interface OpenStreams {
  readonly files: readonly [OpenFile, OpenFile, OpenFile];
  close(): void;
}
export type StreamsOpener = (streams: StandardStreams, bell: Bell) => OpenStreams;

/** Those that are answered at once. */
export type PlainRequest = Exclude<KernelRequest, { kind: "expect" | "forget" | "count" }>;

export class KernelControl {
  readonly #kernel: Kernel;
  readonly #openServices: ServicesOpener;
  readonly #openStreams: StreamsOpener;
  /** By client. */
  readonly #streams = new Map<number, OpenStreams>();
  readonly #services = new Map<string, TreeServices & Disposable>();
  readonly #volumes: SharedVolumes;
  readonly #volumeUses = new Map<string, VolumeUse>();

  constructor(kernel: Kernel, openServices: ServicesOpener, openStreams: StreamsOpener) {
    this.#kernel = kernel;
    this.#openStreams = openStreams;
    this.#openServices = openServices;
    this.#volumes = new SharedVolumes(
      () => openServices(SUPERUSER),
      (fileSystem) => kernel.watch(fileSystem),
    );
  }

  /** What a person did wrong is an answer; a defect is thrown. */
  handle(request: PlainRequest): KernelAnswer {
    try {
      return { kind: "done", snapshot: this.#perform(request) };
    } catch (error) {
      if (!(error instanceof WpodError)) throw error;
      return refusal(error);
    }
  }

  #perform(request: PlainRequest): FileSystemState | undefined {
    switch (request.kind) {
      case "open-tree":
        this.#openTree(request);
        return undefined;
      case "close-tree":
        return this.#closeTree(request.key, request.keep);
      case "attach":
        this.#attach(request);
        return undefined;
      case "detach":
        this.#detach(request.client);
        return undefined;
      case "attach-thread":
        // Without its program the thread will not run for long either: nobody answers it.
        this.#kernel.attachThread(request.client, new Mailbox(request.mailbox), request.peer)?.serve();
        return undefined;
    }
  }

  /**
   * A program that was expected has sent its files. Refused where the host doesn't give again what was open of it: the program
   * is lost then, and nobody else.
   */
  takeOver(request: ExpectRequest, message: HandOverMessage): KernelAnswer {
    try {
      this.#takeOver(request, message);
      return { kind: "done", snapshot: undefined };
    } catch (error) {
      if (!(error instanceof WpodError)) throw error;
      this.#detach(request.client);
      this.#closeTree(request.key, false);
      return refusal(error);
    }
  }

  #takeOver(request: ExpectRequest, message: HandOverMessage): void {
    const { client, key, mailbox, bell, handlesMax } = request;
    const tree = this.#openTree(request, message.files);
    const attached = this.#kernel.attach({
      client,
      mailbox: new Mailbox(mailbox),
      bell: new Bell(bell),
      files: [],
      handlesMax,
    });
    attached.handles.memory = tree.memory;
    const services = this.#services.get(key)!;
    const openHost = (file: MovedHostFile) => services.reopen(tree.table.mounts[file.mount]!, file);
    const moved = { ...tree, openHost, pipes: new Map() };
    for (const { handle, file, lock } of message.open) {
      const opened = openMoved(file, moved);
      opened.lock?.(lock, false);
      attached.adopt(handle, opened);
    }
    // It waits for the first answer.
    attached.serve();
  }

  #openTree(
    { key, files, owner }: Pick<ExpectRequest, "key" | "files" | "owner">,
    moved?: MovedFiles,
  ): ContainerTree {
    const services = this.#openServices(owner);
    const volumes = this.#volumes.use();
    try {
      const stdio = [new StdioAlias(0), new StdioAlias(1), new StdioAlias(2)] as const;
      // What comes from another thread brings its volumes along: it had them alone.
      const tree = assembleTree(files, services, stdio, moved, moved === undefined ? volumes : undefined);
      this.#kernel.addTree(key, tree);
      this.#services.set(key, services);
      this.#volumeUses.set(key, volumes);
      return tree;
    } catch (error) {
      volumes[Symbol.dispose]();
      services[Symbol.dispose]();
      throw error;
    }
  }

  #closeTree(key: string, keep: boolean): FileSystemState | undefined {
    const tree = this.#kernel.tree(key);
    if (tree === undefined) return undefined;
    this.#kernel.removeTree(key);
    const snapshot = lastState(tree, keep);
    this.#volumeUses.get(key)?.[Symbol.dispose]();
    this.#volumeUses.delete(key);
    this.#services.get(key)?.[Symbol.dispose]();
    this.#services.delete(key);
    return snapshot;
  }

  #detach(client: number): void {
    this.#kernel.detach(client);
    this.#streams.get(client)?.close();
    this.#streams.delete(client);
  }

  #attach(request: Extract<KernelRequest, { kind: "attach" }>): void {
    const tree = this.#kernel.tree(request.key);
    if (tree === undefined) {
      throw new WpodError("CONTAINER_STATE", "the container's files are not with the kernel any more");
    }
    const preopens = openPreopens(tree, request.preopens, request.credentials);
    const bell = new Bell(request.bell);
    const streams = request.streams && this.#openStreams(request.streams, bell);
    if (streams !== undefined) this.#streams.set(request.client, streams);
    const attached = this.#kernel.attach({
      client: request.client,
      mailbox: new Mailbox(request.mailbox),
      bell,
      files: [...(streams?.files ?? []), ...preopens.map(({ directory }) => directory)],
      hasThreads: streams !== undefined,
      handlesMax: request.handlesMax,
    });
    attached.handles.memory = tree.memory;
    // It may have asked already: nobody heard it knock.
    attached.serve();
  }
}

function refusal({ code, message, hint }: WpodError): KernelAnswer {
  return { kind: "refused", code, message, hint };
}
