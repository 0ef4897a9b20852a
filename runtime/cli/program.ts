/** The tree of commands: commander finds the verb, loads it, and prints help; our own parser reads the flags. */
import { Command, Option, type ParseOptionsResult } from "commander";
import { WpodError } from "../core/error.ts";
import { editDistance } from "../core/format/edit-distance.ts";
import type { CommandSpec } from "./command.ts";
import type { Context } from "./context.ts";
import { EarlyEnd } from "./early-end.ts";
import { exitStatus } from "./exit.ts";
import { type Flag, GLOBAL_FLAGS, HELP_FLAG } from "./flags/flag.ts";
import { parseFlags } from "./flags/parse-flags.ts";
import { ParsedFlags } from "./flags/parsed-flags.ts";
import { helpOptionFlags, podmanHelp } from "./help.ts";
import { checkLogLevel } from "./log-level.ts";
import { report } from "./report.ts";
import { type Group, LATER_VERBS, TREE, type Verb } from "./verbs.ts";

const NAME = "wpod";
const VERSION_FLAG: Flag = { long: "version", short: "v", kind: "switch", help: "Print the version" };

/** What is known of the command while it runs. */
interface Session {
  readonly context: Context;
  /** What exit statuses are looked up by; "" until the verb is known. */
  verb: string;
  /** Answer of the command. */
  status: number;
}

/**
 * Reads the command line, does what it says, prints what is wrong.
 * @param args what follows the program's name
 * @returns the exit status
 */
export async function runCommandLine(args: readonly string[], context: Context): Promise<number> {
  const session: Session = { context, verb: "", status: 0 };
  try {
    // A command that is named first needs no others beside it: that is most of what the tree costs at the start.
    const named = TREE.filter(({ name }) => name === args[0]);
    await new Root(session, named.length > 0 ? named : TREE).parseAsync([...args], { from: "user" });
    return session.status;
  } catch (error) {
    report(error, context.output, context.environment);
    if (error instanceof EarlyEnd) return error.status;
    return error instanceof WpodError
      ? exitStatus(error.code, session.verb)
      : exitStatus("USAGE", session.verb);
  }
}

/** What all nodes of the tree have in common: the way their help looks. */
class Node extends Command {
  protected readonly session: Session;

  constructor(session: Session, name: string, summary: string) {
    super(name);
    this.session = session;
    this.summary(summary).description(summary).helpOption(false).helpCommand(false);
    this.configureHelp({ formatHelp: (command, helper) => podmanHelp(command, helper) }).configureOutput({
      writeOut: (text) => session.context.output.out(text),
    });
  }

  /** `wpod image ls`, as messages name it. */
  get path(): string {
    return this.parent instanceof Node ? `${this.parent.path} ${this.name()}` : this.name();
  }

  protected printHelp(flags: readonly Flag[]): void {
    for (const flag of flags) {
      if (flag.later !== undefined || flag.hidden) continue;
      const option = new Option(helpOptionFlags(flag), flag.help);
      if (flag.default !== undefined) option.default(undefined, flag.default);
      this.addOption(option);
    }
    this.outputHelp();
  }
}

/** A node whose operand is the name of another one. */
class Branch extends Node {
  readonly #flags: readonly Flag[];

  constructor(
    session: Session,
    name: string,
    summary: string,
    flags: readonly Flag[],
    tree: readonly (Verb | Group)[],
  ) {
    super(session, name, summary);
    this.#flags = flags;
    for (const item of tree) {
      this.addCommand(
        "verbs" in item
          ? new Branch(
              session,
              item.name,
              item.summary,
              [...GLOBAL_FLAGS, { ...HELP_FLAG, short: "h" }],
              item.verbs,
            )
          : new Leaf(session, item),
      );
    }
    this.hook("preSubcommand", async (_, command) => {
      if (command instanceof Leaf) await command.load();
    });
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    const rules = { flags: this.#flags, interspersed: false, command: this.path };
    const parsed = parseFlags(args, rules);
    checkLogLevel(parsed.text("log-level"));
    if (parsed.isOn("help")) {
      this.printHelp(this.#flags);
      throw new EarlyEnd(0);
    }
    this.answer(parsed);
    const [verb, ...rest] = parsed.operands;
    if (verb === undefined) this.#refuseNothing();
    if (verb === "help" && this.parent === null) return this.parseOptions([...rest, "--help"]);
    if (this.commands.some((command) => command.name() === verb || command.aliases().includes(verb))) {
      return { operands: [verb], unknown: rest };
    }
    // A wrong flag is told first, wherever it stands.
    parseFlags(rest, { ...rules, interspersed: true });
    return this.#refuseVerb(verb);
  }

  /** Flags that are answered without a verb. */
  protected answer(_flags: ParsedFlags): void {}

  #refuseNothing(): never {
    this.printHelp(this.#flags);
    throw new WpodError("USAGE", `missing command '${this.path} COMMAND'`);
  }

  #refuseVerb(verb: string): never {
    const see = `Try '${this.path} --help' for more information`;
    if (this.parent === null && LATER_VERBS.has(verb)) {
      throw new WpodError("UNSUPPORTED", `\`${this.path} ${verb}\` is not supported yet`, { hint: see });
    }
    const alike = this.commands.map((command) => command.name()).filter((name) => isAlike(name, verb));
    const hint = alike.length === 0 ? see : `\nDid you mean this?\n\t${alike.join("\n\t")}\n\n${see}`;
    throw new WpodError("USAGE", `unrecognized command \`${this.path} ${verb}\``, { hint });
  }
}

class Root extends Branch {
  constructor(session: Session, tree: readonly (Verb | Group)[]) {
    const flags = [...GLOBAL_FLAGS, VERSION_FLAG, { ...HELP_FLAG, short: "h" }];
    super(session, NAME, "Manage pods, containers and images", flags, tree);
  }

  protected override answer(flags: ParsedFlags): void {
    if (!flags.isOn("version")) return;
    this.session.context.output.out(`${NAME} version ${this.session.context.version}\n`);
    throw new EarlyEnd(0);
  }
}

class Leaf extends Node {
  readonly #verb: Verb;
  #spec: CommandSpec | undefined;
  #flags: readonly Flag[] = [];
  #parsed = new ParsedFlags([]);

  constructor(session: Session, verb: Verb) {
    super(session, verb.name, verb.summary);
    this.#verb = verb;
    this.aliases(verb.aliases ?? []).allowExcessArguments();
    this.action(() => this.#run());
  }

  async load(): Promise<void> {
    const { command } = await this.#verb.load();
    this.#spec = command;
    this.session.verb = this.#verb.of ?? this.#verb.name;
    const help = command.flags.some(({ short }) => short === "h") ? HELP_FLAG : { ...HELP_FLAG, short: "h" };
    this.#flags = [...command.flags, ...GLOBAL_FLAGS, help];
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    const spec = this.#spec!;
    this.#parsed = parseFlags(args, {
      flags: this.#flags,
      interspersed: spec.flagsFirst !== true,
      command: this.path,
    });
    checkLogLevel(this.#parsed.text("log-level"));
    if (this.#parsed.isOn("help")) {
      this.description(spec.description).usage(["[options]", spec.operands].join(" ").trim());
      this.configureHelp({
        formatHelp: (command, helper) => podmanHelp(command, helper, spec.examples),
      });
      this.printHelp(this.#flags);
      throw new EarlyEnd(0);
    }
    return { operands: [...this.#parsed.operands], unknown: [] };
  }

  async #run(): Promise<void> {
    const spec = this.#spec!;
    const problem = spec.checkOperands?.(this.#parsed.operands, this.#parsed, this.path);
    if (problem !== undefined) throw new WpodError("USAGE", problem, { hint: `See '${this.path} --help'` });
    this.session.status = (await spec.run(this.session.context, this.#parsed)) ?? 0;
  }
}

/** One or two letters wrong, or the beginning of the word. */
function isAlike(name: string, typed: string): boolean {
  return name.startsWith(typed.toLowerCase()) || editDistance(name, typed.toLowerCase()) <= 2;
}
