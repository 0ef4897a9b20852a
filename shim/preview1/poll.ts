/** Waiting for clocks and descriptors together. */
import { CLOCK_NAMES } from "../abi/clock-id.ts";
import { Errno } from "../abi/errno.ts";
import { EventType } from "../abi/event-type.ts";
import { ClockSubscriptionFlags, EventFlags } from "../abi/flags.ts";
import { EVENT, SUBSCRIPTION, SUBSCRIPTION_UNSTABLE, type SubscriptionLayout } from "../abi/layout.ts";
import { Rights } from "../abi/rights.ts";
import { type ClockName, type Clocks, isFailure, type PollTarget, Readiness } from "../abi/system.ts";
import type { Guest } from "../guest.ts";
import { SUBSCRIPTIONS_MAX } from "../limits.ts";
import type { GuestMemory } from "../memory.ts";

/** A subscription, read out of the guest's memory: the events may be written over it. */
interface Subscription {
  readonly userdata: bigint;
  readonly type: number;
  /** Why it can't be waited for; told as its event, at once. */
  readonly error: Errno;
  readonly clock: ClockName | undefined;
  /** When it is due by that clock. */
  readonly deadlineNs: bigint;
  readonly target: PollTarget | undefined;
}

/**
 * `poll_oneoff(in, out, nsubscriptions) -> (errno, nevents: u32)`: blocks until a subscription has an event, and
 * tells of all that have one, in the order of the subscriptions.
 *
 * All subscriptions are read and checked before anything happens. A descriptor that isn't open, or not for that, is an
 * event with an error.
 *
 * @returns EINVAL none, too many, or one that isn't well-formed; EFAULT
 * @see poll(2), https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#poll_oneoff
 */
export function pollOneoff(
  guest: Guest,
  inPtr: number,
  outPtr: number,
  count: number,
  countPtr: number,
): Errno {
  return poll(guest, inPtr, outPtr, count, countPtr, SUBSCRIPTION);
}

/** The same for `wasi_unstable`. */
export function pollOneoffUnstable(
  guest: Guest,
  inPtr: number,
  outPtr: number,
  count: number,
  countPtr: number,
): Errno {
  return poll(guest, inPtr, outPtr, count, countPtr, SUBSCRIPTION_UNSTABLE);
}

function poll(
  guest: Guest,
  inPtr: number,
  outPtr: number,
  count: number,
  countPtr: number,
  layout: SubscriptionLayout,
): Errno {
  if (count === 0 || count > SUBSCRIPTIONS_MAX) return Errno.EINVAL;
  const memory = guest.memory;
  if (!memory.contains(inPtr, count * layout.sizeBytes)) return Errno.EFAULT;
  if (!memory.contains(outPtr, count * EVENT.sizeBytes) || !memory.contains(countPtr, 4)) return Errno.EFAULT;

  const subscriptions: Subscription[] = [];
  const targets: PollTarget[] = [];
  for (let index = 0; index < count; index++) {
    const subscription = read(guest, inPtr + index * layout.sizeBytes, layout);
    if (subscription === undefined) return Errno.EINVAL;
    subscriptions.push(subscription);
    if (subscription.target !== undefined) targets.push(subscription.target);
  }

  for (;;) {
    const waited = guest.system.processes.wait(targets, timeout(guest.system.clocks, subscriptions));
    if (waited < 0) return -waited as Errno;
    const happened = subscriptions.filter((subscription) => hasEvent(guest.system.clocks, subscription));
    // A wait may end a little before a clock has got there.
    if (happened.length === 0) continue;
    happened.forEach((subscription, index) => {
      writeEvent(memory, outPtr + index * EVENT.sizeBytes, subscription);
    });
    memory.setU32(countPtr, happened.length);
    return Errno.ESUCCESS;
  }
}

/** Undefined when it isn't well-formed. */
function read(guest: Guest, ptr: number, layout: SubscriptionLayout): Subscription | undefined {
  const memory = guest.memory;
  const userdata = memory.u64(ptr + layout.userdata);
  const type = memory.u8(ptr + layout.tag);
  switch (type) {
    case EventType.CLOCK: {
      const clock = CLOCK_NAMES[memory.u32(ptr + layout.clock_id)];
      const flags = memory.u16(ptr + layout.clock_flags);
      if (clock === undefined || (flags & ~ClockSubscriptionFlags.ABSTIME) !== 0) return undefined;
      const timeoutNs = memory.u64(ptr + layout.clock_timeout);
      return readClock(guest.system.clocks, userdata, clock, timeoutNs, flags !== 0);
    }
    case EventType.FD_READ:
    case EventType.FD_WRITE:
      return readDescriptor(guest, userdata, type, memory.u32(ptr + layout.file_descriptor));
    default:
      return undefined;
  }
}

function readClock(
  clocks: Clocks,
  userdata: bigint,
  clock: ClockName,
  timeoutNs: bigint,
  absolute: boolean,
): Subscription {
  const type = EventType.CLOCK;
  const base = { userdata, type, target: undefined };
  // The time that a program has used doesn't pass while it waits.
  if (clock !== "realtime" && clock !== "monotonic") {
    return { ...base, error: Errno.ENOTSUP, clock: undefined, deadlineNs: 0n };
  }
  const nowNs = absolute ? 0n : clocks.now(clock);
  if (isFailure(nowNs)) return { ...base, error: -nowNs as Errno, clock: undefined, deadlineNs: 0n };
  return { ...base, error: Errno.ESUCCESS, clock, deadlineNs: nowNs + timeoutNs };
}

function readDescriptor(guest: Guest, userdata: bigint, type: number, fd: number): Subscription {
  const descriptor = guest.descriptors.get(fd);
  const base = { userdata, type, clock: undefined, deadlineNs: 0n };
  if (descriptor === undefined) return { ...base, error: Errno.EBADF, target: undefined };
  const reads = type === EventType.FD_READ;
  for (const right of [Rights.POLL_FD_READWRITE, reads ? Rights.FD_READ : Rights.FD_WRITE]) {
    if (!descriptor.may(right)) return { ...base, error: descriptor.refusal(right), target: undefined };
  }
  const wanted = reads ? Readiness.read : Readiness.write;
  return {
    ...base,
    error: Errno.ESUCCESS,
    target: { file: descriptor.file, wanted, ready: Readiness.none },
  };
}

/** How long nothing can happen but on descriptors; undefined: for ever. */
function timeout(clocks: Clocks, subscriptions: readonly Subscription[]): bigint | undefined {
  let shortestNs: bigint | undefined;
  for (const { error, clock, deadlineNs } of subscriptions) {
    if (error !== Errno.ESUCCESS) return 0n;
    if (clock === undefined) continue;
    const leftNs = deadlineNs - (clocks.now(clock) as bigint);
    if (leftNs <= 0n) return 0n;
    if (shortestNs === undefined || leftNs < shortestNs) shortestNs = leftNs;
  }
  return shortestNs;
}

function hasEvent(clocks: Clocks, { error, clock, deadlineNs, target }: Subscription): boolean {
  if (error !== Errno.ESUCCESS) return true;
  if (target !== undefined) return target.ready !== Readiness.none;
  return clock !== undefined && (clocks.now(clock) as bigint) >= deadlineNs;
}

/** Writes the whole struct, padding included. */
function writeEvent(memory: GuestMemory, ptr: number, { userdata, type, error, target }: Subscription): void {
  memory.zero(ptr, EVENT.sizeBytes);
  memory.setU64(ptr + EVENT.userdata, userdata);
  memory.setU16(ptr + EVENT.error, error);
  memory.setU8(ptr + EVENT.type, type);
  if (target === undefined) return;
  // How much could be written nobody knows beforehand; at least a byte.
  const readyBytes = type === EventType.FD_READ ? target.file.readableBytes() : 1;
  memory.setSafeU64(ptr + EVENT.nbytes, readyBytes);
  memory.setU16(ptr + EVENT.flags, (target.ready & Readiness.hangup) !== 0 ? EventFlags.HANGUP : 0);
}
