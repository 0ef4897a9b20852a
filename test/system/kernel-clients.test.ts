/** Threads that are clients of a kernel in a thread of its own, and that end, stop or send whatever they like. */

import { once } from "node:events";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bell } from "../../runtime/core/ipc/bell.ts";
import { Gate } from "../../runtime/core/ipc/gate.ts";
import { Mailbox } from "../../runtime/core/ipc/mailbox.ts";
import { RemoteDirectory } from "../../runtime/core/kernel/remote/remote-directory.ts";
import type { RemoteStream } from "../../runtime/core/kernel/remote/remote-file.ts";
import { openRemotePipe } from "../../runtime/core/kernel/remote/remote-pipe.ts";
import type { FilesSpec } from "../../runtime/core/kernel/spec.ts";
import { PLAIN } from "../../runtime/core/vfs/open-options.ts";
import { KernelHost, type Seat } from "../../runtime/engine/kernel-host.ts";
import { isFailure, type OpenOptions } from "../../shim/abi/system.ts";
import type { PipeReport, WatchReport } from "../fixtures/kernel-client/client-data.ts";
import { CLIENT_PROCESS, type ClientThread, ClientThreads } from "../fixtures/kernel-client/client-thread.ts";
import { connectHere } from "../fixtures/kernel-client/connect-here.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const ENDED = LONG ? 10_000 : 200;
/** At a time: the next ones start while the last ones end. */
const TOGETHER = 4;
/** Garbage that nobody has collected yet counts too: V8 lets two kilobytes of each client lie for 20,000 clients. */
const HEAP_GROWTH_BYTES_MAX = 24 * 1024 * 1024 + ENDED * 4096;
/** A mailbox has two thirds of a megabyte: those of 600 clients at most are left. */
const RESIDENT_GROWTH_BYTES_MAX = 400 * 1024 * 1024;
const TREE = "tree";
const SUPERUSER = { uid: 0, gid: 0 };
const FILES: FilesSpec = {
  layers: [],
  snapshot: undefined,
  folders: [{ path: "/shared", mode: 0o777 }],
  mounts: [],
  etcFiles: [],
  readOnly: false,
  diskBytesMax: 256 * 1024 * 1024,
  inodesMax: 10_000,
};
const CREATE: OpenOptions = { ...PLAIN, read: true, write: true, create: true, mode: 0o644 };

let kernel: KernelHost;
let threads: ClientThreads;

beforeAll(async () => {
  kernel = new KernelHost();
  await kernel.openTree(TREE, FILES, SUPERUSER, (loss) => expect.fail(loss.message));
  threads = await ClientThreads.open(kernel, TREE);
});
afterAll(() => kernel[Symbol.asyncDispose]());

/** A client in the test's own thread: each call waits for the kernel. */
async function join() {
  const bell = new Bell();
  const seat = await kernel.seat(TREE, CLIENT_PROCESS, { bell });
  const connection = connectHere(seat, bell);
  return { seat, bell, connection, root: new RemoteDirectory(connection, connection.takeHandle()) };
}

/** What a client that was there all the time has to say. */
async function report({ worker, control, seat }: ClientThread): Promise<WatchReport> {
  const answer = new Promise<WatchReport>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  Atomics.store(control, 0, 1);
  const said = await answer;
  await worker.terminate();
  await kernel.leave(seat);
  return said;
}

test(
  `${ENDED} clients are ended wherever they are, and leave nothing`,
  async () => {
    const watcher = await threads.start("watch", 7);
    const before = await kernel.counts();
    const residentBytes = process.memoryUsage.rss();
    const tasks = ["work", "wait", "work", "block"] as const;
    let started = 0;
    const endOne = async () => {
      for (let index = started++; index < ENDED; index = started++) {
        const thread = await threads.start(tasks[index % tasks.length]!, index + 1);
        // The moment is what is tried: before its first call, and anywhere in its work.
        const roundsMax = index % 2 === 0 ? 200 : 2;
        const rounds = index % 5 === 0 ? 0 : Math.floor(Math.random() * roundsMax);
        while (Atomics.load(thread.control, 1) < rounds) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        await thread.end();
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, endOne));
    const after = await kernel.counts();
    expect(after).toMatchObject({ trees: before.trees, clients: before.clients });
    const said = await report(watcher);
    expect(said.wrong).toEqual([]);
    expect(said.rounds).toBeGreaterThan(ENDED);
    expect(await kernel.counts()).toMatchObject({ trees: 1, clients: 0, open: 0 });
    expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
    expect(process.memoryUsage.rss() - residentBytes).toBeLessThan(RESIDENT_GROWTH_BYTES_MAX);
    const { seat, root } = await join();
    // Some of them had a lock, and others waited for it.
    const locked = root.openAt("shared/locked", CREATE);
    expect(isFailure(locked) ? locked : locked.lock!("exclusive", false)).toBe(0);
    // What only open handles of the dead held is free: the tree can be emptied, and filled again.
    expect(usableBytes(root)).toBeGreaterThan(200 * 1024 * 1024);
    await kernel.leave(seat);
  },
  LONG ? 1_200_000 : 60_000,
);

/** Empties `/shared`, and sees how much a file there can have. */
function usableBytes(root: RemoteDirectory): number {
  removeAll(root, ".");
  const file = root.openAt("all", { ...CREATE, truncate: true });
  if (isFailure(file)) return file;
  const piece = new Uint8Array(1024 * 1024).fill(1);
  let sizeBytes = 0;
  for (; sizeBytes < FILES.diskBytesMax; sizeBytes += piece.length) {
    if (file.writeAt(piece, sizeBytes) !== piece.length) break;
  }
  file.close();
  root.unlinkAt("all");
  return sizeBytes;
}

function removeAll(root: RemoteDirectory, path: string): void {
  const directory = root.openAt(path, { ...CREATE, write: false, create: false, directory: true });
  if (isFailure(directory)) return;
  const names: string[] = [];
  directory.readDirectory(0, (_next, _inode, _type, name) => names.push(name) > 0);
  directory.close();
  for (const name of names.filter((name) => name !== "." && name !== "..")) {
    if (path === "." && !/^(own-|watch-|shared)/.test(name)) continue;
    if (root.unlinkAt(`${path}/${name}`) === 0) continue;
    removeAll(root, `${path}/${name}`);
    if (name !== "shared") root.removeDirectoryAt(`${path}/${name}`);
  }
}

/** Two threads of a program, and a pipe between them. */
const PIPED_BYTES = LONG ? 1_000_000_000 : 100_000_000;

test(
  "two threads send all that through a pipe, while another client works on files",
  async () => {
    const watcher = await threads.start("watch", 17);
    const { seat, connection, bell } = await join();
    const pipe = openRemotePipe(connection);
    if (isFailure(pipe)) throw new Error(`pipe: ${pipe}`);
    const [reader, writer] = [pipe.reader as RemoteStream, pipe.writer as RemoteStream];
    const receiver = threads.startPeer(seat, bell, "receive", reader.handle);
    const received = new Promise<PipeReport>((resolve, reject) => {
      receiver.worker.once("message", resolve);
      receiver.worker.once("error", reject);
    });
    const sender = threads.startPeer(seat, bell, "send", writer.handle, PIPED_BYTES);
    sender.worker.once("error", (error) => expect.fail(String(error)));
    expect(await received).toEqual({ sizeBytes: PIPED_BYTES, wrongCount: 0 });
    const { rounds, wrong } = await report(watcher);
    expect(wrong).toEqual([]);
    // It was served all the time.
    expect(rounds).toBeGreaterThan(1000);
    await Promise.all([receiver.end(), sender.end()]);
    await kernel.leave(seat);
    expect(await kernel.counts()).toMatchObject({ clients: 0, open: 0 });
  },
  LONG ? 300_000 : 60_000,
);

describe("a client that stops", () => {
  test("between any two steps of a call doesn't stop its peers", async () => {
    const stopped = await Promise.all(
      Array.from({ length: 9 }, (_, step) => threads.start("half", step + 9)),
    );
    for (const { control } of stopped) {
      const waiting = Atomics.waitAsync(control, 1, 0);
      if (waiting.async) await waiting.value;
    }
    const { seat, root } = await join();
    for (let index = 0; index < 200; index++) {
      const file = root.openAt("shared/beside", CREATE);
      expect(isFailure(file)).toBe(false);
      if (!isFailure(file)) file.close();
    }
    await kernel.leave(seat);
    await Promise.all(stopped.map((thread) => thread.end()));
    expect(await kernel.counts()).toMatchObject({ clients: 0, open: 0 });
  });
});

/** Numbers at the edges of what a mailbox may hold. */
const reals = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 2 ** 53, -(2 ** 53), 2 ** 63, 1e308, -1),
  fc.integer({ min: 0, max: 10_000 }),
);
const integers = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 4096, 4097, 131_072, 131_073, 139_264),
  fc.integer({ min: 0, max: 64 }),
);
const paths = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.constantFrom(
    ...[
      "shared",
      "shared/garbage",
      ".",
      "..",
      "/",
      "a\0b",
      "",
      "shared/\0",
      "//./shared/../..",
      "x/".repeat(2047),
    ].map((text) => new TextEncoder().encode(text)),
    Uint8Array.of(0xff, 0xfe),
    Uint8Array.of(0xed, 0xa0, 0x80),
    Uint8Array.of(0xc0, 0xaf),
    new Uint8Array(4096).fill(0x61),
    new Uint8Array(8192).fill(0xe2),
  ),
);
const garbage = fc.record({
  operation: fc.oneof(fc.integer({ min: 0, max: 40 }), integers),
  numbers: fc.array(integers, { minLength: 13, maxLength: 13 }),
  reals: fc.array(reals, { minLength: 16, maxLength: 16 }),
  longs: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 8, maxLength: 8 }),
  content: paths,
  // Handles that name something, mostly.
  handle: fc.oneof(fc.constantFrom(0, 1, 2), integers),
  pathBytes: fc.oneof(fc.constant(-1), integers),
});

const SCRIBBLERS = LONG ? 400 : 6;
/** As often as one changes its mailbox, while the kernel reads it. */
const SCRIBBLES = 100_000;

describe("a client that sends garbage", () => {
  test(
    "and changes it while the kernel reads it, is alone with that",
    async () => {
      const watcher = await threads.start("watch", 13);
      // Some after the other: one that posted too much garbage isn't listened to any more.
      for (let seed = 1; seed <= SCRIBBLERS; seed += 2) {
        const together = await Promise.all(
          [seed, seed + 1].map((each) => threads.start("scribble", each, SCRIBBLES)),
        );
        await Promise.all(together.map(({ worker }) => once(worker, "message")));
        await Promise.all(together.map((thread) => thread.end()));
      }
      expect((await report(watcher)).wrong).toEqual([]);
      expect(await kernel.counts()).toMatchObject({ clients: 0, open: 0 });
    },
    LONG ? 600_000 : 60_000,
  );

  test("or posts without end, keeps nobody from changing names", async () => {
    const flooders = await Promise.all([1, 2].map((seed) => threads.start("flood", seed)));
    for (const { control } of flooders) {
      const waiting = Atomics.waitAsync(control, 1, 0);
      if (waiting.async) await waiting.value;
    }
    // It makes and removes files all the time.
    const watcher = await threads.start("watch", 19);
    while (Atomics.load(watcher.control, 1) < 300) await new Promise((resolve) => setImmediate(resolve));
    expect((await report(watcher)).wrong).toEqual([]);
    await Promise.all(flooders.map((thread) => thread.end()));
    expect(await kernel.counts()).toMatchObject({ clients: 0, open: 0 });
  });

  test(
    "gets errors, and nobody else notices",
    async () => {
      const watcher = await threads.start("watch", 11);
      let seat: Seat | undefined;
      await fc.assert(
        fc.asyncProperty(fc.array(garbage, { minLength: 1, maxLength: 40 }), async (calls) => {
          seat = await kernel.seat(TREE, CLIENT_PROCESS);
          const place = seat.place;
          const mailbox = new Mailbox(place.mailbox);
          const gate = new Gate(place.gate);
          for (const call of calls) {
            mailbox.numbers.set(call.numbers);
            mailbox.numbers[0] = call.handle;
            // The path that is meant, or a length that isn't one.
            mailbox.numbers[3] = call.pathBytes === -1 ? call.content.length : call.pathBytes;
            mailbox.reals.set(call.reals);
            mailbox.longs.set(call.longs);
            mailbox.data.set(call.content);
            const answer = mailbox.call(call.operation, gate, place.client);
            expect(Number.isInteger(answer)).toBe(true);
            expect(answer).toBeGreaterThan(-200);
          }
          await kernel.leave(seat);
        }),
        { numRuns: LONG ? 5_000 : 100 },
      );
      expect((await report(watcher)).wrong).toEqual([]);
      expect(await kernel.counts()).toMatchObject({ clients: 0, open: 0 });
      // The tree is as whole as before: everything in it can be named, and removed.
      const { seat: own, root } = await join();
      expect(usableBytes(root)).toBeGreaterThan(200 * 1024 * 1024);
      await kernel.leave(own);
    },
    LONG ? 600_000 : 60_000,
  );
});
