/** `wpod images`: what is in the store, a line for each name. */
import { atMost, type CommandSpec } from "../command.ts";
import { filterImages, nameFits } from "../print/filters.ts";
import { imageLayout, imageRows } from "../print/image-row.ts";
import { printRows } from "../print/rows.ts";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "", hidden: true },
    { long: "digests", kind: "switch", help: "Also the digests of the manifests" },
    {
      long: "filter",
      short: "f",
      kind: "list",
      value: "name=value",
      help: "Only those that fit: dangling, id, label, reference",
    },
    {
      long: "format",
      kind: "text",
      value: "template",
      help: "Print in another way: json, a Go template, or 'table TEMPLATE'",
    },
    { long: "no-trunc", kind: "switch", help: "Cut nothing off" },
    { long: "noheading", short: "n", kind: "switch", help: "Print no line over the columns" },
    { long: "quiet", short: "q", kind: "switch", help: "Print only ids" },
    { long: "tree", kind: "switch", help: "", later: "an image holds one platform" },
  ],
  operands: "[NAME[:TAG]]",
  description: "Lists the images in the store, the latest first.",
  examples: ["wpod images", "wpod images --format '{{.Repository}}:{{.Tag}} {{.Size}}'"],
  checkOperands: atMost(1),
  async run(context, flags) {
    const [wanted] = flags.operands;
    const whole = flags.isOn("no-trunc");
    const images = filterImages(await context.engine().images.list(), flags.list("filter"));
    const shown = images.flatMap((image) => {
      if (wanted === undefined) return [image];
      const tags = image.tags.filter((tag) => nameFits(tag, wanted));
      return tags.length === 0 ? [] : [{ ...image, tags }];
    });
    const format = flags.text("format");
    if (flags.isOn("quiet") && (format === undefined || format.startsWith("table"))) {
      const ids = new Set(shown.map((image) => imageRows(image, context.nowMs(), whole)[0]!.ID));
      context.output.out([...ids].map((id) => `${id}\n`).join(""));
      return 0;
    }
    printRows(
      shown.flatMap((image) => imageRows(image, context.nowMs(), whole)),
      imageLayout(flags.isOn("digests")),
      { format, noHeading: flags.isOn("noheading") },
      context.output,
    );
    return 0;
  },
};
