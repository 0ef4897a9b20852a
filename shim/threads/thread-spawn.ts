/**
 * `wasi-threads`: one function, of the module `wasi`. Memory is imported and shared; every thread has its own instance of the
 * module, and runs its export `wasi_thread_start`.
 *
 * @see https://github.com/WebAssembly/wasi-threads
 */
import { Errno } from "../abi/errno.ts";
import type { Guest } from "../guest.ts";
import type { Syscall } from "../preview1/table.ts";

/**
 * `thread-spawn(start_arg) -> tid`: starts `wasi_thread_start(tid, start_arg)` in another thread.
 *
 * @returns 1 to 2^29 - 1; negative: EAGAIN too many threads, ENOTSUP a program without shared memory
 */
function threadSpawn(guest: Guest, startArg: number): number {
  return guest.system.threads?.spawn(startArg) ?? -Errno.ENOTSUP;
}

/** Functions of the module `wasi`. */
export const THREADS: readonly Syscall[] = [
  {
    name: "thread-spawn",
    level: "full",
    note: "A thread is a worker with an instance of its own.",
    bind: (guest) => (startArg: number) => threadSpawn(guest, startArg | 0),
  },
];
