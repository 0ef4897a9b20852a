/** `wpod update`: other limits for containers, also while they run. */
import { WpodError } from "../../core/error.ts";
import { printable } from "../../core/format/printable.ts";
import { atLeast, type CommandSpec } from "../command.ts";
import { exitStatus } from "../exit.ts";
import { LIMIT_FLAGS } from "../flags/limit-flags.ts";
import { report } from "../report.ts";
import { limitWarnings, parseLimits } from "../run/limits.ts";

const NUMA = "programs run where the host puts them";

export const command: CommandSpec = {
  flags: [
    ...LIMIT_FLAGS,
    { long: "blkio-weight", kind: "text", help: "", later: "reading and writing has limits, but no weights" },
    { long: "cpuset-cpus", kind: "text", help: "", later: NUMA },
    { long: "cpuset-mems", kind: "text", help: "", later: NUMA },
    { long: "cpu-rt-period", kind: "text", help: "", later: NUMA },
    { long: "cpu-rt-runtime", kind: "text", help: "", later: NUMA },
    { long: "restart", kind: "text", help: "", later: "restarts come with detached containers" },
  ],
  operands: "CONTAINER [CONTAINER...]",
  description: `Changes what containers may use, by name, id, or the beginning of an id.
One that runs has the new limits at once, another when it is started. What isn't named stays as it is.`,
  examples: ["wpod update --cpus 0.5 frosty_otter", "wpod update --memory 256m --pids-limit 64 860a4b23"],
  checkOperands: atLeast(1),
  async run(context, flags) {
    const limits = await parseLimits(flags);
    if (Object.keys(limits).length === 0) {
      throw new WpodError("USAGE", "nothing to change: no limit was given", {
        hint: "a limit looks like --memory 64m or --cpus 0.5; see 'wpod update --help'",
      });
    }
    for (const warning of await limitWarnings(flags)) context.output.error(`Warning: ${warning}\n`);
    const { containers } = context.engine();
    let status = 0;
    for (const reference of flags.operands) {
      try {
        await containers.update(reference, limits);
        context.output.out(`${printable(reference)}\n`);
      } catch (error) {
        if (!(error instanceof WpodError)) throw error;
        report(error, context.output, context.environment);
        status = Math.max(status, exitStatus(error.code, "update"));
      }
    }
    return status;
  },
};
