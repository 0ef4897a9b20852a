import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openIndex } from "../../../../runtime/core/image/binary-index.ts";
import { LayerIndexBuilder } from "../../../../runtime/core/image/index-builder.ts";
import type { TarEntry } from "../../../../runtime/core/image/tar.ts";
import { listIndex } from "../../../fixtures/image-index.ts";

const LONG = process.env.WPOD_TEST_LONG === "1" ? 50 : 1;
const plain: TarEntry = {
  type: "file",
  path: "a",
  linkPath: "",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeNs: 0n,
  sizeBytes: 0,
  storedBytes: 0,
  offsetBytes: 512,
  pieces: undefined,
  deviceMajor: 0,
  deviceMinor: 0,
};

function write(entries: readonly TarEntry[], tarBytes = 4096): Uint8Array {
  const builder = new LayerIndexBuilder();
  for (const entry of entries) builder.add(entry);
  return builder.finish(tarBytes);
}

const name = fc.stringMatching(/^[a-zé日\u{1f600} ]{1,12}$/u);
const whole = (max: number) =>
  fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, max), fc.integer({ min: 0, max }));
const entry: fc.Arbitrary<TarEntry> = fc
  .record({
    path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    mode: whole(0o7777),
    uid: whole(0xffff_fffe),
    gid: whole(0xffff_fffe),
    mtimeNs: fc.oneof(
      fc.constantFrom(0n, -1n, -1_000_000_000n, -999_999_999n, 1n),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    ),
    device: fc.tuple(whole(4095), whole(0xf_ffff)),
    target: name,
    sizeBytes: whole(Number.MAX_SAFE_INTEGER),
    offset: whole(2 ** 40),
    holes: fc.option(
      fc.array(fc.tuple(whole(2 ** 40), fc.integer({ min: 1, max: 2 ** 40 })), { maxLength: 5 }),
      { nil: undefined },
    ),
    type: fc.constantFrom(
      "file",
      "directory",
      "symlink",
      "character-device",
      "block-device",
      "fifo" as const,
    ),
  })
  .map(({ path, mode, uid, gid, mtimeNs, device, target, sizeBytes, offset, holes, type }) => {
    const isFile = type === "file";
    const isDevice = type === "character-device" || type === "block-device";
    const offsetBytes = offset * 512;
    let endBytes = 0;
    let stored = offsetBytes;
    const pieces = holes?.map(([hole, size]) => {
      const piece = { startBytes: endBytes + hole, sizeBytes: size, offsetBytes: stored };
      endBytes = piece.startBytes + size;
      stored += size;
      return piece;
    });
    return {
      ...plain,
      type,
      path,
      mode,
      uid,
      gid,
      mtimeNs,
      linkPath: type === "symlink" ? target : "",
      sizeBytes: isFile ? (pieces === undefined ? sizeBytes : endBytes) : 0,
      offsetBytes: isFile ? offsetBytes : 0,
      pieces: isFile ? pieces : undefined,
      deviceMajor: isDevice ? device[0] : 0,
      deviceMinor: isDevice ? device[1] : 0,
    };
  });

test("what is written is read back, to the last bit", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
      // No entry under another's name, none twice: those rules are the builder's, and tested there.
      const kept = entries.filter(
        ({ path, type }, at) =>
          entries.findIndex((other) => other.path === path) === at &&
          (type === "directory" || !entries.some((other) => other.path.startsWith(`${path}/`))),
      );
      const index = openIndex(write(kept));
      const found = listIndex(index);
      expect(index.entryCount).toBe(found.size);
      for (const { path, linkPath, storedBytes, ...expected } of kept) {
        void storedBytes;
        expect(found.get(path)).toMatchObject({
          ...expected,
          name: path.slice(path.lastIndexOf("/") + 1),
          target: linkPath,
          implied: false,
          linkCount: 1,
        });
      }
      // Every other entry is a parent of one of them, and inode numbers are different ones.
      const others = [...found.keys()].filter((path) => !kept.some((entry) => entry.path === path));
      for (const path of others) expect(found.get(path)?.implied).toBe(true);
      expect(new Set([...found.values()].map((entry) => entry.inode)).size).toBe(found.size);
    }),
    { numRuns: 150 * LONG },
  );
});

test("the same layer gives the same bytes", () => {
  const entries = [plain, { ...plain, path: "b/c" }];
  expect(write(entries)).toEqual(write(entries));
});

test("a directory that the layer doesn't mention is empty", () => {
  const index = openIndex(write([{ ...plain, path: "a/b" }]));
  for (const path of ["b", "a/b", "a/c", "a/", "/a", "A", "\u{d800}"]) {
    expect(index.children(path)).toEqual([]);
    expect(index.whiteouts(path)).toEqual([]);
    expect(index.isOpaque(path)).toBe(false);
  }
  expect(index.tarSizeBytes).toBe(4096);
});

describe("a damaged index is refused", () => {
  const good = write([plain]);
  test.each([
    { name: "nothing", bytes: new Uint8Array() },
    { name: "a short one", bytes: good.subarray(0, 31) },
    { name: "one cut off", bytes: good.subarray(0, -1) },
    { name: "one with more behind it", bytes: new Uint8Array([...good, 0]) },
    { name: "another file", bytes: good.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) },
  ])("$name", ({ bytes }) => {
    expect(() => openIndex(bytes)).toThrow(expect.objectContaining({ code: "BLOB_CORRUPT" }));
  });
});

test("an index of 100,000 entries is looked up without reading it", () => {
  const builder = new LayerIndexBuilder();
  for (let at = 0; at < 100_000; at++) builder.add({ ...plain, path: `d${at % 1000}/f${at}` });
  const bytes = builder.finish(0);
  // A hidden decoding of everything would touch the bytes of other directories: they are noise now.
  const clean = openIndex(bytes.slice());
  const expected = clean.children("d77");
  expect(expected).toHaveLength(100);
  expect(bytes.length / 100_000).toBeLessThan(40);
  const first = new Uint8Array(bytes);
  const view = new DataView(first.buffer, first.byteOffset);
  const slots = view.getUint32(16, true);
  const starts = Array.from({ length: slots }, (_, slot) => view.getUint32(32 + slot * 4, true))
    .filter((start) => start > 0)
    .sort((a, b) => a - b);
  const text = (at: number) =>
    new TextDecoder().decode(first.subarray(at + 1, at + 1 + (first[at] as number)));
  for (const [place, start] of starts.entries()) {
    if (text(start) === "d77") continue;
    // The path stays: a chain of the table may lead past it.
    first.fill(0xff, start + 1 + (first[start] as number), starts[place + 1] ?? first.length);
  }
  expect(openIndex(first).children("d77")).toEqual(expected);
});
