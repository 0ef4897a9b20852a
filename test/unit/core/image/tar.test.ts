import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { extract, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import { TAR_EXTENSION_BYTES_MAX } from "../../../../runtime/core/image/limits.ts";
import { looksLikeTar, type TarEntry, TarScanner } from "../../../../runtime/core/image/tar.ts";
import { runChild } from "../../../fixtures/child.ts";
import { base256, concat, octal, pax, type RawEntry, rawEntry, rawTar } from "../../../fixtures/image-tar.ts";
import { need } from "../../../fixtures/tools.ts";

const LONG = process.env.WPOD_TEST_LONG === "1" ? 50 : 1;

function scan(tar: Uint8Array, chunkBytes = Math.max(tar.length, 1)): TarEntry[] {
  const entries: TarEntry[] = [];
  const scanner = new TarScanner((entry) => entries.push(entry));
  for (let at = 0; at < tar.length; at += chunkBytes) scanner.push(tar.subarray(at, at + chunkBytes));
  scanner.finish();
  return entries;
}

function only(...entries: (RawEntry | Uint8Array)[]): TarEntry {
  const found = scan(rawTar(entries));
  expect(found).toHaveLength(1);
  return found[0] as TarEntry;
}

/** What a sparse or plain file's bytes are, read as the tree will read them. */
function contentOf(tar: Uint8Array, entry: TarEntry): Uint8Array {
  const content = new Uint8Array(entry.sizeBytes);
  const pieces = entry.pieces ?? [
    { startBytes: 0, sizeBytes: entry.sizeBytes, offsetBytes: entry.offsetBytes },
  ];
  for (const { startBytes, sizeBytes, offsetBytes } of pieces) {
    content.set(tar.subarray(offsetBytes, offsetBytes + sizeBytes), startBytes);
  }
  return content;
}

describe("reads", () => {
  const cases: { name: string; entries: (RawEntry | Uint8Array)[]; expected: Partial<TarEntry> }[] = [
    {
      name: "a file",
      entries: [{ path: "a", content: "hello", mode: 0o104755, uid: 7 }],
      expected: { type: "file", path: "a", sizeBytes: 5, offsetBytes: 512, mode: 0o4755, uid: 7 },
    },
    {
      name: "a name and prefix that fill their fields",
      entries: [{ path: "n".repeat(100), prefix: "p".repeat(155) }],
      expected: { path: `${"p".repeat(155)}/${"n".repeat(100)}` },
    },
    {
      name: "GNU's format without a prefix",
      entries: [{ path: "a", magic: "ustar  \0", prefix: "12345" }],
      expected: { path: "a" },
    },
    {
      name: "a header from before ustar",
      entries: [{ path: "a/", type: "\0", magic: "\0\0\0\0\0\0\0\0" }],
      expected: { type: "directory", path: "a/" },
    },
    { name: "an old file", entries: [{ path: "a", type: "\0", magic: "" }], expected: { type: "file" } },
    { name: "a contiguous file", entries: [{ type: "7" }], expected: { type: "file" } },
    {
      name: "a symlink whose size is a lie",
      entries: [{ type: "2", link: "x", sizeField: octal(9999, 11) }],
      expected: { type: "symlink", linkPath: "x", sizeBytes: 0 },
    },
    {
      name: "a hard link whose size is a lie",
      entries: [{ type: "1", link: "x", sizeField: octal(9999, 11) }],
      expected: { type: "hard-link", linkPath: "x", sizeBytes: 0 },
    },
    {
      name: "a directory whose size is a lie",
      entries: [{ type: "5", path: "d/", sizeField: octal(9999, 11) }],
      expected: { type: "directory", sizeBytes: 0 },
    },
    {
      name: "a device",
      entries: [{ type: "3", device: [5, 1] }],
      expected: { type: "character-device", deviceMajor: 5, deviceMinor: 1 },
    },
    { name: "a FIFO", entries: [{ type: "6" }], expected: { type: "fifo" } },
    {
      name: "a base-256 size",
      entries: [{ content: "abc", sizeField: base256(3n, 12) }],
      expected: { sizeBytes: 3 },
    },
    {
      name: "a time before 1970, base 256",
      entries: [{ mtimeField: base256(-5n, 12) }],
      expected: { mtimeNs: -5_000_000_000n },
    },
    {
      name: "numbers between spaces",
      entries: [{ content: "abc", sizeField: "          3 " }],
      expected: { sizeBytes: 3 },
    },
    { name: "an empty number", entries: [{ uidField: "\0\0\0\0\0\0\0\0" }], expected: { uid: 0 } },
    {
      name: "a GNU long name",
      entries: [{ type: "L", path: "././@LongLink", content: `${"x/".repeat(200)}y\0` }, { path: "short" }],
      expected: { path: `${"x/".repeat(200)}y` },
    },
    {
      name: "a GNU long link",
      entries: [
        { type: "K", path: "././@LongLink", content: `${"x".repeat(300)}\0` },
        { type: "2", link: "short" },
      ],
      expected: { linkPath: "x".repeat(300) },
    },
    {
      name: "pax path, link, size, owner",
      entries: [
        pax([
          ["path", "é/ü"],
          ["linkpath", "no"],
          ["size", "3"],
          ["uid", "4000000"],
          ["gid", "5"],
        ]),
        { path: "a", content: "abc", sizeField: octal(0, 11) },
      ],
      expected: { path: "é/ü", linkPath: "", sizeBytes: 3, uid: 4_000_000, gid: 5 },
    },
    {
      name: "a pax time to the nanosecond",
      entries: [pax([["mtime", "1700000000.123456789999"]]), {}],
      expected: { mtimeNs: 1_700_000_000_123_456_789n },
    },
    {
      name: "a pax time before 1970",
      entries: [pax([["mtime", "-1.5"]]), {}],
      expected: { mtimeNs: -1_500_000_000n },
    },
    {
      name: "a pax time without a fraction",
      entries: [pax([["mtime", "7."]]), {}],
      expected: { mtimeNs: 7_000_000_000n },
    },
    {
      name: "an empty pax value, which takes back",
      entries: [pax([["path", "x"]]), pax([["path", ""]]), { path: "a" }],
      expected: { path: "a" },
    },
    {
      name: "a record with a line break",
      entries: [
        pax([
          ["comment", "a\nb"],
          ["path", "c\nd"],
        ]),
        {},
      ],
      expected: { path: "c\nd" },
    },
    {
      name: "a global header, which applies to nothing",
      entries: [
        pax(
          [
            ["path", "evil"],
            ["size", "4096"],
          ],
          "g",
        ),
        { path: "a", content: "x" },
      ],
      expected: { path: "a", sizeBytes: 1 },
    },
    // The size of an extension is its own: a reader that applied the pax size to it would lose its place.
    {
      name: "pax before a long name",
      entries: [
        pax([["size", "3"]]),
        { type: "L", path: "././@LongLink", content: "long\0" },
        { content: "abc", sizeField: octal(0, 11) },
      ],
      expected: { path: "long", sizeBytes: 3 },
    },
    {
      name: "a volume label, which is nothing",
      entries: [{ type: "V", path: "label" }, { path: "a" }],
      expected: { path: "a" },
    },
    {
      name: "an old GNU sparse file",
      entries: [
        {
          type: "S",
          magic: "ustar  \0",
          content: "abcd",
          patch: (block) => {
            block.set(
              concat(
                [octal(512, 11), octal(2, 11), octal(1024, 11), octal(2, 11)].map((text) =>
                  new TextEncoder().encode(`${text}\0`),
                ),
              ),
              386,
            );
            block.set(new TextEncoder().encode(octal(5000, 11)), 483);
          },
        },
      ],
      expected: {
        sizeBytes: 5000,
        storedBytes: 4,
        pieces: [
          { startBytes: 512, sizeBytes: 2, offsetBytes: 512 },
          { startBytes: 1024, sizeBytes: 2, offsetBytes: 514 },
        ],
      },
    },
    {
      name: "a sparse file of all holes",
      entries: [
        pax([
          ["GNU.sparse.size", "1000000000000"],
          ["GNU.sparse.map", "1000000000000,0"],
        ]),
        {},
      ],
      expected: { sizeBytes: 1e12, storedBytes: 0, pieces: [] },
    },
  ];

  test.each(cases)("$name", ({ entries, expected }) => {
    expect(only(...entries)).toMatchObject(expected);
  });

  test("an archive without an end mark, and one without anything", () => {
    expect(scan(rawTar([{ path: "a", content: "x" }], false))).toHaveLength(1);
    expect(scan(new Uint8Array())).toEqual([]);
    expect(scan(new Uint8Array(1024))).toEqual([]);
  });

  test("nothing behind the end mark", () => {
    expect(
      scan(concat([rawTar([{ path: "a" }]), rawEntry({ path: "b" })])).map((entry) => entry.path),
    ).toEqual(["a"]);
  });

  test("a checksum of signed bytes, as old writers summed", () => {
    const bytes = rawEntry({ path: "é" });
    const header = bytes.subarray(0, 512).slice().fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
    expect(only(rawEntry({ path: "é", checksum: `${octal(sum, 6)}\0 ` })).path).toBe("é");
  });
});

describe("refuses", () => {
  const cases: { name: string; tar: Uint8Array; message?: RegExp }[] = [
    { name: "a wrong checksum", tar: rawTar([{ checksum: "0000001\0" }]), message: /checksum/ },
    { name: "no checksum", tar: rawTar([{ checksum: "        " }]), message: /checksum/ },
    { name: "an unknown type", tar: rawTar([{ type: "Z" }]), message: /unknown type, "Z"/ },
    {
      name: "a size that is no number",
      tar: rawTar([{ sizeField: "0000000000x" }]),
      message: /size is no number/,
    },
    {
      name: "a negative size",
      tar: rawTar([{ sizeField: base256(-1n, 12) }]),
      message: /size is out of range/,
    },
    {
      name: "a size beyond numbers",
      tar: rawTar([{ sizeField: base256(1n << 54n, 12) }]),
      message: /size is out of range/,
    },
    {
      name: "a negative owner",
      tar: rawTar([{ uidField: base256(-1n, 8) }]),
      message: /uid is out of range/,
    },
    {
      name: "an owner beyond 32 bits",
      tar: rawTar([pax([["uid", "4294967295"]]), {}]),
      message: /id is out of range/,
    },
    { name: "a negative pax size", tar: rawTar([pax([["size", "-1"]]), {}]), message: /number is damaged/ },
    { name: "a NUL in a pax path", tar: rawTar([pax([["path", "a\0b"]]), {}]), message: /NUL/ },
    {
      name: "a pax header a byte too large",
      tar: rawTar([{ type: "x", sizeField: octal(TAR_EXTENSION_BYTES_MAX + 1, 11) }]),
      message: /1048577 bytes/,
    },
    {
      name: "a pax header of 8 GiB",
      tar: rawTar([{ type: "x", sizeField: "77777777777" }], false),
      message: /8589934591 bytes/,
    },
    {
      name: "a long name of 8 GiB",
      tar: rawTar([{ type: "L", sizeField: "77777777777" }], false),
      message: /8589934591 bytes/,
    },
    ...["9 a=b\n", "5 a=b", "7 =ab\nx", "x a=b\n", " 6 a=b\n", "6 ab\n\n", "99 a=b\n", "0 a=b\n"].map(
      (content) => ({
        name: `the pax record ${JSON.stringify(content)}`,
        tar: rawTar([{ type: "x", content }, {}]),
        message: /pax header is damaged/,
      }),
    ),
    {
      name: "an end inside a header",
      tar: rawTar([{}], false).subarray(0, 300),
      message: /middle of an entry/,
    },
    {
      name: "an end inside a content",
      tar: rawTar([{ content: "x".repeat(600) }], false).subarray(0, 1100),
      message: /middle of an entry/,
    },
    {
      name: "an end behind an extension",
      tar: rawTar([pax([["path", "x"]])], false),
      message: /middle of an entry/,
    },
    {
      name: "an end mark behind an extension",
      tar: rawTar([pax([["path", "x"]])]),
      message: /middle of an entry/,
    },
    {
      name: "a lone block of zeros",
      tar: concat([rawEntry({ path: "a" }), new Uint8Array(512), rawEntry({ path: "b" })]),
      message: /lone block/,
    },
    {
      name: "sparse pieces that overlap",
      tar: rawTar([
        pax([
          ["GNU.sparse.size", "10"],
          ["GNU.sparse.map", "0,2,1,2"],
        ]),
        { content: "abcd" },
      ]),
      message: /sparse/,
    },
    {
      name: "sparse pieces outside the file",
      tar: rawTar([
        pax([
          ["GNU.sparse.size", "3"],
          ["GNU.sparse.map", "0,4"],
        ]),
        { content: "abcd" },
      ]),
      message: /sparse/,
    },
    {
      name: "sparse pieces longer than what is stored",
      tar: rawTar([
        pax([
          ["GNU.sparse.size", "100"],
          ["GNU.sparse.map", "0,50"],
        ]),
        { content: "abcd" },
      ]),
      message: /sparse/,
    },
    {
      name: "a sparse map of an odd length",
      tar: rawTar([
        pax([
          ["GNU.sparse.size", "10"],
          ["GNU.sparse.map", "0,4,5"],
        ]),
        { content: "abcd" },
      ]),
      message: /sparse/,
    },
    {
      name: "sparse records in the wrong order",
      tar: rawTar([
        pax([
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.numbytes", "1"],
        ]),
        { content: "a" },
      ]),
      message: /sparse/,
    },
    {
      name: "a sparse record without its size",
      tar: rawTar([
        pax([
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.offset", "1"],
        ]),
        { content: "" },
      ]),
      message: /sparse/,
    },
    {
      name: "a sparse 1.0 map longer than its file",
      tar: rawTar([
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.minor", "0"],
          ["GNU.sparse.realsize", "9"],
        ]),
        { content: "9\n".padEnd(512, "1") },
      ]),
      message: /sparse/,
    },
    {
      name: "a sparse 1.0 map of a billion pieces",
      tar: rawTar([
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.minor", "0"],
          ["GNU.sparse.realsize", "9"],
        ]),
        { content: "1000000000\n".padEnd(1024, "1\n") },
      ]),
      message: /too many pieces/,
    },
    {
      name: "an unknown sparse format",
      tar: rawTar([
        pax([
          ["GNU.sparse.major", "2"],
          ["GNU.sparse.realsize", "9"],
        ]),
        {},
      ]),
      message: /unknown format/,
    },
  ];

  test.each(cases)("$name", ({ tar, message }) => {
    const attempt = () => scan(tar);
    expect(attempt).toThrow(expect.objectContaining({ code: "IMAGE_INVALID" }));
    expect(attempt).toThrow(message ?? /./);
  });
});

test("a pax header of exactly 1 MiB is taken", () => {
  const content = pax([["comment", "x".repeat(TAR_EXTENSION_BYTES_MAX - 17)]]).content as string;
  expect(content).toHaveLength(TAR_EXTENSION_BYTES_MAX);
  expect(only({ type: "x", content }, { path: "a" }).path).toBe("a");
});

test.each([
  ["a tar", rawTar([{}]), true],
  ["an empty tar", new Uint8Array(1024), true],
  ["one block of zeros", new Uint8Array(512), false],
  ["too little", new Uint8Array(511), false],
  ["text", new Uint8Array(1024).fill(0x61), false],
])("%s looks like a tar: %s", (_name, bytes, expected) => {
  expect(looksLikeTar(bytes)).toBe(expected);
});

describe("GNU tar is understood", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "wpod-tar-"));
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "d".repeat(120), "e".repeat(120)), { recursive: true });
    mkdirSync(join(tree, "empty"));
    writeFileSync(join(tree, "d".repeat(120), "e".repeat(120), "deep"), "deep");
    writeFileSync(join(tree, "f"), "x".repeat(1000));
    linkSync(join(tree, "f"), join(tree, "g"));
    symlinkSync("d/".repeat(100), join(tree, "l"));
    // A date: Node takes a negative number for "now".
    utimesSync(join(tree, "empty"), new Date(1000), new Date(-1_000_250));
    const fd = openSync(join(tree, "sparse"), "w");
    for (let index = 0; index < 60; index++) writeSync(fd, `piece ${index}`, index * 65_536 + 4096);
    closeSync(fd);
    truncateSync(join(tree, "sparse"), 5_000_001);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.for([
    { name: "gnu", flags: ["--format=gnu"] },
    { name: "gnu, sparse", flags: ["--format=gnu", "--sparse"] },
    { name: "pax", flags: ["--format=pax"] },
    { name: "pax, sparse 0.0", flags: ["--format=pax", "--sparse", "--sparse-version=0.0"] },
    { name: "pax, sparse 0.1", flags: ["--format=pax", "--sparse", "--sparse-version=0.1"] },
    { name: "pax, sparse 1.0", flags: ["--format=pax", "--sparse", "--sparse-version=1.0"] },
  ])("$name", async ({ flags }, { skip }) => {
    const tar = need(skip, "tar");
    const file = join(folder, "t.tar");
    const made = await runChild(tar, [...flags, "-C", join(folder, "tree"), "-cf", file, "."]);
    expect(made.stderr.toString()).toBe("");
    const bytes = readFileSync(file);
    const entries = new Map(scan(bytes, 4096).map((entry) => [entry.path.replace(/^\.\/|\/$/g, ""), entry]));

    const listed = await runChild(tar, ["-tf", file]);
    const names = listed.stdout
      .toString()
      .trimEnd()
      .split("\n")
      .map((name) => name.replace(/^\.\/|\/$/g, ""));
    expect([...entries.keys()].sort()).toEqual(names.sort());

    const sparse = entries.get("sparse") as TarEntry;
    expect(sparse.pieces !== undefined).toBe(flags.includes("--sparse"));
    expect(Buffer.compare(contentOf(bytes, sparse), readFileSync(join(folder, "tree", "sparse")))).toBe(0);
    const links = [entries.get("f"), entries.get("g")] as TarEntry[];
    expect(links.map((entry) => entry.type).sort()).toEqual(["file", "hard-link"]);
    expect(entries.get("l")?.linkPath).toBe("d/".repeat(100));
    const whole = flags.includes("--format=pax");
    const { mtimeNs } = statSync(join(folder, "tree", "empty"), { bigint: true });
    // GNU's format has whole seconds, rounded down.
    expect(entries.get("empty")?.mtimeNs).toBe(whole ? mtimeNs : -1001_000_000_000n);
  });
});

test("what tar-stream writes and reads, it reads the same", async () => {
  const name = fc.stringMatching(/^[a-zA-Zé日 ._-]{1,40}$/);
  const path = fc.array(name, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("/"));
  const file = fc.record({
    path,
    content: fc.uint8Array({ maxLength: 1500 }),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 2 ** 31 }),
    // tar-stream writes times after 2038 wrong.
    seconds: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { maxLength: 6 }),
      fc.integer({ min: 1, max: 2000 }),
      async (files, chunkBytes) => {
        const writer = pack();
        for (const { path, content, mode, uid, seconds } of files) {
          writer.entry({ name: path, mode, uid, mtime: new Date(seconds * 1000) }, Buffer.from(content));
        }
        writer.finalize();
        const chunks: Buffer[] = [];
        for await (const chunk of writer) chunks.push(chunk as Buffer);
        const tar = Buffer.concat(chunks);
        const found = scan(tar, chunkBytes).map((entry) => ({
          path: entry.path,
          mode: entry.mode,
          uid: entry.uid,
          mtimeMs: Number(entry.mtimeNs / 1_000_000n),
          content: Buffer.from(contentOf(tar, entry)).toString("hex"),
        }));
        expect(found).toEqual(await readWithTarStream(tar));
        expect(found).toHaveLength(files.length);
      },
    ),
    { numRuns: 60 * LONG },
  );
});

async function readWithTarStream(tar: Buffer): Promise<object[]> {
  const reader = extract();
  const entries: object[] = [];
  reader.on("entry", (header, stream, next) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk) => {
      chunks.push(chunk as Buffer);
    });
    stream.on("end", () => {
      entries.push({
        path: header.name,
        mode: header.mode,
        uid: header.uid,
        mtimeMs: header.mtime?.getTime(),
        content: Buffer.concat(chunks).toString("hex"),
      });
      next();
    });
  });
  await new Promise((resolve, reject) => {
    reader.on("finish", () => resolve(undefined));
    reader.on("error", reject);
    reader.end(tar);
  });
  return entries;
}

const mixed = rawTar([
  pax([
    ["path", "a/long/path"],
    ["mtime", "1.5"],
  ]),
  { content: "x".repeat(700) },
  { type: "L", content: `${"y".repeat(600)}\0` },
  { type: "5" },
  pax([
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.realsize", "9000"],
    ["GNU.sparse.name", "s"],
  ]),
  { content: `2\n10\n3\n8000\n4\n`.padEnd(512, "\0").concat("abcdefg") },
  { type: "2", link: "z" },
]);

test("cut anywhere, an archive gives the same entries", () => {
  const whole = scan(mixed);
  expect(whole.map((entry) => entry.path)).toEqual(["a/long/path", "y".repeat(600), "s", "file"]);
  for (let cut = 0; cut <= mixed.length; cut++) {
    const entries: TarEntry[] = [];
    const scanner = new TarScanner((entry) => entries.push(entry));
    scanner.push(mixed.subarray(0, cut));
    scanner.push(mixed.subarray(cut));
    scanner.finish();
    if (entries.length !== whole.length) throw new Error(`cut at ${cut}: ${entries.length} entries`);
  }
  for (const chunkBytes of [1, 3, 511, 512, 513]) expect(scan(mixed, chunkBytes)).toEqual(whole);
});

test("ended anywhere, an archive is whole or refused", () => {
  for (let end = 0; end <= mixed.length; end++) {
    try {
      expect(scan(mixed.subarray(0, end)).length).toBeLessThanOrEqual(4);
    } catch (error) {
      if (!(error instanceof WpodError)) throw new Error(`ended at ${end}`, { cause: error });
    }
  }
});

test("content that is skipped gives the same entries as content that is pushed", () => {
  const tar = rawTar([{ path: "a", content: "x".repeat(5000) }, { path: "b", content: "y" }, { path: "c" }]);
  const entries: TarEntry[] = [];
  const scanner = new TarScanner((entry) => entries.push(entry));
  let pushedBytes = 0;
  for (let at = 0; at < tar.length && !scanner.ended; ) {
    const skipped = Math.min(scanner.skippableBytes, tar.length - at);
    if (skipped > 0) {
      scanner.skip(skipped);
      at += skipped;
      continue;
    }
    scanner.push(tar.subarray(at, at + 512));
    pushedBytes += Math.min(512, tar.length - at);
    at += 512;
  }
  scanner.finish();
  expect(entries).toEqual(scan(tar));
  expect(pushedBytes).toBe(5 * 512);
});

test("arbitrary bytes give entries or a WpodError, the same ones for any cut", () => {
  const outcome = (bytes: Uint8Array, chunkBytes: number) => {
    const entries: TarEntry[] = [];
    const scanner = new TarScanner((entry) => entries.push(entry));
    try {
      for (let at = 0; at < bytes.length; at += chunkBytes) scanner.push(bytes.subarray(at, at + chunkBytes));
      scanner.finish();
      return { entries, error: undefined };
    } catch (error) {
      if (!(error instanceof WpodError)) throw error;
      expect(error.code).toBe("IMAGE_INVALID");
      return { entries, error: error.message.replace(/ \(near.*/, "") };
    }
  };
  // Damage in a good archive gets further than noise: a header's checksum is mended after it.
  const damaged = fc
    .array(fc.tuple(fc.nat({ max: mixed.length - 1 }), fc.nat({ max: 255 }), fc.boolean()), {
      minLength: 1,
      maxLength: 6,
    })
    .map((changes) => {
      const bytes = mixed.slice();
      for (const [at, value, mend] of changes) {
        bytes[at] = value;
        if (!mend) continue;
        const header = bytes.subarray(at - (at % 512), at - (at % 512) + 512);
        header.fill(0x20, 148, 156);
        header.set(
          new TextEncoder().encode(
            octal(
              header.reduce((sum, byte) => sum + byte, 0),
              6,
            ),
          ),
          148,
        );
      }
      return bytes;
    });
  fc.assert(
    fc.property(
      fc.oneof({ weight: 4, arbitrary: damaged }, fc.uint8Array({ maxLength: 3000 })),
      fc.integer({ min: 1, max: 1500 }),
      (bytes, chunkBytes) => {
        expect(outcome(bytes, chunkBytes)).toEqual(outcome(bytes, bytes.length || 1));
      },
    ),
    { numRuns: 500 * LONG },
  );
});
