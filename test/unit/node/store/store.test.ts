import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { MIGRATIONS } from "../../../../runtime/node/store/migrations.ts";
import { openStore } from "../../../../runtime/node/store/store.ts";
import { mustRun } from "../../../fixtures/child.ts";
import { temporaryFolder, temporaryStore } from "./store-for-test.ts";

test("a store is made where there is none, private to its user", () => {
  const root = join(temporaryFolder(), "a", "b");
  const store = temporaryStore(root);
  expect(statSync(root).mode & 0o777).toBe(0o700);
  expect(readdirSync(root).sort()).toEqual(["blobs", "corrupt", "layers", "tmp", "version"]);
  expect(store.images.list()).toEqual([]);
  expect(readdirSync(root)).toContain("state.db");
});

test("a store is opened again", () => {
  const root = join(temporaryFolder(), "root");
  temporaryStore(root).database.exec("INSERT INTO containers (id, record) VALUES ('a', '{}')");
  const again = temporaryStore(root);
  expect(again.database.prepare("SELECT count(*) AS count FROM containers").get()).toEqual({ count: 1 });
  expect(again.database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  expect(again.database.prepare("PRAGMA user_version").get()).toEqual({ user_version: MIGRATIONS.length });
});

test("an empty folder, and one behind a link, can be the store", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "empty"));
  symlinkSync(join(folder, "empty"), join(folder, "link"));
  temporaryStore(join(folder, "link"));
  expect(readdirSync(join(folder, "empty"))).toContain("version");
});

test.each(["version.123", "state.db-journal", "state.db-wal", "tmp"])(
  "a folder that another process is just making into one, with %s, can be the store",
  (name) => {
    const root = join(temporaryFolder(), "root");
    mkdirSync(root);
    writeFileSync(join(root, name === "tmp" ? "version.1" : name), "");
    if (name === "tmp") mkdirSync(join(root, name));
    temporaryStore(root);
    expect(readdirSync(root)).toContain("version");
  },
);

describe("refused with one sentence", () => {
  const cases: { name: string; prepare: (root: string) => void; message: RegExp }[] = [
    { name: "a file", prepare: (root) => writeFileSync(root, ""), message: /it is not a directory$/ },
    {
      name: "a path under a file",
      prepare: (root) => writeFileSync(join(root, ".."), ""),
      message: /it is not a directory$/,
    },
    {
      name: "a link to nothing",
      prepare: (root) => symlinkSync("nowhere", root),
      message: /can't be used as the store/,
    },
    {
      name: "a folder with other files",
      prepare: (root) => {
        mkdirSync(root);
        writeFileSync(join(root, "notes.txt"), "");
      },
      message: /it holds other files, such as "notes.txt"$/,
    },
    {
      name: "another layout",
      prepare: (root) => {
        mkdirSync(root);
        writeFileSync(join(root, "version"), "2\n");
      },
      message: /layout "2", this one knows 1/,
    },
  ];
  test.each(cases)("$name", ({ name, prepare, message }) => {
    const folder = temporaryFolder();
    const parent = join(folder, "parent");
    const root = join(parent, "root");
    if (name === "a path under a file") writeFileSync(parent, "");
    else {
      mkdirSync(parent);
      prepare(root);
    }
    expect(() => openStore(root)).toThrow(
      expect.objectContaining({ code: "STORE_UNUSABLE", message: expect.stringMatching(message) }),
    );
  });

  test("a folder that one may not write", async ({ skip }) => {
    if (process.platform === "win32") skip("no mode bits on Windows");
    const folder = temporaryFolder();
    chmodSync(folder, 0o555);
    // The root user may write everywhere: so the attempt is made as nobody, from a place that nobody may read.
    const attempt = `
      if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
      const { openStore } = await import(${JSON.stringify(new URL("../../../../runtime/node/store/store.ts", import.meta.url).href)});
      try { openStore(${JSON.stringify(join(folder, "root"))}); console.log("opened"); }
      catch (error) { console.log(error.code, error.message); }`;
    const { stdout } = await mustRun(process.execPath, ["--input-type=module", "-e", attempt]);
    expect(stdout.toString()).toMatch(
      /^STORE_UNUSABLE .* can't be used as the store: you may not write to it\n$/,
    );
  });

  test("a database of a newer wpod, and one that is none", () => {
    const root = join(temporaryFolder(), "root");
    temporaryStore(root);
    const newer = new DatabaseSync(join(root, "state.db"));
    newer.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    newer.close();
    expect(() => temporaryStore(root).images.list()).toThrow(
      expect.objectContaining({ code: "STORE_UNUSABLE", message: expect.stringContaining("newer wpod") }),
    );
    writeFileSync(
      join(root, "state.db"),
      "this is no database, but a text that is long enough to be looked at",
    );
    expect(() => temporaryStore(root).images.list()).toThrow(
      expect.objectContaining({ code: "STORE_UNUSABLE", message: expect.stringContaining("damaged") }),
    );
  });
});

test("several processes make the same store at once", async () => {
  const root = join(temporaryFolder(), "root");
  const module = new URL("../../../../runtime/node/store/store.ts", import.meta.url).href;
  const script = `
    const { openStore } = await import(${JSON.stringify(module)});
    const store = openStore(${JSON.stringify(root)});
    store.database.prepare("INSERT INTO containers (id, record) VALUES (?, '{}')").run(String(process.pid));
    store.close();`;
  await Promise.all(
    Array.from({ length: 4 }, () => mustRun(process.execPath, ["--input-type=module", "-e", script])),
  );
  expect(temporaryStore(root).database.prepare("SELECT count(*) AS count FROM containers").get()).toEqual({
    count: 4,
  });
});
