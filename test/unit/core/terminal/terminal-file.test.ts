import { beforeEach, describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";
import { ControlBlock } from "../../../../runtime/core/terminal/control-block.ts";
import { writeRecord } from "../../../../runtime/core/terminal/record-ring.ts";
import { SettingsBits } from "../../../../runtime/core/terminal/settings.ts";
import { TerminalFile } from "../../../../runtime/core/terminal/terminal-file.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { type OpenFile, Readiness, type Stat } from "../../../../shim/abi/system.ts";

const OUTPUT_BYTES = 8;
const BOTH: Readiness = Readiness.read | Readiness.write;

let input: Ring;
let output: Ring;
let control: ControlBlock;
let file: TerminalFile;

beforeEach(() => {
  const bell = new Bell();
  input = Ring.create(64, bell);
  output = Ring.create(OUTPUT_BYTES, bell);
  control = ControlBlock.create({ columns: 80, rows: 24 });
  const buffers = { control: control.buffer, input: input.buffer, output: output.buffer };
  file = new TerminalFile(7n, buffers, bell);
});

function read(from: OpenFile, lengthBytes = 100): string | number {
  const target = Buffer.alloc(lengthBytes);
  const count = from.read(target);
  return count < 0 ? count : target.toString("utf8", 0, count);
}

function shown(): string {
  const target = Buffer.alloc(100);
  return target.toString("utf8", 0, output.read(target));
}

const type = (text: string) => expect(writeRecord(input, Buffer.from(text))).toBe(true);

test("is a character device without positions: what wasi-libc takes for a terminal", () => {
  const stat = {} as Stat;
  expect([file.type, file.stat(stat), stat.type, stat.inode]).toEqual([
    FileType.characterDevice,
    0,
    FileType.characterDevice,
    7n,
  ]);
  expect([file.seek(), file.readAt(), file.writeAt()]).toEqual([-Errno.ESPIPE, -Errno.ESPIPE, -Errno.ESPIPE]);
  expect(file.terminal).toBe(file);
});

describe("reads", () => {
  test("are a line each; without lines whatever is there", () => {
    type("a\n");
    type("b\n");
    expect([file.readableBytes(), read(file)]).toEqual([2, "a\n"]);
    type("c\n");
    file.configure(0);
    expect(read(file)).toBe("b\nc\n");
  });

  test("an end of file is read once", () => {
    type("");
    type("a\n");
    expect(file.readiness(BOTH)).toBe(BOTH);
    expect([read(file), read(file)]).toEqual(["", "a\n"]);
  });

  test("EAGAIN when nothing is there and nobody waits; the end for ever when it has hung up", () => {
    file.setStatus(false, true);
    expect([read(file), file.readiness(BOTH), file.readableBytes()]).toEqual([
      -Errno.EAGAIN,
      Readiness.write,
      0,
    ]);
    type("a");
    input.end();
    expect([file.readiness(BOTH), read(file)]).toEqual([BOTH, "a"]);
    expect([read(file), read(file), file.readiness(Readiness.read)]).toEqual([
      "",
      "",
      Readiness.read | Readiness.hangup,
    ]);
  });

  test("into nothing is nothing", () => {
    expect(file.read(new Uint8Array(0))).toBe(0);
  });
});

describe("writes", () => {
  test("get returns, and are counted without", () => {
    expect([file.write(Buffer.from("a\nb\n")), shown()]).toEqual([4, "a\r\nb\r\n"]);
    file.configure(file.settings() & ~SettingsBits.NEWLINE_TO_RETURN_NEWLINE);
    expect([file.write(Buffer.from("a\n")), shown()]).toEqual([2, "a\n"]);
  });

  test.each([
    { text: "12345678", count: 8, left: "12345678" },
    { text: "123456789", count: 8, left: "12345678" },
    { text: "\n\n\n\n\n", count: 4, left: "\r\n\r\n\r\n\r\n" },
    { text: "1234567\n", count: 7, left: "1234567" },
    { text: "123456\n", count: 7, left: "123456\r\n" },
  ])("that don't wait take what fits, and never half a newline: $text", ({ text, count, left }) => {
    file.setStatus(false, true);
    expect([file.write(Buffer.from(text)), shown()]).toEqual([count, left]);
  });

  test("that don't wait: EAGAIN without room", () => {
    file.setStatus(false, true);
    file.write(Buffer.from("1234567"));
    expect([file.readiness(BOTH), file.write(Buffer.from("\n"))]).toEqual([Readiness.none, -Errno.EAGAIN]);
    expect(file.write(Buffer.from("8"))).toBe(1);
  });

  test("EPIPE when nobody looks, waiting or not", () => {
    output.abandon();
    expect(file.write(Buffer.from("a"))).toBe(-Errno.EPIPE);
    file.setStatus(false, true);
    expect(file.write(Buffer.from("a"))).toBe(-Errno.EPIPE);
    expect(file.readiness(BOTH)).toBe(Readiness.write);
  });
});

test("modes: what is known, and nothing else", () => {
  expect([file.configure(5), file.settings(), control.settings.echo]).toEqual([0, 5, false]);
  expect([file.configure(32), file.settings()]).toEqual([-Errno.EINVAL, 5]);
});

describe("changes of the size", () => {
  test("can be read once each; the last one counts", () => {
    const changes = file.openSizeChanges();
    changes.setStatus(false, true);
    expect([read(changes), changes.readiness(BOTH), changes.readableBytes()]).toEqual([-Errno.EAGAIN, 0, 0]);
    control.resize({ columns: 1, rows: 1 });
    control.resize({ columns: 300, rows: 513 });
    expect([changes.readiness(BOTH), changes.readableBytes()]).toEqual([Readiness.read, 4]);
    expect(changes.read(new Uint8Array(3))).toBe(-Errno.EINVAL);
    const target = new Uint8Array(5);
    expect([changes.read(target), [...target]]).toEqual([4, [300 & 255, 1, 1, 2, 0]]);
    expect([changes.readiness(BOTH), file.size()]).toEqual([Readiness.none, { columns: 300, rows: 513 }]);
  });

  test("back to what it was is none, and two who look see it each", () => {
    const [first, second] = [file.openSizeChanges(), file.openSizeChanges()];
    control.resize({ columns: 1, rows: 1 });
    expect(first.read(new Uint8Array(4))).toBe(4);
    control.resize({ columns: 80, rows: 24 });
    expect([first.readiness(BOTH), second.readiness(BOTH)]).toEqual([Readiness.read, Readiness.none]);
  });

  test("can't be written, and is no terminal", () => {
    const changes = file.openSizeChanges();
    expect([changes.write(new Uint8Array(1)), changes.terminal, changes.type]).toEqual([
      -Errno.EBADF,
      undefined,
      FileType.unknown,
    ]);
  });
});
