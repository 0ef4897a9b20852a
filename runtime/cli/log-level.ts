/** `--log-level`: checked wherever it is given. wpod has nothing to log yet. */
import { EarlyEnd } from "./early-end.ts";

const LEVELS = ["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"];
/** podman's. */
const EXIT_BAD_LEVEL = 1;

export function checkLogLevel(level: string | undefined): void {
  if (level === undefined || LEVELS.includes(level.toLowerCase())) return;
  throw new EarlyEnd(
    EXIT_BAD_LEVEL,
    `Log Level ${JSON.stringify(level)} is not supported, choose from: ${LEVELS.join(", ")}`,
  );
}
