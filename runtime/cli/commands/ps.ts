/** `wpod ps`: containers that run; with `-a` also those that don't. */
import { type CommandSpec, none } from "../command.ts";
import { CONTAINER_LAYOUT, containerRow } from "../print/container-row.ts";
import { filterContainers } from "../print/filters.ts";
import { printRows } from "../print/rows.ts";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "Also those that don't run" },
    {
      long: "filter",
      short: "f",
      kind: "list",
      value: "name=value",
      help: "Only those that fit: ancestor, exited, id, label, name, status",
    },
    {
      long: "format",
      kind: "text",
      value: "template",
      help: "Print in another way: json, a Go template, or 'table TEMPLATE'",
    },
    {
      long: "last",
      short: "n",
      kind: "integer",
      value: "count",
      help: "Only so many of the latest, whether they run or not",
    },
    { long: "latest", short: "l", kind: "switch", help: "Only the latest, whether it runs or not" },
    { long: "no-trunc", kind: "switch", help: "Cut nothing off" },
    { long: "noheading", kind: "switch", help: "Print no line over the columns" },
    { long: "quiet", short: "q", kind: "switch", help: "Print only ids" },
    {
      long: "size",
      short: "s",
      kind: "switch",
      help: "",
      later: "files that a container wrote aren't kept yet",
    },
  ],
  operands: "",
  description: "Lists containers, the latest first.",
  examples: ["wpod ps -a", "wpod ps -a --filter status=exited --format '{{.Names}}: {{.Status}}'"],
  checkOperands: none,
  async run(context, flags) {
    const filters = flags.list("filter");
    const last = flags.isOn("latest") ? 1 : (flags.integer("last") ?? -1);
    const all = flags.isOn("all") || last >= 0 || filters.some((text) => /^(status|exited)=/.test(text));
    const found = filterContainers(await context.engine().containers.list({ all }), filters);
    const rows = (last >= 0 ? found.slice(0, last) : found).map((container) =>
      containerRow(container, context.nowMs(), flags.isOn("no-trunc")),
    );
    // Ids win over columns, as in docker.
    const format = flags.text("format");
    const idsOnly = flags.isOn("quiet") && (format === undefined || format.startsWith("table"));
    printRows(
      rows,
      CONTAINER_LAYOUT,
      { format: idsOnly ? "{{.ID}}" : format, noHeading: flags.isOn("noheading") },
      context.output,
    );
    return 0;
  },
};
