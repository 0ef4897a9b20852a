import type { CommandSpec } from "../command.ts";
export const command: CommandSpec = {
  flags: [],
  operands: "",
  description: "",
  examples: [],
  async run() {
    return 0;
  },
};
