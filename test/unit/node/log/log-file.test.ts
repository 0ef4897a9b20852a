import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LogFile } from "../../../../runtime/node/log/log-file.ts";
import { followLog, readLog } from "../../../../runtime/node/log/log-reader.ts";

const encode = (text: string) => new TextEncoder().encode(text);
/** Of a record, beside its text. */
const RECORD_BYTES = "1970-01-01T00:00:00.000000000Z stdout F \n".length;
const LIMITS = { fileBytesMax: 200, fileCountMax: 3, drops: false };

let folder: string;
let path: string;
let nowNs: bigint;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wpod-log-"));
  path = join(folder, "ctr.log");
  nowNs = 0n;
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (limits = LIMITS) => new LogFile(path, limits, () => nowNs++);

async function texts(query = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { stream, bytes, partial } of readLog(path, LIMITS.fileCountMax, query)) {
    lines.push(`${stream}${partial ? "+" : ""} ${new TextDecoder().decode(bytes)}`);
  }
  return lines;
}

describe("a log", () => {
  test("that can't be opened again when it is full writes to nobody else's file, and goes on when it can", () => {
    const log = open();
    log.append("stdout", encode(`${"x".repeat(150)}\n`));
    rmSync(folder, { recursive: true });
    log.append("stdout", encode(`${"y".repeat(150)}\n`));
    mkdirSync(folder);
    // It gets the number of the descriptor that the log has closed.
    const other = openSync(join(folder, "other"), "w");
    try {
      log.append("stdout", encode("z\n"));
      expect(readFileSync(join(folder, "other"), "utf8")).toBe("");
      expect(readFileSync(path, "utf8")).toMatch(/ stdout F z\n$/);
    } finally {
      closeSync(other);
      log.close();
    }
  });

  test("gives back what was written, stream by stream, in order", async () => {
    const log = open();
    log.append("stdout", encode("a\nb"));
    log.append("stderr", encode("oops\n"));
    log.append("stdout", encode("c\n"));
    log.close();
    expect(await texts()).toEqual(["stdout a", "stdout+ b", "stderr oops", "stdout c"]);
  });

  test("is rotated before a file would grow over its bound, and loses the oldest file", async () => {
    const log = open();
    // A record of this text has 60 bytes: three fit.
    for (let line = 0; line < 12; line++)
      log.append("stdout", encode(`line ${String(line).padStart(15, "0")}\n`));
    log.close();
    expect(readdirSync(folder).sort()).toEqual(["ctr.log", "ctr.log.1", "ctr.log.2"]);
    for (const file of readdirSync(folder))
      expect(readFileSync(join(folder, file)).length).toBeLessThanOrEqual(200);
    const kept = await texts();
    expect(kept.length).toBe(9);
    expect(kept[0]).toContain("3");
    expect(kept.at(-1)).toContain("11");
  });

  test("of one file begins anew when that is full", async () => {
    const log = open({ ...LIMITS, fileCountMax: 1 });
    for (let line = 0; line < 12; line++)
      log.append("stdout", encode(`line ${String(line).padStart(15, "0")}\n`));
    log.close();
    expect(readdirSync(folder)).toEqual(["ctr.log"]);
    expect((await texts()).map((text) => Number(text.slice(-2)))).toEqual([9, 10, 11]);
  });

  test.each([
    { what: "many lines", lineBytes: 14, lines: 7, fileBytes: 3 * 55 },
    { what: "as many as fit exactly", lineBytes: 9, lines: 12, fileBytes: 4 * 50 },
    { what: "lines that are longer than a file each", lineBytes: 200, lines: 3, fileBytes: 241 },
  ])("takes $what of one write in pieces", async ({ lineBytes, lines, fileBytes }) => {
    const log = open();
    expect(log.append("stdout", encode(`${"x".repeat(lineBytes)}\n`.repeat(100)))).toBe(
      100 * (RECORD_BYTES + lineBytes),
    );
    log.close();
    expect((await texts()).length).toBe(lines);
    expect(readdirSync(folder).sort()).toEqual(["ctr.log", "ctr.log.1", "ctr.log.2"]);
    for (const file of readdirSync(folder)) {
      expect(readFileSync(join(folder, file)).length).toBeLessThanOrEqual(fileBytes);
    }
  });

  test("goes on in the file that is there", async () => {
    open().append("stdout", encode("before\n"));
    open().append("stdout", encode("after\n"));
    expect(await texts()).toEqual(["stdout before", "stdout after"]);
  });

  test("is never written through a link", () => {
    const victim = join(folder, "victim");
    writeFileSync(victim, "mine");
    symlinkSync(victim, path);
    expect(() => open()).toThrow(/ELOOP/);
    expect(readFileSync(victim, "utf8")).toBe("mine");
  });
});

describe("a query", () => {
  beforeEach(() => {
    const log = open({ fileBytesMax: 100_000, fileCountMax: 3, drops: false });
    log.append("stdout", encode("one\n")); // 0
    log.append("stdout", encode("tw")); // 1
    log.append("stderr", encode("err\n")); // 2
    log.append("stdout", encode("o\n")); // 3
    log.append("stdout", encode("thr")); // 4
    log.close();
  });

  test.each([
    { name: "all", query: {}, lines: 5 },
    { name: "since, inclusive", query: { sinceNs: 2n }, lines: 3 },
    { name: "until, inclusive", query: { untilNs: 2n }, lines: 3 },
    { name: "no line", query: { tail: 0 }, lines: 0 },
    { name: "the last line, unfinished", query: { tail: 1 }, lines: 1 },
    { name: "more lines than there are", query: { tail: 100 }, lines: 5 },
  ])("$name", async ({ query, lines }) => {
    expect((await texts(query)).length).toBe(lines);
  });
});

test("following sees what is appended, over a rotation, and ends with the container", async () => {
  const log = open();
  log.append("stdout", encode("first\n"));
  let ended = false;
  const seen: string[] = [];
  for await (const record of followLog(path, LIMITS.fileCountMax, {}, () => ended)) {
    seen.push(new TextDecoder().decode(record.bytes));
    if (seen.length < 4) log.append("stdout", encode(`${"x".repeat(100)}${seen.length}\n`));
    else ended = true;
  }
  log.close();
  expect(seen.map((text) => text.at(-1))).toEqual(["t", "1", "2", "3"]);
});
