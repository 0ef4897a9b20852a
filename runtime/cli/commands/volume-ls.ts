/** `wpod volume ls`. */
import { type CommandSpec, none } from "../command.ts";
import { filterVolumes } from "../print/filters.ts";
import { printRows } from "../print/rows.ts";
import { VOLUME_LAYOUT, volumeRow } from "../print/volume-row.ts";

export const command: CommandSpec = {
  flags: [
    {
      long: "filter",
      short: "f",
      kind: "list",
      value: "name=value",
      help: "Only those that fit: dangling, driver, label, name",
    },
    {
      long: "format",
      kind: "text",
      value: "template",
      help: "Print in another way: json, a Go template, or 'table TEMPLATE'",
    },
    { long: "noheading", short: "n", kind: "switch", help: "Print no line over the columns" },
    { long: "quiet", short: "q", kind: "switch", help: "Print only names" },
    { long: "cluster", kind: "switch", help: "", later: "there is no cluster" },
  ],
  operands: "",
  description: "Lists volumes by their names.",
  examples: ["wpod volume ls", "wpod volume ls -q --filter dangling=true"],
  checkOperands: none,
  async run(context, flags) {
    const volumes = filterVolumes(await context.engine().volumes.list(), flags.list("filter"));
    const format = flags.text("format");
    const namesOnly = flags.isOn("quiet") && (format === undefined || format.startsWith("table"));
    printRows(
      volumes.map(volumeRow),
      VOLUME_LAYOUT,
      { format: namesOnly ? "{{.Name}}" : format, noHeading: flags.isOn("noheading") },
      context.output,
    );
    return 0;
  },
};
