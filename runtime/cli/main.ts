/** Entry point of the command line. */
import "./prestart.ts";
import { Engine } from "../engine/index.ts";
import { VERSION } from "../engine/version.ts";
import type { Context } from "./context.ts";
import { EXIT_WPOD } from "./exit.ts";
import { OUTPUT } from "./output.ts";
import { runCommandLine } from "./program.ts";

// Until the command has answered: a process that ends because nothing is left to wait for has failed.
process.exitCode = EXIT_WPOD;

let engine: Engine | undefined;

const context: Context = {
  engine: () => (engine ??= new Engine({ hostKind: "cli" })),
  output: OUTPUT,
  environment: process.env,
  version: VERSION,
  nowMs: Date.now,
};

runCommandLine(process.argv.slice(2), context).then((status) => {
  // Standard input may still be open, and threads ending: nobody waits for them.
  process.exit(status);
});
