import { describe, expect, test } from "vitest";
import { processStart } from "../../../../runtime/node/host/process-identity.ts";
import { type ContainerRecord, ContainerRecords } from "../../../../runtime/node/store/containers.ts";
import { temporaryStore } from "./store-for-test.ts";

function records(): ContainerRecords<ContainerRecord> {
  return new ContainerRecords(temporaryStore().database);
}

function record(letter: string, changes: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: letter.repeat(64),
    name: `name-${letter}`,
    imageId: "",
    status: "created",
    pid: 0,
    processStart: "",
    createdMs: 1,
    finishedMs: undefined,
    exitCode: 0,
    reason: undefined,
    ...changes,
  };
}

const refusal = (action: () => unknown) => {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

describe("a reference", () => {
  const NAMED_AS_ID = "a".repeat(64);
  test.each([
    { reference: "name-a", found: "name-a" },
    { reference: "/name-a", found: "name-a" },
    { reference: "b", found: "name-b" },
    { reference: "b".repeat(64), found: "name-b" },
    { reference: "b".repeat(65), code: "CONTAINER_NOT_FOUND" },
    { reference: "c", code: "USAGE" },
    { reference: "cc", code: "USAGE" },
    { reference: `${"c".repeat(63)}d`, found: "other-c" },
    { reference: "", code: "CONTAINER_NOT_FOUND" },
    { reference: "name", code: "CONTAINER_NOT_FOUND" },
    { reference: "%", code: "CONTAINER_NOT_FOUND" },
    { reference: "B", code: "CONTAINER_NOT_FOUND" },
    // A name goes before an id: who gives it to a container means that one.
    { reference: NAMED_AS_ID, found: NAMED_AS_ID },
  ])("$reference", ({ reference, found, code }) => {
    const kept = records();
    for (const letter of ["a", "b", "c"]) kept.insert(record(letter));
    kept.insert(record("c", { id: `${"c".repeat(63)}d`, name: "other-c" }));
    kept.insert(record("e", { name: NAMED_AS_ID }));
    if (code === undefined) expect(kept.get(reference).name).toBe(found);
    else expect(refusal(() => kept.get(reference))).toBe(code);
  });
});

test("a name that is taken is refused, and free again when its container is removed", () => {
  const kept = records();
  kept.insert(record("a", { name: "same" }));
  expect(refusal(() => kept.insert(record("b", { name: "same" })))).toBe("NAME_IN_USE");
  expect(kept.list().map(({ id }) => id[0])).toEqual(["a"]);
  kept.delete("a".repeat(64));
  kept.insert(record("b", { name: "same" }));
  expect(kept.get("same").id[0]).toBe("b");
});

test("the newest is first; of the same instant, the one that came last", () => {
  const kept = records();
  for (const [letter, createdMs] of [
    ["a", 2],
    ["b", 3],
    ["c", 1],
    ["d", 3],
  ] as const) {
    kept.insert(record(letter, { createdMs }));
  }
  expect(kept.list().map(({ id }) => id[0])).toEqual(["d", "b", "a", "c"]);
});

describe("one that runs", () => {
  const here = { pid: process.pid, processStart: processStart(process.pid)! };
  test.each([
    { name: "in this process runs", ...here, status: "running" },
    { name: "in a process that isn't there has ended", pid: 2 ** 30, processStart: "1", status: "exited" },
    { name: "in a process whose number another has got has ended", pid: here.pid, processStart: "1", status: "exited" },
  ])("$name", ({ pid, processStart, status }) => {
    const kept = records();
    kept.insert(record("a", { status: "running", pid, processStart }));
    const shown = kept.get("name-a");
    expect(shown.status).toBe(status);
    if (status === "exited") {
      expect(shown).toMatchObject({ pid: 0, exitCode: 137, reason: "its host process died" });
      // It is mended once: the time of its end doesn't move.
      expect(kept.list()).toEqual([shown]);
    }
  }); // biome-ignore format: a line for each

  test("and has written down its own end since it was looked at keeps its exit status", () => {
    const { database } = temporaryStore();
    const own = new ContainerRecords(database);
    const running = record("a", { status: "running", pid: 2 ** 30, processStart: "1" });
    own.insert(running);
    // A reader that sees the row as it was: its container ends between the look and the mending.
    const late = new ContainerRecords({
      prepare(sql: string) {
        const statement = database.prepare(sql);
        if (!sql.startsWith("UPDATE")) return statement;
        own.update({ ...running, status: "exited", pid: 0, exitCode: 3 });
        return statement;
      },
    } as typeof database);
    expect(late.get("name-a")).toMatchObject({ status: "exited", exitCode: 3 });
    expect(own.get("name-a").exitCode).toBe(3);
  });
});
