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
      value: "name=value",
      help: "Limit what it holds: size=1g, inodes=10000",
    },
  ],
  operands: "[NAME]",
  description: "Makes a volume, and prints its name. Without one it gets 64 digits.",
  examples: [
    "wpod volume create data",
    "wpod volume create -o size=1g data",
    "wpod run -v data:/var/lib/app app",
  ],
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
    const options = parseOptions(flags.list("opt"));
    const { volumes } = context.engine();
    try {
      const made = await volumes.create({ ...(name === undefined ? {} : { name }), labels, options });
      context.output.out(`${made.name}\n`);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== "VOLUME_EXISTS" || !flags.isOn("ignore")) throw error;
      context.output.out(`${name}\n`);
    }
    return 0;
  },
};

/** `size=1g`, several in one with commas, and behind docker's `o=`. */
function parseOptions(given: readonly string[]): Record<string, string> {
  const options: [name: string, value: string][] = [];
  for (const text of given.flatMap((list) => list.replace(/^o=/, "").split(","))) {
    const equals = text.indexOf("=");
    if (equals <= 0) {
      throw new WpodError("USAGE", `invalid volume option ${JSON.stringify(text)}: it is NAME=VALUE`);
    }
    options.push([text.slice(0, equals), text.slice(equals + 1)]);
  }
  return Object.fromEntries(options);
}
