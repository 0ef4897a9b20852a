/** What a folder holds, cut anywhere, is a state that was; and nothing that was synced is missing. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WpodError } from "../../../../../runtime/core/error.ts";
import { crc32 } from "../../../../../runtime/core/vfs/journal/crc32.ts";
import { decodeFrame, decodeHeader } from "../../../../../runtime/core/vfs/journal/frame.ts";
import type { MemoryFile } from "../../../../../runtime/core/vfs/memory-file.ts";
import { Errno } from "../../../../../shim/abi/errno.ts";
import { openPath, readText } from "../inspect.ts";
import { apply, fingerprint, moveKept, type Operation, openKept, operation } from "./history.ts";
import { cutFolder, folderAfter, RecordedFolder } from "./recorded-folder.ts";

const isLong = process.env.WPOD_TEST_LONG === "1";
const RUNS = isLong ? 300 : 12;
const TIMEOUT_MS = isLong ? 600_000 : 30_000;

interface Moment {
  /** Steps of the folder that were done when it was so. */
  steps: number;
  look: string;
  isSynced: boolean;
}

/** Runs it, and looks after each operation. */
function record(operations: readonly Operation[], residentBytesMax: number, rebuildBytes = 1 << 20) {
  const folder = new RecordedFolder();
  const kept = openKept(folder, residentBytesMax, "one", rebuildBytes);
  const history: Moment[] = [{ steps: 0, look: fingerprint(kept), isSynced: true }];
  for (const one of operations) {
    const note = (isSynced: boolean) => {
      const steps = folder.steps.length;
      history.push({ steps, look: fingerprint(kept), isSynced });
    };
    note(apply(kept, one, () => note(false)));
  }
  expect(kept.journal.close()).toBe(0);
  return { folder, history };
}

/** The last moment that must be there when so many steps were done. */
function lastSynced(history: readonly Moment[], steps: number): number {
  return history.findLastIndex((moment) => moment.isSynced && moment.steps <= steps);
}

function expectMoment(
  folder: RecordedFolder,
  history: readonly Moment[],
  steps: number,
  where: string,
): number {
  const kept = openKept(folder);
  const look = fingerprint(kept);
  const earliest = lastSynced(history, steps);
  const found = history.findLastIndex((moment) => moment.look === look);
  if (found < earliest) expect.fail(`${where}: found moment ${found}, wanted ${earliest} or later\n${look}`);
  return found;
}

/** Each byte in a long run, but of the contents of large files. */
function strideOf(sizeBytes: number): number {
  if (sizeBytes > 10_000) return 5000;
  return isLong ? 1 : Math.max(1, Math.floor(sizeBytes / 40));
}

describe("a run that was killed", { timeout: TIMEOUT_MS }, () => {
  test("at any byte of what it wrote leaves a state that was", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 3, maxLength: 25 }),
        fc.constantFrom(1 << 20, 300_000, 1000),
        fc.constantFrom(1 << 20, 500, 50),
        (operations, residentBytesMax, rebuildBytes) => {
          const { folder, history } = record(operations, residentBytesMax, rebuildBytes);
          for (const [index, step] of folder.steps.entries()) {
            expectMoment(folderAfter(folder.steps, index, 0), history, index, `step ${index}`);
            if (step.kind !== "write") continue;
            const stride = strideOf(step.bytes.length);
            for (let cut = 1; cut < step.bytes.length; cut += stride) {
              expectMoment(folderAfter(folder.steps, index, cut), history, index, `step ${index} at ${cut}`);
            }
          }
          const end = folderAfter(folder.steps, folder.steps.length, 0);
          expect(expectMoment(end, history, folder.steps.length, "end")).toBe(history.length - 1);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test("on a machine that lost power, which cuts the journal and the data each where it likes", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 3, maxLength: 25 }),
        fc.array(
          fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
          {
            minLength: 30,
            maxLength: 30,
          },
        ),
        fc.nat(),
        fc.constantFrom(1 << 20, 500, 50),
        (operations, cuts, where, rebuildBytes) => {
          const { folder, history } = record(operations, 300_000, rebuildBytes);
          const steps = where % (folder.steps.length + 1);
          const killed = folderAfter(folder.steps, steps, 0);
          for (const [ofJournal, ofData] of cuts) {
            const after = cutFolder(killed, (name, file) => {
              const lost = file.bytes.length - file.syncedBytes;
              const share = name === "journal" ? ofJournal : ofData;
              return file.syncedBytes + Math.round(lost * share);
            });
            expectMoment(after, history, steps, `after ${steps} steps, ${ofJournal} ${ofData}`);
          }
        },
      ),
      { numRuns: RUNS * 3 },
    );
  });

  test("goes on from there as if nothing had been", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 3, maxLength: 20 }),
        fc.array(operation, { minLength: 1, maxLength: 20 }),
        (operations, later) => {
          const { folder } = record(operations, 300_000, 50);
          const twinFolder = new RecordedFolder();
          const twin = openKept(twinFolder);
          const kept = openKept(folder);
          // The same bytes are written to both: only what is different in kind would show.
          for (const one of operations) apply(twin, one);
          kept.clock.ns = twin.clock.ns;
          for (const one of later) {
            apply(kept, one);
            apply(twin, one);
          }
          kept.journal.close();
          expect(kindsOf(fingerprint(openKept(folder)))).toEqual(kindsOf(fingerprint(twin)));
        },
      ),
      { numRuns: RUNS * 3 },
    );
  });
});

/** Of a chunk in which only zeros are left, nothing is on disk. */
test("what was cut down to a hole is there again, and can be changed, and is there again", () => {
  const folder = new RecordedFolder();
  const open = () => openKept(folder, 300_000, "one", 50);
  const first = open();
  const file = openPath(first.root, "hole", { create: true, write: true });
  file.writeAt(new Uint8Array(100).fill(1), 200_000);
  file.truncate(1);
  file.close();
  expect(first.journal.close()).toBe(0);
  const second = open();
  const again = openPath(second.root, "hole", { write: true });
  again.truncate(262_100);
  again.close();
  expect(second.journal.close()).toBe(0);
  const seen = new Uint8Array(300_000);
  const last = openPath(open().root, "hole");
  expect(last.readAt(seen, 0)).toBe(262_100);
  expect(seen.every((byte) => byte === 0)).toBe(true);
});

describe("a move to another thread", () => {
  test("changes nothing that is seen, and what comes after it is kept as before", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 1, maxLength: 20 }),
        fc.array(operation, { minLength: 1, maxLength: 20 }),
        fc.constantFrom(1 << 20, 50),
        (operations, later, rebuildBytes) => {
          const folder = new RecordedFolder();
          const before = openKept(folder, 300_000, "one", rebuildBytes);
          for (const one of operations) apply(before, one);
          const look = fingerprint(before);
          const after = moveKept(before, folder);
          expect(fingerprint(after)).toBe(look);
          for (const one of later) apply(after, one);
          const last = fingerprint(after);
          expect(after.journal.close()).toBe(0);
          expect(fingerprint(openKept(folder))).toBe(last);
        },
      ),
      { numRuns: RUNS * 5 },
    );
  });

  test("takes along what is open and has no name, also what of it is on disk alone", () => {
    const folder = new RecordedFolder();
    const before = openKept(folder, 300_000);
    const file = openPath(before.root, "f", { create: true, write: true, read: true }) as MemoryFile;
    const piece = new Uint8Array(200_000);
    for (let count = 0; count < 5; count++) file.write(piece.fill(count + 1));
    before.root.unlinkAt("f");
    const after = moveKept(before, folder, [file.node]);
    const { content } = after.nodes.find(({ ino }) => ino === file.node.ino)!;
    for (let count = 0; count < 5; count++) {
      expect(content!.read(piece, count * piece.length)).toBe(piece.length);
      expect(piece.every((byte) => byte === count + 1)).toBe(true);
    }
    expect(after.journal.close()).toBe(0);
    expect(openKept(folder).fileSystem.usage()).toEqual({ bytes: 0, inodes: 0 });
  });
});

/** Where the records of a journal are. */
function framesOf(bytes: Uint8Array<ArrayBuffer>): { start: number; end: number }[] {
  const frames: { start: number; end: number }[] = [];
  let start = decodeHeader(bytes)!.sizeBytes;
  for (;;) {
    const frame = decodeFrame(bytes, start, frames.length);
    if (frame === undefined) return frames;
    frames.push({ start, end: frame.end });
    start = frame.end;
  }
}

/** Without times and the values of bytes. */
function kindsOf(look: string): string[] {
  return look.split("\n").map((line, index) => (index === 0 ? line : line.split(" ").slice(0, 6).join(" ")));
}

describe("foreign bytes", () => {
  test("are refused in words, or give a state that was", () => {
    const operations: Operation[] = [
      { op: "write", path: "a/x", at: 10, size: 300 },
      { op: "mkdir", path: "d" },
      { op: "rename", path: "a", to: "d/a" },
      { op: "link", path: "d/a/a", to: "d/e" },
      { op: "symlink", path: "s", to: "d" },
      { op: "sync", path: "d/e" },
      { op: "unlink", path: "d/a/a" },
    ];
    const { folder } = record(operations, 1 << 20);
    fc.assert(
      fc.property(fc.nat(), fc.nat(255), (at, value) => {
        const broken = cutFolder(folder, (_name, file) => file.bytes.length);
        const { bytes } = broken.files.get("journal")!;
        bytes[at % bytes.length] = value;
        try {
          fingerprint(openKept(broken));
        } catch (error) {
          expect(error).toBeInstanceOf(WpodError);
        }
      }),
      { numRuns: isLong ? 20_000 : 500 },
    );
  });

  test("with a checksum that fits are refused in words, or give some state", () => {
    const { folder } = record(
      [
        { op: "write", path: "a/x", at: 10, size: 300 },
        { op: "mkdir", path: "d" },
        { op: "rename", path: "a", to: "d/a" },
        { op: "later", path: "a" },
        { op: "link", path: "d/a/a", to: "d/e" },
        { op: "symlink", path: "s", to: "d" },
        { op: "sync", path: "d/e" },
        { op: "unlink", path: "d/a/a" },
        { op: "truncate", path: "b/c", size: 3 },
      ],
      1 << 20,
    );
    const { bytes } = folder.files.get("journal")!;
    const frames = framesOf(bytes);
    expect(frames.length).toBeGreaterThan(1);
    const change = fc.record({ at: fc.nat(), value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 255)) });
    fc.assert(
      fc.property(fc.nat(), fc.array(change, { minLength: 1, maxLength: 4 }), (which, changes) => {
        const broken = cutFolder(folder, (_name, file) => file.bytes.length);
        const journal = broken.files.get("journal")!.bytes;
        const { start, end } = frames[which % frames.length]!;
        for (const { at, value } of changes) journal[start + 12 + (at % (end - start - 12))] = value;
        new DataView(journal.buffer).setUint32(start + 4, crc32(journal.subarray(start + 8, end)), true);
        try {
          fingerprint(openKept(broken));
        } catch (error) {
          expect(error).toBeInstanceOf(WpodError);
        }
      }),
      { numRuns: isLong ? 50_000 : 1000 },
    );
  });

  test.each([
    ["another version", (bytes: Uint8Array) => bytes.fill(9, 8, 9), /has version 9.*reads version 1/],
    ["no journal", (bytes: Uint8Array) => bytes.fill(0x20, 0, 3), /no journal/],
    ["a broken header", (bytes: Uint8Array) => bytes.fill(0x20, 22, 23), /header/],
  ])("%s", (_name, change, message) => {
    const { folder } = record([{ op: "mkdir", path: "d" }], 1 << 20);
    change(folder.files.get("journal")!.bytes);
    expect(() => openKept(folder)).toThrow(message);
  });

  test("other layers", () => {
    const { folder } = record([{ op: "mkdir", path: "d" }], 1 << 20);
    expect(() => openKept(folder, 1 << 20, "two")).toThrow(/another image/);
  });
});

describe("a disk", () => {
  test("that is full is told to who writes or syncs, and nothing is lost when it has room again", () => {
    const folder = new RecordedFolder();
    const kept = openKept(folder, 600_000);
    const file = openPath(kept.root, "f", { create: true, write: true });
    expect(file.sync(false)).toBe(0);
    folder.failure = -Errno.ENOSPC;
    let written = 0;
    for (let count = 0; count < 8; count++) {
      const answer = file.write(new Uint8Array(256 * 1024).fill(count + 1));
      if (answer < 0) {
        expect(answer).toBe(-Errno.ENOSPC);
        break;
      }
      written += answer;
    }
    expect(written).toBeLessThan(600_000);
    expect(kept.journal.pages.residentBytes).toBeLessThanOrEqual(600_000);
    expect(file.sync(false)).toBe(-Errno.ENOSPC);
    kept.root.makeDirectoryAt("d", 0o755);
    folder.failure = 0;
    expect(file.sync(false)).toBe(0);
    const after = openKept(folderAfter(folder.steps, folder.steps.length, 0));
    expect(fingerprint(after)).toBe(fingerprint(kept));
  });

  test("that fails a sync is not believed again", () => {
    const folder = new RecordedFolder();
    const kept = openKept(folder);
    const file = openPath(kept.root, "f", { create: true, write: true });
    kept.journal.flush();
    folder.failure = -Errno.EIO;
    expect(file.sync(false)).toBe(-Errno.EIO);
    folder.failure = 0;
    expect(file.sync(false)).toBe(-Errno.EIO);
  });
});

test("nothing is written before something changes", () => {
  const folder = new RecordedFolder();
  const kept = openKept(folder);
  expect(readText(kept.root, "a/a")).toBe("lower");
  expect(kept.journal.sync()).toBe(0);
  expect(kept.journal.close()).toBe(0);
  expect(folder.steps).toEqual([]);
});

test("data that isn't needed goes, whatever is written meanwhile", () => {
  const folder = new RecordedFolder();
  const kept = openKept(folder, 600_000, "one", 300_000);
  const stays = openPath(kept.root, "stays", { create: true, write: true });
  stays.write(new Uint8Array(400_000).fill(1));
  const file = openPath(kept.root, "f", { create: true, write: true });
  let sizeBytesMax = 0;
  for (let count = 0; count < 400; count++) {
    file.writeAt(new Uint8Array(40_000).fill((count % 250) + 1), (count % 10) * 40_000);
    if (count % 3 === 0) file.sync(false);
    let sizeBytes = 0;
    for (const { bytes } of folder.files.values()) sizeBytes += bytes.length;
    sizeBytesMax = Math.max(sizeBytesMax, sizeBytes);
  }
  expect(folder.steps.filter((step) => step.kind === "rename").length).toBeGreaterThan(3);
  // Twice what is needed, the copy, and what came while it was made; 16 MB were written.
  expect(sizeBytesMax).toBeLessThan(4_500_000);
  const look = fingerprint(kept);
  kept.journal.close();
  expect(fingerprint(openKept(folder))).toBe(look);
});

test("a file may be larger than what is in memory of it", () => {
  const folder = new RecordedFolder();
  const kept = openKept(folder, 1_000_000);
  const file = openPath(kept.root, "f", { create: true, write: true, read: true });
  const piece = new Uint8Array(100_000);
  for (let count = 0; count < 30; count++) expect(file.write(piece.fill(count + 1))).toBe(piece.length);
  expect(kept.journal.pages.residentBytes).toBeLessThanOrEqual(1_000_000);
  for (let count = 0; count < 30; count++) {
    expect(file.readAt(piece, count * piece.length)).toBe(piece.length);
    expect(piece.every((byte) => byte === count + 1)).toBe(true);
  }
});
