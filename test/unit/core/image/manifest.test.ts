import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import { DOCUMENT_BYTES_MAX, LAYERS_MAX } from "../../../../runtime/core/image/limits.ts";
import { isAttestation, parseManifest } from "../../../../runtime/core/image/manifest.ts";
import { MediaType } from "../../../../runtime/core/image/media-type.ts";

const RUNS = 300 * (process.env.WPOD_TEST_LONG === "1" ? 50 : 1);
const bytes = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const digest = `sha256:${"a1".repeat(32)}`;
const descriptor = (mediaType: string, more: object = {}) => ({ mediaType, digest, size: 10, ...more });
const config = descriptor(MediaType.ociConfig);
const layer = descriptor(`${MediaType.ociLayer}+gzip`);
const image = { schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  mediaType: MediaType.ociIndex,
  manifests: [descriptor(MediaType.ociManifest)],
};

describe("takes", () => {
  test.each([
    { name: "an OCI manifest", document: image, declared: MediaType.ociManifest },
    {
      name: "one that doesn't say its type",
      document: { ...image, mediaType: undefined },
      declared: undefined,
    },
    {
      name: "docker's",
      document: {
        ...image,
        mediaType: MediaType.dockerManifest,
        config: descriptor(MediaType.dockerConfig),
        layers: [descriptor(`${MediaType.dockerLayer}.gzip`)],
      },
      declared: MediaType.dockerManifest,
    },
    {
      name: "zstd and plain layers",
      document: {
        ...image,
        layers: [descriptor(`${MediaType.ociLayer}+zstd`), descriptor(MediaType.ociLayer)],
      },
      declared: undefined,
    },
    {
      name: "a foreign layer, its urls unread",
      document: {
        ...image,
        layers: [
          descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {
            urls: ["file:///etc/shadow"],
          }),
        ],
      },
      declared: undefined,
    },
    { name: "no layers", document: { ...image, layers: [] }, declared: undefined },
    {
      name: "the most layers",
      document: { ...image, layers: Array(LAYERS_MAX).fill(layer) },
      declared: undefined,
    },
    {
      name: "null for what is not there",
      document: { ...image, manifests: null, annotations: null },
      declared: undefined,
    },
  ])("an image: $name", ({ document, declared }) => {
    const manifest = parseManifest(bytes(document), declared, "the manifest");
    expect(manifest.kind).toBe("image");
    if (manifest.kind !== "image") return;
    expect(manifest.layers).toHaveLength(document.layers.length);
    expect(JSON.stringify(manifest)).not.toContain("shadow");
  });

  test("an index with its platforms", () => {
    const platform = { os: "wasi", architecture: "wasm" };
    const document = {
      ...index,
      manifests: [
        descriptor(MediaType.ociManifest, { platform }),
        descriptor(MediaType.ociManifest, { platform: { os: "unknown", architecture: "unknown" } }),
      ],
    };
    const manifest = parseManifest(bytes(document), undefined, "the index");
    if (manifest.kind !== "index") throw new Error("an index");
    expect(manifest.manifests[0]?.platform).toEqual({ ...platform, variant: undefined });
    expect(manifest.manifests.map(isAttestation)).toEqual([false, true]);
  });

  test("an annotation called __proto__ is one like any other", () => {
    const text = JSON.stringify(image).replace(
      '"size":10',
      '"size":10,"annotations":{"__proto__":"x","constructor":"y"}',
    );
    const manifest = parseManifest(bytes(text), undefined, "the manifest");
    if (manifest.kind !== "image") throw new Error("an image");
    expect(Object.entries(manifest.config.annotations)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(Object.getPrototypeOf(manifest.config.annotations)).toBeNull();
  });
});

const refused: { name: string; document: unknown; declared?: string; message: RegExp }[] = [
  { name: "no JSON", document: "{", message: /not valid JSON/ },
  { name: "no object", document: [], message: /not a JSON object/ },
  { name: "schema 1", document: { schemaVersion: 1, fsLayers: [] }, message: /schema 1/ },
  { name: "no schema version", document: { ...image, schemaVersion: "2" }, message: /schemaVersion 2/ },
  {
    name: "layers and manifests",
    document: { ...image, manifests: [] },
    message: /both a manifest and an index/,
  },
  { name: "config and manifests", document: { ...index, config }, message: /both a manifest and an index/ },
  {
    name: "another type than announced",
    document: image,
    declared: MediaType.dockerManifest,
    message: /what points to it/,
  },
  {
    name: "an index that calls itself a manifest",
    document: { ...index, mediaType: MediaType.ociManifest },
    message: /but the fields of an index/,
  },
  {
    name: "a manifest announced as an index",
    document: { ...image, mediaType: undefined },
    declared: MediaType.ociIndex,
    message: /but the fields of an image/,
  },
  { name: "an unknown type", document: { ...image, mediaType: "text/html" }, message: /text\/html/ },
  { name: "no config", document: { ...image, config: undefined }, message: /no config/ },
  {
    name: "a config that is no config",
    document: { ...image, config: descriptor("application/vnd.wasm.config.v0+json") },
    message: /artifact/,
  },
  {
    name: "a layer that is no layer",
    document: { ...image, layers: [descriptor("application/wasm")] },
    message: /application\/wasm/,
  },
  {
    name: "one layer too many",
    document: { ...image, layers: Array(LAYERS_MAX + 1).fill(layer) },
    message: /at most|most that is allowed/,
  },
  {
    name: "a negative size",
    document: { ...image, config: { ...config, size: -1 } },
    message: /no valid size/,
  },
  {
    name: "a size that is no whole number",
    document: { ...image, config: { ...config, size: 1.5 } },
    message: /no valid size/,
  },
  {
    name: "a size beyond numbers",
    document: { ...image, config: { ...config, size: 2 ** 53 } },
    message: /no valid size/,
  },
  {
    name: "a digest that climbs",
    document: { ...image, config: { ...config, digest: "sha256:../../x" } },
    message: /invalid digest/,
  },
  {
    name: "a digest in capitals",
    document: { ...image, config: { ...config, digest: digest.toUpperCase() } },
    message: /invalid digest/,
  },
  {
    name: "a short digest",
    document: { ...image, config: { ...config, digest: digest.slice(0, -1) } },
    message: /invalid digest/,
  },
  {
    name: "sha512",
    document: { ...image, config: { ...config, digest: `sha512:${"a".repeat(128)}` } },
    message: /kind that wpod doesn't know/,
  },
  { name: "layers that are no list", document: { ...image, layers: {} }, message: /not a list/ },
  { name: "a layer that is no object", document: { ...image, layers: [null] }, message: /not an object/ },
];

test.each(refused)("refuses $name", ({ document, declared, message }) => {
  expect(() => parseManifest(bytes(document), declared, "the manifest")).toThrow(
    expect.objectContaining({ code: "IMAGE_INVALID", message: expect.stringMatching(message) }),
  );
});

test("4 MiB are taken, a byte more is not", () => {
  const padded = (size: number) => {
    const text = JSON.stringify({ ...image, padding: "" });
    return bytes(text.replace('"padding":""', `"padding":"${"x".repeat(size - text.length)}"`));
  };
  expect(parseManifest(padded(DOCUMENT_BYTES_MAX), undefined, "the manifest").kind).toBe("image");
  expect(() => parseManifest(padded(DOCUMENT_BYTES_MAX + 1), undefined, "the manifest")).toThrow(
    /4194305 bytes/,
  );
});

test("a manifest nested a million deep is refused, and nothing overflows", () => {
  expect(() => parseManifest(bytes("[".repeat(1_000_000)), undefined, "the manifest")).toThrow(WpodError);
});

test("bytes that are no UTF-8 are refused", () => {
  expect(() => parseManifest(new Uint8Array([0x7b, 0xff, 0x7d]), undefined, "the manifest")).toThrow(
    WpodError,
  );
});

test("any JSON gives a manifest or a WpodError", () => {
  // Half of it looks like a manifest: plain noise never gets past the first check.
  const value = fc.jsonValue({ maxDepth: 3 });
  const shaped = fc.record(
    {
      schemaVersion: fc.oneof(fc.constant(2), value),
      mediaType: fc.oneof(fc.constantFrom(...Object.values(MediaType)), value),
      config: fc.oneof(fc.constant(config), value),
      layers: fc.oneof(fc.array(fc.oneof(fc.constant(layer), value)), value),
      manifests: fc.oneof(fc.array(fc.oneof(fc.constant(layer), value)), value),
    },
    { requiredKeys: ["schemaVersion"] },
  );
  fc.assert(
    fc.property(
      fc.oneof(value, shaped),
      fc.option(fc.constantFrom(...Object.values(MediaType)), { nil: undefined }),
      (document, declared) => {
        try {
          const manifest = parseManifest(bytes(JSON.stringify(document)), declared, "the manifest");
          expect(["image", "index"]).toContain(manifest.kind);
        } catch (error) {
          if (!(error instanceof WpodError)) throw error;
        }
      },
    ),
    { numRuns: RUNS },
  );
});
