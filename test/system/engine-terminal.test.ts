import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../runtime/engine/index.ts";
import type { Container, ExecOptions, ExecProgram, RunOptions } from "../../runtime/engine/types.ts";
import { engineForFile, engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";

const own = engineForFile();

/** What a terminal showed, as it grows. */
class Screen {
  shown = "";
  #changed = Promise.withResolvers<void>();

  readonly take = (bytes: Uint8Array): void => {
    this.shown += Buffer.from(bytes).toString();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  async shows(text: string): Promise<void> {
    while (!this.shown.includes(text)) await this.#changed.promise;
  }
}

async function launch(
  command: string[],
  options: RunOptions = {},
  engine: Engine = own.engine,
): Promise<{ container: Container; screen: Screen; keys: PassThrough }> {
  const screen = new Screen();
  const keys = new PassThrough();
  const container = await engine.launch(await guest("tty"), {
    args: command,
    tty: true,
    stdin: keys,
    stdout: screen.take,
    ...options,
  });
  return { container, screen, keys };
}

describe("a terminal of the library's", () => {
  test("standard output and error are one stream, collected", async () => {
    const result = await own.engine.run(await guest("trap"), { args: ["unreachable"], tty: true });
    expect(result.exitCode).toBe(134);
    expect(Buffer.from(result.stdout).toString()).toMatch(/wpod: the program trapped: .*\r\n$/);
    expect(result.stderr.length).toBe(0);
  });

  test("what is collected is bounded, and the rest is told of", async () => {
    const result = await own.engine.run(await guest("tty"), {
      args: ["lines"],
      tty: true,
      limits: { outputBytesMax: 1000 },
      stdin: "line\n".repeat(500),
    });
    expect([result.stdout.length, result.truncated, result.exitCode]).toEqual([1000, true, 0]);
  });

  test.each([
    { name: "text", stdin: "one\rtwo" },
    { name: "bytes", stdin: Buffer.from("one\rtwo") },
    { name: "an async iterable", stdin: pieces("on", "e\rt", "wo") },
  ])("input is $name: typed, and its end is the end", async ({ stdin }) => {
    const result = await own.engine.run(await guest("tty"), { args: ["lines"], tty: true, stdin });
    expect(Buffer.from(result.stdout).toString()).toMatch(/read 4 one\/\r\nread 3 two\r\nend\r\n$/);
  });

  test("more than a guest reads waits outside", async () => {
    let given = 0;
    async function* lines() {
      for (; given < 3000; given++) yield Buffer.from(`${"x".repeat(99)}\n`);
    }
    const screen = new Screen();
    const container = await own.engine.launch(await guest("spin"), {
      args: ["go"],
      tty: true,
      stdin: lines(),
      stdout: screen.take,
    });
    await screen.shows("go");
    await container.kill();
    await container.wait();
    expect(given).toBeLessThan(3000);
  });

  test("and nothing of it is lost", async () => {
    const line = `${"x".repeat(99)}\n`;
    const result = await own.engine.run(await guest("tty"), {
      args: ["lines"],
      tty: true,
      stdin: line.repeat(3000),
    });
    expect(
      Buffer.from(result.stdout)
        .toString()
        .match(/read 100 x/g),
    ).toHaveLength(3000);
    expect(Buffer.from(result.stdout).toString()).toMatch(/end\r\n$/);
  });

  test("its size, as it is asked for, and as it becomes", async () => {
    const size = { columns: 7, rows: 8 };
    const still = await own.engine.run(await guest("tty"), { args: ["size"], tty: size });
    expect(Buffer.from(still.stdout).toString()).toBe("size 7 8\r\n");
    const { container, screen } = await launch(["sizes", "2"], { tty: size });
    await screen.shows("changes");
    await container.resize(65_535, 0);
    await screen.shows("size 65535 0\r\n");
    await container.resize(1, 2);
    expect((await container.wait()).exitCode).toBe(0);
    expect(screen.shown).toMatch(/size 1 2\r\n$/);
  });

  test("the usual size when nobody says", async () => {
    const result = await own.engine.run(await guest("tty"), { args: ["size"], tty: true });
    expect(Buffer.from(result.stdout).toString()).toBe("size 80 24\r\n");
  });

  test.each([
    { columns: -1, rows: 1 },
    { columns: 1.5, rows: 1 },
    { columns: 1, rows: 65_536 },
  ])("refuses $columns x $rows", async (tty) => {
    await expect(own.engine.run(await guest("tty"), { tty })).rejects.toMatchObject({ code: "USAGE" });
    const { container, keys } = await launch(["lines"]);
    await expect(container.resize(tty.columns, tty.rows)).rejects.toMatchObject({ code: "USAGE" });
    keys.end();
    await container.wait();
    await expect(container.resize(1, 1)).rejects.toMatchObject({ code: "CONTAINER_STATE" });
  });

  test("a container without one has no size", async () => {
    const { container, keys } = await launch(["lines"], { tty: false });
    await expect(container.resize(1, 1)).rejects.toMatchObject({ code: "CONTAINER_STATE" });
    keys.end();
    await container.wait();
    expect(container.inspect().tty).toBe(false);
  });

  test.each([
    { key: "\x03", exitCode: 130, reason: "SIGINT" },
    { key: "\x1c", exitCode: 131, reason: "SIGQUIT" },
  ])("$reason from a key", async ({ key, exitCode, reason }) => {
    const { container, screen, keys } = await launch(["lines"]);
    await screen.shows("ready");
    keys.write(`ab${key}`);
    expect(await container.wait()).toMatchObject({ exitCode, reason });
    expect(screen.shown).toMatch(/ab\^[C\\]$/);
    expect(container.inspect().tty).toBe(true);
  });

  test("nobody types when there is no input; it ends when it is killed", async () => {
    const { container, screen } = await launch(["lines"], { stdin: "ignore" });
    await screen.shows("ready");
    await container.kill("SIGTERM");
    expect(await container.wait()).toMatchObject({ exitCode: 143 });
  });

  test("what the caller's function throws ends the output, and comes back", async () => {
    const oops = new Error("oops");
    const throwing = () => {
      throw oops;
    };
    const { container } = await launch(["modes"], { stdout: throwing });
    await expect(container.wait()).rejects.toBe(oops);
  });

  describe.each(["worker", "kernel"] as const)("/dev/tty and the start, files in the %s", (placement) => {
    test("is the terminal", async () => {
      await using own = await engineForTest({ placement });
      const { container, screen, keys } = await launch(["device"], {}, own.engine);
      await screen.shows("name? ");
      keys.write("me\r");
      expect((await container.wait()).exitCode).toBe(0);
      expect(screen.shown).toBe("isatty 1\r\nname? me\r\nread 3 me/\r\n");
    });

    test("^C that was typed before it runs", async () => {
      await using own = await engineForTest({ placement });
      const result = await own.engine.run(await guest("spin"), {
        tty: true,
        stdin: "\x03",
        timeoutMs: 20_000,
      });
      expect(result).toMatchObject({ exitCode: 130, reason: "SIGINT" });
    });

    test("can't be opened without one", async () => {
      await using own = await engineForTest({ placement });
      const result = await own.engine.run(await guest("tty"), { args: ["device"], stdin: "me\n" });
      expect(Buffer.from(result.stdout).toString()).toBe("errno 60\n");
    });
  });

  test("a second program moves the first one's files; its terminal stays, in the middle of a line too", async () => {
    const { container, screen, keys } = await launch(["lines"]);
    await screen.shows("ready");
    keys.write("one\rtw");
    await screen.shows("read 4 one/");
    const wasm = "/tty.wasm";
    const second = await container.exec([wasm, "is"]);
    expect([Buffer.from(second.stdout).toString(), second.exitCode]).toEqual(["isatty 0 0 0 0\n", 0]);
    keys.write("o\r\x04");
    expect((await container.wait()).exitCode).toBe(0);
    expect(screen.shown).toMatch(/read 4 two\/\r\nend\r\n$/);
  });

  describe.each(["worker", "kernel"] as const)(
    "a second program has one of its own, files in the %s",
    (placement) => {
      async function exec(container: Container, command: string[], options: ExecOptions = {}) {
        const screen = new Screen();
        const keys = new PassThrough();
        const started = Promise.withResolvers<ExecProgram>();
        const ended = container.exec(["/tty.wasm", ...command], {
          tty: true,
          stdin: keys,
          stdout: screen.take,
          onStart: started.resolve,
          ...options,
        });
        return { screen, keys, ended, program: await started.promise };
      }

      test("its lines, its size and its signals are its own", async () => {
        await using own = await engineForTest({ placement });
        const first = await launch(["lines"], { tty: { columns: 10, rows: 11 } }, own.engine);
        await first.screen.shows("ready");
        const lines = await exec(first.container, ["lines"]);
        await lines.screen.shows("ready");
        lines.keys.write("mine\r");
        await lines.screen.shows("read 5 mine/");
        first.keys.write("other\r");
        await first.screen.shows("read 6 other/");
        expect([lines.screen.shown.includes("other"), first.screen.shown.includes("mine")]).toEqual([
          false,
          false,
        ]);

        const sizes = await exec(first.container, ["sizes", "1"], { tty: { columns: 5, rows: 6 } });
        await sizes.screen.shows("changes");
        sizes.program.resize(12, 34);
        expect((await sizes.ended).exitCode).toBe(0);
        expect(sizes.screen.shown).toMatch(/size 12 34\r\n$/);
        expect(() => sizes.program.resize(1, 1)).toThrow(/has ended$/);
        expect(() => lines.program.resize(-1, 1)).toThrow(/can't have -1 columns/);

        lines.keys.write("\x03");
        expect(await lines.ended).toMatchObject({ exitCode: 130, reason: "SIGINT" });
        first.keys.write("\x04");
        expect((await first.container.wait()).exitCode).toBe(0);
      });

      test("/dev/tty is its own, and there is none without", async () => {
        await using own = await engineForTest({ placement });
        const first = await launch(["lines"], { tty: false }, own.engine);
        const device = await exec(first.container, ["device"]);
        await device.screen.shows("name? ");
        device.keys.write("me\r");
        expect((await device.ended).exitCode).toBe(0);
        expect(device.screen.shown).toBe("isatty 1\r\nname? me\r\nread 3 me/\r\n");
        const without = await exec(first.container, ["lines"], { tty: false });
        expect(() => without.program.resize(1, 1)).toThrow(/has no terminal$/);
        without.keys.end();
        await without.ended;
        await expect(
          first.container.exec(["/tty.wasm", "is"], { tty: { columns: 1.5, rows: 1 } }),
        ).rejects.toMatchObject({ code: "USAGE" });
        const oops = new Error("oops");
        const onStart = () => {
          throw oops;
        };
        await expect(first.container.exec(["/tty.wasm", "flood"], { onStart, tty: true })).rejects.toBe(oops);
        first.keys.end();
        await first.container.wait();
      });

      test("it ends with the container", async () => {
        await using own = await engineForTest({ placement });
        const first = await launch(["lines"], {}, own.engine);
        await first.screen.shows("ready");
        const second = await exec(first.container, ["lines"]);
        await second.screen.shows("ready");
        first.keys.write("\x03");
        expect(await first.container.wait()).toMatchObject({ exitCode: 130 });
        expect(await second.ended).toMatchObject({ exitCode: 137 });
      });
    },
  );

  test("runs leave nothing behind: no listeners, and the process could end", async () => {
    const before = process.eventNames().map((name) => process.listenerCount(name));
    for (let round = 0; round < 3; round++) {
      await own.engine.run(await guest("tty"), { args: ["is"], tty: true, stdout: "ignore", stdin: "x" });
    }
    expect(process.eventNames().map((name) => process.listenerCount(name))).toEqual(before);
  });
});

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
