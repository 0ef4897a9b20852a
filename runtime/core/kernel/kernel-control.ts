/** The engine's requests to a kernel: trees and clients come and go. */
import { WpodError } from "../error.ts";
import { Bell } from "../ipc/bell.ts";
import { Mailbox } from "../ipc/mailbox.ts";
import { type FileSystemState, takeSnapshot } from "../vfs/snapshot.ts";
import { assembleTree, type TreeServices } from "./container-tree.ts";
import { type Kernel, openPreopens } from "./kernel.ts";
import type { KernelAnswer, KernelRequest } from "./kernel-messages.ts";
import { StdioAlias } from "./stdio-alias.ts";

/** What a tree needs of its thread; let go of when the tree is closed. */
export type ServicesOpener = (owner: { uid: number; gid: number }) => TreeServices & Disposable;

export class KernelControl {
  readonly #kernel: Kernel;
  readonly #openServices: ServicesOpener;
  readonly #services = new Map<string, Disposable>();

  constructor(kernel: Kernel, openServices: ServicesOpener) {
    this.#kernel = kernel;
    this.#openServices = openServices;
  }

  /** What a person did wrong is an answer; a defect is thrown. */
  handle(request: KernelRequest): KernelAnswer {
    try {
      return { kind: "done", snapshot: this.#perform(request) };
    } catch (error) {
      if (!(error instanceof WpodError)) throw error;
      return { kind: "refused", code: error.code, message: error.message, hint: error.hint };
    }
  }

  #perform(request: KernelRequest): FileSystemState | undefined {
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
        this.#kernel.detach(request.client);
        return undefined;
    }
  }

  #openTree({ key, files, owner }: Extract<KernelRequest, { kind: "open-tree" }>): void {
    const services = this.#openServices(owner);
    try {
      const stdio = [new StdioAlias(0), new StdioAlias(1), new StdioAlias(2)] as const;
      this.#kernel.addTree(key, assembleTree(files, services, stdio));
    } catch (error) {
      services[Symbol.dispose]();
      throw error;
    }
    this.#services.set(key, services);
  }

  #closeTree(key: string, keep: boolean): FileSystemState | undefined {
    const tree = this.#kernel.tree(key);
    if (tree === undefined) return undefined;
    this.#kernel.removeTree(key);
    const snapshot = keep ? takeSnapshot(tree.root) : undefined;
    this.#services.get(key)?.[Symbol.dispose]();
    this.#services.delete(key);
    return snapshot;
  }

  #attach(request: Extract<KernelRequest, { kind: "attach" }>): void {
    const tree = this.#kernel.tree(request.key);
    if (tree === undefined) {
      throw new WpodError("CONTAINER_STATE", "the container's files are not with the kernel any more");
    }
    const preopens = openPreopens(tree, request.preopens, request.credentials);
    const attached = this.#kernel.attach({
      client: request.client,
      mailbox: new Mailbox(request.mailbox),
      bell: new Bell(request.bell),
      files: preopens.map(({ directory }) => directory),
      handlesMax: request.handlesMax,
    });
    // It may have asked already: nobody heard it knock.
    attached.serve();
  }
}
