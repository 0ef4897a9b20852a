/** What was given for the flags of a command. Asking for a flag that the command hasn't, or as another kind, is a defect. */
import { assert } from "../../core/error.ts";
import type { Flag } from "./flag.ts";

export class ParsedFlags {
  readonly operands: string[] = [];
  readonly #flags: readonly Flag[];
  readonly #values = new Map<string, (string | boolean)[]>();

  constructor(flags: readonly Flag[]) {
    this.#flags = flags;
  }

  add(flag: Flag, value: string | boolean): void {
    const values = this.#values.get(flag.long);
    if (values === undefined) this.#values.set(flag.long, [value]);
    else values.push(value);
  }

  /** It was given, with whatever value. */
  has(long: string): boolean {
    return this.#of(long).length > 0;
  }

  /** The last one wins. */
  isOn(long: string): boolean {
    return this.#of(long, "switch").at(-1) === true;
  }

  text(long: string): string | undefined {
    return this.#of(long, "text").at(-1) as string | undefined;
  }

  integer(long: string): number | undefined {
    const value = this.#of(long, "integer", "unsigned").at(-1);
    return value === undefined ? undefined : Number(value);
  }

  /** In the order given. */
  list(long: string): string[] {
    return this.#of(long, "list") as string[];
  }

  #of(long: string, ...kinds: Flag["kind"][]): (string | boolean)[] {
    const flag = this.#flags.find((candidate) => candidate.long === long);
    const fits = flag !== undefined && (kinds.length === 0 || kinds.includes(flag.kind));
    assert(fits, `--${long} is a flag of this command, a ${kinds.join(" or ")}`);
    return this.#values.get(long) ?? [];
  }
}
