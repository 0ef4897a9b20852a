import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseImageSource } from "../../../../runtime/node/store/image-source.ts";
import { importFile, loadImages, loadSource } from "../../../../runtime/node/store/importer.ts";
import { openLayer } from "../../../../runtime/node/store/layer-reader.ts";
import type { Store } from "../../../../runtime/node/store/store.ts";
import { mustRun } from "../../../fixtures/child.ts";
import { pathsOf } from "../../../fixtures/image-index.ts";
import { concat, rawTar } from "../../../fixtures/image-tar.ts";
import {
  layerTar,
  type NamedImage,
  writeDockerArchive,
  writeOciArchive,
  writeOciLayout,
} from "../../../fixtures/oci-image.ts";
import { temporaryFolder, temporaryStore } from "./store-for-test.ts";

const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

async function hello(
  name = "hello:1.0",
  more: Partial<NamedImage["platforms"][number]> = {},
): Promise<NamedImage> {
  const tar = await layerTar([
    { path: "bin/" },
    { path: "bin/hello.wasm", content: "\0asm and more", mode: 0o755 },
  ]);
  return { name, platforms: [{ layers: [{ tar }], config: { Entrypoint: ["/bin/hello.wasm"] }, ...more }] };
}

function layerPaths(store: Store, image: { layers: readonly { diffId: `sha256:${string}` }[] }): string[][] {
  return image.layers.map((layer) => {
    const open = openLayer(store.layer(layer.diffId));
    const paths = pathsOf(open.index);
    open.close();
    return paths;
  });
}

/** Nothing of an import is left: no temporary file, no row, no blob. */
function expectNothing(store: Store): void {
  expect(store.images.list()).toEqual([]);
  expect(store.database.prepare("SELECT count(*) AS count FROM layers").get()).toEqual({ count: 0 });
  for (const folder of ["tmp", "blobs/sha256", "layers/sha256"])
    expect(readdirSync(join(store.root, folder))).toEqual([]);
}

describe("loads", () => {
  const forms: {
    name: string;
    file: string;
    write: (path: string, images: NamedImage[]) => Promise<void>;
    tag: string;
  }[] = [
    { name: "an OCI layout", file: "hello", write: writeOciLayout, tag: "localhost/hello:1.0" },
    { name: "an oci-archive", file: "hello.tar", write: writeOciArchive, tag: "localhost/hello:1.0" },
    {
      name: "a docker-archive",
      file: "any.tar",
      write: writeDockerArchive,
      tag: "docker.io/library/hello:1.0",
    },
    {
      name: "an oci-archive with gzip",
      file: "hello.tar.gz",
      write: packed(writeOciArchive, gzipSync),
      tag: "localhost/hello:1.0",
    },
    {
      name: "a docker-archive with gzip",
      file: "any.tgz",
      write: packed(writeDockerArchive, gzipSync),
      tag: "docker.io/library/hello:1.0",
    },
    {
      name: "an oci-archive with zstd",
      file: "hello.tar.zst",
      write: packed(writeOciArchive, zstdCompressSync),
      tag: "localhost/hello:1.0",
    },
  ];
  for (const compression of ["gzip", "zstd", "none"] as const) {
    test.each(forms)(`$name, its layers ${compression}`, async ({ file, write, tag }) => {
      const store = temporaryStore();
      const path = join(temporaryFolder(), file);
      const image = await hello();
      const layers = image.platforms[0]?.layers.map((layer) => ({ ...layer, compression })) ?? [];
      await write(path, [await hello("hello:1.0", { layers })]);
      const [record] = await loadImages(store, path);
      expect(record?.tags).toEqual([tag]);
      expect(record?.platform).toBe("wasi/wasm");
      expect(record?.config.config?.Entrypoint).toEqual(["/bin/hello.wasm"]);
      expect(layerPaths(store, record as never)).toEqual([["bin", "bin/hello.wasm"]]);
      expect(readdirSync(store.temporaryFolder)).toEqual([]);
      // What is kept is what was digested.
      const kept = record?.layers[0] as NonNullable<typeof record>["layers"][number];
      const tar = readFileSync(store.layer(kept.diffId).tarPath);
      expect(sha256(tar)).toBe(kept.diffId);
      expect(kept.sizeBytes).toBe(tar.length);
      expect(sha256(readFileSync(store.blobPath(record?.id as never)))).toBe(record?.id);
      expect(sha256(readFileSync(store.blobPath(record?.manifestDigest as never)))).toBe(
        record?.manifestDigest,
      );
    });
  }

  test("several images of one archive, their common layer once", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "both.tar");
    await writeDockerArchive(path, [await hello("a:1"), await hello("b:2", { config: { Cmd: ["x"] } })]);
    const records = await loadImages(store, path);
    expect(records.map((record) => record.tags)).toEqual([
      ["docker.io/library/a:1"],
      ["docker.io/library/b:2"],
    ]);
    expect(readdirSync(join(store.root, "layers", "sha256"))).toHaveLength(2);
  });

  test("the variant that runs here, found by the digest of its index, too", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "multi");
    const wasm = (await hello()).platforms[0] as NamedImage["platforms"][number];
    const native = (platform: string) => ({ ...wasm, platform, config: { Cmd: [platform] } });
    await writeOciLayout(path, [
      { name: "multi:1", platforms: [native("linux/amd64"), native("linux/arm64"), wasm] },
    ]);
    const [record] = await loadImages(store, path);
    expect(record?.platform).toBe("wasi/wasm");
    const index = JSON.parse(readFileSync(join(path, "index.json"), "utf8")).manifests[0].digest;
    expect(store.images.resolve(`multi@${index}`).id).toBe(record?.id);
    const [chosen] = await loadImages(store, path, { platform: "linux/arm64" });
    expect(chosen?.config.config?.Cmd).toEqual(["linux/arm64"]);
    await expect(loadImages(store, path, { platform: "linux/riscv64" })).rejects.toMatchObject({
      code: "IMAGE_PLATFORM",
      message: expect.stringContaining("linux/amd64, linux/arm64, wasi/wasm"),
    });
  });

  test("an image without layers", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "empty.tar");
    await writeOciArchive(path, [{ name: "empty:1", platforms: [{ layers: [] }] }]);
    expect((await loadImages(store, path))[0]).toMatchObject({ layers: [], sizeBytes: 0 });
  });

  test("old docker-archives, whose layers are links to each other", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "old.tar");
    const layer = rawTar([{ path: "f", content: "x" }]);
    const config = json({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [sha256(layer), sha256(layer), sha256(layer)] },
    });
    const hex = sha256(config).slice(7);
    writeFileSync(
      path,
      rawTar([
        { path: "1/", type: "5" },
        { path: "1/layer.tar", content: layer },
        { path: "2/layer.tar", type: "2", link: "../1/layer.tar" },
        { path: "3/layer.tar", type: "1", link: "1/layer.tar" },
        { path: `${hex}.json`, content: config },
        {
          path: "manifest.json",
          content: json([
            { Config: `${hex}.json`, RepoTags: null, Layers: ["1/layer.tar", "2/layer.tar", "3/layer.tar"] },
          ]),
        },
      ]),
    );
    const [record] = await loadImages(store, path);
    expect(record?.tags).toEqual([]);
    expect(layerPaths(store, record as never)).toEqual([["f"], ["f"], ["f"]]);
  });

  test("gzip of several members, zstd of several frames", async () => {
    const tar = await layerTar([{ path: "f", content: "x".repeat(5000) }]);
    for (const blob of [
      concat([gzipSync(tar.subarray(0, 1000)), gzipSync(tar.subarray(1000))]),
      concat([zstdCompressSync(tar.subarray(0, 1000)), zstdCompressSync(tar.subarray(1000))]),
      concat([zstdCompressSync(tar), Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])]),
    ]) {
      const store = temporaryStore();
      const path = layout(sha256(tar), blob);
      expect((await loadImages(store, path))[0]?.layers[0]).toMatchObject({
        diffId: sha256(tar),
        digest: sha256(blob),
        compressedBytes: blob.length,
      });
    }
  });

  test("from a pipe", async ({ skip }) => {
    if (process.platform === "win32") skip("no FIFOs on Windows");
    const store = temporaryStore();
    const folder = temporaryFolder();
    await writeOciArchive(join(folder, "hello.tar"), [await hello()]);
    await mustRun("mkfifo", [join(folder, "pipe")]);
    const [records] = await Promise.all([
      loadImages(store, join(folder, "pipe")),
      mustRun("sh", ["-c", 'cat "$0" > "$1"', join(folder, "hello.tar"), join(folder, "pipe")]),
    ]);
    expect(records).toHaveLength(1);
    expect(readdirSync(store.temporaryFolder)).toEqual([]);
  });
});

describe("a place outside the store", () => {
  test("is run without a name, and takes no name from another image", async () => {
    const store = temporaryStore();
    const folder = temporaryFolder();
    await writeOciLayout(join(folder, "hello"), [await hello()]);
    const [first] = await loadImages(store, join(folder, "hello"));
    await writeOciLayout(join(folder, "other", "hello"), [
      await hello("hello:1.0", { config: { Cmd: ["other"] } }),
    ]);
    const source = parseImageSource(`oci:${join(folder, "other", "hello")}:1.0`);
    const record = await loadSource(store, source as NonNullable<typeof source>);
    expect(record.tags).toEqual([]);
    expect(record.id).not.toBe(first?.id);
    expect(store.images.resolve("hello:1.0").id).toBe(first?.id);
  });

  test("with several images has to say which", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "two");
    await writeOciLayout(path, [await hello("x:1"), await hello("x:2", { config: { Cmd: ["2"] } })]);
    const load = (text: string) => loadSource(store, parseImageSource(text) as never);
    await expect(load(`oci:${path}`)).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("localhost/two:1, localhost/two:2"),
    });
    expect((await load(`oci:${path}:2`)).config.config?.Cmd).toEqual(["2"]);
    expect((await load(`oci:${path}:two:2`)).config.config?.Cmd).toEqual(["2"]);
    await expect(load(`oci:${path}:3`)).rejects.toMatchObject({
      code: "IMAGE_NOT_KNOWN",
      message: expect.stringContaining("it holds 1, 2"),
    });
  });

  test.each([
    ["hello", undefined],
    ["./oci:x", undefined],
    ["ocix:y", undefined],
  ])("%s is none", (text, expected) => {
    expect(parseImageSource(text)).toBe(expected);
  });

  test("may have colons in its path", async () => {
    const path = join(temporaryFolder(), "a:b");
    writeFileSync(path, "");
    expect(parseImageSource(`docker-archive:${path}:name:tag`)).toEqual({
      transport: "docker-archive",
      path,
      name: "name:tag",
    });
    expect(parseImageSource(`oci-archive:${path}`)).toEqual({
      transport: "oci-archive",
      path,
      name: undefined,
    });
    expect(() => parseImageSource(`oci:${path}x`)).toThrow(
      expect.objectContaining({ code: "FILE_NOT_FOUND" }),
    );
  });

  test("must be what its name says", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "hello.tar");
    await writeDockerArchive(path, [await hello()]);
    await expect(loadSource(store, parseImageSource(`oci-archive:${path}`) as never)).rejects.toMatchObject({
      code: "IMAGE_FORMAT",
    });
  });
});

describe("imports", () => {
  test.each([
    { name: "a module", file: "x.wasm", pack: (bytes: Buffer) => bytes },
    { name: "a module with gzip", file: "x.wasm.gz", pack: (bytes: Buffer) => gzipSync(bytes) },
  ])("$name as /NAME.wasm, which it runs", async ({ file, pack }) => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), file);
    const module = Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), Buffer.alloc(3000, 7)]);
    writeFileSync(path, pack(module));
    const record = await importFile(store, path, "team/app:2", { nowMs: 86_400_000 });
    expect(record).toMatchObject({
      tags: ["localhost/team/app:2"],
      platform: "wasi/wasm",
      createdMs: 86_400_000,
    });
    expect(record.config.config?.Entrypoint).toEqual(["/app.wasm"]);
    const open = openLayer(store.layer(record.layers[0]?.diffId as never));
    const [entry] = open.index.children("");
    expect(entry).toMatchObject({ name: "app.wasm", mode: 0o755, sizeBytes: module.length });
    const content = Buffer.alloc(module.length);
    open.blob.read(content, entry?.offsetBytes ?? 0);
    open.close();
    expect(content.equals(module)).toBe(true);
    // What it wrote itself, GNU tar reads.
    const listed = await mustRun("tar", ["-tvf", store.layer(record.layers[0]?.diffId as never).tarPath]);
    expect(listed.stdout.toString()).toMatch(/^-rwxr-xr-x .* app\.wasm\n$/);
  });

  test.each([
    { name: "plain", pack: (bytes: Uint8Array) => bytes },
    { name: "with gzip", pack: (bytes: Uint8Array) => gzipSync(bytes) },
    { name: "with zstd", pack: (bytes: Uint8Array) => zstdCompressSync(bytes) },
  ])("a root file system, $name", async ({ pack }) => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "root.tar");
    const tar = await layerTar([{ path: "etc/" }, { path: "etc/x", content: "x" }]);
    writeFileSync(path, pack(tar));
    const record = await importFile(store, path, "base");
    expect(record.tags).toEqual(["localhost/base:latest"]);
    expect(record.layers[0]?.diffId).toBe(sha256(tar));
    expect(layerPaths(store, record)).toEqual([["etc", "etc/x"]]);
    expect(readdirSync(store.temporaryFolder)).toEqual([]);
  });

  test.each([
    { name: "text", bytes: Buffer.from("hello"), code: "IMAGE_FORMAT" },
    { name: "nothing", bytes: Buffer.alloc(0), code: "IMAGE_FORMAT" },
    { name: "gzip of text", bytes: gzipSync("hello"), code: "IMAGE_FORMAT" },
    { name: "damaged gzip", bytes: gzipSync(Buffer.alloc(5000, 1)).subarray(0, 20), code: "IMAGE_FORMAT" },
    {
      name: "a tar that ends too early",
      bytes: Buffer.from(rawTar([{ content: "x".repeat(3000) }])).subarray(0, 1500),
      code: "IMAGE_INVALID",
    },
    {
      name: "a tar that leaves its root",
      bytes: Buffer.from(rawTar([{ path: "../../etc/passwd" }])),
      code: "IMAGE_INVALID",
    },
  ])("refuses $name", async ({ bytes, code }) => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "x");
    writeFileSync(path, bytes);
    await expect(importFile(store, path, "x")).rejects.toMatchObject({ code });
    expectNothing(store);
  });

  test("refuses a name before it reads the file", async () => {
    await expect(importFile(temporaryStore(), "/nowhere", "Upper")).rejects.toMatchObject({
      code: "REFERENCE_INVALID",
    });
    await expect(importFile(temporaryStore(), "/nowhere/x.wasm", "x")).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: "/nowhere/x.wasm: no such file or directory",
    });
    await expect(importFile(temporaryStore(), temporaryFolder(), "x")).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });
});

/** An OCI layout of one layer, with anything in it changed. */
function layout(
  diffId: string,
  blob: Uint8Array,
  change: {
    manifest?: object;
    config?: object;
    descriptor?: object;
    index?: object;
    blobs?: Record<string, Uint8Array | undefined>;
  } = {},
): string {
  const folder = join(temporaryFolder(), "made");
  const blobs = join(folder, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const add = (mediaType: string, bytes: Uint8Array) => {
    writeFileSync(join(blobs, sha256(bytes).slice(7)), bytes);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const config = add(
    "application/vnd.oci.image.config.v1+json",
    json({
      os: "wasi",
      architecture: "wasm",
      rootfs: { type: "layers", diff_ids: [diffId] },
      ...change.config,
    }),
  );
  const layer = { ...add("application/vnd.oci.image.layer.v1.tar", blob), ...change.descriptor };
  const manifest = add(
    "application/vnd.oci.image.manifest.v1+json",
    json({ schemaVersion: 2, config, layers: [layer], ...change.manifest }),
  );
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(folder, "index.json"),
    json({ schemaVersion: 2, manifests: [manifest], ...change.index }),
  );
  return folder;
}

describe("refuses, and keeps nothing", () => {
  const tar = rawTar([{ path: "f", content: "x".repeat(2000) }]);
  const diffId = sha256(tar);
  const other = `sha256:${"0".repeat(64)}`;
  const bits = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 700 ? byte ^ 1 : byte));
  const zipped = gzipSync(tar);
  const put = (path: string, digest: string, bytes: Uint8Array) => {
    writeFileSync(join(path, "blobs", "sha256", digest.slice(7)), bytes);
    return path;
  };
  const cases: { name: string; path: () => string; code: string; message: RegExp }[] = [
    {
      name: "a layer with a changed byte",
      path: () => put(layout(diffId, tar), diffId, bits(tar)),
      code: "BLOB_CORRUPT",
      message: new RegExp(`layer ${diffId} is corrupt: what came has the digest ${sha256(bits(tar))}`),
    },
    {
      name: "a compressed layer with a changed byte",
      path: () =>
        put(
          layout(diffId, zipped),
          sha256(zipped),
          zipped.map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
        ),
      code: "BLOB_CORRUPT",
      message: new RegExp(`layer ${sha256(zipped)} is corrupt`),
    },
    {
      name: "a layer that is too short",
      path: () => put(layout(diffId, tar), diffId, tar.subarray(0, 1000)),
      code: "BLOB_CORRUPT",
      message: /it has 1000 bytes, where 3584 were announced/,
    },
    {
      name: "a layer that is too long",
      path: () => put(layout(diffId, tar), diffId, concat([tar, new Uint8Array(1)])),
      code: "BLOB_CORRUPT",
      message: /it has 3585 bytes, where 3584 were announced/,
    },
    {
      name: "a size that is a lie",
      path: () => layout(diffId, tar, { descriptor: { size: tar.length - 1 } }),
      code: "BLOB_CORRUPT",
      message: /announced/,
    },
    {
      name: "a layer that is missing",
      path: () => layout(diffId, tar, { descriptor: { digest: other } }),
      code: "IMAGE_INVALID",
      message: new RegExp(`layer ${other} is missing`),
    },
    {
      name: "another diffID than the layer's",
      path: () => layout(other, tar),
      code: "IMAGE_INVALID",
      message: new RegExp(`unpacks to ${diffId}, where the config says ${other}`),
    },
    {
      name: "gzip cut off, with the right digest",
      path: () => layout(diffId, zipped.subarray(0, 40)),
      code: "IMAGE_INVALID",
      message: /can't be unpacked/,
    },
    {
      name: "zstd cut off, with the right digest",
      path: () => layout(diffId, zstdCompressSync(tar).subarray(0, 40)),
      code: "IMAGE_INVALID",
      message: /can't be unpacked|middle of an entry|unpacks to/,
    },
    {
      name: "gzip with garbage behind it",
      path: () => layout(diffId, concat([zipped, Buffer.from("garbage")])),
      code: "IMAGE_INVALID",
      message: /can't be unpacked/,
    },
    {
      name: "a layer of text",
      path: () => layout(diffId, Buffer.from("hello")),
      code: "IMAGE_INVALID",
      message: /is no tar; a layer is a tar/,
    },
    {
      name: "a layer of xz",
      path: () => layout(diffId, Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])),
      code: "IMAGE_INVALID",
      message: /compressed with xz/,
    },
    {
      name: "a tar cut off, with the right digest",
      path: () => layout(sha256(tar.subarray(0, 1000)), tar.subarray(0, 1000)),
      code: "IMAGE_INVALID",
      message: /layer sha256:[0-9a-f]+: damaged tar archive/,
    },
    {
      name: "a hard link to what is missing",
      path: () => {
        const bad = rawTar([{ path: "b", type: "1", link: "a" }]);
        return layout(sha256(bad), bad);
      },
      code: "IMAGE_INVALID",
      message: /layer sha256:[0-9a-f]+: "b" is a hard link to "a"/,
    },
    {
      name: "more layers than diffIDs",
      path: () => layout(diffId, tar, { config: { rootfs: { type: "layers", diff_ids: [] } } }),
      code: "IMAGE_INVALID",
      message: /names 0 layers, its manifest 1/,
    },
    {
      name: "windows",
      path: () => layout(diffId, tar, { config: { os: "windows" } }),
      code: "IMAGE_PLATFORM",
      message: /it offers windows\/wasm/,
    },
    {
      name: "a manifest with layers and manifests",
      path: () => layout(diffId, tar, { manifest: { manifests: [] } }),
      code: "IMAGE_INVALID",
      message: /both a manifest and an index/,
    },
    {
      name: "an index without images",
      path: () => layout(diffId, tar, { index: { manifests: [] } }),
      code: "IMAGE_NOT_KNOWN",
      message: /holds no image/,
    },
    {
      name: "an index that is a manifest",
      path: () => layout(diffId, tar, { index: { manifests: null, config: {}, layers: [] } }),
      code: "IMAGE_INVALID",
      message: /./,
    },
  ];
  test.each(cases)("$name", async ({ path, code, message }) => {
    const store = temporaryStore();
    await expect(loadImages(store, path())).rejects.toMatchObject({
      name: "WpodError",
      code,
      message: expect.stringMatching(message),
    });
    expectNothing(store);
  });

  test("the good image of an archive whose other one is bad", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "both");
    await writeOciLayout(path, [
      await hello("x:good"),
      await hello("x:bad", { layers: [{ tar, compression: "none" }] }),
    ]);
    put(path, diffId, bits(tar));
    await expect(loadImages(store, path)).rejects.toMatchObject({ code: "BLOB_CORRUPT" });
    expectNothing(store);
  });

  test("what is in no format that it knows", async () => {
    const store = temporaryStore();
    const folder = temporaryFolder();
    writeFileSync(join(folder, "invalid"), "no image");
    writeFileSync(join(folder, "root.tar"), tar);
    for (const name of ["invalid", "root.tar", "."]) {
      await expect(loadImages(store, join(folder, name))).rejects.toMatchObject({
        code: "IMAGE_FORMAT",
        message: expect.stringMatching(
          /^payload does not match any of the supported image formats:\n \* oci/,
        ),
      });
    }
    await expect(loadImages(store, join(folder, "absent"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    expectNothing(store);
  });

  test("members of an archive that point outside it", async () => {
    const store = temporaryStore();
    const path = join(temporaryFolder(), "evil.tar");
    for (const link of ["/etc/hostname", "../../../../../../etc/hostname"]) {
      writeFileSync(
        path,
        rawTar([
          { path: "c.json", type: "2", link },
          { path: "manifest.json", content: json([{ Config: "c.json", Layers: [] }]) },
        ]),
      );
      await expect(loadImages(store, path)).rejects.toMatchObject({
        code: "IMAGE_INVALID",
        message: 'config "c.json" is missing from the archive',
      });
    }
  });

  test("an import that is aborted", async () => {
    const store = temporaryStore();
    const path = layout(diffId, tar);
    await expect(loadImages(store, path, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    expectNothing(store);
  });
});

describe("what is here already", () => {
  test("is not unpacked again, and is not harmed by a damaged copy", async () => {
    const store = temporaryStore();
    const folder = temporaryFolder();
    await writeOciLayout(join(folder, "hello"), [await hello()]);
    const [first] = await loadImages(store, join(folder, "hello"));
    const layer = first?.layers[0] as NonNullable<typeof first>["layers"][number];
    const before = statSync(store.layer(layer.diffId).tarPath, { bigint: true });
    const [again] = await loadImages(store, join(folder, "hello"));
    expect(again).toEqual(first);
    expect(statSync(store.layer(layer.diffId).tarPath, { bigint: true }).ino).toBe(before.ino);

    // Another blob that claims to be the same layer is looked at, even though the layer is here.
    const tar = readFileSync(store.layer(layer.diffId).tarPath);
    const lie = layout(layer.diffId, gzipSync(Buffer.concat([tar, Buffer.alloc(512)])));
    await expect(loadImages(store, lie)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    expect(layerPaths(store, store.images.resolve("hello:1.0"))).toEqual([["bin", "bin/hello.wasm"]]);
  });

  test("comes again when its files are lost, cut off, or were set aside", async () => {
    const store = temporaryStore();
    const folder = temporaryFolder();
    await writeOciLayout(join(folder, "hello"), [await hello()]);
    const [image] = await loadImages(store, join(folder, "hello"));
    const { diffId } = (image as NonNullable<typeof image>).layers[0] as NonNullable<
      typeof image
    >["layers"][number];
    const paths = store.layer(diffId);

    truncateSync(paths.tarPath, 1000);
    expect(() => openLayer(paths)).toThrow(
      expect.objectContaining({
        code: "BLOB_CORRUPT",
        message: expect.stringContaining(`layer ${diffId} has 1000 bytes`),
      }),
    );
    await loadImages(store, join(folder, "hello"));
    openLayer(paths).close();

    writeFileSync(paths.indexPath, "damaged");
    expect(() => openLayer(paths)).toThrow(
      expect.objectContaining({ code: "BLOB_CORRUPT", message: expect.stringContaining(diffId) }),
    );
    store.setAside(diffId);
    expect(existsSync(join(store.root, "corrupt", `${diffId.slice(7)}.tar`))).toBe(true);
    expect(store.images.resolve("hello:1.0").id).toBe(image?.id);
    expect(() => openLayer(paths)).toThrow(
      expect.objectContaining({ code: "BLOB_CORRUPT", message: `layer ${diffId} is missing` }),
    );
    await loadImages(store, join(folder, "hello"));
    expect(layerPaths(store, image as never)).toEqual([["bin", "bin/hello.wasm"]]);
  });

  test("keeps the manifest of a registry when it comes again without", async () => {
    const store = temporaryStore();
    const folder = temporaryFolder();
    await writeOciLayout(join(folder, "hello"), [await hello()]);
    await writeDockerArchive(join(folder, "hello.tar"), [await hello()]);
    const [first] = await loadImages(store, join(folder, "hello"));
    const [second] = await loadImages(store, join(folder, "hello.tar"));
    expect(second?.id).toBe(first?.id);
    expect(second?.manifestDigest).toBe(first?.manifestDigest);
    expect(second?.tags).toEqual(["docker.io/library/hello:1.0", "localhost/hello:1.0"]);
  });
});

test("temporary files of a process that died are swept, others are not", async () => {
  const store = temporaryStore();
  const folder = temporaryFolder();
  const dead = (await mustRun(process.execPath, ["-p", "process.pid"])).stdout.toString().trim();
  const names = [
    `${dead}-0123456789abcdef.tar`,
    `${process.pid}-0123456789abcdef.tar`,
    `${dead}-fedcba9876543210.tar`,
    "somebody's",
  ];
  for (const name of names) writeFileSync(join(store.temporaryFolder, name), "");
  utimesSync(join(store.temporaryFolder, names[0] as string), 0, 0);
  utimesSync(join(store.temporaryFolder, names[1] as string), 0, 0);
  await writeOciLayout(join(folder, "hello"), [await hello()]);
  await loadImages(store, join(folder, "hello"));
  expect(readdirSync(store.temporaryFolder).sort()).toEqual(names.slice(1).sort());
});

test("several processes import the same image at once", async () => {
  const root = join(temporaryFolder(), "root");
  const path = join(temporaryFolder(), "hello.tar");
  const tar = await layerTar(
    Array.from({ length: 300 }, (_, at) => ({ path: `f${at}`, content: "x".repeat(at * 50) })),
  );
  await writeOciArchive(path, [await hello("hello:1.0", { layers: [{ tar }] })]);
  const url = (file: string) =>
    JSON.stringify(new URL(`../../../../runtime/node/store/${file}`, import.meta.url).href);
  const script = `
    const { openStore } = await import(${url("store.ts")});
    const { loadImages } = await import(${url("importer.ts")});
    const store = openStore(${JSON.stringify(root)});
    for (let round = 0; round < 3; round++) {
      await loadImages(store, ${JSON.stringify(path)});
      // Removed by one while another imports: it has to come back.
      if (Number(process.argv[1]) === 0) try { store.images.remove("hello:1.0"); } catch (error) { if (error.code !== "IMAGE_NOT_KNOWN") throw error; }
    }
    await loadImages(store, ${JSON.stringify(path)});`;
  await Promise.all(
    [0, 1, 2].map((at) => mustRun(process.execPath, ["--input-type=module", "-e", script, String(at)])),
  );
  const store = temporaryStore(root);
  const image = store.images.resolve("hello:1.0");
  expect(layerPaths(store, image)[0]).toHaveLength(300);
  expect(readdirSync(store.temporaryFolder)).toEqual([]);
  expect(readdirSync(join(root, "layers", "sha256"))).toHaveLength(2);
});

function packed(
  write: (path: string, images: NamedImage[]) => Promise<void>,
  pack: (bytes: Uint8Array) => Uint8Array,
) {
  return async (path: string, images: NamedImage[]) => {
    await write(path, images);
    writeFileSync(path, pack(readFileSync(path)));
  };
}
