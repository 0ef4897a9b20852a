/** `wpod rmi`: takes names from images, and removes those without. */
import { WpodError } from "../../core/error.ts";
import { printable } from "../../core/format/printable.ts";
import type { CommandSpec } from "../command.ts";
import { exitStatus } from "../exit.ts";
import { report } from "../report.ts";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "Remove all images" },
    {
      long: "force",
      short: "f",
      kind: "switch",
      help: "Also those that containers use; one that isn't there is no error",
    },
    { long: "ignore", short: "i", kind: "switch", help: "An image that isn't there is no error" },
    { long: "no-prune", kind: "switch", help: "", hidden: true },
  ],
  operands: "IMAGE [IMAGE...]",
  description:
    "Takes a name from an image. The image goes with its last name, or when it is given by its id.",
  examples: ["wpod rmi hello", "wpod rmi -f 0e3bbc2"],
  checkOperands(operands, flags) {
    if (flags.isOn("all")) {
      return operands.length === 0
        ? undefined
        : "when using the --all switch, you may not pass any images names or IDs";
    }
    return operands.length > 0 ? undefined : "image name or ID must be specified";
  },
  async run(context, flags) {
    const { images } = context.engine();
    const force = flags.isOn("force");
    const all = flags.isOn("all");
    const references = all ? (await images.list()).map(({ id }) => id) : flags.operands;
    let status = 0;
    for (const reference of references) {
      try {
        // An image with several names goes by its id with force only: whoever says all means it.
        const { untagged, deleted } = await images.remove(reference, { force: force || all });
        for (const name of untagged) context.output.out(`Untagged: ${printable(name)}\n`);
        for (const id of deleted) context.output.out(`Deleted: ${id}\n`);
      } catch (error) {
        if (!(error instanceof WpodError)) throw error;
        if (error.code === "IMAGE_NOT_KNOWN" && (force || flags.isOn("ignore"))) continue;
        report(error, context.output, context.environment);
        status = Math.max(status, exitStatus(error.code, "rmi"));
      }
    }
    return status;
  },
};
