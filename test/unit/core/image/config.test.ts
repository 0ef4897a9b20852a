import { expect, test } from "vitest";
import { parseConfig } from "../../../../runtime/core/image/config.ts";

const bytes = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const digest = `sha256:${"0f".repeat(32)}`;
const rootfs = { type: "layers", diff_ids: [digest] };

test("keeps what is known, and nothing else", () => {
  const parsed = parseConfig(
    bytes({
      created: "2024-02-03T04:05:06.789Z",
      os: "wasi",
      architecture: "wasm",
      rootfs,
      secret: 1,
      config: {
        User: "1:2",
        Env: ["A=b\nC=d"],
        Cmd: ["x"],
        Entrypoint: null,
        Labels: { a: "b" },
        Volumes: { "/v": {} },
        OnBuild: ["x"],
      },
      history: [{ created_by: "RUN x", empty_layer: true, other: 1 }],
    }),
    "the config",
  );
  expect(parsed.platform).toEqual({ os: "wasi", architecture: "wasm", variant: undefined });
  expect(parsed.createdMs).toBe(Date.UTC(2024, 1, 3, 4, 5, 6, 789));
  expect(parsed.diffIds).toEqual([digest]);
  expect(JSON.parse(JSON.stringify(parsed.config))).toEqual({
    created: "2024-02-03T04:05:06.789Z",
    os: "wasi",
    architecture: "wasm",
    rootfs,
    // A line break in a value is part of it: nothing splits it there.
    config: { User: "1:2", Env: ["A=b\nC=d"], Cmd: ["x"], Labels: { a: "b" }, Volumes: { "/v": {} } },
    history: [{ created_by: "RUN x", empty_layer: true }],
  });
});

test("a label called __proto__ is a label", () => {
  const { config } = parseConfig(
    bytes(
      `{"rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"evil","toString":"x"},"Volumes":{"__proto__":{}}}}`,
    ),
    "the config",
  );
  const labels = config.config?.Labels ?? {};
  expect(Object.entries(labels)).toEqual([
    ["__proto__", "evil"],
    ["toString", "x"],
  ]);
  expect(Object.getPrototypeOf(labels)).toBeNull();
  expect(({} as { evil?: unknown }).evil).toBeUndefined();
  // And it survives the way through the database.
  expect(Object.entries(JSON.parse(JSON.stringify(labels)))).toEqual([
    ["__proto__", "evil"],
    ["toString", "x"],
  ]);
});

test.each([
  { name: "no rootfs", document: {}, message: /no "rootfs"/ },
  {
    name: "another type",
    document: { rootfs: { type: "x", diff_ids: [] } },
    message: /not of the type "layers"/,
  },
  {
    name: "a damaged diff_id",
    document: { rootfs: { type: "layers", diff_ids: ["sha256:x"] } },
    message: /diff_id 1/,
  },
  {
    name: "a diff_id that is no text",
    document: { rootfs: { type: "layers", diff_ids: [1] } },
    message: /diff_id 1/,
  },
  {
    name: "Env that is a string",
    document: { rootfs, config: { Env: "A=b" } },
    message: /"Env".*not a list/,
  },
  { name: "Cmd with a number", document: { rootfs, config: { Cmd: [1] } }, message: /"Cmd"/ },
  { name: "a NUL in an argument", document: { rootfs, config: { Cmd: ["a\0b"] } }, message: /"Cmd".*NUL/ },
  {
    name: "a NUL in the working directory",
    document: { rootfs, config: { WorkingDir: "/a\0" } },
    message: /NUL/,
  },
  { name: "a NUL in a volume", document: { rootfs, config: { Volumes: { "/a\0": {} } } }, message: /NUL/ },
  {
    name: "a label that is no text",
    document: { rootfs, config: { Labels: { a: {} } } },
    message: /"a" in "Labels"/,
  },
  { name: "config that is a list", document: { rootfs, config: [] }, message: /"config".*not an object/ },
  { name: "os that is a number", document: { rootfs, os: 1 }, message: /"os"/ },
  { name: "history that is no list", document: { rootfs, history: {} }, message: /"history"/ },
  { name: "history of numbers", document: { rootfs, history: [1] }, message: /"history"/ },
])("refuses $name", ({ document, message }) => {
  expect(() => parseConfig(bytes(document), "the config")).toThrow(
    expect.objectContaining({ code: "IMAGE_INVALID", message: expect.stringMatching(message) }),
  );
});

test.each([
  [undefined, undefined],
  ["", undefined],
  ["yesterday", undefined],
  ["0001-01-01T00:00:00Z", Date.parse("0001-01-01T00:00:00Z")],
  ["1969-12-31T23:59:59Z", -1000],
])("created %j gives %s", (created, expected) => {
  expect(parseConfig(bytes({ rootfs, created }), "the config").createdMs).toBe(expected);
});
