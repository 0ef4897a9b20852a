/** `wpod volume rm`: a volume, with all that is in it. */
import { WpodError } from "../../core/error.ts";
import { printable } from "../../core/format/printable.ts";
import type { CommandSpec } from "../command.ts";
import { exitStatus } from "../exit.ts";
import { report } from "../report.ts";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "Remove all volumes" },
    { long: "force", short: "f", kind: "switch", help: "A volume that isn't there is no error" },
  ],
  operands: "VOLUME [VOLUME...]",
  description: "Removes volumes that no container has, with all that is in them.",
  examples: ["wpod volume rm data"],
  checkOperands(operands, flags) {
    if (flags.isOn("all")) {
      return operands.length === 0 ? undefined : "can not use --all with volume names";
    }
    return operands.length > 0 ? undefined : "must specify at least one volume name";
  },
  async run(context, flags) {
    const { volumes } = context.engine();
    const names = flags.isOn("all") ? (await volumes.list()).map(({ name }) => name) : flags.operands;
    let status = 0;
    for (const name of names) {
      try {
        await volumes.remove(name);
        context.output.out(`${printable(name)}\n`);
      } catch (error) {
        if (!(error instanceof WpodError)) throw error;
        if (error.code === "VOLUME_NOT_FOUND" && flags.isOn("force")) continue;
        report(error, context.output, context.environment);
        status = Math.max(status, exitStatus(error.code, "volume rm"));
      }
    }
    return status;
  },
};
