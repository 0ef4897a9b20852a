import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import { StreamWriter } from "../../../../runtime/node/stdio/stream-writer.ts";

const BYTES = Buffer.from("bytes");

/** Never done with a write. */
const stuck = () => new Writable({ write() {} });

test("waits until the stream has passed it on", async () => {
  let passOn: () => void = () => {};
  const stream = new Writable({
    write(_chunk, _encoding, done) {
      passOn = done;
    },
  });
  let done = false;
  const written = new StreamWriter(stream).write(BYTES).then(() => {
    done = true;
  });
  await new Promise(setImmediate);
  expect(done).toBe(false);
  passOn();
  await written;
});

test.each([
  { name: "was closed", stream: () => new PassThrough().destroy() },
  { name: "was ended", stream: () => new PassThrough().end() },
  {
    name: "fails",
    stream: () => new Writable({ write: (_chunk, _encoding, done) => done(new Error("full")) }),
  },
])("rejects when the stream $name, and nothing else hears of it", async ({ stream }) => {
  const writer = new StreamWriter(stream());
  await expect(writer.write(BYTES)).rejects.toThrow();
  writer.close();
});

test("rejects when the stream is closed in the middle of a write", async () => {
  const stream = stuck();
  const writer = new StreamWriter(stream);
  const written = writer.write(BYTES);
  stream.destroy();
  await expect(written).rejects.toThrow("closed");
});

test("twenty writers of one stream are one listener, and the last takes it along", async () => {
  const stream = new PassThrough();
  const listeners = () => [stream.listenerCount("error"), stream.listenerCount("close")];
  const before = listeners();
  const writers = Array.from({ length: 20 }, () => new StreamWriter(stream));
  expect(listeners()).toEqual(before.map((count) => count + 1));
  for (const writer of writers.slice(1)) writer.close();
  await new Promise(setImmediate);
  expect(listeners()).toEqual(before.map((count) => count + 1));
  writers[0]!.close();
  await new Promise(setImmediate);
  expect(listeners()).toEqual(before);
  expect(stream.writable).toBe(true);
});
