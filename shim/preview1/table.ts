/**
 * Every function of preview 1: its name, what makes it for a guest, how far it goes. `spec/wasi-preview1/syscalls.json`
 * has their signatures; a test compares the two, and others generate their calls from it.
 *
 * Here arguments change from what WebAssembly passes to what the functions take: an `i32` is signed, `>>> 0` makes it a
 * `u32`; an `i64` comes as a signed bigint. Each function is a closure of its own with fixed parameters: V8 calls these
 * cheaply, and not those with rest parameters.
 */
import { WHENCE_NAMES } from "../abi/whence.ts";
import type { Guest } from "../guest.ts";
import { argsGet, argsSizesGet, environGet, environSizesGet } from "./args.ts";
import { clockResGet, clockTimeGet } from "./clock.ts";
import * as fds from "./fd.ts";
import * as paths from "./path.ts";
import { pollOneoff } from "./poll.ts";
import { procExit, procRaise } from "./proc.ts";
import { randomGet } from "./random.ts";
import { schedYield } from "./sched.ts";
import { makeSocket, onSocket } from "./sock.ts";

/** full: what the specification says. no-network: what POSIX answers where there is no network. */
export type SupportLevel = "full" | "no-network";

export interface Syscall {
  readonly name: string;
  readonly level: SupportLevel;
  readonly note: string;
  /** The function that a module imports. It answers an errno, or doesn't return. */
  bind(guest: Guest): (...parameters: never[]) => number;
}

const NO_SOCKETS = "EBADF or ENOTSOCK: no descriptor is a socket.";
const NO_NETWORK = "EAFNOSUPPORT: there is no network.";

type Bind = Syscall["bind"];

const full = (name: string, bind: Bind, note = ""): Syscall => ({ name, level: "full", note, bind });

const onSockets = (name: string, note = NO_SOCKETS): Syscall => ({
  name,
  level: "no-network",
  note,
  bind: (guest) => (fd: number) => onSocket(guest, fd >>> 0),
});

const makesSocket = (name: string): Syscall => ({
  name,
  level: "no-network",
  note: NO_NETWORK,
  bind: () => makeSocket,
});

/** `wasi_snapshot_preview1`. */
export const PREVIEW1: readonly Syscall[] = [
  full("args_get", (guest) => (argv: number, buffer: number) => argsGet(guest, argv >>> 0, buffer >>> 0)),
  full("args_sizes_get", (guest) => (count: number, size: number) => {
    return argsSizesGet(guest, count >>> 0, size >>> 0);
  }),
  full("environ_get", (guest) => (environ: number, buffer: number) => {
    return environGet(guest, environ >>> 0, buffer >>> 0);
  }),
  full("environ_sizes_get", (guest) => (count: number, size: number) => {
    return environSizesGet(guest, count >>> 0, size >>> 0);
  }),

  full("clock_res_get", (guest) => (id: number, resolution: number) => {
    return clockResGet(guest, id >>> 0, resolution >>> 0);
  }),
  full("clock_time_get", (guest) => (id: number, _precision: bigint, time: number) => {
    return clockTimeGet(guest, id >>> 0, time >>> 0);
  }),

  full(
    "fd_advise",
    (guest) => (fd: number, offset: bigint, length: bigint, advice: number) => {
      return fds.fdAdvise(guest, fd >>> 0, offset, length, advice >>> 0);
    },
    "Advice is checked, then ignored: nothing is read ahead on advice.",
  ),
  full(
    "fd_allocate",
    (guest) => (fd: number, offset: bigint, length: bigint) =>
      fds.fdAllocate(guest, fd >>> 0, offset, length),
    "Really allocates; wasmtime answers ENOTSUP.",
  ),
  full("fd_close", (guest) => (fd: number) => fds.fdClose(guest, fd >>> 0)),
  full("fd_datasync", (guest) => (fd: number) => fds.fdDatasync(guest, fd >>> 0)),
  full(
    "fd_fdstat_get",
    (guest) => (fd: number, stat: number) => fds.fdFdstatGet(guest, fd >>> 0, stat >>> 0),
  ),
  full("fd_fdstat_set_flags", (guest) => (fd: number, flags: number) => {
    return fds.fdFdstatSetFlags(guest, fd >>> 0, flags >>> 0);
  }),
  full("fd_fdstat_set_rights", (guest) => (fd: number, base: bigint, inheriting: bigint) => {
    return fds.fdFdstatSetRights(guest, fd >>> 0, base, inheriting);
  }),
  full("fd_filestat_get", (guest) => (fd: number, filestat: number) => {
    return fds.fdFilestatGet(guest, fd >>> 0, filestat >>> 0);
  }),
  full("fd_filestat_set_size", (guest) => (fd: number, size: bigint) => {
    return fds.fdFilestatSetSize(guest, fd >>> 0, size);
  }),
  full("fd_filestat_set_times", (guest) => (fd: number, atim: bigint, mtim: bigint, flags: number) => {
    return fds.fdFilestatSetTimes(guest, fd >>> 0, atim, mtim, flags >>> 0);
  }),
  full("fd_pread", (guest) => (fd: number, iovs: number, count: number, offset: bigint, nread: number) => {
    return fds.fdPread(guest, fd >>> 0, iovs >>> 0, count >>> 0, offset, nread >>> 0);
  }),
  full("fd_prestat_get", (guest) => (fd: number, prestat: number) => {
    return fds.fdPrestatGet(guest, fd >>> 0, prestat >>> 0);
  }),
  full("fd_prestat_dir_name", (guest) => (fd: number, path: number, size: number) => {
    return fds.fdPrestatDirName(guest, fd >>> 0, path >>> 0, size >>> 0);
  }),
  full(
    "fd_pwrite",
    (guest) => (fd: number, iovs: number, count: number, offset: bigint, nwritten: number) => {
      return fds.fdPwrite(guest, fd >>> 0, iovs >>> 0, count >>> 0, offset, nwritten >>> 0);
    },
  ),
  full("fd_read", (guest) => (fd: number, iovs: number, count: number, nread: number) => {
    return fds.fdRead(guest, fd >>> 0, iovs >>> 0, count >>> 0, nread >>> 0);
  }),
  full("fd_readdir", (guest) => (fd: number, buffer: number, size: number, cookie: bigint, used: number) => {
    return fds.fdReaddir(guest, fd >>> 0, buffer >>> 0, size >>> 0, cookie, used >>> 0);
  }),
  full(
    "fd_renumber",
    (guest) => (fd: number, to: number) => fds.fdRenumber(guest, fd >>> 0, to >>> 0),
    "The target has to be open: EBADF otherwise.",
  ),
  full("fd_seek", (guest) => (fd: number, offset: bigint, whence: number, newOffset: number) => {
    return fds.fdSeek(guest, fd >>> 0, offset, WHENCE_NAMES[whence >>> 0], newOffset >>> 0);
  }),
  full("fd_sync", (guest) => (fd: number) => fds.fdSync(guest, fd >>> 0)),
  full("fd_tell", (guest) => (fd: number, offset: number) => fds.fdTell(guest, fd >>> 0, offset >>> 0)),
  full("fd_write", (guest) => (fd: number, iovs: number, count: number, nwritten: number) => {
    return fds.fdWrite(guest, fd >>> 0, iovs >>> 0, count >>> 0, nwritten >>> 0);
  }),

  full("path_create_directory", (guest) => (fd: number, path: number, size: number) => {
    return paths.pathCreateDirectory(guest, fd >>> 0, path >>> 0, size >>> 0);
  }),
  full(
    "path_filestat_get",
    (guest) => (fd: number, flags: number, path: number, size: number, filestat: number) => {
      return paths.pathFilestatGet(guest, fd >>> 0, flags >>> 0, path >>> 0, size >>> 0, filestat >>> 0);
    },
  ),
  full(
    "path_filestat_set_times",
    (guest) =>
      (
        fd: number,
        flags: number,
        path: number,
        size: number,
        atim: bigint,
        mtim: bigint,
        timeFlags: number,
      ) => {
        const times = timeFlags >>> 0;
        return paths.pathFilestatSetTimes(
          guest,
          fd >>> 0,
          flags >>> 0,
          path >>> 0,
          size >>> 0,
          atim,
          mtim,
          times,
        );
      },
  ),
  full(
    "path_link",
    (guest) =>
      (
        fd: number,
        flags: number,
        path: number,
        size: number,
        newFd: number,
        newPath: number,
        newSize: number,
      ) => {
        return paths.pathLink(
          guest,
          fd >>> 0,
          flags >>> 0,
          path >>> 0,
          size >>> 0,
          newFd >>> 0,
          newPath >>> 0,
          newSize >>> 0,
        );
      },
  ),
  full(
    "path_open",
    (guest) =>
      (
        fd: number,
        lookupFlags: number,
        path: number,
        size: number,
        openFlags: number,
        base: bigint,
        _inheriting: bigint,
        fdFlags: number,
        openedFd: number,
      ) => {
        return paths.pathOpen(
          guest,
          fd >>> 0,
          lookupFlags >>> 0,
          path >>> 0,
          size >>> 0,
          openFlags >>> 0,
          base,
          fdFlags >>> 0,
          openedFd >>> 0,
        );
      },
    "Rights other than FD_READ and FD_WRITE are granted as far as the directory has them, whatever was asked for.",
  ),
  full(
    "path_readlink",
    (guest) => (fd: number, path: number, size: number, buffer: number, bufferSize: number, used: number) => {
      return paths.pathReadlink(
        guest,
        fd >>> 0,
        path >>> 0,
        size >>> 0,
        buffer >>> 0,
        bufferSize >>> 0,
        used >>> 0,
      );
    },
  ),
  full("path_remove_directory", (guest) => (fd: number, path: number, size: number) => {
    return paths.pathRemoveDirectory(guest, fd >>> 0, path >>> 0, size >>> 0);
  }),
  full(
    "path_rename",
    (guest) => (fd: number, path: number, size: number, newFd: number, newPath: number, newSize: number) => {
      return paths.pathRename(
        guest,
        fd >>> 0,
        path >>> 0,
        size >>> 0,
        newFd >>> 0,
        newPath >>> 0,
        newSize >>> 0,
      );
    },
  ),
  full(
    "path_symlink",
    (guest) => (target: number, targetSize: number, fd: number, path: number, size: number) => {
      return paths.pathSymlink(guest, target >>> 0, targetSize >>> 0, fd >>> 0, path >>> 0, size >>> 0);
    },
  ),
  full("path_unlink_file", (guest) => (fd: number, path: number, size: number) => {
    return paths.pathUnlinkFile(guest, fd >>> 0, path >>> 0, size >>> 0);
  }),

  full(
    "poll_oneoff",
    (guest) => (subscriptions: number, events: number, count: number, eventCount: number) => {
      return pollOneoff(guest, subscriptions >>> 0, events >>> 0, count >>> 0, eventCount >>> 0);
    },
    "Waits for clocks and descriptors together.",
  ),

  full(
    "proc_exit",
    (guest) => (status: number) => procExit(guest, status >>> 0),
    "The low 8 bits are the exit status.",
  ),
  full(
    "proc_raise",
    (guest) => (signal: number) => procRaise(guest, signal >>> 0),
    "The default action of the signal; there are no handlers.",
  ),
  full(
    "sched_yield",
    (guest) => () => schedYield(guest),
    "Lets go of the processor in a program with threads; else returns at once.",
  ),
  full("random_get", (guest) => (buffer: number, size: number) => randomGet(guest, buffer >>> 0, size >>> 0)),

  onSockets("sock_accept", `${NO_SOCKETS} Two parameters (WasmEdge) or three (WASI).`),
  onSockets("sock_recv"),
  onSockets("sock_send"),
  onSockets("sock_shutdown"),

  // WasmEdge: https://github.com/second-state/wasmedge_wasi_socket
  ...["sock_open", "sock_open_v2", "sock_getaddrinfo"].map(makesSocket),
  ...[
    "sock_bind",
    "sock_listen",
    "sock_connect",
    "sock_recv_from",
    "sock_send_to",
    "sock_getsockopt",
    "sock_setsockopt",
    "sock_getlocaladdr",
    "sock_getpeeraddr",
    "sock_bind_v2",
    "sock_listen_v2",
    "sock_accept_v2",
    "sock_connect_v2",
    "sock_recv_v2",
    "sock_recv_from_v2",
    "sock_send_v2",
    "sock_send_to_v2",
    "sock_shutdown_v2",
    "sock_getsockopt_v2",
    "sock_setsockopt_v2",
    "sock_getlocaladdr_v2",
    "sock_getpeeraddr_v2",
  ].map((name) => onSockets(name)),

  // WAMR: its socket-api library
  makesSocket("sock_addr_resolve"),
  ...["sock_addr_local", "sock_addr_remote", "sock_close"].map((name) => onSockets(name)),
  ...[
    "broadcast",
    "ip_multicast_loop",
    "ip_multicast_ttl",
    "ip_ttl",
    "ipv6_only",
    "keep_alive",
    "linger",
    "recv_buf_size",
    "recv_timeout",
    "reuse_addr",
    "reuse_port",
    "send_buf_size",
    "send_timeout",
    "tcp_fastopen_connect",
    "tcp_keep_idle",
    "tcp_keep_intvl",
    "tcp_no_delay",
    "tcp_quick_ack",
  ].flatMap((option) => [onSockets(`sock_get_${option}`), onSockets(`sock_set_${option}`)]),
  ...["sock_set_ip_add_membership", "sock_set_ip_drop_membership"].map((name) => onSockets(name)),

  // WASIX, as far as its functions were imported from preview 1
  ...["sock_pair", "resolve"].map(makesSocket),
  ...[
    "sock_status",
    "sock_addr_peer",
    "sock_get_opt_flag",
    "sock_set_opt_flag",
    "sock_get_opt_size",
    "sock_set_opt_size",
    "sock_get_opt_time",
    "sock_set_opt_time",
    "sock_join_multicast_v4",
    "sock_leave_multicast_v4",
    "sock_join_multicast_v6",
    "sock_leave_multicast_v6",
    "sock_send_file",
  ].map((name) => onSockets(name)),
];
