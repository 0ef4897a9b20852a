/** What a command gets of the process: nothing is taken from globals, so that a test can give it something else. */
import type { Engine } from "../engine/index.ts";

export interface Context {
  /** Opened when it is first asked for. */
  engine(): Engine;
  readonly output: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  nowMs(): number;
}

/** Text for the two streams. Written at once, and whole. */
export interface Output {
  out(text: string | Uint8Array): void;
  error(text: string | Uint8Array): void;
}
