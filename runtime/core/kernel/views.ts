/** The views of all clients of a kernel: who has posted something, and who has to look again when something changes. */

import type { Posted } from "../ipc/post-ring.ts";
import type { ChangeObserver } from "../vfs/change-observer.ts";
import type { MemoryLink } from "../vfs/memory-link.ts";
import type { MemoryNode } from "../vfs/memory-node.ts";
import { ClientView } from "./client-view.ts";
import type { WorkClock } from "./work-clock.ts";

/** A client that may post calls. */
export interface Poster {
  readonly view: ClientView;
  performPosted(call: Posted): void;
}

export class Views implements ChangeObserver {
  readonly #posters = new Set<Poster>();
  /** Whose call, posted or not, is being done: what it changes it knows. */
  #actorBit = 0;
  #isPosted = false;
  readonly #clock: WorkClock | undefined;

  /** @param clock told whose call it is */
  constructor(clock?: WorkClock) {
    this.#clock = clock;
  }

  /** From its first answer that it may keep on. */
  add(poster: Poster): void {
    this.#posters.add(poster);
  }

  /** The client has gone: what it posted is done first. */
  remove(poster: Poster): void {
    if (!this.#posters.delete(poster)) return;
    this.#perform(poster);
    poster.view.release();
  }

  get isEmpty(): boolean {
    return this.#posters.size === 0;
  }

  /** Has anybody else something leased that a change of names would end? */
  hasLeasesBeside(view: ClientView): boolean {
    for (const poster of this.#posters) if (poster.view !== view && poster.view.hasLeases) return true;
    return false;
  }

  /** All that was posted before now is done: before anybody's call is. False when nothing was. */
  drain(): boolean {
    let wasBehind = false;
    for (const poster of this.#posters) {
      if (!poster.view.ring.isBehind) continue;
      wasBehind = true;
      this.#perform(poster);
    }
    return wasBehind;
  }

  #perform(poster: Poster): void {
    this.as(poster.view, () => poster.view.ring.drain((call) => poster.performPosted(call)));
  }

  /** Ends what anybody may do without asking: when space runs out. */
  revokeAll(): void {
    for (const poster of this.#posters) this.#revoke(poster);
  }

  /** The same of one: before a name is changed by a call in a directory that is leased to it. */
  revoke(view: ClientView): void {
    for (const poster of this.#posters) if (poster.view === view) this.#revoke(poster);
  }

  #revoke(poster: Poster): void {
    const { view } = poster;
    this.as(view, () => view.revoke((call) => poster.performPosted(call)));
  }

  as<T>(actor: ClientView | undefined, work: () => T): T {
    const before = this.#actorBit;
    const client = this.#clock?.switchTo(actor?.client);
    this.#actorBit = actor?.bit ?? 0;
    try {
      return work();
    } finally {
      this.#actorBit = before;
      this.#clock?.switchTo(client);
    }
  }

  /** What is done now was posted: whoever posted it knows what it does to its leases. Answers what `endPosted` is to be told. */
  beginPosted(): boolean {
    const before = this.#isPosted;
    this.#isPosted = true;
    return before;
  }

  endPosted(before: boolean): void {
    this.#isPosted = before;
  }

  /** Who takes this for granted has to look again. */
  expire(watched: { watchers: number }, except = this.#actorBit): void {
    const bits = watched.watchers & ~except;
    if (bits === 0) return;
    watched.watchers &= except;
    for (const { view } of this.#posters) if ((view.bit & bits) !== 0) view.ring.expire();
  }

  /** What these clients read in shared memory is about to be something else. */
  expireAll(watchers: number): void {
    for (const { view } of this.#posters) if ((view.bit & watchers) !== 0) view.ring.expire();
  }

  linked(link: MemoryLink): void {
    this.#expireName(link.parent!, link);
  }

  unlinked(link: MemoryLink): void {
    this.#expireName(link.parent!, link);
  }

  renamed(link: MemoryLink, fromParent: MemoryLink): void {
    this.#expireName(fromParent, link);
    if (link.parent !== fromParent) this.#expireName(link.parent!, link);
  }

  changed(node: MemoryNode): void {
    this.expire(node);
  }

  #expireName(parent: MemoryLink, link: MemoryLink): void {
    this.expire(parent);
    this.expire(parent.node);
    this.expire(link.node);
    this.expire(link);
    if (this.#isPosted) return;
    // By a call of the one that has the lease: nobody else's lease outlasts a change of names.
    if (parent.holder instanceof ClientView) parent.holder.ring.expire();
    if (link.holder instanceof ClientView) link.holder.ring.expire();
  }
}
