/** `wpod container inspect`. */
import { inspection } from "../print/inspection.ts";

export const command = inspection(
  {
    operands: "CONTAINER [CONTAINER...]",
    description: "Prints what is known of containers as JSON.",
    examples: ["wpod container inspect --format '{{.State.OOMKilled}}' frosty_otter"],
  },
  "container",
);
