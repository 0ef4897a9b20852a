/** `wpod logs`: what containers printed, each stream to its own. */
import { WpodError } from "../../core/error.ts";
import { parseTimeNs } from "../../core/format/duration.ts";
import type { LogLine } from "../../engine/types.ts";
import type { CommandSpec } from "../command.ts";
import type { Context } from "../context.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";

const NEWLINE = Buffer.from("\n");
const NS_PER_MS = 1_000_000n;
const SHORT_ID_LENGTH = 12;

interface LogQuery {
  follow: boolean;
  tail?: number;
  sinceNs?: bigint;
  untilNs?: bigint;
}

export const command: CommandSpec = {
  flags: [
    { long: "details", kind: "switch", help: "", later: "logs hold no attributes" },
    { long: "follow", short: "f", kind: "switch", help: "Go on until the container has ended" },
    { long: "names", kind: "switch", help: "Say the name in front of each line, for several containers" },
    {
      long: "since",
      kind: "text",
      value: "time",
      help: "From this time on: 2024-01-31T13:05:00Z, or 10m for ten minutes ago",
    },
    {
      long: "tail",
      short: "n",
      kind: "text",
      value: "lines",
      default: "all",
      help: "Only so many lines of the end",
    },
    { long: "timestamps", short: "t", kind: "switch", help: "Say the time in front of each line" },
    { long: "until", kind: "text", value: "time", help: "Up to this time" },
  ],
  operands: "CONTAINER [CONTAINER...]",
  description: "Prints what containers printed: their standard output and error, each to its own.",
  examples: ["wpod logs frosty_otter", "wpod logs -f -t --tail 10 860a4b23"],
  checkOperands: (operands) =>
    operands.length > 0 ? undefined : "specify at least one container name or ID to log",
  async run(context, flags) {
    const query = logQuery(flags, context.nowMs());
    const { containers } = context.engine();
    const found = await Promise.all(flags.operands.map((reference) => containers.get(reference)));
    const several = found.length > 1;
    await Promise.all(
      found.map(async ({ id, name }) => {
        const prefix = several ? `${flags.isOn("names") ? name : id.slice(0, SHORT_ID_LENGTH)} ` : "";
        await print(containers.logs(id, query), prefix, flags.isOn("timestamps"), context);
      }),
    );
    return 0;
  },
};

function logQuery(flags: ParsedFlags, nowMs: number): LogQuery {
  const query: LogQuery = { follow: flags.isOn("follow") };
  const nowNs = BigInt(nowMs) * NS_PER_MS;
  const since = flags.text("since");
  if (since !== undefined) query.sinceNs = parseTimeNs(since, nowNs);
  const until = flags.text("until");
  if (until !== undefined) query.untilNs = parseTimeNs(until, nowNs);
  const tail = flags.text("tail");
  if (tail !== undefined && tail !== "all") {
    if (!/^-?\d{1,15}$/.test(tail)) {
      throw new WpodError(
        "USAGE",
        `invalid argument ${JSON.stringify(tail)} for "-n, --tail" flag: strconv.ParseInt: parsing ${JSON.stringify(tail)}: invalid syntax`,
        { hint: "See 'wpod logs --help'" },
      );
    }
    // As docker: a negative count is all.
    if (!tail.startsWith("-")) query.tail = Number(tail);
  }
  return query;
}

async function print(
  lines: AsyncIterable<LogLine>,
  prefix: string,
  timestamps: boolean,
  { output }: Context,
): Promise<void> {
  // Only a line's first part gets what stands in front of it.
  const within = { stdout: false, stderr: false };
  for await (const { timeNs, stream, bytes, partial } of lines) {
    const head = within[stream] ? "" : `${prefix}${timestamps ? `${rfc3339(timeNs)} ` : ""}`;
    const parts = [Buffer.from(head), bytes, partial ? Buffer.alloc(0) : NEWLINE];
    output[stream === "stdout" ? "out" : "error"](Buffer.concat(parts));
    within[stream] = partial;
  }
}

/** `2024-01-31T13:05:00.123456789Z` */
function rfc3339(timeNs: bigint): string {
  const whole = new Date(Number(timeNs / NS_PER_MS)).toISOString().slice(0, 19);
  return `${whole}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}Z`;
}
