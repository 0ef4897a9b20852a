import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import { parseConfig } from "../../../../runtime/node/config/config-file.ts";
import { CONFIG_BYTES_MAX, WAIT_SECONDS_MAX } from "../../../../runtime/node/config/limits.ts";
import { loadUserConfig, userConfigPath } from "../../../../runtime/node/config/user-config.ts";

const MIB = 1024 * 1024;
const PATH = "/etc/config.yaml";

const WHOLE = `# of all containers
limits:
  cpus: 1.5
  memory: 2g
defaults:
  cpus: 0.25
  memory: 512m
  pids: 64
  storage: 1g
overcommit: refuse
waitSeconds: 2.5
`;

describe("a configuration", () => {
  test("says what all containers have together, what each has, and what becomes of one that doesn't fit", () => {
    expect(parseConfig(WHOLE, PATH)).toEqual({
      path: PATH,
      totals: { cpus: 1.5, memoryBytes: 2048 * MIB },
      defaults: { cpus: 0.25, memoryBytesMax: 512 * MIB, threadsMax: 64, diskBytesMax: 1024 * MIB },
      overcommit: "refuse",
      waitMs: 2500,
    });
  });

  test.each(["", "\n# nothing\n", "---\n", "null\n", "{}\n", "limits:\n", "limits: {}\ndefaults:\n"])(
    "of %j says nothing: no limits, and who doesn't fit waits five minutes",
    (text) => {
      expect(parseConfig(text, PATH)).toEqual({
        path: PATH,
        totals: { cpus: undefined, memoryBytes: undefined },
        defaults: {},
        overcommit: "wait",
        waitMs: 300_000,
      });
    },
  );

  // Both sides of each edge: the last value that is taken, the first that isn't.
  test.each([
    { text: "limits: {cpus: 0.01}", totals: { cpus: 0.01 } },
    { text: "limits: {memory: 65536}", totals: { memoryBytes: 65_536 } },
    { text: "limits: {memory: 64k}", totals: { memoryBytes: 65_536 } },
    { text: "limits: {memory: '1.5GiB'}", totals: { memoryBytes: 1536 * MIB } },
    { text: '{"limits": {"cpus": 64}}', totals: { cpus: 64 } },
  ])("takes $text", ({ text, totals }) => {
    expect(parseConfig(text, PATH).totals).toMatchObject(totals);
  });
  test.each([
    { text: "waitSeconds: 0", waitMs: 0 },
    { text: `waitSeconds: ${WAIT_SECONDS_MAX}`, waitMs: WAIT_SECONDS_MAX * 1000 },
    { text: "overcommit: wait", waitMs: 300_000 },
    { text: "defaults: {pids: 1, storage: 1}", waitMs: 300_000 },
  ])("takes $text too", ({ text, waitMs }) => {
    expect(parseConfig(text, PATH).waitMs).toBe(waitMs);
  });

  test.each([
    {
      text: "limits: {cpus: 0.009}",
      line: 1,
      says: 'limits.cpus can\'t be "0.009": it is a number of 0.01 or more',
    },
    { text: "limits:\n  cpus: -1", line: 2, says: 'limits.cpus can\'t be "-1"' },
    { text: "limits:\n  cpus: .inf", line: 2, says: "limits.cpus" },
    { text: "limits:\n  cpus: .nan", line: 2, says: "limits.cpus" },
    { text: "limits:\n  cpus: '2'", line: 2, says: 'limits.cpus can\'t be "2": it is a number' },
    { text: "limits:\n  cpus:", line: 2, says: "limits.cpus can't be" },
    { text: "limits:\n  cpus: [1]", line: 2, says: "limits.cpus can't be what it is" },
    { text: "limits:\n  memory: 65535", line: 2, says: "it is at least 65536 bytes" },
    {
      text: "limits:\n\n  memory: 12x",
      line: 3,
      says: 'limits.memory can\'t be "12x": it is a size, as 65536',
    },
    { text: "limits:\n  memory: -1", line: 2, says: "it is a size" },
    { text: "limits:\n  memory: true", line: 2, says: "it is a size" },
    {
      text: "defaults:\n  pids: 0",
      line: 2,
      says: 'defaults.pids can\'t be "0": it is a whole number of threads',
    },
    { text: "defaults:\n  pids: 1.5", line: 2, says: "it is a whole number" },
    { text: "defaults:\n  storage: 0", line: 2, says: "defaults.storage" },
    { text: "overcommit: maybe", line: 1, says: 'overcommit can\'t be "maybe": it is "wait" or "refuse"' },
    { text: "waitSeconds: -1", line: 1, says: "waitSeconds" },
    { text: `waitSeconds: ${WAIT_SECONDS_MAX + 1}`, line: 1, says: "from 0 to 604800" },
    { text: "\n\nlimit:\n  cpus: 1", line: 3, says: 'unknown key "limit"; did you mean "limits"?' },
    {
      text: "limits:\n  memroy: 1g",
      line: 2,
      says: 'unknown key "memroy" in limits; did you mean "memory"?',
    },
    { text: "defaults:\n  cpu: 1", line: 2, says: 'unknown key "cpu" in defaults; did you mean "cpus"?' },
    { text: "wait_seconds: 1", line: 1, says: 'did you mean "waitSeconds"?' },
    { text: "__proto__:\n  cpus: 1", line: 1, says: 'unknown key "__proto__"' },
    { text: "toString: 1", line: 1, says: 'unknown key "toString"' },
    { text: "limits:\n  constructor: 1", line: 2, says: 'unknown key "constructor" in limits' },
    { text: "limits: 4", line: 1, says: "limits has to be a list of names with values" },
    { text: "- limits", line: 1, says: "it has to be a list of names with values" },
    { text: "just text", line: 1, says: "it has to be a list of names with values" },
    { text: "limits:\n  cpus: 1\n  cpus: 2", line: 3, says: "it is no YAML" },
    { text: "limits:\n\tcpus: 1", line: 2, says: "it is no YAML" },
    { text: "limits: {cpus: 1", line: 1, says: "it is no YAML" },
    { text: "limits: {cpus: 1}\n---\nlimits: {cpus: 2}", line: 2, says: "it is no YAML" },
    { text: "a: &a 1\nlimits: *a", line: 1, says: "unknown key" },
    { text: "limits: {cpus: !!js/function 1}", line: 1, says: "it is no YAML" },
    { text: "? [x]\n: 1", line: 1, says: "unknown key" },
  ])("refuses $text", ({ text, line, says }) => {
    let thrown: unknown;
    try {
      parseConfig(text, PATH);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(WpodError);
    const { code, message } = thrown as WpodError;
    expect(code).toBe("CONFIG_INVALID");
    expect(message).toContain(`${PATH}:${line}: `);
    expect(message).toContain(says);
    expect(message).not.toContain("\n");
  });

  test("whatever stands in the file, it is read or refused in one sentence with its line", () => {
    const word = fc.constantFrom(
      ...[
        "limits",
        "defaults",
        "cpus",
        "memory",
        "pids",
        "storage",
        "overcommit",
        "waitSeconds",
        "wait",
        "refuse",
      ],
      ...[
        ": ",
        ":",
        "\n",
        "\n  ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "- ",
        "1",
        "64m",
        "-1",
        "'",
        '"',
        "#",
        "&a",
        "*a",
        "!!",
        "|",
        "<<",
      ],
    );
    const text = fc.oneof(
      fc.array(word, { maxLength: 30 }).map((words) => words.join("")),
      fc.string({ unit: "binary", maxLength: 60 }),
    );
    fc.assert(
      fc.property(text, (content) => {
        try {
          const { totals } = parseConfig(content, PATH);
          for (const total of Object.values(totals)) expect(total === undefined || total > 0).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(WpodError);
          expect((error as WpodError).message).toMatch(/^\/etc\/config\.yaml:\d+: .+$/s);
          expect((error as WpodError).message.split("\n").length).toBe(1);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("that nests without end is refused, not a crash", () => {
    expect(() => parseConfig("[".repeat(CONFIG_BYTES_MAX), PATH)).toThrow(WpodError);
    expect(() => parseConfig(`${"{a: ".repeat(10_000)}`, PATH)).toThrow(WpodError);
  });
});

describe("the file", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "wpod-config-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    {
      name: "WPOD_CONFIG",
      environment: { WPOD_CONFIG: "/a/b.yaml", XDG_CONFIG_HOME: "/x" },
      path: "/a/b.yaml",
    },
    { name: "a relative WPOD_CONFIG", environment: { WPOD_CONFIG: "b.yaml" }, path: resolve("b.yaml") },
    {
      name: "XDG_CONFIG_HOME",
      environment: { XDG_CONFIG_HOME: "/x", HOME: "/h" },
      path: "/x/wpod/config.yaml",
    },
    {
      name: "a relative XDG_CONFIG_HOME is none",
      environment: { XDG_CONFIG_HOME: "x", HOME: "/h" },
      path: "/h/.config/wpod/config.yaml",
    },
    { name: "HOME", environment: { HOME: "/h", WPOD_CONFIG: "" }, path: "/h/.config/wpod/config.yaml" },
    { name: "no HOME", environment: {}, path: join(homedir(), ".config/wpod/config.yaml") },
  ])("is found by $name", ({ environment, path }) => {
    expect(userConfigPath(environment, "linux")).toBe(path);
  });

  test("is found in APPDATA on Windows", () => {
    expect(userConfigPath({ APPDATA: "/roaming", XDG_CONFIG_HOME: "/x" }, "win32")).toBe(
      join("/roaming", "wpod", "config.yaml"),
    );
  });

  test("that isn't there is none, unless somebody named it", () => {
    expect(loadUserConfig({ XDG_CONFIG_HOME: folder })).toBeUndefined();
    expect(() => loadUserConfig({ WPOD_CONFIG: join(folder, "none.yaml") })).toThrow(
      /none\.yaml: no such file, and WPOD_CONFIG names it/,
    );
  });

  test("that is there is read", async () => {
    mkdirSync(join(folder, "wpod"));
    writeFileSync(join(folder, "wpod", "config.yaml"), WHOLE);
    expect(await loadUserConfig({ XDG_CONFIG_HOME: folder })).toMatchObject({ totals: { cpus: 1.5 } });
  });

  test.each([
    { name: "a directory", make: (path: string) => mkdirSync(path), says: /it can't be read: EISDIR/ },
    {
      name: "no UTF-8",
      make: (path: string) => writeFileSync(path, Uint8Array.of(0x23, 0xff)),
      says: /it is not UTF-8 text/,
    },
    {
      name: "too large",
      make: (path: string) => writeFileSync(path, "#".repeat(CONFIG_BYTES_MAX + 1)),
      says: /it is larger than 65536 bytes/,
    },
  ])("that is $name is refused", async ({ name, make, says }) => {
    const path = join(folder, name);
    make(path);
    await expect(loadUserConfig({ WPOD_CONFIG: path })).rejects.toThrow(says);
  });

  test("may be as large as that", async () => {
    const path = join(folder, "large");
    writeFileSync(path, `${"#".repeat(CONFIG_BYTES_MAX - 1)}\n`);
    expect(await loadUserConfig({ WPOD_CONFIG: path })).toMatchObject({ overcommit: "wait" });
  });
});
