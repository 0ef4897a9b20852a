/** `wpod volume create`. */
import { WpodError } from "../../core/error.ts";
import { atMost, type CommandSpec } from "../command.ts";
import { DRIVER } from "../print/volume-row.ts";
import { parsePairs } from "../run/environment.ts";

export const command: CommandSpec = {
  flags: [
    {
      long: "driver",
      short: "d",
      kind: "text",
      value: "driver",
      default: DRIVER,
      help: "Who keeps it: local",
    },
    { long: "ignore", kind: "switch", help: "A volume that is there already is no error" },
    { long: "label", kind: "list", value: "key=value", help: "Add a label" },
    { long: "name", kind: "text", help: "", hidden: true },
    {
      long: "opt",
      short: "o",
      kind: "list",
      help: "",
      later: "wpod keeps volumes under its root, and mounts no devices or shares",
    },
  ],
  operands: "[NAME]",
  description: "Makes a volume, and prints its name. Without one it gets 64 digits.",
  examples: ["wpod volume create data", "wpod run -v data:/var/lib/app app"],
  checkOperands: atMost(1),
  async run(context, flags) {
    const driver = flags.text("driver") ?? DRIVER;
    if (driver !== DRIVER) {
      throw new WpodError("UNSUPPORTED", `volume driver "${driver}" is not supported`, {
        hint: `wpod keeps volumes itself: --driver ${DRIVER}`,
      });
    }
    const name = flags.operands[0] ?? flags.text("name");
    const labels = parsePairs(flags.list("label"), "label");
    const { volumes } = context.engine();
    try {
      const made = await volumes.create(name === undefined ? { labels } : { name, labels });
      context.output.out(`${made.name}\n`);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== "VOLUME_EXISTS" || !flags.isOn("ignore")) throw error;
      context.output.out(`${name}\n`);
    }
    return 0;
  },
};
