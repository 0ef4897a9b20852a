/** `wpod tag`: more names for an image. */
import { atLeast, type CommandSpec } from "../command.ts";

export const command: CommandSpec = {
  flags: [],
  operands: "IMAGE NAME [NAME...]",
  description: "Gives an image more names. A name that another image has goes to this one.",
  examples: ["wpod tag hello hello:1.0", "wpod tag 0e3bbc2 localhost/team/hello"],
  checkOperands: atLeast(2),
  async run(context, flags) {
    const [image = "", ...names] = flags.operands;
    const { images } = context.engine();
    for (const name of names) await images.tag(image, name);
    return 0;
  },
};
