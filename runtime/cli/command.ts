/** What one command is: its flags, its words, and what it does. Each verb's module exports one. */
import type { Context } from "./context.ts";
import type { Flag } from "./flags/flag.ts";
import type { ParsedFlags } from "./flags/parsed-flags.ts";

export interface CommandSpec {
  readonly flags: readonly Flag[];
  /** How its operands look in the usage line: `IMAGE [COMMAND [ARG...]]`; "" when it takes none. */
  readonly operands: string;
  /** More than the one line of the table of verbs. */
  readonly description: string;
  readonly examples: readonly string[];
  /** Flags only before the first operand. */
  readonly flagsFirst?: boolean;
  /** The sentence that is wrong with this count of operands; undefined when it fits. */
  readonly checkOperands?: (
    operands: readonly string[],
    flags: ParsedFlags,
    command: string,
  ) => string | undefined;
  /** @returns the exit status; nothing is 0 */
  run(context: Context, flags: ParsedFlags): Promise<number | undefined>;
}

/** podman's words for too few operands. */
export function atLeast(count: number): NonNullable<CommandSpec["checkOperands"]> {
  return ({ length }) =>
    length >= count ? undefined : `requires at least ${count} arg(s), only received ${length}`;
}

export function none(operands: readonly string[], _flags: ParsedFlags, command: string): string | undefined {
  return operands.length === 0 ? undefined : `\`${command}\` takes no arguments`;
}

export function atMost(count: number): NonNullable<CommandSpec["checkOperands"]> {
  return ({ length }) =>
    length <= count ? undefined : `accepts at most ${count} arg(s), received ${length}`;
}

export function between(min: number, max: number): NonNullable<CommandSpec["checkOperands"]> {
  return ({ length }) =>
    length >= min && length <= max
      ? undefined
      : `accepts between ${min} and ${max} arg(s), received ${length}`;
}
