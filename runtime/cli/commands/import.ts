/** `wpod import`: an image from the files of a tar, or from one module. */
import { basename } from "node:path";
import { between, type CommandSpec } from "../command.ts";

export const command: CommandSpec = {
  flags: [
    { long: "quiet", short: "q", kind: "switch", help: "Print nothing but the id" },
    {
      long: "change",
      short: "c",
      kind: "list",
      help: "",
      later: "the config of an imported image is made by wpod",
    },
    { long: "message", short: "m", kind: "text", help: "", later: "images keep no comment yet" },
  ],
  operands: "FILE [NAME]",
  description: `Makes an image of one layer from a tar archive, also compressed, or from one WebAssembly module, which
becomes its entry point. Prints the image's id.`,
  examples: ["wpod import app.wasm app:1.0", "wpod import files.tar.gz files"],
  checkOperands: between(1, 2),
  async run(context, flags) {
    const [file = "", name = nameOf(file)] = flags.operands;
    const { id } = await context.engine().images.import(file, name);
    context.output.out(`${id}\n`);
    return 0;
  },
};

/** `./My App.wasm` is `my-app`. */
function nameOf(file: string): string {
  const stem = basename(file).replace(/\.(wasm|tar|tgz|tar\.(gz|zst|xz))$/i, "");
  return (
    stem
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "") || "imported"
  );
}
