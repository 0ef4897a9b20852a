/** `wpod load`: images from a file, or from standard input. */
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { isatty } from "node:tty";
import { WpodError } from "../../core/error.ts";
import { printable } from "../../core/format/printable.ts";
import { type CommandSpec, none } from "../command.ts";

export const command: CommandSpec = {
  flags: [
    {
      long: "input",
      short: "i",
      kind: "text",
      value: "path",
      help: "Read this archive or OCI layout, in place of standard input",
    },
    { long: "platform", kind: "text", value: "os/arch", help: "Take this platform of each image" },
    { long: "quiet", short: "q", kind: "switch", help: "Print nothing but the names" },
  ],
  operands: "",
  description: `Loads images that skopeo, buildah, podman or docker wrote: an oci-archive or docker-archive, also
compressed, or the directory of an OCI layout.`,
  examples: ["wpod load -i image.tar", "docker save hello | wpod load"],
  checkOperands: none,
  async run(context, flags) {
    const platform = flags.text("platform");
    const options = platform === undefined ? {} : { platform };
    const input = flags.text("input");
    const images =
      input === undefined
        ? await withSpooledInput((path) => context.engine().images.load(path, options))
        : await context.engine().images.load(input, options);
    // One image may come under several names, and then several times.
    const names = new Set(images.flatMap(({ id, tags }) => (tags.length === 0 ? [id] : tags)));
    for (const name of names) context.output.out(`Loaded image: ${printable(name)}\n`);
    return 0;
  },
};

/** An archive is read by position: what comes through a pipe goes to a file first. */
async function withSpooledInput<T>(use: (path: string) => Promise<T>): Promise<T> {
  if (isatty(0)) {
    throw new WpodError(
      "USAGE",
      "cannot read from terminal, use command-line redirection or the --input flag",
    );
  }
  const directory = mkdtempSync(join(tmpdir(), "wpod-load-"));
  try {
    const path = join(directory, "image.tar");
    await pipeline(createReadStream("", { fd: 0, autoClose: false }), createWriteStream(path));
    return await use(path).catch((error: unknown) => {
      // Where it was put meanwhile means nothing to anybody.
      if (!(error instanceof WpodError)) throw error;
      const message = error.message.replaceAll(path, "standard input");
      throw new WpodError(error.code, message, { ...(error.hint && { hint: error.hint }), cause: error });
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
