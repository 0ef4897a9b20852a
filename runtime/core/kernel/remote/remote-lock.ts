/** An advisory lock of a file at the kernel: this thread does the waiting. */
import { Errno } from "../../../../shim/abi/errno.ts";
import type { LockKind } from "../../../../shim/abi/system.ts";
import { LOCK_KINDS } from "../lock-call.ts";
import { CallFlag, Operation, Place } from "../protocol.ts";
import type { Connection } from "./connection.ts";

export function lockRemote(connection: Connection, handle: number, kind: LockKind, wait: boolean): number {
  const { bell, mailbox } = connection;
  for (;;) {
    const seen = bell.now();
    mailbox.numbers[Place.mode] = LOCK_KINDS.indexOf(kind);
    const answer = connection.call(Operation.lock, handle, wait ? CallFlag.wait : 0);
    if (answer !== -Errno.EAGAIN || !wait) return answer;
    bell.wait(seen);
  }
}
