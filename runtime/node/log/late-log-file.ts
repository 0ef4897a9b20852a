/** A log whose folder comes later: opened at the first record. One that can't be opened loses its records, as one that is full. */
import type { LogStream } from "../../core/log/cri.ts";
import { LogFile } from "./log-file.ts";

export class LateLogFile {
  readonly #parameters: ConstructorParameters<typeof LogFile>;
  #file: LogFile | undefined;

  constructor(...parameters: ConstructorParameters<typeof LogFile>) {
    this.#parameters = parameters;
  }

  append(stream: LogStream, text: Uint8Array): number {
    try {
      this.#file ??= new LogFile(...this.#parameters);
    } catch {
      return 0;
    }
    return this.#file.append(stream, text);
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
