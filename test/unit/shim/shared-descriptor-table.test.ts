import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { createDescriptorRecords } from "../../../shim/abi/descriptor-records.ts";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { FdFlags } from "../../../shim/abi/flags.ts";
import { RIGHTS_ALL, Rights } from "../../../shim/abi/rights.ts";
import { Descriptor } from "../../../shim/descriptor.ts";
import { encodeUtf8 } from "../../../shim/memory.ts";
import { SharedDescriptorTable } from "../../../shim/shared-descriptor-table.ts";
import type { Race, RaceResult } from "../../fixtures/descriptor-racer.ts";
import { HandleFile, handleFiles, KEPT_MAX } from "../../fixtures/shared-files.ts";

const RACER = new URL("../../fixtures/descriptor-racer.ts", import.meta.url);
const COUNT_MAX = 8;

/** Two threads' tables over the same numbers, with `count` files open; handles are 10, 11 and so on. */
function threads(count: number, preopenNames: string[] = []) {
  const buffer = createDescriptorRecords(COUNT_MAX, 2);
  const closed: string[] = [];
  const [one, other] = ["one", "other"].map(
    (name) =>
      new SharedDescriptorTable(
        buffer,
        COUNT_MAX,
        handleFiles((handle) => closed.push(`${handle} by ${name}`), preopenNames),
      ),
  ) as [SharedDescriptorTable, SharedDescriptorTable];
  for (let index = 0; index < count; index++) one.add(opened(10 + index));
  return { one, other, closed };
}

function opened(handle: number, flags = 0, preopenName?: Uint8Array): Descriptor {
  const file = new HandleFile(handle, FileType.regularFile, () => {});
  file.append = (flags & FdFlags.APPEND) !== 0;
  return new Descriptor(file, RIGHTS_ALL, Rights.FD_READ, flags & FdFlags.SYNC, preopenName);
}

const handleAt = (table: SharedDescriptorTable, fd: number) =>
  (table.get(fd)?.file as HandleFile | undefined)?.handle;

describe("a table of descriptors that threads share", () => {
  test("shows one thread what another opened, closed and renumbered", () => {
    const { one, other, closed } = threads(3);
    expect([0, 1, 2, 3].map((fd) => handleAt(other, fd))).toEqual([10, 11, 12, undefined]);
    expect(other.add(opened(20))).toBe(3);
    expect(handleAt(one, 3)).toBe(20);
    expect(other.close(1)).toBe(Errno.ESUCCESS);
    expect(one.get(1)).toBeUndefined();
    expect(one.renumber(0, 2)).toBe(Errno.ESUCCESS);
    expect([0, 1, 2, 3].map((fd) => handleAt(other, fd))).toEqual([undefined, undefined, 10, 20]);
    expect(closed).toEqual(["11 by other", "12 by one"]);
    expect(one.add(opened(30))).toBe(0);
    expect(handleAt(other, 0)).toBe(30);
  });

  test("makes one object of a file that stays where it is, and another for its successor", () => {
    const { one, other } = threads(1);
    const met = other.get(0);
    expect(other.get(0)).toBe(met);
    one.close(0);
    one.add(opened(11));
    expect(other.get(0)).not.toBe(met);
    expect(handleAt(other, 0)).toBe(11);
  });

  test.each([
    { count: COUNT_MAX - 1, room: true, number: COUNT_MAX - 1 },
    { count: COUNT_MAX, room: false, number: -Errno.EMFILE },
  ])("of 8, with $count in use: the next is $number", ({ count, room, number }) => {
    const { other } = threads(count);
    expect(other.hasRoom()).toBe(room);
    expect(other.add(opened(50))).toBe(number);
    // A number that wasn't there took nothing: as often as one likes.
    for (let again = 0; again < 20 && number < 0; again++) expect(other.add(opened(51))).toBe(number);
    other.close(0);
    expect(other.add(opened(52))).toBe(0);
  });

  test.each([4, COUNT_MAX - 1, COUNT_MAX, COUNT_MAX + 1, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff])(
    "has nothing at %d",
    (fd) => {
      const { one } = threads(4);
      expect(one.get(fd)).toBeUndefined();
      expect(one.close(fd)).toBe(Errno.EBADF);
      expect(one.renumber(0, fd)).toBe(Errno.EBADF);
      expect(one.renumber(fd, 0)).toBe(Errno.EBADF);
      expect(handleAt(one, 0)).toBe(10);
    },
  );

  test("renumbering to itself changes nothing", () => {
    const { one, closed } = threads(2);
    expect(one.renumber(1, 1)).toBe(Errno.ESUCCESS);
    expect(handleAt(one, 1)).toBe(11);
    expect(closed).toEqual([]);
  });

  test("flags and rights that one thread sets, the other has", () => {
    const { one, other } = threads(0);
    one.add(opened(10, FdFlags.APPEND | FdFlags.SYNC));
    const mine = other.get(0)!;
    expect(mine.flags).toBe(FdFlags.APPEND | FdFlags.SYNC);
    expect(mine.file.append).toBe(true);
    one.get(0)!.setFlags(FdFlags.NONBLOCK);
    expect(other.get(0)!.flags).toBe(FdFlags.NONBLOCK);
    expect(mine.file).toMatchObject({ append: false, nonblock: true });

    one.get(0)!.setRights(Rights.FD_READ | Rights.FD_SEEK, 0);
    expect(other.get(0)!.may(Rights.FD_SEEK)).toBe(true);
    expect(other.get(0)!.may(Rights.FD_WRITE)).toBe(false);
    expect(other.get(0)!.rightsInheriting).toBe(0);
  });

  test("a right that one thread gave away doesn't come back by another's older view", () => {
    const { one, other } = threads(1);
    const stale = other.get(0)!;
    one.get(0)!.setRights(RIGHTS_ALL & ~Rights.FD_WRITE, 0);
    stale.setRights(RIGHTS_ALL & ~Rights.FD_READ, Rights.FD_READ);
    expect(one.get(0)!.rightsBase).toBe(RIGHTS_ALL & ~Rights.FD_WRITE & ~Rights.FD_READ);
    expect(one.get(0)!.rightsInheriting).toBe(0);
  });

  test("preopens have their names in every thread", () => {
    const { one, other } = threads(0, ["/", "ä"]);
    one.add(opened(10, 0, encodeUtf8("/")));
    one.add(opened(11, 0, encodeUtf8("ä")));
    one.add(opened(12));
    expect([0, 1, 2].map((fd) => other.get(fd)!.preopenName)).toEqual([
      encodeUtf8("/"),
      encodeUtf8("ä"),
      undefined,
    ]);
  });

  test.each([
    { handle: KEPT_MAX - 1, told: [] },
    { handle: KEPT_MAX, told: [`${KEPT_MAX} by one`] },
  ])("the number of handle $handle is closed, and of files $told", ({ handle, told }) => {
    const { one, closed } = threads(0);
    one.add(opened(handle));
    expect(one.close(0)).toBe(Errno.ESUCCESS);
    expect(one.get(0)).toBeUndefined();
    expect(closed).toEqual(told);
  });

  const rounds = process.env.WPOD_TEST_LONG === "1" ? 20 : 2;
  test(`four threads that open, close and renumber ${rounds} times 20,000 times lose nothing and mix nothing up`, {
    timeout: 120_000,
  }, async () => {
    for (let round = 0; round < rounds; round++) {
      const buffer = createDescriptorRecords(COUNT_MAX, 4);
      const handles = new SharedArrayBuffer(4);
      new Int32Array(handles)[0] = KEPT_MAX;
      const results = await Promise.all(
        [1, 2, 3, 4].map((thread) =>
          race({ buffer, countMax: COUNT_MAX, handles, stepCount: 20_000, seed: round * 10 + thread }),
        ),
      );
      expect(results.flatMap(({ wrong }) => wrong).slice(0, 5)).toEqual([]);
      const left = new SharedDescriptorTable(
        buffer,
        COUNT_MAX,
        handleFiles(() => {}),
      );
      const open = Array.from({ length: COUNT_MAX }, (_, fd) => handleAt(left, fd)).filter(
        (handle) => handle !== undefined,
      );
      const gone = results.flatMap(({ closed }) => closed);
      const sorted = (list: number[]) => list.toSorted((a, b) => a - b);
      expect(gone.length).toBeGreaterThan(1000);
      expect(sorted([...gone, ...open])).toEqual(sorted(results.flatMap((result) => result.opened)));
      // All records are free again: as many as there were fit.
      for (let fd = 0; fd < COUNT_MAX; fd++) left.close(fd);
      for (let fd = 0; fd < COUNT_MAX; fd++) expect(left.add(opened(1_000_000 + fd))).toBe(fd);
    }
  });
});

async function race(data: Race): Promise<RaceResult> {
  const worker = new Worker(RACER, { workerData: data });
  const [result] = (await once(worker, "message")) as [RaceResult];
  await worker.terminate();
  return result;
}
