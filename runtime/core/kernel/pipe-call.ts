/** A client's call for a pipe. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { OpenHandles } from "./open-handles.ts";
import { openPipe } from "./pipe.ts";

/** Opens both ends under handles that the client has chosen. EMFILE when there isn't room for both, ENFILE when there is no memory. */
export function openPipeFor(handles: OpenHandles, readerHandle: number, writerHandle: number): number {
  if (readerHandle === writerHandle || handles.has(readerHandle) || handles.has(writerHandle))
    return -Errno.EBADF;
  if (handles.room < 2) return -Errno.EMFILE;
  const { reader, writer } = openPipe();
  if (!reader.pipe.chargeTo(handles.memory)) return -Errno.ENFILE;
  handles.set(readerHandle, reader);
  handles.set(writerHandle, writer);
  return 0;
}
