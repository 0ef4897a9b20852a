/** Measures whole processes, from before they are started until they have ended. */
import { spawn } from "node:child_process";
import { createReadStream, readFileSync } from "node:fs";

export interface ProcessTime {
  wallMs: number;
  /** User and system time. Linux counts it in steps of 10 ms: meaningful as a sum over rounds. Undefined elsewhere. */
  cpuMs: number | undefined;
  /** The most memory it had, where the system says so (Linux). */
  peakBytes: number | undefined;
}

export interface ProcessOptions {
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** A file that becomes its input. Default: empty. */
  stdinPath?: string;
  /** Its output goes there; else nowhere. */
  onOutput?: (chunk: Buffer) => void;
  /** Look for the most memory while it runs: every 20 ms, which costs a little. */
  watchMemory?: boolean;
}

/** @throws where it doesn't end with exit code 0, with what it printed on stderr */
export function timeProcess(
  program: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessTime> {
  return new Promise((resolve, reject) => {
    const cpuBeforeMs = childrenCpuMs();
    const startedMs = performance.now();
    const child = spawn(program, args, {
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
      stdio: [
        options.stdinPath === undefined ? "ignore" : "pipe",
        options.onOutput === undefined ? "ignore" : "pipe",
        "pipe",
      ],
    });
    let endedMs = 0;
    let peakBytes: number | undefined;
    const stderr: Buffer[] = [];
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    if (options.onOutput !== undefined) child.stdout?.on("data", options.onOutput);
    if (options.stdinPath !== undefined && child.stdin !== null) {
      child.stdin.on("error", () => {}); // it ended before it had read all
      createReadStream(options.stdinPath, { highWaterMark: 1024 * 1024 }).pipe(child.stdin);
    }
    const watch = options.watchMemory
      ? setInterval(() => {
          peakBytes = peakBytesOf(child.pid) ?? peakBytes;
        }, 20)
      : undefined;
    child.on("error", reject);
    child.on("exit", () => {
      endedMs = performance.now();
    });
    child.on("close", (code, signal) => {
      clearInterval(watch);
      if (code !== 0) {
        reject(
          new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}: ${Buffer.concat(stderr)}`),
        );
        return;
      }
      const cpuAfterMs = childrenCpuMs();
      const cpuMs =
        cpuBeforeMs === undefined || cpuAfterMs === undefined ? undefined : cpuAfterMs - cpuBeforeMs;
      resolve({ wallMs: endedMs - startedMs, cpuMs, peakBytes });
    });
  });
}

/** CPU time of all children that have ended. @see proc_pid_stat(5): fields 16 and 17, in ticks of 1/100 s */
function childrenCpuMs(): number | undefined {
  if (process.platform !== "linux") return undefined;
  const stat = readFileSync("/proc/self/stat", "utf8");
  // The second field is a name in parentheses, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

function peakBytesOf(pid: number | undefined): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined; // it has ended, or this is no Linux
  }
}
