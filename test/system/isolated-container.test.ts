/** The library's containers in processes of their own. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("a container in a process of its own", () => {
  let folder: string;
  let engine: Engine;
  let cat: string;
  let exit: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "wpod-isolated-"));
    engine = new Engine({ root: join(folder, "root"), isolation: "process" });
    cat = await guest("cat");
    exit = await guest("exit");
    await engine.images.import(exit, "exit");
  }, 120_000);
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test("ends as another one does, with what it printed", async () => {
    const isolated = await engine.run("exit", { args: ["3", "one", "two"] });
    expect({ exitCode: isolated.exitCode, printed: text(isolated.stdout) }).toEqual({
      exitCode: 3,
      printed: "one\ntwo\n",
    });
    expect(isolated.container.status()).toBe("exited");
    const plain = await engine.run("exit", { args: ["3", "one", "two"], isolation: "default" });
    const { container: _one, ...same } = isolated;
    const { container: _other, ...as } = plain;
    expect({ ...same, stdout: text(same.stdout) }).toEqual({ ...as, stdout: text(as.stdout) });
  });

  test("gets its input, a module's bytes too, and gives its output piece by piece", async () => {
    let printed = "";
    const { exitCode, stdout } = await engine.run(
      { wasm: readFileSync(cat), name: "cat.wasm" },
      {
        stdin: "a line\n",
        stdout(bytes) {
          printed += text(bytes);
        },
      },
    );
    expect({ exitCode, printed, collected: stdout.length }).toEqual({
      exitCode: 0,
      printed: "a line\n",
      collected: 0,
    });
  });

  test("is another process, with a record, and a signal ends it", async () => {
    const never = async function* (): AsyncGenerator<Uint8Array> {
      await new Promise(() => {});
      yield new Uint8Array(0);
    };
    const container = await engine.launch(cat, { stdin: never(), name: "waiting", remove: false });
    expect(container.inspect().pid).not.toBe(process.pid);
    expect((await engine.containers.list()).map(({ name }) => name)).toEqual(["waiting"]);
    await container.kill("SIGTERM");
    expect((await container.wait()).exitCode).toBe(143);
    await expect(container.kill()).rejects.toMatchObject({ code: "CONTAINER_STATE" });
    await engine.containers.remove("waiting");
  });

  test("ends when it is aborted, and when the engine is disposed of", async () => {
    const stdin = (async function* () {
      await new Promise(() => {});
      yield new Uint8Array(0);
    })();
    const abort = new AbortController();
    const container = await engine.launch(cat, { stdin, signal: abort.signal });
    abort.abort();
    await expect(container.wait()).rejects.toMatchObject({ code: "ABORTED" });

    const other = new Engine({ root: join(folder, "root"), isolation: "process" });
    const left = await other.launch(cat, {
      stdin: (async function* () {
        await new Promise(() => {});
        yield new Uint8Array(0);
      })(),
    });
    await other[Symbol.asyncDispose]();
    expect((await left.wait()).exitCode).toBe(137);
  });

  test("says what is wrong as another one does", async () => {
    await expect(engine.run("nothere")).rejects.toMatchObject({ code: "IMAGE_NOT_KNOWN" });
    await expect(engine.create("exit")).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(engine.run("exit", { tty: true })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    const { container } = await engine.run("exit");
    await expect(container.exec(["/x"])).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
