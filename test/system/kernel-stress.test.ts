/** Eight threads on one tree at the same time: each checks what it can check, and afterwards everything has to fit together. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { RemoteDirectory } from "../../runtime/core/kernel/remote/remote-directory.ts";
import { PLAIN } from "../../runtime/core/vfs/open-options.ts";
import { KernelHost, type Seat } from "../../runtime/engine/kernel-host.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../shim/abi/system.ts";
import { CLIENT_PROCESS, ClientThreads } from "../fixtures/kernel-client/client-thread.ts";
import { connectHere } from "../fixtures/kernel-client/connect-here.ts";
import { RECORD_HEADER_BYTES, STABLE_NAMES, type StressReport } from "../fixtures/kernel-client/stress.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const CLIENTS = 8;
const ROUNDS = LONG ? 20_000 : 400;
const CREATE: OpenOptions = { ...PLAIN, read: true, write: true, create: true, mode: 0o666 };

let kernel: KernelHost;
let threads: ClientThreads;
let seat: Seat;
let root: OpenFile;

beforeAll(async () => {
  kernel = new KernelHost();
  await kernel.openTree(
    "tree",
    {
      layers: [],
      snapshot: undefined,
      folders: [
        { path: "/shared", mode: 0o777 },
        { path: "/shared/many", mode: 0o777 },
      ],
      mounts: [],
      etcFiles: [],
      readOnly: false,
      diskBytesMax: 2 ** 31,
      inodesMax: 100_000,
    },
    { uid: 0, gid: 0 },
  );
  threads = await ClientThreads.open(kernel, "tree");
  seat = await kernel.seat("tree", CLIENT_PROCESS);
  const connection = connectHere(seat);
  root = new RemoteDirectory(connection, connection.takeHandle());
});
afterAll(() => kernel[Symbol.asyncDispose]());

function open(path: string): OpenFile {
  const file = root.openAt(path, CREATE);
  if (isFailure(file)) throw new Error(`open ${path}: ${file}`);
  return file;
}

function readAll(path: string): Uint8Array {
  const file = open(path);
  const stat = {} as Stat;
  expect(file.stat(stat)).toBe(0);
  const bytes = new Uint8Array(stat.sizeBytes);
  expect(file.readAt(bytes, 0)).toBe(bytes.length);
  file.close();
  return bytes;
}

test(
  "eight clients, and all fits together",
  async () => {
    for (let index = 0; index < STABLE_NAMES; index++) open(`shared/many/stable-${index}`).close();
    for (const path of ["shared/token", "shared/counted"]) {
      const file = open(path);
      file.write(new TextEncoder().encode("0"));
      file.close();
    }
    open("shared/linked").close();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, (_, id) => threads.start("stress", id, ROUNDS)),
    );
    const reports = await Promise.all(
      clients.map(
        ({ worker }) =>
          new Promise<StressReport>((resolve, reject) => {
            worker.once("message", resolve);
            worker.once("error", reject);
          }),
      ),
    );
    await Promise.all(clients.map((client) => client.end()));
    expect(reports.flatMap(({ wrong }) => wrong)).toEqual([]);

    checkLog(readAll("shared/log"), reports);
    const sum = (what: "tokenCount" | "lockedCount") =>
      reports.reduce((total, report) => total + report[what], 0);
    expect(new TextDecoder().decode(readAll("shared/token"))).toBe(String(sum("tokenCount")));
    expect(new TextDecoder().decode(readAll("shared/counted"))).toBe(String(sum("lockedCount")));
    expect(sum("tokenCount")).toBeGreaterThan(0);
    const stat = {} as Stat;
    expect(root.statAt("shared/linked", true, stat)).toBe(0);
    expect(stat.linkCount).toBe(1);
    expect(await kernel.counts()).toMatchObject({ clients: 1, open: 1 });
    await kernel.leave(seat);
  },
  LONG ? 900_000 : 60_000,
);

/** Record by record, each whole, and each client's in its order. */
function checkLog(log: Uint8Array, reports: readonly StressReport[]): void {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const counts = new Array<number>(CLIENTS).fill(0);
  let at = 0;
  while (at < log.length) {
    const id = view.getUint32(at, true);
    const length = view.getUint32(at + 8, true);
    expect({ at, id, number: view.getUint32(at + 4, true) }).toEqual({ at, id, number: counts[id] });
    counts[id]!++;
    const content = log.subarray(at + RECORD_HEADER_BYTES, at + length);
    if (!content.every((byte) => byte === id + 1)) throw new Error(`the record at ${at} isn't in one piece`);
    at += length;
  }
  expect(at).toBe(log.length);
  expect(counts).toEqual(reports.map(({ recordCount }) => recordCount));
}
