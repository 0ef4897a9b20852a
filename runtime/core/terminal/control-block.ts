/**
 * What the two threads of a terminal tell each other: the guest how its keys are treated, the engine how large it is.
 *
 * Layout, in `Int32` slots:
 *
 * | slot | what | written by | who waits |
 * |---|---|---|---|
 * | 0 | settings, as `SettingsBits` | guest | engine, on slot 2 |
 * | 1 | size: columns << 16, rows | engine | guest, on its own bell |
 * | 2 | bell of the engine | guest | engine |
 * | 3 | what is left of the record that is being read, plus 1; 0: none is | guest | nobody |
 *
 * The last one is here, and not with its reader, because another thread may go on reading.
 */
import { assert } from "../error.ts";
import { Bell } from "../ipc/bell.ts";
import { TERMINAL_SIZE_MAX } from "./limits.ts";
import { decodeSettings, encodeSettings, SETTINGS_DEFAULT, type TerminalSettings } from "./settings.ts";

/** In characters; 0 is unknown. */
export interface TerminalSize {
  columns: number;
  rows: number;
}

/** Shared memory; goes by reference from thread to thread. */
export interface TerminalBuffers {
  control: SharedArrayBuffer;
  /** Rings: records for the guest, bytes for the terminal. */
  input: SharedArrayBuffer;
  output: SharedArrayBuffer;
}

const SETTINGS = 0;
const SIZE = 1;
const BELL_OFFSET_BYTES = 8;
const RECORD = 3;
const SIZE_BYTES = 16;

export class ControlBlock {
  readonly buffer: SharedArrayBuffer;
  readonly hostBell: Bell;
  readonly #slots: Int32Array<SharedArrayBuffer>;

  static create(size: TerminalSize): ControlBlock {
    const block = new ControlBlock(new SharedArrayBuffer(SIZE_BYTES));
    Atomics.store(block.#slots, SETTINGS, encodeSettings(SETTINGS_DEFAULT));
    block.resize(size);
    return block;
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.hostBell = new Bell(buffer, BELL_OFFSET_BYTES);
    this.#slots = new Int32Array(buffer, 0, SIZE_BYTES / 4);
  }

  /** As `SettingsBits`: a number that changes when a setting does. */
  get settingsBits(): number {
    return Atomics.load(this.#slots, SETTINGS);
  }

  get settings(): TerminalSettings {
    const settings = decodeSettings(this.settingsBits);
    assert(settings !== undefined, "a terminal's settings were checked when they were set");
    return settings;
  }

  /** They hold for every key that the engine hasn't seen yet. */
  configure(settings: TerminalSettings): void {
    Atomics.store(this.#slots, SETTINGS, encodeSettings(settings));
    this.hostBell.ring();
  }

  /** Bytes; undefined: the next thing in the ring is a header. */
  get recordLeft(): number | undefined {
    const stored = Atomics.load(this.#slots, RECORD);
    return stored === 0 ? undefined : stored - 1;
  }

  set recordLeft(bytes: number | undefined) {
    Atomics.store(this.#slots, RECORD, bytes === undefined ? 0 : bytes + 1);
  }

  get size(): TerminalSize {
    const packed = Atomics.load(this.#slots, SIZE);
    return { columns: packed >>> 16, rows: packed & 0xffff };
  }

  /** Ring the guest's bell afterwards. */
  resize({ columns, rows }: TerminalSize): void {
    Atomics.store(this.#slots, SIZE, (columns << 16) | rows);
  }
}

/** Whether a terminal can have this size. */
export function isTerminalSize({ columns, rows }: TerminalSize): boolean {
  return [columns, rows].every(
    (count) => Number.isInteger(count) && count >= 0 && count <= TERMINAL_SIZE_MAX,
  );
}
