/** A flag of a command, as data: the parser, the help text and the list of what comes later read the same table. */

export interface Flag {
  readonly long: string;
  readonly short?: string;
  /** `list` may be given several times, `switch` takes no value unless it is written `--flag=false`. */
  readonly kind: "switch" | "text" | "list" | "integer" | "unsigned";
  /** What stands for the value in the help text. Default: the kind. */
  readonly value?: string;
  readonly help: string;
  /** Shown in the help text. */
  readonly default?: string;
  /** docker has it, wpod doesn't yet: it is refused by name, with this reason. */
  readonly later?: string;
  /** A value of such a flag that says what wpod does anyway: taken. A switch's default is "false". */
  readonly unless?: string;
  /** Taken, and not in the help text: another name of a flag. */
  readonly hidden?: boolean;
}

/** What every command takes, before or after its name. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  {
    long: "log-level",
    kind: "text",
    value: "string",
    default: "warn",
    help: "Log messages at or above this level: trace, debug, info, warn, warning, error, fatal, panic",
  },
];

export const HELP_FLAG: Flag = { long: "help", kind: "switch", help: "Print usage" };

/** `-m, --memory`, or `--rm`: how messages name it. */
export function flagName({ short, long }: Flag): string {
  return short === undefined ? `--${long}` : `-${short}, --${long}`;
}
