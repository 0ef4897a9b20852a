/** Tells one process from a later one with the same number. */
import { readFileSync } from "node:fs";
import { isRestricted } from "./permission-flags.ts";

/** When the process started, in a unit of the platform's own; "" where it can't be told, undefined when it isn't there. */
export function processStart(pid: number): string | undefined {
  if (process.platform === "linux") {
    try {
      // By this name a process that may read little finds itself, too.
      const stat = readFileSync(`/proc/${pid === process.pid ? "self" : pid}/stat`, "latin1");
      // The second field is the name in parentheses, and may hold anything; the 22nd is the start in clock ticks.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // One that has ended, and whose parent hasn't asked how (Z), is shown until it does.
      return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    process.kill(pid, 0);
    return "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? "" : undefined;
  }
}

/** Whether it is that process still. Who may not look takes any process with the number for it. */
export function isStill(pid: number, start: string): boolean {
  if (!isRestricted() || pid === process.pid) return processStart(pid) === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
