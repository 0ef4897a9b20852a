/**
 * Sockets, of WASI and of the extensions that programs import (WasmEdge, WAMR, WASIX), in a container without a network:
 * they exist, and answer what a kernel without address families answers. No descriptor can be a socket, so whatever
 * else a call takes, in whatever dialect, is never looked at.
 *
 * @see socket(2)
 */
import { Errno } from "../abi/errno.ts";
import type { Guest } from "../guest.ts";

/**
 * Any operation on a socket: `sock_accept(fd, flags) -> fd`, which WasmEdge declares without flags, `sock_recv`, `sock_bind`, ...
 *
 * @returns EBADF it isn't open; ENOTSOCK it is something else
 */
export function onSocket(guest: Guest, fd: number): Errno {
  return guest.descriptors.get(fd) === undefined ? Errno.EBADF : Errno.ENOTSOCK;
}

/** Making a socket, or looking up a name, which takes one: `sock_open`, `sock_getaddrinfo`, ... EAFNOSUPPORT. */
export function makeSocket(): Errno {
  return Errno.EAFNOSUPPORT;
}
