import { expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { TestGuest } from "../test-guest.ts";

const guest = new TestGuest();

test.each([
  { name: "sock_accept", rest: [0, 64] },
  { name: "sock_accept", rest: [64] }, // WasmEdge's form
  { name: "sock_recv", rest: [0, 0, 0, 64, 68] },
  { name: "sock_send", rest: [0, 0, 0, 64] },
  { name: "sock_shutdown", rest: [3] },
  { name: "sock_bind", rest: [64, 80] },
  { name: "sock_connect", rest: [64] },
  { name: "sock_getsockopt", rest: [0, 0, 64, 68] },
  { name: "sock_set_tcp_no_delay", rest: [1] },
])("$name: a file is no socket, and a closed descriptor not open", ({ name, rest }) => {
  expect(guest.call(name, 1, ...rest)).toBe(Errno.ENOTSOCK);
  expect(guest.call(name, 3, ...rest)).toBe(Errno.ENOTSOCK);
  expect(guest.call(name, 4, ...rest)).toBe(Errno.EBADF);
  expect(guest.call(name, -1, ...rest)).toBe(Errno.EBADF);
});

test.each(["sock_open", "sock_open_v2", "sock_getaddrinfo", "sock_addr_resolve", "sock_pair"])(
  "%s: there are no address families",
  (name) => {
    expect(guest.call(name, 1, 2, 64, 64, 64, 64, 64, 64)).toBe(Errno.EAFNOSUPPORT);
    expect(guest.u32(64)).toBe(0);
  },
);
