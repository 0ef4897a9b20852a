/** `wpod run`: a program in a container of its own, in the foreground. */
import { WpodError } from "../../core/error.ts";
import type { Engine } from "../../engine/index.ts";
import { isIsolatedChild, runIsolated } from "../../engine/isolated-process.ts";
import type { Container } from "../../engine/types.ts";
import { atLeast, type CommandSpec } from "../command.ts";
import type { Context } from "../context.ts";
import { RUN_FLAGS } from "../flags/run-flags.ts";
import { removeCidfile, writeCidfile } from "../run/cidfile.ts";
import { runOptions, runWarnings } from "../run/run-options.ts";
import { PASSED_SIGNALS, passSignals } from "../run/signals.ts";

/** In podman's words. */
const NO_TERMINAL =
  "The input device is not a TTY. The --tty and --interactive flags might not work properly";

export const command: CommandSpec = {
  flags: RUN_FLAGS,
  flagsFirst: true,
  operands: "IMAGE [COMMAND [ARG...]]",
  description: `Runs a program of an image, or a module without an image, in a new container.
What follows IMAGE belongs to the program. IMAGE is a name in the store, oci:DIRECTORY[:TAG],
oci-archive:FILE, docker-archive:FILE, or the path of a .wasm file.`,
  examples: [
    "wpod run --rm hello",
    "wpod run --rm -it python",
    "wpod run --rm -i -v ./data:/data:ro files cat",
    "wpod run --rm --memory 64m ./app.wasm one two",
  ],
  checkOperands: atLeast(1),
  async run(context, flags) {
    const [image] = flags.operands;
    const options = await runOptions(flags, context);
    if (isIsolationWanted(flags.text("isolation")) && !isIsolatedChild()) {
      const cidfile = flags.text("cidfile");
      return runIsolated({
        image: flags.operands[0]!,
        mounts: options.mounts ?? [],
        reads: [...flags.list("env-file"), ...flags.list("label-file")],
        writes: cidfile === undefined ? [] : [cidfile],
        tty: options.tty === true,
        signals: PASSED_SIGNALS,
      });
    }
    // Not an import: most runs want no terminal, and it takes part of their start.
    if (options.tty && !process.getBuiltinModule("node:tty").isatty(0))
      context.output.error(`Warning: ${NO_TERMINAL}\n`);
    const warn = (message: string) => context.output.error(`Warning: ${message}\n`);
    for (const warning of await runWarnings(flags)) warn(warning);
    options.onWarning = warn;
    const signals = passSignals();
    const engine = context.engine();
    const cidfile = flags.text("cidfile");
    const container =
      cidfile === undefined
        ? await engine.launch(image!, options)
        : await launchWithCidfile(await engine.create(image!, options), cidfile);
    signals.to(container);
    const { exitCode, reason } = await container.wait();
    if (options.remove && cidfile !== undefined) removeCidfile(cidfile, container.id);
    if (flags.isOn("rmi")) await removeImage(image!, engine);
    tellReason(reason, context);
    return exitCode;
  },
};

/** @throws WpodError USAGE, UNSUPPORTED */
function isIsolationWanted(isolation: string | undefined): boolean {
  if (isolation === undefined || isolation === "" || isolation === "default") return false;
  if (isolation === "process") return true;
  const code = isolation === "hyperv" ? "UNSUPPORTED" : "USAGE";
  throw new WpodError(code, `invalid isolation "${isolation}": it is "default" or "process"`);
}

async function launchWithCidfile(container: Container, cidfile: string): Promise<Container> {
  try {
    writeCidfile(cidfile, container.id);
    await container.start();
    return container;
  } catch (error) {
    removeCidfile(cidfile, container.id);
    await container.remove().catch(() => {});
    throw error;
  }
}

/** One that others use stays, and a module has none. */
async function removeImage(image: string, engine: Engine): Promise<void> {
  try {
    await engine.images.remove(image);
  } catch (error) {
    if (!(error instanceof WpodError)) throw error;
  }
}

/** Of signals and time-outs the caller knows; that it trapped stands in the program's own stderr, and so in its log. */
function tellReason(reason: string | undefined, context: Context): void {
  if (reason === undefined || reason === "timeout" || /^(SIG|trap: )/.test(reason)) return;
  context.output.error(`Error: the program ended: ${reason}\n`);
}
