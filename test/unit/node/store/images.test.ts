import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadImages } from "../../../../runtime/node/store/importer.ts";
import { openLayer } from "../../../../runtime/node/store/layer-reader.ts";
import type { Store } from "../../../../runtime/node/store/store.ts";
import { layerTar, writeDockerArchive, writeOciLayout } from "../../../fixtures/oci-image.ts";
import { temporaryFolder, temporaryStore } from "./store-for-test.ts";

/** `localhost/a:latest` and `docker.io/library/b:1` share a layer; `quay.io/team/c:latest` stands alone. */
async function filledStore(): Promise<{ store: Store; ids: Record<"a" | "b" | "c", string> }> {
  const store = temporaryStore();
  const folder = temporaryFolder();
  const base = { tar: await layerTar([{ path: "base", content: "base" }]) };
  const own = async (name: string) => ({ tar: await layerTar([{ path: name, content: name }]) });
  await writeOciLayout(join(folder, "a"), [{ name: "x:a", platforms: [{ layers: [base, await own("a")] }] }]);
  await writeDockerArchive(join(folder, "b"), [
    { name: "b:1", platforms: [{ layers: [base, await own("b")] }] },
  ]);
  await writeDockerArchive(join(folder, "c"), [
    { name: "quay.io/team/c:latest", platforms: [{ layers: [await own("c")] }] },
  ]);
  const [a] = await loadImages(store, join(folder, "a"), { nowMs: 1 });
  const [b] = await loadImages(store, join(folder, "b"), { nowMs: 2 });
  const [c] = await loadImages(store, join(folder, "c"), { nowMs: 3 });
  return { store, ids: { a: a?.id ?? "", b: b?.id ?? "", c: c?.id ?? "" } };
}

describe("resolving", () => {
  test("finds by every kind of name", async () => {
    const { store, ids } = await filledStore();
    const { manifestDigest } = store.images.resolve("a");
    const table: [string, string][] = [
      ["a", ids.a],
      ["a:latest", ids.a],
      ["localhost/a", ids.a],
      ["localhost/a:latest", ids.a],
      [`a@${manifestDigest}`, ids.a],
      [`a:whatever@${manifestDigest}`, ids.a],
      [`localhost/a@${manifestDigest}`, ids.a],
      ["b:1", ids.b],
      ["docker.io/b:1", ids.b],
      ["docker.io/library/b:1", ids.b],
      ["c", ids.c],
      ["team/c", ids.c],
      ["quay.io/team/c", ids.c],
      [ids.a, ids.a],
      [ids.a.slice(7), ids.a],
      [ids.b.slice(7, 19), ids.b],
      [ids.b.slice(0, 19), ids.b],
    ];
    for (const [reference, id] of table)
      expect([reference, store.images.resolve(reference).id]).toEqual([reference, id]);
  });

  test("says what it doesn't know", async () => {
    const { store } = await filledStore();
    const { manifestDigest } = store.images.resolve("a");
    const unknown = [
      "absent",
      "a:2",
      "b",
      "docker.io/a",
      "quay.io/c",
      `b@${manifestDigest}`,
      `a@sha256:${"0".repeat(64)}`,
      "f".repeat(64),
      "sha256:fffffffffff",
      "localhost/team/c",
    ];
    for (const reference of unknown) {
      expect(() => store.images.resolve(reference)).toThrow(
        expect.objectContaining({ code: "IMAGE_NOT_KNOWN", message: `${reference}: image not known` }),
      );
    }
    expect(() => store.images.resolve("A")).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
    expect(() => store.images.resolve("")).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
  });

  test("a name beats the prefix of an id; a prefix must fit one", async () => {
    const { store, ids } = await filledStore();
    const prefix = ids.c.slice(7, 11);
    store.images.tag("a", prefix);
    expect(store.images.resolve(prefix).id).toBe(ids.a);
    expect(store.images.resolve(ids.c.slice(7, 19)).id).toBe(ids.c);
    const record = JSON.stringify({ ...store.images.resolve("a"), tags: undefined });
    const insert = store.database.prepare("INSERT INTO images (id, imported_ms, record) VALUES (?, 0, ?)");
    for (const digit of ["0", "1"]) insert.run(`sha256:${"abcdef".padEnd(63, "0")}${digit}`, record);
    expect(() => store.images.resolve("abcdef0")).toThrow(
      "multiple images found with provided prefix: abcdef0",
    );
  });

  test("a short name that fits several images is not guessed", async () => {
    const { store } = await filledStore();
    store.images.tag("a", "ghcr.io/other/c");
    expect(() => store.images.resolve("c")).toThrow(
      /fits several images: ghcr.io\/other\/c:latest, quay.io\/team\/c:latest/,
    );
    store.images.tag("quay.io/team/c", "ghcr.io/other/c");
    expect(store.images.resolve("c").tags).toEqual(["ghcr.io/other/c:latest", "quay.io/team/c:latest"]);
  });

  test("one row holds all that a run needs", async () => {
    const { store, ids } = await filledStore();
    const image = store.images.resolve("a");
    expect(image).toMatchObject({
      id: ids.a,
      tags: ["localhost/a:latest"],
      platform: "wasi/wasm",
      createdMs: Date.parse(image.config.created ?? ""),
    });
    expect(image.layers).toHaveLength(2);
    expect(image.sizeBytes).toBe(image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0));
    expect(image.config.rootfs?.diff_ids).toEqual(image.layers.map((layer) => layer.diffId));
    for (const layer of image.layers) {
      const open = openLayer(store.layer(layer.diffId));
      expect(open.blob.sizeBytes).toBe(layer.sizeBytes);
      const [entry] = open.index.children("");
      const content = new Uint8Array(entry?.sizeBytes ?? 0);
      expect(open.blob.read(content, entry?.offsetBytes ?? 0)).toBe(content.length);
      expect(new TextDecoder().decode(content)).toBe(entry?.name);
      open.close();
    }
  });
});

test("lists the latest first", async () => {
  const { store, ids } = await filledStore();
  // All were created at the same time: the import decides.
  expect(store.images.list().map((image) => image.id)).toEqual([ids.c, ids.b, ids.a]);
});

describe("tagging", () => {
  test("adds a name, and takes it from the image that had it", async () => {
    const { store, ids } = await filledStore();
    store.images.tag("a", "new:1");
    expect(store.images.resolve("a").tags).toEqual(["localhost/a:latest", "localhost/new:1"]);
    store.images.tag(ids.b, "new:1");
    expect(store.images.resolve("new:1").id).toBe(ids.b);
    expect(store.images.resolve("a").tags).toEqual(["localhost/a:latest"]);
  });

  test.each([
    ["Upper", "REFERENCE_INVALID"],
    [`x@sha256:${"0".repeat(64)}`, "REFERENCE_INVALID"],
  ])("refuses the name %s", async (name, code) => {
    const { store } = await filledStore();
    expect(() => store.images.tag("a", name)).toThrow(expect.objectContaining({ code }));
  });

  test("refuses an image that isn't there", async () => {
    const { store } = await filledStore();
    expect(() => store.images.tag("absent", "x")).toThrow("absent: image not known");
    expect(() => store.images.resolve("x")).toThrow("x: image not known");
  });
});

describe("removing", () => {
  const files = (store: Store, image: { layers: readonly { diffId: `sha256:${string}` }[] }) =>
    image.layers.map(
      (layer) =>
        existsSync(store.layer(layer.diffId).tarPath) && existsSync(store.layer(layer.diffId).indexPath),
    );

  test("takes a name; the image stays while it has another", async () => {
    const { store, ids } = await filledStore();
    store.images.tag("a", "two");
    expect(store.images.remove("a")).toEqual({ untagged: ["localhost/a:latest"], deleted: [] });
    expect(store.images.remove("two")).toEqual({ untagged: ["localhost/two:latest"], deleted: [ids.a] });
    expect(() => store.images.resolve(ids.a)).toThrow("image not known");
  });

  test("drops the layers that nobody else has, with their files", async () => {
    const { store } = await filledStore();
    const a = store.images.resolve("a");
    const b = store.images.resolve("b:1");
    store.images.remove("a");
    expect(files(store, a)).toEqual([true, false]);
    expect(files(store, b)).toEqual([true, true]);
    expect(existsSync(store.blobPath(a.id))).toBe(false);
    expect(existsSync(store.blobPath(a.manifestDigest))).toBe(false);
    store.images.remove("b:1");
    expect(files(store, b)).toEqual([false, false]);
    expect(
      store.database
        .prepare(
          "SELECT (SELECT count(*) FROM layers) AS layers, (SELECT count(*) FROM layer_blobs) AS blobs, (SELECT count(*) FROM manifests) AS manifests",
        )
        .get(),
    ).toEqual({ layers: 1, blobs: 1, manifests: 1 });
  });

  test("by its id, one with several names only with force", async () => {
    const { store, ids } = await filledStore();
    store.images.tag("a", "two");
    expect(() => store.images.remove(ids.a)).toThrow(
      /by ID with more than one tag \(localhost\/a:latest, localhost\/two:latest\)/,
    );
    expect(store.images.resolve("a").tags).toHaveLength(2);
    expect(store.images.remove(ids.a, { force: true })).toEqual({
      untagged: ["localhost/a:latest", "localhost/two:latest"],
      deleted: [ids.a],
    });
  });

  test("not while a container uses it, except one of several names", async () => {
    const { store, ids } = await filledStore();
    store.database.prepare("INSERT INTO containers (id, image_id, record) VALUES ('c1', ?, '{}')").run(ids.a);
    expect(() => store.images.remove("a")).toThrow(
      expect.objectContaining({
        code: "IMAGE_IN_USE",
        message: expect.stringContaining("image used by c1: image is in use by a container"),
      }),
    );
    expect(store.images.resolve("a").tags).toHaveLength(1);
    store.images.tag("a", "two");
    expect(store.images.remove("two").untagged).toEqual(["localhost/two:latest"]);
    expect(store.images.remove("a", { force: true }).deleted).toEqual([ids.a]);
  });

  test("not what isn't there", async () => {
    const { store } = await filledStore();
    expect(() => store.images.remove("bogus")).toThrow("bogus: image not known");
  });

  test("prune drops layers whose image went away under it", async () => {
    const { store, ids } = await filledStore();
    const c = store.images.resolve("c");
    expect(store.images.prune()).toEqual([]);
    store.database.prepare("DELETE FROM images WHERE id = ?").run(ids.c);
    expect(store.images.prune()).toEqual(c.layers.map((layer) => layer.diffId));
    expect(files(store, c)).toEqual([false]);
  });
});
