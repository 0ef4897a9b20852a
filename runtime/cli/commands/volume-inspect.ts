/** `wpod volume inspect`. */
import { inspection } from "../print/inspection.ts";

export const command = inspection(
  {
    operands: "VOLUME [VOLUME...]",
    description: "Prints what is known of volumes as JSON.",
    examples: ["wpod volume inspect --format '{{.Mountpoint}}' data"],
  },
  "volume",
);
