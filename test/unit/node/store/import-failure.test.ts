/** Imports that the host cuts short: a full disk, a limit on files, a killed process. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadImages } from "../../../../runtime/node/store/importer.ts";
import { openLayer } from "../../../../runtime/node/store/layer-reader.ts";
import { type ChildResult, runChild } from "../../../fixtures/child.ts";
import { pathsOf } from "../../../fixtures/image-index.ts";
import { layerTar, writeOciArchive } from "../../../fixtures/oci-image.ts";
import { need } from "../../../fixtures/tools.ts";
import { temporaryFolder, temporaryStore } from "./store-for-test.ts";

const LAYER_FILES = 40;

/** Two layers of 2 MB together, on a disk that is not the store's. */
async function makeArchive(): Promise<string> {
  const path = join(temporaryFolder(), "hello.tar");
  const files = (name: string) =>
    Array.from({ length: LAYER_FILES }, (_, at) => ({
      path: `${name}${at}`,
      content: Buffer.alloc(25_000, `${at} `),
    }));
  await writeOciArchive(path, [
    {
      name: "hello:1.0",
      platforms: [{ layers: [{ tar: await layerTar(files("a")) }, { tar: await layerTar(files("b")) }] }],
    },
  ]);
  return path;
}

/** A script for a process of its own: `store`, `loadImages` and `archive` are there. */
function script(root: string, archive: string, body: string): string[] {
  const url = (file: string) =>
    JSON.stringify(new URL(`../../../../runtime/node/store/${file}`, import.meta.url).href);
  return [
    "--input-type=module",
    "-e",
    `import { readdirSync } from "node:fs";
     import { execFileSync } from "node:child_process";
     const { openStore } = await import(${url("store.ts")});
     const { loadImages } = await import(${url("importer.ts")});
     const root = ${JSON.stringify(root)}, archive = ${JSON.stringify(archive)};
     ${body}`,
  ];
}

const lines = (result: ChildResult) => result.stdout.toString().trim().split("\n");

describe.skipIf(process.platform !== "linux")("a full disk", () => {
  // From one that can't hold the database to one that lacks a little at the end.
  test.for([16, 60, 120, 200, 600, 1300, 2000, 2120, 2150].map((sizeKb) => ({ sizeKb })))(
    "of $sizeKb KiB: nothing is imported, and it can be tried again",
    async ({ sizeKb }, { skip }) => {
      const unshare = need(skip, "unshare");
      const archive = await makeArchive();
      const mount = join(temporaryFolder(), "disk");
      mkdirSync(mount);
      const body = `
      const report = (...values) => console.log(JSON.stringify(values));
      try {
        const store = openStore(root);
        await loadImages(store, archive);
        report("imported");
      } catch (error) {
        report(error.name, error.code, error.message.includes(root), readdirSync(root).includes("tmp") ? readdirSync(root + "/tmp") : []);
      }
      execFileSync("mount", ["-o", "remount,size=64m", ${JSON.stringify(mount)}]);
      const again = openStore(root);
      report(again.images.list().length, readdirSync(root + "/layers/sha256").length, readdirSync(root + "/blobs/sha256").length);
      await loadImages(again, archive);
      report(again.images.list().length, readdirSync(root + "/layers/sha256").length, readdirSync(root + "/tmp").length);`;
      const result = await runChild(unshare, [
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o "size=$1k" none "$2" || exit 77; shift 2; exec "$@"',
        "sh",
        String(sizeKb),
        mount,
        process.execPath,
        ...script(join(mount, "root"), archive, body),
      ]);
      if (result.exitCode === 77 || /unshare failed|Operation not permitted/.test(result.stderr.toString()))
        skip("needs the right to mount a tmpfs in a namespace");
      expect(result.stderr.toString()).not.toContain("Error");
      expect(lines(result).map((line) => JSON.parse(line))).toEqual([
        ["WpodError", "STORE_FULL", true, []],
        [0, 0, 0],
        [1, 4, 0],
      ]);
    },
  );

  test("a limit on the size of files says the same", async () => {
    const archive = await makeArchive();
    const root = join(temporaryFolder(), "root");
    temporaryStore(root).images.list();
    const body = `
      try { await loadImages(openStore(root), archive); } catch (error) { console.log(error.code); console.log(readdirSync(root + "/tmp").length); }`;
    const limited = await runChild("sh", [
      "-c",
      'ulimit -f 1000; exec "$@"',
      "sh",
      process.execPath,
      ...script(root, archive, body),
    ]);
    expect(lines(limited)).toEqual(["STORE_FULL", "0"]);
    expect(temporaryStore(root).images.list()).toEqual([]);
  });
});

describe("a process killed", () => {
  const moments = [
    { name: "at the first piece of a layer", body: killAtLook(1), left: 1 },
    { name: "in the middle of the second layer", body: killAtLook(2), left: 3 },
    { name: "before the commit", body: killAt("COMMIT"), left: 0 },
    { name: "before the transaction", body: killAt("BEGIN IMMEDIATE"), left: 4 },
  ];
  test.each(moments)("$name: the next one finds a whole store", async ({ body, left }) => {
    const archive = await makeArchive();
    const root = join(temporaryFolder(), "root");
    // Made before: its own transaction is not the one that is looked at.
    temporaryStore(root).images.list();
    const killed = await runChild(process.execPath, script(root, archive, body));
    expect(killed.exitCode).toBeNull();
    expect(killed.stderr.toString()).toBe("");

    const store = temporaryStore(root);
    expect(store.images.list()).toEqual([]);
    expect(store.database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect(readdirSync(store.temporaryFolder)).toHaveLength(left);
    store.images.prune();
    expect(readdirSync(join(root, "layers", "sha256"))).toEqual([]);
    expect(readdirSync(join(root, "blobs", "sha256"))).toEqual([]);
    const [record] = await loadImages(store, archive);
    expect(record?.tags).toEqual(["localhost/hello:1.0"]);
    for (const { diffId } of record?.layers ?? []) {
      const open = openLayer(store.layer(diffId));
      expect(pathsOf(open.index)).toHaveLength(LAYER_FILES);
      open.close();
    }
  });

  function killAtLook(count: number): string {
    // The import looks at the signal once a piece; each layer here is one.
    return `
      let looks = ${count};
      const signal = { get aborted() { if (--looks === 0) process.kill(process.pid, "SIGKILL"); return false; } };
      await loadImages(openStore(root), archive, { signal });`;
  }

  function killAt(statement: string): string {
    return `
      const store = openStore(root);
      const exec = store.database.exec.bind(store.database);
      store.database.exec = (sql) => { if (sql === ${JSON.stringify(statement)}) process.kill(process.pid, "SIGKILL"); return exec(sql); };
      await loadImages(store, archive);`;
  }
});
