/** `wpod volume prune`: volumes that no container has. */
import { readSync } from "node:fs";
import { printable } from "../../core/format/printable.ts";
import { decimalSize } from "../../core/format/size.ts";
import { type CommandSpec, none } from "../command.ts";
import { filterVolumes } from "../print/filters.ts";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "Also those whose name was chosen" },
    { long: "filter", kind: "list", value: "name=value", help: "Only those that fit: label" },
    { long: "force", short: "f", kind: "switch", help: "Don't ask" },
  ],
  operands: "",
  description: "Removes volumes that no container has, with all that is in them.",
  examples: ["wpod volume prune", "wpod volume prune --all --force"],
  checkOperands: none,
  async run(context, flags) {
    const { volumes } = context.engine();
    const all = flags.isOn("all");
    const filters = flags.list("filter");
    const fitting = filterVolumes(await volumes.list(), filters);
    const candidates = fitting.filter(
      (volume) => volume.containers.length === 0 && (all || volume.anonymous),
    );
    if (!flags.isOn("force")) {
      const kind = all ? "" : "anonymous ";
      if (candidates.length === 0) {
        context.output.out(`No dangling ${kind}volumes found\n`);
        return 0;
      }
      context.output.out(
        `WARNING! This will remove ${kind === "" ? "all" : kind.trim()} local volumes not used by at least one container.\n` +
          "Are you sure you want to continue? [y/N] ",
      );
      if (!/^y(es)?$/i.test(readLine())) {
        context.output.out("Total reclaimed space: 0B\n");
        return 0;
      }
    }
    const names = new Set(candidates.map(({ name }) => name));
    const { removed, reclaimedBytes } = await volumes.prune({ all, filter: ({ name }) => names.has(name) });
    if (removed.length > 0) {
      context.output.out(`Deleted Volumes:\n${removed.map((name) => `${printable(name)}\n`).join("")}\n`);
    }
    context.output.out(`Total reclaimed space: ${decimalSize(reclaimedBytes)}\n`);
    return 0;
  },
};

/** One line of standard input, or what there is of it. */
function readLine(): string {
  const byte = new Uint8Array(1);
  let line = "";
  try {
    while (readSync(0, byte) === 1 && byte[0] !== 0x0a) line += String.fromCharCode(byte[0]!);
  } catch {
    // Closed, or nobody there: no answer is no.
  }
  return line.trim();
}
