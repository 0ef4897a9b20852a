/** `wpod inspect`: all that is known of containers or images. */
import { inspection } from "../print/inspection.ts";

export const command = inspection({
  operands: "NAME [NAME...]",
  description:
    "Prints what is known of containers or images as JSON. A container's name wins over an image's.",
  examples: ["wpod inspect hello", "wpod inspect --format '{{.State.ExitCode}}' frosty_otter"],
});
