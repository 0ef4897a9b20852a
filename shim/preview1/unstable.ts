/**
 * `wasi_unstable`, also called snapshot 0: the same functions, but for three structs and an enumeration that changed.
 *
 * @see https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview0/docs.md
 */
import { WHENCE_NAMES_UNSTABLE } from "../abi/whence.ts";
import { fdFilestatGetUnstable, fdSeek } from "./fd.ts";
import { pathFilestatGetUnstable } from "./path.ts";
import { pollOneoffUnstable } from "./poll.ts";
import { PREVIEW1, type Syscall } from "./table.ts";

const CHANGED: readonly Syscall[] = [
  {
    name: "fd_seek",
    level: "full",
    note: "whence is ordered current, end, set.",
    bind: (guest) => (fd: number, offset: bigint, whence: number, newOffset: number) => {
      return fdSeek(guest, fd >>> 0, offset, WHENCE_NAMES_UNSTABLE[whence >>> 0], newOffset >>> 0);
    },
  },
  {
    name: "fd_filestat_get",
    level: "full",
    note: "filestat has 56 bytes.",
    bind: (guest) => (fd: number, filestat: number) => fdFilestatGetUnstable(guest, fd >>> 0, filestat >>> 0),
  },
  {
    name: "path_filestat_get",
    level: "full",
    note: "filestat has 56 bytes.",
    bind: (guest) => (fd: number, flags: number, path: number, size: number, filestat: number) => {
      return pathFilestatGetUnstable(guest, fd >>> 0, flags >>> 0, path >>> 0, size >>> 0, filestat >>> 0);
    },
  },
  {
    name: "poll_oneoff",
    level: "full",
    note: "subscription has 56 bytes.",
    bind: (guest) => (subscriptions: number, events: number, count: number, eventCount: number) => {
      return pollOneoffUnstable(guest, subscriptions >>> 0, events >>> 0, count >>> 0, eventCount >>> 0);
    },
  },
];

/** Came with preview 1. The socket extensions did too. */
const SOCKETS_THEN = new Set(["sock_recv", "sock_send", "sock_shutdown"]);

export const UNSTABLE: readonly Syscall[] = [
  ...PREVIEW1.filter(({ name, level }) => {
    if (level === "no-network") return SOCKETS_THEN.has(name);
    return !CHANGED.some((changed) => changed.name === name);
  }),
  ...CHANGED,
];
