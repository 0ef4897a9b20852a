import { PassThrough, Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { StreamReader } from "../../../../runtime/node/stdio/stream-reader.ts";

async function rest(reader: StreamReader): Promise<string> {
  let text = "";
  for (let next = await reader.next(); !next.done; next = await reader.next()) text += next.value;
  return text;
}

function listenerCount(stream: Readable): number {
  return ["readable", "end", "close", "error"].reduce((sum, name) => sum + stream.listenerCount(name), 0);
}

const broken = (): Readable =>
  new Readable({
    read() {
      this.destroy(new Error("broken"));
    },
  });

test.each([
  { name: "chunks", stream: () => Readable.from([Buffer.from("one "), Buffer.from("two")]), text: "one two" },
  { name: "texts", stream: () => Readable.from(["one ", "two"]), text: "one two" },
  { name: "nothing", stream: () => Readable.from([]), text: "" },
  { name: "one that was closed before", stream: () => new PassThrough().destroy(), text: "" },
  // Its error comes after the reader has gone: nobody else hears it, and it must not end the process.
  { name: "one that breaks at the first look", stream: broken, text: "" },
])("reads $name to the end", async ({ stream, text }) => {
  expect(await rest(new StreamReader(stream()))).toBe(text);
});

test("a stream that breaks in the middle ends there", async () => {
  const stream = new PassThrough();
  const reader = new StreamReader(stream);
  stream.write("some");
  expect((await reader.next()).value?.toString()).toBe("some");
  stream.destroy(new Error("broken"));
  expect((await reader.next()).done).toBe(true);
});

describe("who goes before the end", () => {
  test("leaves the stream open, without listeners, and with what wasn't asked for", async () => {
    const stream = new PassThrough();
    const before = listenerCount(stream);
    const reader = new StreamReader(stream);
    stream.write("first");
    expect((await reader.next()).value?.toString()).toBe("first");
    const waiting = reader.next();
    await reader.return();
    expect((await waiting).done).toBe(true);
    expect({ destroyed: stream.destroyed, listeners: listenerCount(stream) }).toEqual({
      destroyed: false,
      listeners: before,
    });
    stream.end("second");
    expect(await rest(new StreamReader(stream))).toBe("second");
  });

  test("gets nothing more, although there is more", async () => {
    const stream = new PassThrough();
    stream.write("there");
    const reader = new StreamReader(stream);
    await reader.return();
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    expect(stream.read()?.toString()).toBe("there");
  });
});
