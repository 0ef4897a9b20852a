/** Bind mounts of real containers: two of them on one directory, one against the other; and one that moves to the kernel. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import { type GuardedFolder, guardedFolder } from "../fixtures/guarded-folder.ts";
import { guest } from "../fixtures/guests.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
/** Each opens three files. */
const ROUNDS = LONG ? 33_400 : 700;
const PLACEMENTS = ["worker", "kernel"] as const;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: GuardedFolder;
const engines = {} as Record<(typeof PLACEMENTS)[number], Engine>;
let bindrace: string;
let root: GuardedFolder;

beforeAll(async () => {
  bindrace = await guest("bindrace");
  root = guardedFolder();
  for (const placement of PLACEMENTS) {
    engines[placement] = new Engine({ root: join(root.base, placement), placement });
    await engines[placement].images.import(await guest("selfcheck"), "selfcheck");
  }
}, 120_000);
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});
beforeEach(() => {
  folder = guardedFolder();
});
afterEach(() => folder[Symbol.dispose]());

describe.runIf(process.platform !== "win32")("two containers with one directory", () => {
  test.each(PLACEMENTS)(
    "one plants links, the other finds nothing behind them: %s",
    {
      timeout: 600_000,
    },
    async (placement) => {
      const engine = engines[placement];
      const before = folder.picture();
      const mounts = [{ type: "bind", source: folder.inside, target: "/m" }] as const;
      const isPlanting = Promise.withResolvers<void>();
      const planter = engine.run(bindrace, {
        args: ["plant", folder.outside],
        mounts,
        timeoutMs: 500_000,
        stdout: () => isPlanting.resolve(),
      });
      await Promise.race([isPlanting.promise, planter]);
      const opener = await engine.run(bindrace, { args: ["open", `${ROUNDS}`], mounts, timeoutMs: 500_000 });
      expect({ exitCode: opener.exitCode, stdout: text(opener.stdout) }).toEqual({
        exitCode: 0,
        stdout: expect.stringMatching(/^done [1-9]\d* [1-9]\d*\n$/),
      });
      expect((await planter).exitCode).toBe(0);
      expect(folder.picture()).toBe(before);
      expect(readdirSync(folder.inside).sort()).toEqual(["file", "other", "stop", "sub"]);
    },
  );
});

describe.each(PLACEMENTS)("mounts in each other, in the %s", (placement) => {
  test("a directory, a file over a file and a tmpfs in a directory, given in any order", async () => {
    const at = (name: string) => join(folder.inside, name);
    mkdirSync(at("deeper/point"), { recursive: true });
    const mounts = [
      { type: "bind", source: at("other"), target: "/m/sub/deep", readOnly: true },
      { type: "tmpfs", target: "/m/deeper/point" },
      { type: "bind", source: at("sub/victim"), target: "/m/file" },
      { type: "bind", source: folder.inside, target: "/m" },
    ] as const;
    writeFileSync(at("sub/victim"), "the victim");
    writeFileSync(at("other/file"), "the other");
    const run = async (...args: string[]) => {
      const { exitCode, stdout } = await engines[placement].run("selfcheck", {
        args,
        mounts,
        timeoutMs: 20_000,
      });
      return { exitCode, stdout: text(stdout) };
    };
    expect(await run("print", "/m/file")).toEqual({ exitCode: 0, stdout: "the victim" });
    expect(await run("print", "/m/sub/deep/file")).toEqual({ exitCode: 0, stdout: "the other" });
    expect(await run("print", "/m/sub/deep/../file")).toEqual({ exitCode: 0, stdout: "inside" });
    expect(await run("touch", "/m/sub/deep/new")).toMatchObject({ exitCode: 1 });
    expect(await run("touch", "/m/sub/new")).toMatchObject({ exitCode: 0 });
    expect(await run("touch", "/m/deeper/point/new")).toMatchObject({ exitCode: 0 });
    expect(readdirSync(at("other"))).toEqual(["file"]);
    expect(readdirSync(at("deeper/point"))).toEqual([]);
    expect(readdirSync(at("sub")).sort()).toEqual(["deep", "empty", "file", "link", "new", "victim"]);
    expect(readFileSync(at("file"), "utf8")).toBe("inside");
  });
});

describe.runIf(process.platform === "linux")("a container whose source is replaced by a link", () => {
  test.each(["calls", "wait", "busy", "mixed"])(
    "goes on with what was mounted, also with the kernel: %s",
    {
      timeout: 60_000,
    },
    async (mode) => {
      const engine = engines.worker;
      const before = folder.picture();
      const source = join(folder.base, "source");
      mkdirSync(source);
      const ready = Promise.withResolvers<void>();
      let printed = "";
      const container = await engine.launch("selfcheck", {
        args: [mode, "/m/work"],
        mounts: [{ type: "bind", source, target: "/m" }],
        timeoutMs: 50_000,
        stdout(chunk) {
          printed += text(chunk);
          ready.resolve();
        },
      });
      void container.wait().then(() => ready.resolve());
      await ready.promise;
      const program = container.inspect().path;
      renameSync(source, join(folder.base, "moved"));
      symlinkSync(folder.outside, source);
      // A second program comes: all that the first has open goes to the kernel.
      const touched = await container.exec([program, "touch", "/m/mark"]);
      expect({ exitCode: touched.exitCode, stderr: text(touched.stderr) }).toEqual({
        exitCode: 0,
        stderr: "",
      });
      await container.exec([program, "touch", "/stop"]);
      const end = await container.wait();
      expect({ exitCode: end.exitCode, printed }).toEqual({
        exitCode: 0,
        printed: expect.stringMatching(/^ready\nok \d+\n$/),
      });
      expect(readdirSync(join(folder.base, "moved")).sort()).toEqual(["mark", "work"]);
      expect(existsSync(join(folder.outside, "mark"))).toBe(false);
      expect(folder.picture()).toBe(before);
      expect(readFileSync(join(folder.inside, "file"), "utf8")).toBe("inside");
      rmSync(source);
    },
  );
});
