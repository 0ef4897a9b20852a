/** The only place that knows exit statuses. `spec/errors.json` says the same; a test compares the two. */
import type { ErrorCode } from "../core/error.ts";

/** wpod failed, not the program. @see https://docs.docker.com/engine/containers/run/#exit-status */
export const EXIT_WPOD = 125;
/** The program was found, and can't be run. */
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;
/** A name that isn't there, for the commands that podman answers so. */
const EXIT_UNKNOWN = 1;
/** It is in use, for the commands that podman answers so. */
const EXIT_IN_USE = 2;

export const EXIT_BY_CODE: Readonly<Record<ErrorCode, number>> = {
  USAGE: EXIT_WPOD,
  IMAGE_NOT_KNOWN: EXIT_WPOD,
  IMAGE_IN_USE: EXIT_WPOD,
  IMAGE_INVALID: EXIT_WPOD,
  IMAGE_PLATFORM: EXIT_WPOD,
  IMAGE_FORMAT: EXIT_WPOD,
  REFERENCE_INVALID: EXIT_WPOD,
  BLOB_CORRUPT: EXIT_WPOD,
  STORE_FULL: EXIT_WPOD,
  STORE_UNUSABLE: EXIT_WPOD,
  CONTAINER_NOT_FOUND: EXIT_WPOD,
  CONTAINER_RUNNING: EXIT_WPOD,
  CONTAINER_STATE: EXIT_WPOD,
  VOLUME_NOT_FOUND: EXIT_WPOD,
  VOLUME_IN_USE: EXIT_WPOD,
  VOLUME_EXISTS: EXIT_WPOD,
  NAME_INVALID: EXIT_WPOD,
  NAME_IN_USE: EXIT_WPOD,
  MOUNT_INVALID: EXIT_WPOD,
  WORKDIR_NOT_FOUND: EXIT_NOT_EXECUTABLE,
  USER_NOT_FOUND: EXIT_NOT_EXECUTABLE,
  ARGUMENTS_TOO_LONG: EXIT_NOT_EXECUTABLE,
  COMMAND_NOT_FOUND: EXIT_NOT_FOUND,
  COMMAND_NOT_EXECUTABLE: EXIT_NOT_EXECUTABLE,
  PROGRAM_INVALID: EXIT_NOT_EXECUTABLE,
  PROGRAM_IMPORTS: EXIT_NOT_EXECUTABLE,
  PROGRAM_COMPONENT: EXIT_NOT_EXECUTABLE,
  LIMIT_REACHED: EXIT_WPOD,
  KERNEL_LOST: EXIT_WPOD,
  MEMORY_LIMIT: EXIT_WPOD,
  CONFIG_INVALID: EXIT_WPOD,
  RESERVATION_REFUSED: EXIT_WPOD,
  FILE_NOT_FOUND: EXIT_WPOD,
  UNSUPPORTED: EXIT_WPOD,
  ABORTED: EXIT_WPOD,
};

/** What single verbs answer otherwise, as podman's do. */
const EXIT_BY_VERB: Readonly<Record<string, Readonly<Partial<Record<ErrorCode, number>>>>> = {
  rm: { CONTAINER_NOT_FOUND: EXIT_UNKNOWN, CONTAINER_STATE: EXIT_IN_USE, CONTAINER_RUNNING: EXIT_IN_USE },
  "volume rm": { VOLUME_NOT_FOUND: EXIT_UNKNOWN, VOLUME_IN_USE: EXIT_IN_USE },
  rmi: { IMAGE_NOT_KNOWN: EXIT_UNKNOWN, IMAGE_IN_USE: EXIT_IN_USE },
};

/** @param verb what does the work, whatever group it was called through: `image rm` is `rmi` */
export function exitStatus(code: ErrorCode, verb: string): number {
  return EXIT_BY_VERB[verb]?.[code] ?? EXIT_BY_CODE[code];
}
