/**
 * What a terminal does with keys before a program reads them: lines that can be edited, their echo, and the keys that
 * are signals. Pure; behaves as the N_TTY of Linux with its default settings, IUTF8 and without IXON.
 *
 * @see termios(3), drivers/tty/n_tty.c of Linux
 */
import { TERMINAL_LINE_BYTES_MAX } from "./limits.ts";
import { SETTINGS_DEFAULT, type TerminalSettings } from "./settings.ts";

const BACKSPACE = 0x08;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const CARET = 0x5e;
const UNDERSCORE = 0x5f;
const TAB_COLUMNS = 8;

/** Keys with a meaning, as `stty -a` names them. */
const Key = {
  INTR: 0x03, // ^C
  EOF: 0x04, // ^D
  REPRINT: 0x12, // ^R
  KILL: 0x15, // ^U
  LNEXT: 0x16, // ^V
  WERASE: 0x17, // ^W
  SUSP: 0x1a, // ^Z
  QUIT: 0x1c, // ^\
  ERASE: 0x7f, // backspace
} as const;

/** "ignored" is ^Z: a container has no shell that would let it go on. */
const SIGNAL_KEYS: ReadonlyMap<number, "SIGINT" | "SIGQUIT" | "ignored"> = new Map([
  [Key.INTR, "SIGINT"],
  [Key.QUIT, "SIGQUIT"],
  [Key.SUSP, "ignored"],
]);

export interface Received {
  /** What the program reads: a read never gets bytes of two of them in canonical mode. An empty one is an end of file, once. */
  readonly toGuest: readonly Uint8Array<ArrayBuffer>[];
  /** What the terminal shows. */
  readonly echo: Uint8Array<ArrayBuffer>;
  readonly signals: readonly ("SIGINT" | "SIGQUIT")[];
}

export class LineDiscipline {
  #settings: TerminalSettings;
  /** The line that is being edited. */
  #line: number[] = [];
  #literalNext = false;
  /** Where the cursor stands, as far as the terminal's width doesn't matter; and where the line began. */
  #column = 0;
  #lineColumn = 0;
  #toGuest: Uint8Array<ArrayBuffer>[] = [];
  #echo: number[] = [];
  #signals: ("SIGINT" | "SIGQUIT")[] = [];

  constructor(settings: TerminalSettings = SETTINGS_DEFAULT) {
    this.#settings = settings;
  }

  /** Takes what was typed. */
  receive(bytes: Uint8Array): Received {
    for (const byte of bytes) {
      // Linux keeps the last byte of a line that is too long until another one comes, so that it can be a newline.
      if (this.#settings.canonical && this.#line.length >= TERMINAL_LINE_BYTES_MAX) this.#line.pop();
      this.#receiveByte(byte);
    }
    if (!this.#settings.canonical) this.#finishLine();
    return this.#answer();
  }

  /** What was typed of a line that isn't finished can be read at once when there are no lines any more. */
  configure(settings: TerminalSettings): Received {
    const lines = this.#settings.canonical;
    this.#settings = settings;
    if (lines && !settings.canonical) {
      this.#literalNext = false;
      this.#finishLine();
    }
    return this.#answer();
  }

  /** Nothing more will be typed: an unfinished line is the last one. */
  hangUp(): Received {
    this.#finishLine();
    return this.#answer();
  }

  /** Follows the cursor through what the program wrote, in the form in which the terminal gets it. */
  written(bytes: Uint8Array): void {
    // Wherever it stood before the last return, it is at the beginning behind it.
    for (let index = Math.max(0, bytes.lastIndexOf(RETURN)); index < bytes.length; index++) {
      this.#moveCursor(bytes[index]!);
    }
  }

  #answer(): Received {
    const echo = Uint8Array.from(this.#echo);
    const answer = { toGuest: this.#toGuest, echo, signals: this.#signals };
    this.#toGuest = [];
    this.#echo = [];
    this.#signals = [];
    return answer;
  }

  #receiveByte(byte: number): void {
    const { canonical, echo, signals, returnToNewline } = this.#settings;
    if (this.#literalNext) {
      this.#literalNext = false;
      this.#keep(byte);
      return;
    }
    const signal = SIGNAL_KEYS.get(byte);
    if (signals && signal !== undefined) {
      this.#line = [];
      if (signal !== "ignored") this.#signals.push(signal);
      if (echo) this.#show(byte);
      return;
    }
    const key = byte === RETURN && returnToNewline ? NEWLINE : byte;
    if (canonical) this.#edit(key);
    else if (key !== byte) {
      // Without lines a newline that was typed as such is shown as ^J.
      if (echo) this.#showRaw(key);
      this.#line.push(key);
    } else this.#keep(key);
  }

  #edit(key: number): void {
    const { echo } = this.#settings;
    switch (key) {
      case Key.ERASE:
        this.#eraseCharacter();
        break;
      case Key.WERASE:
        this.#eraseWord();
        break;
      case Key.KILL:
        // Bytes that are no UTF-8 stay where the terminal would have to show what has gone.
        if (echo) while (this.#eraseCharacter());
        else this.#line = [];
        break;
      case Key.LNEXT:
        this.#literalNext = true;
        if (echo) this.#showRaw(CARET, BACKSPACE);
        break;
      case Key.REPRINT:
        if (!echo) {
          this.#keep(key);
          break;
        }
        this.#show(key);
        this.#showRaw(NEWLINE);
        for (const byte of this.#line) this.#show(byte);
        break;
      case NEWLINE:
        if (echo) this.#showRaw(NEWLINE);
        this.#line.push(NEWLINE);
        this.#finishLine();
        break;
      case Key.EOF:
        this.#toGuest.push(Uint8Array.from(this.#line));
        this.#line = [];
        break;
      default:
        this.#keep(key);
    }
  }

  #finishLine(): void {
    if (this.#line.length === 0) return;
    this.#toGuest.push(Uint8Array.from(this.#line));
    this.#line = [];
  }

  /** A byte without a meaning. */
  #keep(byte: number): void {
    if (this.#settings.echo) {
      if (this.#line.length === 0) this.#lineColumn = this.#column;
      this.#show(byte);
    }
    this.#line.push(byte);
  }

  /** @returns false when there is nothing left that could go */
  #eraseCharacter(): boolean {
    const start = this.#lastCharacter();
    if (start < 0) return false;
    this.#eraseFrom(start);
    return true;
  }

  /** What stands behind the last word goes, then the word. */
  #eraseWord(): void {
    let seenWord = false;
    for (let start = this.#lastCharacter(); start >= 0; start = this.#lastCharacter()) {
      if (isWordByte(this.#line[start]!)) seenWord = true;
      else if (seenWord) return;
      this.#eraseFrom(start);
    }
  }

  /** Where the last character of UTF-8 begins; negative when the line has none. */
  #lastCharacter(): number {
    let start = this.#line.length - 1;
    while (start >= 0 && isContinuation(this.#line[start]!)) start--;
    return start;
  }

  #eraseFrom(start: number): void {
    const first = this.#line[start]!;
    this.#line.length = start;
    if (!this.#settings.echo) return;
    if (first === TAB) this.#eraseTab();
    else
      for (let left = isControl(first) ? 2 : 1; left > 0; left--) this.#showRaw(BACKSPACE, SPACE, BACKSPACE);
  }

  /** The line doesn't say how wide a tab was: it is counted again from the tab before it, or from where the line began. */
  #eraseTab(): void {
    let columns = 0;
    let index = this.#line.length - 1;
    for (; index >= 0 && this.#line[index] !== TAB; index--) {
      const byte = this.#line[index]!;
      if (isControl(byte)) columns += 2;
      else if (!isContinuation(byte)) columns++;
    }
    if (index < 0) columns += this.#lineColumn;
    for (let left = TAB_COLUMNS - (columns % TAB_COLUMNS); left > 0; left--) this.#showRaw(BACKSPACE);
  }

  /** Control characters are shown as ^X. */
  #show(byte: number): void {
    if (isControl(byte) && byte !== TAB) this.#showRaw(CARET, byte ^ 0x40);
    else this.#showRaw(byte);
  }

  #showRaw(...bytes: number[]): void {
    for (const byte of bytes) {
      if (byte === NEWLINE && this.#settings.newlineToReturnNewline) {
        this.#echo.push(RETURN);
        this.#moveCursor(RETURN);
      }
      this.#echo.push(byte);
      this.#moveCursor(byte);
    }
  }

  #moveCursor(byte: number): void {
    // A line that goes on in a new one, as after ^R, begins there.
    if (byte === RETURN) this.#column = this.#lineColumn = 0;
    else if (byte === BACKSPACE) this.#column = Math.max(0, this.#column - 1);
    else if (byte === TAB) this.#column += TAB_COLUMNS - (this.#column % TAB_COLUMNS);
    else if (!isControl(byte) && !isContinuation(byte)) this.#column++;
  }
}

function isControl(byte: number): boolean {
  return byte < 0x20 || byte === 0x7f;
}

/** Of a character of UTF-8, but its first byte. */
function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** Letters, digits and `_`; beyond ASCII what is a letter in Latin-1, as the kernel's table has it. */
function isWordByte(byte: number): boolean {
  if (byte >= 0xc0) return byte !== 0xd7 && byte !== 0xf7;
  return /[0-9A-Za-z]/.test(String.fromCharCode(byte)) || byte === UNDERSCORE;
}
