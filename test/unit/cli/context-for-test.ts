/** Runs a command line in this process, without an engine: for what is decided before one is needed. */
import type { Context } from "../../../runtime/cli/context.ts";
import { runCommandLine } from "../../../runtime/cli/program.ts";
import type { Engine } from "../../../runtime/engine/index.ts";

export interface Printed {
  status: number;
  stdout: string;
  stderr: string;
}

export interface ContextParts {
  engine?: Partial<Record<keyof Engine, unknown>>;
  environment?: Record<string, string>;
  nowMs?: number;
}

export async function commandLine(args: readonly string[], parts: ContextParts = {}): Promise<Printed> {
  const printed = { stdout: "", stderr: "" };
  const context: Context = {
    engine() {
      if (parts.engine === undefined) throw new Error("the engine was asked for");
      return parts.engine as unknown as Engine;
    },
    output: {
      out: (text) => {
        printed.stdout += Buffer.from(text as string).toString();
      },
      error: (text) => {
        printed.stderr += Buffer.from(text as string).toString();
      },
    },
    environment: parts.environment ?? {},
    version: "1.2.3",
    nowMs: () => parts.nowMs ?? 0,
  };
  const status = await runCommandLine(args, context);
  return { status, ...printed };
}
