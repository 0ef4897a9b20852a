/** Named volumes: what one container writes others of its engine find, and other engines don't get at it meanwhile. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, type MountSpec, type RunOptions } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";
import { layerTar, writeOciLayout } from "../fixtures/oci-image.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let scratch: string;
let root: string;
let disk: string;
let image: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "wpod-volumes-"));
  root = join(scratch, "root");
  disk = await guest("disk");
  image = `oci:${join(scratch, "image")}`;
  const tar = await layerTar([
    { path: "app/" },
    { path: "app/disk.wasm", content: readFileSync(disk), mode: 0o755 },
    { path: "app/given/", mode: 0o700, uid: 7, gid: 8 },
    { path: "app/given/note", content: "of the image", mode: 0o640 },
    { path: "app/given/deep/" },
    { path: "app/given/deep/more", content: "deeper" },
    { path: "app/given/link", type: "symlink", target: "note" },
  ]);
  await writeOciLayout(join(scratch, "image"), [
    {
      name: "latest",
      platforms: [{ layers: [{ tar }], config: { Entrypoint: ["/app/disk.wasm"], User: "0:0" } }],
    },
  ]);
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const volume = (source: string, target: string, more: Partial<MountSpec> = {}): MountSpec => ({
  type: "volume",
  source,
  target,
  ...more,
});

describe.each(["worker", "kernel"] as const)("placement %s:", (placement) => {
  let engine: Engine;
  beforeAll(() => {
    engine = new Engine({ root, placement });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  async function run(args: string[], mounts: MountSpec[], options: RunOptions = {}) {
    const result = await engine.run(image, { args, mounts, log: false, ...options });
    return `${result.exitCode} ${text(result.stdout)}`;
  }

  test("one is made at its first use, keeps what was written, and is removed when nobody has it", async () => {
    const name = `first-${placement}`;
    const mounts = [volume(name, "/data")];
    expect(await run(["put", "/data/note", "kept"], mounts)).toBe("0 ");
    expect(await run(["get", "/data/note"], mounts)).toBe("0 kept\n");
    expect(await run(["get", "/elsewhere/note"], [volume(name, "/elsewhere")])).toBe("0 kept\n");
    expect((await engine.volumes.get(name)).containers).toEqual([]);
    await engine.volumes.remove(name);
    expect(await run(["get", "/data/note"], mounts)).toMatch(/^1 open .*: No such file/);
    await engine.volumes.remove(name);
  });

  test("a new one gets what the image has there, an old one doesn't, nor where it isn't wanted", async () => {
    const name = `given-${placement}`;
    const given = [volume(name, "/app/given")];
    expect(await run(["get", "/app/given/note", "get", "/app/given/deep/more"], given)).toBe(
      "0 of the image\ndeeper\n",
    );
    expect(await run(["get", "/app/given/link", "put", "/app/given/note", "changed"], given)).toBe(
      "0 of the image\n",
    );
    expect(await run(["get", "/app/given/link"], given)).toBe("0 changed\n");
    await engine.volumes.remove(name);
    expect(await run(["get", "/app/given/note"], [volume(name, "/app/given", { noCopy: true })])).toMatch(
      /No such file/,
    );
    await engine.volumes.remove(name);
  });

  test("a new one that was only read has been filled", async () => {
    const name = `read-${placement}`;
    expect(await run(["own", "/app/given/note"], [volume(name, "/app/given")])).toBe("0 12 bytes\n");
    expect(await run(["get", "/data/note"], [volume(name, "/data")])).toBe("0 of the image\n");
    await engine.volumes.remove(name);
  });

  test("a new one may cover the program, which then comes from it", async () => {
    const name = `program-${placement}`;
    const mounts = [volume(name, "/app")];
    expect(await run(["put", "/app/mark", "x"], mounts)).toBe("0 ");
    expect(await run(["get", "/app/mark"], mounts)).toBe("0 x\n");
    await engine.volumes.remove(name);
  });

  test("read-only means that", async () => {
    const name = `readonly-${placement}`;
    expect(await run(["put", "/data/note", "x"], [volume(name, "/data", { readOnly: true })])).toMatch(
      /^1 open .*: Read-only file system/,
    );
    await engine.volumes.remove(name);
  });

  test("one that a running container has is shared with others of its engine, and can't be removed", async () => {
    const name = `busy-${placement}`;
    const spinning = Promise.withResolvers<void>();
    const mounts = [volume(name, "/data")];
    const holder = await engine.launch(image, {
      args: ["put", "/data/note", "x", "sync", "/data/note", "spin"],
      mounts,
      stdout: () => spinning.resolve(),
    });
    await spinning.promise;
    expect(await run(["get", "/data/note", "put", "/data/other", "y"], mounts)).toBe("0 x\n");
    // The program itself may be where another one writes.
    const over = [volume(name, "/app/given")];
    expect(await run(["get", "/app/given/other"], over)).toBe("0 y\n");
    expect(await run(["put", "/data/note", "z"], [volume(name, "/data", { readOnly: true })])).toMatch(
      /Read-only file system/,
    );
    await expect(engine.volumes.remove(name)).rejects.toMatchObject({ code: "VOLUME_IN_USE" });
    const seen = await holder.exec(["/app/disk.wasm", "get", "/data/other"]);
    expect(text(seen.stdout)).toBe("y\n");
    await holder.kill("SIGKILL");
    await holder.wait();
    expect(await run(["get", "/data/note"], mounts)).toBe("0 x\n");
    await engine.volumes.remove(name);
  });

  test("one that another engine has is refused until that lets go of it", async () => {
    const name = `engines-${placement}`;
    const mounts = [volume(name, "/data")];
    await using other = new Engine({ root, placement });
    const hold = async () => {
      const spinning = Promise.withResolvers<void>();
      const container = await other.launch(image, {
        args: ["put", "/data/note", "x", "spin"],
        mounts,
        stdout: () => spinning.resolve(),
      });
      await spinning.promise;
      return container;
    };
    const first = await hold();
    const second = await hold();
    await expect(run(["get", "/data/note"], mounts)).rejects.toThrow(first.id.slice(0, 12));
    await first.kill("SIGKILL");
    await first.wait();
    await expect(run(["get", "/data/note"], mounts)).rejects.toThrow(second.id.slice(0, 12));
    await second.kill("SIGKILL");
    await second.wait();
    expect(await run(["get", "/data/note"], mounts)).toBe("0 x\n");
    await engine.volumes.remove(name);
  });

  test("one of a container that has ended, and whose record stays, can't be removed", async () => {
    const name = `record-${placement}`;
    const container = await engine.create(image, { args: ["own", "/"], mounts: [volume(name, "/data")] });
    await container.start();
    await container.wait();
    await expect(engine.volumes.remove(name)).rejects.toThrow(container.id);
    await container.remove();
    await engine.volumes.remove(name);
  });

  test("one without a name goes with a container that goes", async () => {
    const before = (await engine.volumes.list()).length;
    expect(await run(["put", "/data/note", "x"], [{ type: "volume", target: "/data" }])).toBe("0 ");
    expect(await engine.volumes.list()).toHaveLength(before);
  });

  test("a second program in the container sees the same volume", async () => {
    const name = `second-${placement}`;
    const spinning = Promise.withResolvers<void>();
    const container = await engine.launch(image, {
      args: ["put", "/data/note", "of the first", "spin"],
      mounts: [volume(name, "/data")],
      stdout: () => spinning.resolve(),
    });
    await spinning.promise;
    const command = ["/app/disk.wasm", "get", "/data/note", "put", "/data/other", "of the second"];
    const { exitCode, stdout } = await container.exec(command);
    expect(`${exitCode} ${text(stdout)}`).toBe("0 of the first\n");
    await container.kill("SIGKILL");
    await container.wait();
    expect(await run(["get", "/data/note", "get", "/data/other"], [volume(name, "/data")])).toBe(
      "0 of the first\nof the second\n",
    );
    await engine.volumes.remove(name);
  });
});

test.each(["a/b", "..", "a b"])("%j names no volume, and none is made", async (source) => {
  await using engine = new Engine({ root });
  const run = engine.run(image, { mounts: [volume("fine", "/a"), volume(source, "/b")] });
  await expect(run).rejects.toMatchObject({ code: "NAME_INVALID" });
  expect(await engine.volumes.list()).toEqual([]);
});
