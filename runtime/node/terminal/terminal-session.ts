/** The engine's half of a container's terminal: keys go through the line discipline to the guest, its echo to whoever looks. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Bell } from "../../core/ipc/bell.ts";
import { Ring } from "../../core/ipc/ring.ts";
import { ControlBlock, type TerminalSize } from "../../core/terminal/control-block.ts";
import { TERMINAL_ECHO_BYTES_MAX, TERMINAL_INPUT_BYTES_MAX } from "../../core/terminal/limits.ts";
import { LineDiscipline, type Received } from "../../core/terminal/line-discipline.ts";
import { recordBytesMax, writeRecord } from "../../core/terminal/record-ring.ts";

export interface SessionParts {
  size: TerminalSize;
  /** What the guest's thread waits on. */
  bell: Bell;
  /** Hands on what is shown. */
  show: (bytes: Uint8Array) => unknown;
  /** Nothing is shown before. */
  ready: Promise<void>;
  signal: (name: "SIGINT" | "SIGQUIT") => void;
}

export class TerminalSession {
  readonly control: ControlBlock;
  readonly input: Ring;
  readonly #bell: Bell;
  readonly #show: SessionParts["show"];
  readonly #signal: SessionParts["signal"];
  readonly #discipline = new LineDiscipline();
  #settingsBits: number;
  /** Output and echo in their order. */
  #shown: Promise<void>;
  #echoBytes = 0;
  /** Records for the guest in their order. */
  #delivered: Promise<void> = Promise.resolve();
  #finished = false;

  constructor(parts: SessionParts) {
    this.control = ControlBlock.create(parts.size);
    this.input = Ring.create(TERMINAL_INPUT_BYTES_MAX, parts.bell);
    this.#bell = parts.bell;
    this.#show = parts.show;
    this.#signal = parts.signal;
    this.#shown = parts.ready;
    this.#settingsBits = this.control.settingsBits;
    void this.#followSettings();
  }

  /** Takes keys until the source ends, or the session; then the guest's reads are at their end. Never rejects. */
  async feed(source: AsyncIterator<Uint8Array | string>): Promise<void> {
    try {
      for (let next = await source.next(); !next.done && !this.#finished; next = await source.next()) {
        this.#configure();
        const bytes = typeof next.value === "string" ? Buffer.from(next.value) : next.value;
        await this.#pass(this.#discipline.receive(bytes));
      }
    } catch {
      // The terminal has gone.
    }
    await this.#pass(this.#discipline.hangUp());
    this.input.end();
    this.#bell.ring();
  }

  /** Shows what the guest wrote. Rejects when nobody takes it. */
  async written(bytes: Uint8Array): Promise<void> {
    this.#discipline.written(bytes);
    await this.#queue(bytes);
    // A guest that writes without end must not keep this thread from the key that ends it.
    await nextTurn();
  }

  resize(size: TerminalSize): void {
    this.control.resize(size);
    this.#bell.ring();
  }

  /** When everything was shown that there is until now. */
  get shown(): Promise<void> {
    return this.#shown;
  }

  /** The guest has gone. */
  finish(): void {
    this.#finished = true;
    this.input.abandon();
    this.input.hostBell.ring();
    this.control.hostBell.ring();
  }

  /** What was typed of a line has to come at once when there are no lines any more, also when nothing more is typed. */
  async #followSettings(): Promise<void> {
    while (!this.#finished) {
      const seen = this.control.hostBell.now();
      this.#configure();
      await this.control.hostBell.later(seen);
      // One that changes them without end has no more of this thread than one that writes.
      await nextTurn();
    }
  }

  #configure(): void {
    const bits = this.control.settingsBits;
    if (bits === this.#settingsBits) return;
    this.#settingsBits = bits;
    void this.#pass(this.#discipline.configure(this.control.settings));
  }

  /** Waits for room: keys that a guest doesn't read stay where they come from. */
  #pass({ echo, signals, toGuest }: Received): Promise<void> {
    this.#showEcho(echo);
    for (const name of signals) this.#signal(name);
    if (toGuest.length > 0) this.#delivered = this.#delivered.then(() => this.#deliver(toGuest));
    return this.#delivered;
  }

  async #deliver(records: readonly Uint8Array[]): Promise<void> {
    const bytesMax = recordBytesMax(this.input);
    for (const record of records) {
      let start = 0;
      do {
        await this.#deliverRecord(record.subarray(start, start + bytesMax));
        start += bytesMax;
      } while (start < record.length);
    }
  }

  async #deliverRecord(record: Uint8Array): Promise<void> {
    for (;;) {
      const seen = this.input.hostBell.now();
      if (this.input.broken) return;
      if (writeRecord(this.input, record)) break;
      await this.input.hostBell.later(seen);
    }
    this.#bell.ring();
  }

  #showEcho(echo: Uint8Array): void {
    const count = echo.length;
    if (count === 0 || this.#echoBytes > TERMINAL_ECHO_BYTES_MAX) return;
    this.#echoBytes += count;
    this.#queue(echo)
      .catch(() => {})
      .finally(() => (this.#echoBytes -= count));
  }

  #queue(bytes: Uint8Array): Promise<void> {
    const shown = this.#shown.then(async () => void (await this.#show(bytes)));
    this.#shown = shown.catch(() => {});
    return shown;
  }
}
