/** A new pipe at the kernel. */
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, PipeFiles } from "../../../../shim/abi/system.ts";
import { Operation, Place } from "../protocol.ts";
import type { Connection } from "./connection.ts";
import { RemoteStream } from "./remote-file.ts";

/** @param make what stands for an end in this thread */
export function openRemotePipe(
  connection: Connection,
  make: (handle: number) => OpenFile = (handle) => new RemoteStream(connection, handle, FileType.unknown),
): PipeFiles | Failure {
  const reader = connection.takeHandle();
  const writer = connection.takeHandle();
  connection.mailbox.numbers[Place.otherHandle] = writer;
  const answer = connection.call(Operation.pipe, reader, 0);
  if (answer === 0) return { reader: make(reader), writer: make(writer) };
  connection.giveHandle(writer);
  connection.giveHandle(reader);
  return answer;
}
