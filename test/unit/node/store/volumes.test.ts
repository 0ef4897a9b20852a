import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { processStart } from "../../../../runtime/node/host/process-identity.ts";
import { ContainerRecords } from "../../../../runtime/node/store/containers.ts";
import type { Store } from "../../../../runtime/node/store/store.ts";
import { VolumeStore } from "../../../../runtime/node/store/volumes.ts";
import { temporaryStore } from "./store-for-test.ts";

const PLAIN = { labels: {}, options: {} };

function volumes(): VolumeStore & { store: Store } {
  const store = temporaryStore();
  return Object.assign(new VolumeStore(store), { store });
}

/** A record of a container that has these volumes among its mounts. */
function container(store: Store, id: string, names: string[]): void {
  new ContainerRecords(store.database).insert({
    ...{ id, name: id, imageId: "", status: "exited", pid: 0, processStart: "", createdMs: 1 },
    ...{ finishedMs: undefined, exitCode: 0, reason: undefined },
    mounts: names.map((source) => ({ type: "volume", source, target: "/v" })),
  } as never);
}

test("a volume is created once, found by its name, and listed in order", () => {
  const kept = volumes();
  const made = kept.create({ name: "data", labels: { a: "1" }, options: {} }, 5);
  expect(kept.get("data")).toEqual(made);
  expect(made).toEqual({ name: "data", createdMs: 5, labels: { a: "1" }, options: {}, anonymous: false });
  kept.create({ name: "also", ...PLAIN }, 6);
  expect(kept.list().map(({ name }) => name)).toEqual(["also", "data"]);
  expect(() => kept.create({ name: "data", ...PLAIN }, 7)).toThrow(/volume with name data already exists/);
  kept.ensure("data", 8);
  expect(kept.get("data")).toEqual(made);
  expect(() => kept.get("other")).toThrow(/no volume with name "other" found/);
});

test("one without a name gets 64 digits, and is anonymous", () => {
  const made = volumes().create({ name: undefined, ...PLAIN }, 0);
  expect(made.name).toMatch(/^[0-9a-f]{64}$/);
  expect(made.anonymous).toBe(true);
});

test.each(["", ".", "..", "a/b", "../a", "-a", "a b", "a\0", "x".repeat(129), "é"])(
  "%j is no name",
  (name) => {
    expect(() => volumes().create({ name, ...PLAIN }, 0)).toThrow(/names must match/);
  },
);

describe("a holder", () => {
  test("keeps others off until it lets go, and is told apart from another process's", () => {
    const kept = volumes();
    kept.ensure("data", 0);
    kept.hold("data", "one");
    kept.hold("data", "one");
    expect(() => kept.hold("data", "two")).toThrow(/volume "data" is in use by container one$/);
    expect(() => kept.remove("data")).toThrow(/in use by container one$/);
    kept.release("data", "two");
    expect(() => kept.hold("data", "two")).toThrow(/in use/);
    kept.release("data", "one");
    kept.hold("data", "two");
  });

  test("in another process counts while that process lives, and no longer", async () => {
    const kept = volumes();
    kept.ensure("data", 0);
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"]);
    const { pid } = child as { pid: number };
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const set = kept.store.database.prepare(
      "UPDATE volumes SET holder = 'far', holder_pid = ?, holder_start = ? WHERE name = 'data'",
    );
    set.run(pid, processStart(pid) ?? "");
    expect(() => kept.hold("data", "near")).toThrow(
      `is in use by container far of another wpod process (${pid})`,
    );
    kept.release("data", "far");
    expect(() => kept.hold("data", "near")).toThrow(/another wpod process/);
    child.kill();
    await ended;
    kept.hold("data", "near");
    // The number of a process that lives, started at another time, is no holder either.
    set.run(process.pid, "another start");
    kept.hold("data", "near");
  });
});

describe("removing", () => {
  test("takes the files along, answers their bytes, and frees the name", () => {
    const kept = volumes();
    kept.ensure("data", 0);
    mkdirSync(kept.folder("data"), { recursive: true });
    writeFileSync(join(kept.folder("data"), "journal"), "12345");
    expect(kept.remove("data")).toBe(5);
    expect(existsSync(kept.folder("data"))).toBe(false);
    expect(kept.list()).toEqual([]);
    expect(() => kept.remove("data")).toThrow(/no such volume/);
  });

  test("is refused while a container has it, running or not", () => {
    const kept = volumes();
    kept.ensure("data", 0);
    container(kept.store, "c1", ["other", "data"]);
    container(kept.store, "c2", ["other"]);
    expect(() => kept.remove("data")).toThrow(/being used by the following container\(s\): c1:/);
    expect(kept.get("data").name).toBe("data");
  });

  test("all that nobody uses leaves those whose name was chosen, unless all are meant", () => {
    const kept = volumes();
    for (const name of ["a", "b", "used"]) kept.ensure(name, 0);
    const anonymous = kept.create({ name: undefined, ...PLAIN }, 0).name;
    container(kept.store, "c1", ["used"]);
    expect(kept.prune(false, () => true)).toEqual({ removed: [anonymous], reclaimedBytes: 0 });
    expect(kept.prune(true, ({ name }) => name !== "b").removed).toEqual(["a"]);
    expect(kept.list().map(({ name }) => name)).toEqual(["b", "used"]);
  });
});
