/** Help texts in podman's shape, from what commander knows of a command. */
import type { Command, Help } from "commander";
import type { Flag } from "./flags/flag.ts";

/** As commander declares an option: `-e, --env <name=value>`. */
export function helpOptionFlags(flag: Flag): string {
  const names = flag.short === undefined ? `--${flag.long}` : `-${flag.short}, --${flag.long}`;
  return flag.kind === "switch" ? names : `${names} <${flag.value ?? flag.kind}>`;
}

/** @see https://github.com/tj/commander.js/blob/master/docs/help-in-depth.md */
export function podmanHelp(command: Command, helper: Help, examples: readonly string[] = []): string {
  const path = commandPath(command);
  const isGroup = command.commands.length > 0;
  const sections = [command.summary()];
  if (command.parent !== null) sections.push(`Description:\n${indented(command.description())}`);
  const usage = isGroup ? `${command.parent === null ? "[options] " : ""}[command]` : command.usage();
  sections.push(`Usage:\n  ${path} ${usage}`);
  if (command.aliases().length > 0)
    sections.push(`Aliases:\n  ${[command.name(), ...command.aliases()].join(", ")}`);

  if (examples.length > 0) sections.push(`Examples:\n${indented(examples.join("\n"))}`);

  const commands = helper.visibleCommands(command);
  if (commands.length > 0) {
    const rows = commands.map((sub) => [sub.name(), sub.summary()] as const);
    sections.push(`Available Commands:\n${columns(rows)}`);
  }
  const options = helper.visibleOptions(command);
  if (options.length > 0) {
    const rows = options
      .sort((left, right) => (left.long! < right.long! ? -1 : 1))
      .map((option) => {
        const shown = option.flags.replace(/<(.*)>$/, "$1");
        const note =
          option.defaultValueDescription === undefined
            ? ""
            : ` (default "${option.defaultValueDescription}")`;
        return [shown.startsWith("--") ? `    ${shown}` : shown, `${option.description}${note}`] as const;
      });
    sections.push(`Options:\n${columns(rows)}`);
  }
  return `${sections.join("\n\n")}\n`;
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([term]) => term.length));
  return rows.map(([term, text]) => `  ${term.padEnd(width)}  ${text}`).join("\n");
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}
