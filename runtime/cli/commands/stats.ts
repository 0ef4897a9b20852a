/** `wpod stats`: what containers use, once or again and again. */
import { WpodError } from "../../core/error.ts";
import type { ContainerInfo, Containers } from "../../engine/types.ts";
import type { CommandSpec } from "../command.ts";
import type { Context } from "../context.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";
import { printRows } from "../print/rows.ts";
import { STATS_LAYOUT, statsRow, type UsageSample } from "../print/stats-row.ts";

const MS_PER_SECOND = 1000;
const INTERVAL_SECONDS = 1;
/** Of one look alone, CPU time is told as of so long. */
const SINGLE_LOOK_MS = 250;
/** Home, and what was there goes. */
const CLEAR = "\x1b[H\x1b[J";

export const command: CommandSpec = {
  flags: [
    { long: "all", short: "a", kind: "switch", help: "Also those that don't run" },
    {
      long: "format",
      kind: "text",
      value: "template",
      help: "Print in another way: json, a Go template, or 'table TEMPLATE'",
    },
    {
      long: "interval",
      short: "i",
      kind: "unsigned",
      value: "seconds",
      help: "Look again after so long; 1 unless it is said",
    },
    { long: "latest", short: "l", kind: "switch", help: "Only the latest" },
    { long: "no-reset", kind: "switch", help: "Print each time below what was there" },
    { long: "no-stream", kind: "switch", help: "Look once" },
    { long: "no-trunc", kind: "switch", help: "Cut nothing off" },
  ],
  operands: "[CONTAINER...]",
  description: `Shows what containers use: CPU time as percent of one core, memory, reading and writing, threads.
Without a name, all that run. --format knows also {{.AvgCPU}}, {{.CPUTime}}, {{.MemLimit}},
{{.Throttled}} (periods of those in which it ran) and {{.ThrottledPerc}}.`,
  examples: ["wpod stats", "wpod stats --no-stream --format '{{.Name}}: {{.CPUPerc}} {{.MemUsage}}'"],
  checkOperands(operands, flags) {
    const asked = [operands.length > 0, flags.isOn("all"), flags.isOn("latest")].filter(Boolean).length;
    return asked > 1 ? "--all, --latest and containers cannot be used together" : undefined;
  },
  async run(context, flags) {
    const { containers } = context.engine();
    // A name that isn't there is said before anything is printed.
    for (const reference of flags.operands) await containers.get(reference);
    const before = new Map<string, UsageSample>();
    if (flags.isOn("no-stream")) {
      await look(containers, flags, before);
      await new Promise((resolve) => setTimeout(resolve, SINGLE_LOOK_MS));
      print(await look(containers, flags, before), flags, context);
      return 0;
    }
    const intervalMs = (flags.integer("interval") ?? INTERVAL_SECONDS) * MS_PER_SECOND;
    const isRedrawn = !flags.isOn("no-reset") && process.getBuiltinModule("node:tty").isatty(1);
    for (;;) {
      const rows = await look(containers, flags, before);
      if (isRedrawn) context.output.out(CLEAR);
      print(rows, flags, context);
      // All that were named have ended.
      if (flags.operands.length > 0 && rows.every(({ isOver }) => isOver)) return 0;
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  },
};

interface Looked {
  container: ContainerInfo;
  before: UsageSample | undefined;
  sample: UsageSample;
  isOver: boolean;
}

async function look(
  containers: Containers,
  flags: ParsedFlags,
  before: Map<string, UsageSample>,
): Promise<Looked[]> {
  const wanted = await chosen(containers, flags);
  return Promise.all(
    wanted.map(async (container) => {
      const sample = { usage: await usageOf(containers, container), atMs: Date.now() };
      const looked = { container, before: before.get(container.id), sample };
      before.set(container.id, sample);
      return { ...looked, isOver: container.status === "exited" };
    }),
  );
}

async function chosen(containers: Containers, flags: ParsedFlags): Promise<ContainerInfo[]> {
  if (flags.operands.length > 0) {
    return Promise.all(flags.operands.map((reference) => containers.get(reference)));
  }
  const list = await containers.list({ all: flags.isOn("all") || flags.isOn("latest") });
  return flags.isOn("latest") ? list.slice(0, 1) : list;
}

/** One that has ended since it was found has none. */
async function usageOf(containers: Containers, { id, status }: ContainerInfo): Promise<UsageSample["usage"]> {
  if (status !== "running") return undefined;
  try {
    return await containers.stats(id);
  } catch (error) {
    if (!(error instanceof WpodError)) throw error;
    return undefined;
  }
}

function print(rows: readonly Looked[], flags: ParsedFlags, { output }: Context): void {
  printRows(
    rows.map(({ container, before, sample }) => statsRow(container, before, sample, flags.isOn("no-trunc"))),
    STATS_LAYOUT,
    { format: flags.text("format"), noHeading: false },
    output,
  );
}
