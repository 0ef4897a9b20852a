/** `wpod rm`: the record of a container, its log and its cidfile. */
import { readFileSync } from "node:fs";
import { WpodError } from "../../core/error.ts";
import { printable } from "../../core/format/printable.ts";
import type { Containers } from "../../engine/types.ts";
import type { CommandSpec } from "../command.ts";
import { exitStatus } from "../exit.ts";
import { report } from "../report.ts";
import { CIDFILE_ANNOTATION, removeCidfile } from "../run/cidfile.ts";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "Remove all containers" },
    { long: "cidfile", kind: "list", value: "file", help: "Remove the container whose id is in this file" },
    {
      long: "force",
      short: "f",
      kind: "switch",
      help: "End it when it runs; one that isn't there is no error",
    },
    { long: "ignore", short: "i", kind: "switch", help: "A container that isn't there is no error" },
    {
      long: "volumes",
      short: "v",
      kind: "switch",
      help: "Remove its volumes too, as far as they have no name",
    },
    { long: "link", short: "l", kind: "switch", help: "", later: "containers have no network yet" },
  ],
  operands: "CONTAINER [CONTAINER...]",
  description: "Removes containers that have ended, by name, id, or the beginning of an id.",
  examples: ["wpod rm frosty_otter", "wpod rm -f 860a4b23", "wpod rm --all"],
  checkOperands(operands, flags) {
    const named = operands.length + flags.list("cidfile").length;
    if (flags.isOn("all")) {
      return named === 0
        ? undefined
        : "when using the --all switch, you may not pass any container names or IDs";
    }
    return named > 0 ? undefined : "you must provide at least one name or id";
  },
  async run(context, flags) {
    const { containers } = context.engine();
    const force = flags.isOn("force");
    const references = flags.isOn("all")
      ? (await containers.list({ all: true })).map(({ id }) => id)
      : [...flags.operands, ...flags.list("cidfile").map(readId)];
    let status = 0;
    for (const reference of references) {
      try {
        await remove(containers, reference, { force, volumes: flags.isOn("volumes") });
        context.output.out(`${printable(reference)}\n`);
      } catch (error) {
        if (!(error instanceof WpodError)) throw error;
        if (error.code === "CONTAINER_NOT_FOUND" && (force || flags.isOn("ignore"))) continue;
        report(error, context.output, context.environment);
        status = Math.max(status, exitStatus(error.code, "rm"));
      }
    }
    return status;
  },
};

async function remove(
  containers: Containers,
  reference: string,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  const { id, annotations } = await containers.get(reference);
  await containers.remove(id, options);
  removeCidfile(annotations[CIDFILE_ANNOTATION], id);
}

function readId(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new WpodError("FILE_NOT_FOUND", `reading CIDFile: open ${path}: no such file or directory`, {
      cause: error,
    });
  }
}
