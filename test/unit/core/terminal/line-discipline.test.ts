import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TERMINAL_LINE_BYTES_MAX } from "../../../../runtime/core/terminal/limits.ts";
import { LineDiscipline, type Received } from "../../../../runtime/core/terminal/line-discipline.ts";
import { addReturns } from "../../../../runtime/core/terminal/output-processing.ts";
import { SETTINGS_DEFAULT, type TerminalSettings } from "../../../../runtime/core/terminal/settings.ts";
import { askKernel, type KeyCase, type Seen } from "../../../fixtures/terminal/kernel-tty.ts";
import { need } from "../../../fixtures/tools.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
/** The kernel script types this at the end of each case. */
const END = "~end~";
const RAW: TerminalSettings = {
  canonical: false,
  echo: false,
  signals: false,
  returnToNewline: false,
  newlineToReturnNewline: false,
};

interface Case {
  name: string;
  typed: string;
  /** What the program reads, a string a read; "" is an end of file. */
  reads?: string[];
  echo?: string;
  signals?: Received["signals"];
  settings?: Partial<TerminalSettings>;
  /** By the program, before. */
  written?: string;
}

const FULL = "x".repeat(TERMINAL_LINE_BYTES_MAX - 1);

const CASES: Case[] = [
  { name: "a line comes with its newline", typed: "hi\n", reads: ["hi\n"], echo: "hi\r\n" },
  { name: "the return key is a newline", typed: "hi\r", reads: ["hi\n"], echo: "hi\r\n" },
  {
    name: "a return without ICRNL is a character",
    typed: "a\rb\n",
    settings: { returnToNewline: false },
    reads: ["a\rb\n"],
    echo: "a^Mb\r\n",
  },
  { name: "an unfinished line stays", typed: "hi", reads: [], echo: "hi" },
  { name: "two lines are two reads", typed: "a\nb\n", reads: ["a\n", "b\n"], echo: "a\r\nb\r\n" },
  { name: "an empty line", typed: "\n", reads: ["\n"], echo: "\r\n" },
  { name: "no echo", typed: "pa\x7f\x15ss\n", settings: { echo: false }, reads: ["ss\n"], echo: "" },
  {
    name: "no output processing",
    typed: "a\n",
    settings: { newlineToReturnNewline: false },
    reads: ["a\n"],
    echo: "a\n",
  },
  { name: "erase", typed: "ab\x7fc\n", reads: ["ac\n"], echo: "ab\b \bc\r\n" },
  { name: "erase in an empty line does nothing", typed: "\x7f\n", reads: ["\n"], echo: "\r\n" },
  { name: "erase doesn't reach the line before", typed: "a\n\x7f\n", reads: ["a\n", "\n"] },
  { name: "^H is no erase", typed: "a\bb\n", reads: ["a\bb\n"], echo: "a^Hb\r\n" },
  { name: "erase of a character of two bytes", typed: "aé\x7fb\n", reads: ["ab\n"], echo: "aé\b \bb\r\n" },
  { name: "erase of a character of four bytes", typed: "😀\x7fb\n", reads: ["b\n"], echo: "😀\b \bb\r\n" },
  { name: "erase of a control character", typed: "\x01\x7f\n", reads: ["\n"], echo: "^A\b \b\b \b\r\n" },
  { name: "erase of a tab", typed: "ab\t\x7fc\n", reads: ["abc\n"], echo: `ab\t${"\b".repeat(6)}c\r\n` },
  { name: "erase of a tab behind a tab", typed: "\tabc\t\x7f\n", echo: `\tabc\t${"\b".repeat(5)}\r\n` },
  {
    name: "erase of a tab behind a prompt",
    written: ">>> ",
    typed: "a\t\x7f\n",
    reads: ["a\n"],
    echo: `a\t${"\b".repeat(3)}\r\n`,
  },
  {
    name: "erase of a tab behind characters of many bytes and controls",
    typed: "é\x01\t\x7f\n",
    echo: `é^A\t${"\b".repeat(5)}\r\n`,
  },
  {
    name: "erase of a tab behind a prompt, after a reprint",
    written: ">>> ",
    typed: "a\t\x12\x7f\n",
    echo: `a\t^R\r\na\t${"\b".repeat(7)}\r\n`,
  },
  {
    name: "kill of what is no UTF-8, without echo",
    typed: "\x80\x15a\n",
    settings: { echo: false },
    reads: ["a\n"],
  },
  { name: "kill", typed: "ab\x15c\n", reads: ["c\n"], echo: "ab\b \b\b \bc\r\n" },
  { name: "word erase", typed: "one two  \x17x\n", reads: ["one x\n"] },
  { name: "word erase takes punctuation as no word", typed: "a.b_c--\x17x\n", reads: ["a.x\n"] },
  { name: "word erase of one word", typed: "héé\x17x\n", reads: ["x\n"] },
  { name: "reprint", typed: "ab\x12c\n", reads: ["abc\n"], echo: "ab^R\r\nabc\r\n" },
  { name: "literal erase", typed: "a\x16\x7fb\n", reads: ["a\x7fb\n"], echo: "a^\b^?b\r\n" },
  { name: "literal newline ends no line", typed: "a\x16\nb\n", reads: ["a\nb\n"], echo: "a^\b^Jb\r\n" },
  { name: "literal ^C is no signal", typed: "\x16\x03\n", reads: ["\x03\n"], signals: [] },
  { name: "literal ^D is no end", typed: "\x16\x04\n", reads: ["\x04\n"] },
  { name: "^D on an empty line is an end of file", typed: "\x04", reads: [""], echo: "" },
  { name: "^D twice is the end twice", typed: "\x04\x04", reads: ["", ""], echo: "" },
  { name: "^D isn't sticky", typed: "\x04a\n", reads: ["", "a\n"], echo: "a\r\n" },
  { name: "^D behind text gives what is there", typed: "ab\x04", reads: ["ab"], echo: "ab" },
  { name: "^C", typed: "ab\x03", reads: [], echo: "ab^C", signals: ["SIGINT"] },
  { name: "^C drops the line", typed: "ab\x03c\n", reads: ["c\n"], echo: "ab^Cc\r\n", signals: ["SIGINT"] },
  { name: "^\\", typed: "\x1c", reads: [], echo: "^\\", signals: ["SIGQUIT"] },
  {
    name: "^Z is shown, and nothing else",
    typed: "ab\x1ac\n",
    reads: ["c\n"],
    echo: "ab^Zc\r\n",
    signals: [],
  },
  {
    name: "^C without signals is a character",
    typed: "\x03\n",
    settings: { signals: false },
    reads: ["\x03\n"],
    echo: "^C\r\n",
    signals: [],
  },
  {
    name: "the longest line",
    typed: `${FULL}\n`,
    reads: [`${FULL}\n`],
    echo: `${FULL}\r\n`,
  },
  {
    name: "one byte more is shown, and lost",
    typed: `${FULL}y\n`,
    reads: [`${FULL}\n`],
    echo: `${FULL}y\r\n`,
  },
  {
    name: "an erase in a line that is too long",
    typed: `${FULL}yz\x7f\n`,
    reads: [`${FULL.slice(1)}\n`],
  },
  { name: "raw", typed: "a\r\x7f\x03\x04\x16", settings: RAW, reads: ["a\r\x7f\x03\x04\x16"], echo: "" },
  {
    name: "raw with echo, signals and newlines",
    typed: "a\r\x7f\x04",
    settings: { canonical: false },
    reads: ["a\n\x7f\x04"],
    echo: "a\r\n^?^D",
  },
  {
    name: "a signal in raw mode drops what was typed with it",
    typed: "ab\x03c",
    settings: { canonical: false },
    reads: ["c"],
    echo: "ab^Cc",
    signals: ["SIGINT"],
  },
  {
    name: "a newline in raw mode is shown as ^J",
    typed: "\n",
    settings: { canonical: false },
    reads: ["\n"],
    echo: "^J",
  },
  {
    name: "reprint without echo is a character",
    typed: "\x12\n",
    settings: { echo: false },
    reads: ["\x12\n"],
  },
];

/** All that was typed at once, as the kernel is asked. */
function run({ settings, written, typed }: KeyCase): Seen & { signals: Received["signals"] } {
  const discipline = new LineDiscipline(settings);
  const output = settings.newlineToReturnNewline ? addReturns(written) : written;
  discipline.written(output);
  const { toGuest, echo, signals } = discipline.receive(typed);
  return { reads: toGuest.map((bytes) => Buffer.from(bytes)), shown: Buffer.concat([output, echo]), signals };
}

function keyCase({ settings, written = "", typed }: Case, end = ""): KeyCase {
  return {
    settings: { ...SETTINGS_DEFAULT, ...settings },
    written: Buffer.from(written),
    typed: Buffer.from(typed + end),
  };
}

const text = (seen: Seen) => ({ reads: seen.reads.map(String), shown: seen.shown.toString() });

describe("the line discipline", () => {
  test.each(CASES)("$name", (row) => {
    const asked = keyCase(row);
    const seen = run(asked);
    if (row.reads !== undefined) expect(seen.reads.map(String)).toEqual(row.reads);
    if (row.echo !== undefined) expect(seen.shown.toString()).toBe((row.written ?? "") + row.echo);
    if (row.signals !== undefined) expect(seen.signals).toEqual(row.signals);
  });

  test.each(CASES)("$name: the same byte by byte", (row) => {
    const asked = keyCase(row);
    const whole = run(asked);
    const discipline = new LineDiscipline(asked.settings);
    const written = asked.settings.newlineToReturnNewline ? addReturns(asked.written) : asked.written;
    discipline.written(written);
    const pieces = [...asked.typed].map((byte) => discipline.receive(Uint8Array.of(byte)));
    const reads = pieces.flatMap(({ toGuest }) => toGuest.map((bytes) => Buffer.from(bytes)));
    expect(Buffer.concat([written, ...pieces.map(({ echo }) => echo)])).toEqual(whole.shown);
    expect(pieces.flatMap(({ signals }) => signals)).toEqual(whole.signals);
    if (asked.settings.canonical) expect(reads).toEqual(whole.reads);
  });

  test("what was typed is there when lines end", () => {
    const discipline = new LineDiscipline();
    discipline.receive(Buffer.from("ab"));
    expect(discipline.configure(RAW).toGuest.map(String)).toEqual([String(Uint8Array.of(97, 98))]);
    expect(discipline.receive(Buffer.from("\x03")).toGuest).toEqual([Uint8Array.of(3)]);
  });

  test("an unfinished line is the last one", () => {
    const discipline = new LineDiscipline();
    discipline.receive(Buffer.from("ab"));
    expect(discipline.hangUp().toGuest).toEqual([Uint8Array.of(97, 98)]);
    expect(discipline.hangUp().toGuest).toEqual([]);
  });

  test("keeps no more than a line, whatever is typed", () => {
    const discipline = new LineDiscipline();
    for (let chunk = 0; chunk < 40; chunk++) discipline.receive(new Uint8Array(1000).fill(0x61));
    const { toGuest } = discipline.receive(Buffer.from("\n"));
    expect(toGuest.map((line) => line.length)).toEqual([TERMINAL_LINE_BYTES_MAX]);
  });
});

describe("the kernel's terminal says the same", () => {
  test("in all cases above", async ({ skip }) => {
    const python = need(skip, "python3");
    const asked = CASES.map((row) => keyCase(row));
    const answers = await askKernel(python, asked);
    CASES.forEach((row, index) => {
      const end = END + (asked[index]!.settings.canonical ? "\n" : "");
      const answer = text(answers[index]!);
      const seen = text(run(keyCase(row, end)));
      // At a signal the kernel drops what the terminal hasn't shown yet, so that the beginning may be missing.
      const signalled = ["\x03", "\x1a", "\x1c"].some((key) => row.typed.includes(key));
      if (signalled && seen.shown.endsWith(answer.shown)) answer.shown = seen.shown;
      expect({ name: row.name, ...answer }).toEqual({ name: row.name, ...seen });
    });
  });

  test("for any keys", { timeout: LONG ? 600_000 : 30_000 }, async ({ skip }) => {
    const python = need(skip, "python3");
    const cases = fc.sample(keys, LONG ? 20_000 : 400).filter(isComparable);
    const answers = await askKernel(python, cases);
    cases.forEach((asked, index) => {
      const end = Buffer.from(END + (asked.settings.canonical ? "\n" : ""));
      const seen = run({ ...asked, typed: Buffer.concat([asked.typed, end]) });
      expect({ asked, ...hex(answers[index]!) }).toEqual({ asked, ...hex(seen) });
    });
  });
});

/** Linux loses count of the column where output isn't processed, and then erases tabs by a wrong one. */
function isComparable({ settings, typed }: KeyCase): boolean {
  return settings.newlineToReturnNewline || !typed.includes(0x09);
}

const hex = (seen: Seen) => ({
  reads: seen.reads.map((read) => read.toString("hex")),
  shown: seen.shown.toString("hex"),
});

/** Mostly keys that mean something. The keys of signals are in the table: the kernel drops lines that nobody has read. */
const piece = fc.oneof(
  fc.constantFrom(
    "\x7f",
    "\x17",
    "\x15",
    "\x12",
    "\x16",
    "\x04",
    "\t",
    "\r",
    "\n",
    " ",
    "_",
    "é",
    "漢",
    "😀",
    "×",
  ),
  fc.constantFrom("\x01", "\b", "\x1b", "a", "Z", "0", "-", "one", " two"),
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.array(piece, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(""))) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 40 })
      .map((all) => Buffer.from(all.filter((byte) => ![0x03, 0x1a, 0x1c].includes(byte)))),
  },
);
const keys: fc.Arbitrary<KeyCase> = fc.record({
  settings: fc.record({
    canonical: fc.boolean(),
    echo: fc.boolean(),
    signals: fc.boolean(),
    returnToNewline: fc.boolean(),
    newlineToReturnNewline: fc.boolean(),
  }),
  written: fc.constantFrom("", "> ", "a\tb", "line\n", "é: ").map((written) => Buffer.from(written)),
  typed: bytes,
});
