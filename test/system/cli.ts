/** The built command line as a user runs it: processes of its own, with a store and a directory of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeImage } from "../../samples/make-image.ts";
import { SAMPLES } from "../../samples/sample.ts";
import { runChild } from "../fixtures/child.ts";

export const WPOD = fileURLToPath(new URL("../../dist/bin/wpod.js", import.meta.url));

export interface Printed {
  /** null when a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface RunParts {
  stdin?: string | Uint8Array;
  env?: Record<string, string | undefined>;
  /** Another one than its own. */
  root?: string;
}

export class Cli {
  /** Temporary, also the current directory of what is run. */
  readonly directory: string = mkdtempSync(join(tmpdir(), "wpod-cli-"));
  readonly root: string = join(this.directory, "root");

  constructor() {
    if (!existsSync(WPOD)) throw new Error("dist/ is not built: npm run build");
  }

  /** Runs a command to its end. Whatever it is, it never prints where in wpod something went wrong. */
  async wpod(args: readonly string[], { stdin, env, root = this.root }: RunParts = {}): Promise<Printed> {
    const result = await runChild(process.execPath, [WPOD, ...args], {
      cwd: this.directory,
      env: { ...env, WPOD_ROOT: root },
      ...(stdin === undefined ? {} : { stdin }),
    });
    const printed = {
      exitCode: result.exitCode,
      stdout: result.stdout.toString(),
      stderr: result.stderr.toString(),
    };
    if (/^\s+at |node:internal|wpod defect/m.test(printed.stderr)) {
      throw new Error(`wpod ${args.join(" ")} printed a stack trace:\n${printed.stderr}`);
    }
    return printed;
  }

  /** As `wpod`, for what has to succeed. @returns its standard output */
  async must(args: readonly string[], parts: RunParts = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.wpod(args, parts);
    if (exitCode !== 0) throw new Error(`wpod ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
    return stdout;
  }

  /** Starts a command whose end is not waited for. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn(process.execPath, [WPOD, ...args], {
      cwd: this.directory,
      env: { ...process.env, WPOD_ROOT: this.root, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** The images of samples/, loaded: hello and files. */
  async loadSamples(): Promise<void> {
    for (const name of SAMPLES) {
      const layout = join(this.directory, `${name}-layout`);
      await makeImage(name, layout);
      await this.must(["load", "-i", layout]);
    }
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** When a child has printed this on its standard output. */
export function whenPrinted(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = "";
    child.stdout!.on("data", (chunk) => {
      seen += chunk;
      if (seen.includes(text)) resolve();
    });
    child.once("exit", (code) =>
      reject(new Error(`ended with ${code} before it printed ${text}; it printed: ${seen}`)),
    );
  });
}

export function whenEnded(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
}
