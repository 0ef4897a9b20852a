/** `--log-opt`: the options that docker's drivers for files have, and how fast a log may be written. */
import { WpodError } from "../../core/error.ts";
import { parseSize } from "../../core/format/size.ts";
import { LOG_FILE_BYTES_MIN, LOG_FILE_COUNT_MAX } from "../../core/log/limits.ts";
import type { Limits } from "../../engine/types.ts";

/** Of docker's and podman's drivers for files. */
const LATER = new Set(["cache-disabled", "env", "env-regex", "labels", "labels-regex", "path", "tag"]);

/** @throws WpodError USAGE, UNSUPPORTED */
export function parseLogOptions(options: readonly string[]): Limits {
  const limits: Limits = {};
  for (const option of options) {
    const equals = option.indexOf("=");
    if (equals < 0) throw invalid(option, "it is NAME=VALUE");
    readOption(limits, option, option.slice(0, equals), option.slice(equals + 1));
  }
  return limits;
}

function readOption(limits: Limits, option: string, name: string, value: string): void {
  if (name === "max-size") {
    // As in docker: the default.
    if (value === "-1") return;
    limits.logFileBytesMax = bytesOf(option, value);
    if (limits.logFileBytesMax < LOG_FILE_BYTES_MIN) {
      throw invalid(option, `a file has ${LOG_FILE_BYTES_MIN} bytes or more`);
    }
  } else if (name === "max-file") {
    limits.logFilesMax = /^\d{1,9}$/.test(value) ? Number(value) : 0;
    if (limits.logFilesMax < 1 || limits.logFilesMax > LOG_FILE_COUNT_MAX) {
      throw invalid(option, `a log has 1 to ${LOG_FILE_COUNT_MAX} files`);
    }
  } else if (name === "max-rate") {
    limits.logBps = bytesOf(option, value);
  } else if (name === "mode") {
    if (value !== "blocking" && value !== "non-blocking") {
      throw invalid(option, "a mode is blocking or non-blocking");
    }
    limits.logMode = value;
  } else if (name === "max-buffer-size") {
    // What passes at once is bounded by the rate: there is no buffer to give a size to.
    bytesOf(option, value);
  } else if (name === "compress") {
    if (value !== "false") throw later(name, "rotated files are not compressed");
  } else if (LATER.has(name)) {
    throw later(name, "the log's format is Kubernetes', and its place wpod's own");
  } else {
    throw invalid(option, "unknown option");
  }
}

function bytesOf(option: string, value: string): number {
  try {
    return parseSize(value);
  } catch (error) {
    throw invalid(option, "a size is a number with a unit, such as 512k or 10m", error);
  }
}

function later(name: string, why: string): WpodError {
  return new WpodError("UNSUPPORTED", `--log-opt ${name} is not supported yet: ${why}`, {
    hint: "it can be max-size, max-file, max-rate or mode",
  });
}

function invalid(option: string, why: string, cause?: unknown): WpodError {
  return new WpodError("USAGE", `invalid --log-opt ${JSON.stringify(option)}: ${why}`, { cause });
}
