/** `wpod version`. */
import { type CommandSpec, none } from "../command.ts";
import { formatObject } from "../print/object.ts";

export const command: CommandSpec = {
  flags: [
    {
      long: "format",
      short: "f",
      kind: "text",
      value: "template",
      help: "Print in another way: json, or a Go template",
    },
  ],
  operands: "",
  description: "Shows the versions of wpod and of what runs it.",
  examples: ["wpod version", "wpod version --format '{{.Client.Version}}'"],
  checkOperands: none,
  async run(context, flags) {
    const { version } = context;
    const client = {
      Version: version,
      APIVersion: version,
      NodeVersion: process.version,
      V8Version: process.versions.v8,
      Os: process.platform,
      Arch: process.arch,
      OsArch: `${process.platform}/${process.arch}`,
    };
    const format = flags.text("format");
    if (format !== undefined) {
      // There is no server apart: who asks for it gets the same.
      context.output.out(formatObject({ Client: client, Server: client, ...client }, format));
      return 0;
    }
    const rows = [
      ["Version", client.Version],
      ["API Version", client.APIVersion],
      ["Node Version", client.NodeVersion],
      ["V8 Version", client.V8Version],
      ["OS/Arch", client.OsArch],
    ];
    context.output.out(rows.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}\n`).join(""));
    return 0;
  },
};
