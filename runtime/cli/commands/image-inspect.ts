/** `wpod image inspect`. */
import { inspection } from "../print/inspection.ts";

export const command = inspection(
  {
    operands: "IMAGE [IMAGE...]",
    description: "Prints what is known of images as JSON.",
    examples: ["wpod image inspect --format '{{json .Config.Env}}' hello"],
  },
  "image",
);
