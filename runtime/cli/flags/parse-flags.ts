/**
 * Reads flags as docker and podman do, whose parser is Go's pflag: commander can neither take `--rm=false` nor give the
 * messages that scripts and people know.
 *
 * @see https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax
 */
import { WpodError } from "../../core/error.ts";
import { type Flag, flagName } from "./flag.ts";
import { ParsedFlags } from "./parsed-flags.ts";

export interface FlagRules {
  flags: readonly Flag[];
  /** Flags may follow operands. Not for `run`: what follows the image belongs to the guest. */
  interspersed: boolean;
  /** `wpod run`: where the messages send the reader. */
  command: string;
}

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** @throws WpodError USAGE as pflag says it; UNSUPPORTED for what comes later */
export function parseFlags(args: readonly string[], rules: FlagRules): ParsedFlags {
  const parsed = new ParsedFlags(rules.flags);
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    if (arg === "--") {
      parsed.operands.push(...args.slice(index + 1));
      break;
    }
    if (arg.length < 2 || arg[0] !== "-") {
      if (!rules.interspersed) {
        parsed.operands.push(...args.slice(index));
        break;
      }
      parsed.operands.push(arg);
      continue;
    }
    const next = args[index + 1];
    const taken = arg.startsWith("--")
      ? readLong(arg, next, rules, parsed)
      : readShort(arg, next, rules, parsed);
    if (taken) index++;
  }
  return parsed;
}

/** @returns whether the next argument was its value */
function readLong(arg: string, next: string | undefined, rules: FlagRules, parsed: ParsedFlags): boolean {
  const equals = arg.indexOf("=");
  const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
  if (name === "" || name.startsWith("-")) throw refuse(`bad flag syntax: ${arg}`, rules);
  const flag = rules.flags.find(({ long }) => long === name);
  if (flag === undefined) throw refuse(`unknown flag: --${name}`, rules);
  if (equals >= 0) {
    store(flag, arg.slice(equals + 1), rules, parsed);
    return false;
  }
  if (flag.kind === "switch") {
    store(flag, "true", rules, parsed);
    return false;
  }
  if (next === undefined) throw refuse(`flag needs an argument: --${name}`, rules);
  store(flag, next, rules, parsed);
  return true;
}

/** `-i`, `-it`, `-eA=b`, `-e=A=b`. @returns whether the next argument was its value */
function readShort(arg: string, next: string | undefined, rules: FlagRules, parsed: ParsedFlags): boolean {
  let rest = arg.slice(1);
  while (rest !== "") {
    const letter = rest[0]!;
    const flag = rules.flags.find(({ short }) => short === letter);
    if (flag === undefined) throw refuse(`unknown shorthand flag: '${letter}' in -${rest}`, rules);
    if (rest.length > 2 && rest[1] === "=") {
      store(flag, rest.slice(2), rules, parsed);
      return false;
    }
    if (flag.kind === "switch") {
      store(flag, "true", rules, parsed);
      rest = rest.slice(1);
      continue;
    }
    if (rest.length > 1) {
      store(flag, rest.slice(1), rules, parsed);
      return false;
    }
    if (next === undefined) throw refuse(`flag needs an argument: '${letter}' in -${rest}`, rules);
    store(flag, next, rules, parsed);
    return true;
  }
  return false;
}

function store(flag: Flag, text: string, rules: FlagRules, parsed: ParsedFlags): void {
  const value = flag.kind === "switch" ? toBoolean(flag, text, rules) : text;
  if (flag.kind === "integer" || flag.kind === "unsigned") checkInteger(flag, text, rules);
  if (flag.later !== undefined) {
    const harmless = flag.unless ?? (flag.kind === "switch" ? "false" : undefined);
    if (String(value) === harmless) return;
    throw new WpodError("UNSUPPORTED", `--${flag.long} is not supported yet: ${flag.later}`, {
      hint: `'${rules.command} --help' lists the flags that are`,
    });
  }
  parsed.add(flag, value);
}

function toBoolean(flag: Flag, text: string, rules: FlagRules): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw invalidValue(flag, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`, rules);
}

function checkInteger(flag: Flag, text: string, rules: FlagRules): void {
  const [syntax, name, min, max] =
    flag.kind === "unsigned"
      ? ([/^\d+$/, "ParseUint", 0n, (1n << 64n) - 1n] as const)
      : ([/^[+-]?\d+$/, "ParseInt", -(1n << 63n), (1n << 63n) - 1n] as const);
  if (!syntax.test(text)) {
    throw invalidValue(flag, text, `strconv.${name}: parsing ${JSON.stringify(text)}: invalid syntax`, rules);
  }
  const value = BigInt(text.replace("+", ""));
  if (value < min || value > max) {
    throw invalidValue(
      flag,
      text,
      `strconv.${name}: parsing ${JSON.stringify(text)}: value out of range`,
      rules,
    );
  }
}

function invalidValue(flag: Flag, text: string, why: string, rules: FlagRules): WpodError {
  return refuse(`invalid argument ${JSON.stringify(text)} for "${flagName(flag)}" flag: ${why}`, rules);
}

function refuse(message: string, { command }: FlagRules): WpodError {
  return new WpodError("USAGE", message, { hint: `See '${command} --help'` });
}
