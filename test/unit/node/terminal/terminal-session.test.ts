import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { TERMINAL_ECHO_BYTES_MAX } from "../../../../runtime/core/terminal/limits.ts";
import { RecordReader } from "../../../../runtime/core/terminal/record-ring.ts";
import { decodeSettings, SettingsBits } from "../../../../runtime/core/terminal/settings.ts";
import { TerminalSession } from "../../../../runtime/node/terminal/terminal-session.ts";

let ready: PromiseWithResolvers<void>;
/** What is being shown waits for this. */
let shows: Promise<void>;
let shown: string;
let signals: string[];
let session: TerminalSession;
let bell: Bell;

beforeEach(() => {
  ready = Promise.withResolvers();
  shows = Promise.resolve();
  shown = "";
  signals = [];
  bell = new Bell();
  session = new TerminalSession({
    size: { columns: 80, rows: 24 },
    bell,
    ready: ready.promise,
    show: async (bytes) => {
      await shows;
      shown += Buffer.from(bytes).toString();
    },
    signal: (name) => signals.push(name),
  });
});

async function feed(...keys: string[]): Promise<void> {
  await session.feed(
    (async function* () {
      yield* keys;
    })(),
  );
}

/** What the guest would read, a string a read. */
function reads(): string[] {
  const reader = new RecordReader(session.input, session.control);
  const all: string[] = [];
  const target = Buffer.alloc(10_000);
  for (let count = reader.read(target, false); count !== undefined; count = reader.read(target, false)) {
    all.push(target.toString("utf8", 0, count));
  }
  return all;
}

describe("a session", () => {
  test("gives lines to the guest and rings; the rest comes with the end", async () => {
    const rung = bell.now();
    ready.resolve();
    await feed("a", "b\r", "\x04c");
    await session.shown;
    expect([reads(), shown, session.input.ended, bell.now() > rung]).toEqual([
      ["ab\n", "", "c"],
      "ab\r\nc",
      true,
      true,
    ]);
  });

  test("shows nothing before it is ready, and output and echo in the order they came", async () => {
    const first = session.written(Buffer.from(">>> "));
    await feed("1\r");
    const second = session.written(Buffer.from("2\r\n"));
    expect(shown).toBe("");
    ready.resolve();
    await Promise.all([first, second]);
    expect(shown).toBe(">>> 1\r\n2\r\n");
  });

  test("tells of signals at once, also when nothing can be shown", async () => {
    await feed("ab\x03\x1c");
    expect([signals, reads()]).toEqual([["SIGINT", "SIGQUIT"], []]);
    ready.resolve();
    await session.shown;
    expect(shown).toBe("ab^C^\\");
  });

  test("keeps no more echo than its limit for a terminal that shows nothing", async () => {
    const chunk = "x".repeat(1000);
    await feed(...Array<string>(20).fill(chunk));
    ready.resolve();
    await session.shown;
    expect(shown.length).toBeGreaterThan(TERMINAL_ECHO_BYTES_MAX);
    expect(shown.length).toBeLessThanOrEqual(TERMINAL_ECHO_BYTES_MAX + chunk.length);
  });

  test("a failure to show echo isn't the guest's; one to show output is", async () => {
    shows = Promise.reject(new Error("gone"));
    ready.resolve();
    await feed("a\r");
    expect(reads()).toEqual(["a\n"]);
    await expect(session.written(Buffer.from("x"))).rejects.toThrow("gone");
  });

  test("obeys the guest's settings from the next key on, and gives what was begun when lines end", async () => {
    ready.resolve();
    const keys = new PassThrough();
    const fed = session.feed(keys[Symbol.asyncIterator]());
    const seen = bell.now();
    keys.write("ab");
    while (shown !== "ab") await new Promise((resolve) => setImmediate(resolve));
    session.control.configure(decodeSettings(SettingsBits.ECHO)!);
    await bell.later(seen);
    expect(reads()).toEqual(["ab"]);
    session.control.configure(decodeSettings(0)!);
    keys.end("\x03q");
    await fed;
    expect([reads(), shown, signals]).toEqual([["\x03q"], "ab", []]);
  });

  test("a source that breaks is an end", async () => {
    ready.resolve();
    await session.feed({
      next: () => Promise.reject(new Error("the cable")),
    });
    expect([reads(), session.input.ended]).toEqual([[], true]);
  });

  test("stops asking for keys when the guest has gone, whatever waits", async () => {
    ready.resolve();
    let asked = 0;
    const endless: AsyncIterator<string> = {
      next: () => Promise.resolve({ done: false, value: `${"x".repeat(1000)}\r`.repeat(++asked && 10) }),
    };
    const fed = session.feed(endless);
    await new Promise((resolve) => setImmediate(resolve));
    session.finish();
    await fed;
    expect(asked).toBeLessThan(20);
  });

  test("another size rings", () => {
    const rung = bell.now();
    session.resize({ columns: 1, rows: 2 });
    expect([session.control.size, bell.now() - rung]).toEqual([{ columns: 1, rows: 2 }, 1]);
  });
});
