/** What somebody wants of a container's log, judged. */
import { WpodError } from "../core/error.ts";
import { LOG_FILE_BYTES_MIN, LOG_FILE_COUNT_MAX, type LogLimitsSpec } from "../core/log/limits.ts";
import { LOG_FILE_BYTES_MAX, LOG_FILES_MAX } from "./limits.ts";
import type { Limits } from "./types.ts";

/** @throws WpodError USAGE */
export function logLimitsOf(limits: Limits): LogLimitsSpec {
  const { logFileBytesMax = LOG_FILE_BYTES_MAX, logFilesMax = LOG_FILES_MAX } = limits;
  const { logMode = "blocking" } = limits;
  if (!(Number.isSafeInteger(logFileBytesMax) && logFileBytesMax >= LOG_FILE_BYTES_MIN)) {
    throw new WpodError(
      "USAGE",
      `a log's file of ${logFileBytesMax} bytes is too small: it has ${LOG_FILE_BYTES_MIN} or more`,
    );
  }
  if (!(Number.isSafeInteger(logFilesMax) && logFilesMax >= 1 && logFilesMax <= LOG_FILE_COUNT_MAX)) {
    throw new WpodError("USAGE", `a log has 1 to ${LOG_FILE_COUNT_MAX} files, not ${logFilesMax}`);
  }
  if (logMode !== "blocking" && logMode !== "non-blocking") {
    throw new WpodError(
      "USAGE",
      `a log's mode is "blocking" or "non-blocking", not ${JSON.stringify(logMode)}`,
    );
  }
  return { fileBytesMax: logFileBytesMax, fileCountMax: logFilesMax, drops: logMode === "non-blocking" };
}
