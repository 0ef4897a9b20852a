/** An application on top of a language's image, as its users build it, and what happens at its limits. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { hostTree, readTree, textOrBytes } from "../fixtures/host-tree.ts";
import { layerTar, writeOciLayout } from "../fixtures/oci-image.ts";
import { pythonModule } from "../fixtures/programs/pinned.ts";
import { need } from "../fixtures/tools.ts";

const TIMEOUT_MS = 300_000;
const MIB = 1 << 20;

let own: Awaited<ReturnType<typeof engineForTest>>;
let directory: string;
let image: string | undefined;

beforeAll(async () => {
  own = await engineForTest();
  directory = await mkdtemp(join(tmpdir(), "wpod-application-"));
});
afterAll(async () => {
  await own[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const APPLICATION = `
import json, os, sys
from shop.prices import PRICES
print(os.environ["GREETING"], sys.argv[1:], sys.path[0])
print(sorted(PRICES.items()))
print(sorted(os.listdir("/srv/app")), sorted(os.listdir("/srv/app/shop")), os.path.exists("/srv/base/removed"))
print(os.listdir("/srv/base/replaced"))
def fails(action):
    try: action()
    except OSError as error: print(type(error).__name__, error.errno)
    else: print("did not fail")
fails(lambda: open("/srv/app/new", "w"))
fails(lambda: open("/srv/app/secret"))
with open("/tmp/own", "w") as file: file.write("mine")
print(open("/tmp/own").read(), os.stat("/tmp/own").st_size)
sys.exit(len(sys.argv))
`;

/** CPython, a base of data, and an application that removes and replaces some of it. */
async function application(skip: (note: string) => never): Promise<string> {
  need(skip, "npm");
  if (image !== undefined) return image;
  const python = await layerTar([
    { path: "usr/bin/" },
    { path: "usr/bin/python3", content: await readFile(await pythonModule()), mode: 0o755 },
    { path: "tmp/", mode: 0o1777 },
  ]);
  const base = await layerTar([
    { path: "etc/passwd", content: "root:x:0:0::/root:/\nshop:x:1000:1000::/srv/app:/\n" },
    { path: "srv/base/removed", content: "x" },
    { path: "srv/base/replaced/", mode: 0o755 },
    { path: "srv/base/replaced/old", content: "old" },
  ]);
  const code = await layerTar([
    { path: "srv/app/main.py", content: APPLICATION },
    { path: "srv/app/secret", content: "root's", mode: 0o600 },
    { path: "srv/app/shop/prices.py", content: "PRICES = {'öl': 3, 'brot': 2}\n" },
    { path: "srv/base/.wh.removed" },
    { path: "srv/base/replaced/.wh..wh..opq" },
    { path: "srv/base/replaced/new", content: "new" },
  ]);
  const layers = [{ tar: python, compression: "zstd" as const }, { tar: base }, { tar: code }];
  const config = {
    Entrypoint: ["python3", "main.py"],
    Cmd: ["by default"],
    Env: ["PATH=/usr/bin", "GREETING=grüß dich", "PYTHONDONTWRITEBYTECODE=1"],
    WorkingDir: "/srv/app",
    User: "shop",
  };
  await writeOciLayout(directory, [{ name: "shop:1", platforms: [{ layers, config }] }]);
  image = `oci:${directory}:1`;
  return image;
}

const output = { stdout: "collect", stderr: "collect" } as const;

test("an application layer over a language's image", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const source = await application(skip);
  const ended = await own.engine.run(source, {
    ...output,
    entrypoint: ["python3", "/srv/app/main.py"],
    args: ["a", "b"],
  });
  expect({
    exitCode: ended.exitCode,
    stderr: textOrBytes(ended.stderr),
    stdout: textOrBytes(ended.stdout),
  }).toEqual({
    exitCode: 3,
    stderr: "",
    stdout: `grüß dich ['a', 'b'] /srv/app
[('brot', 2), ('öl', 3)]
['main.py', 'secret', 'shop'] ['prices.py'] False
['new']
PermissionError 2
PermissionError 2
mine 4
`,
  });
});

const PYTHON = ["python3", "-c"];

test("many at once, each with its own input and files", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const source = await application(skip);
  const sum =
    "import sys; n = sum(map(int, sys.stdin)); open('/tmp/n', 'x').write(str(n)); print(open('/tmp/n').read())";
  const sums = await Promise.all(
    Array.from({ length: 6 }, async (_, number) => {
      const stdin = Array.from({ length: 1000 }, (_, line) => `${line * number}\n`).join("");
      const { stdout } = await own.engine.run(source, { ...output, entrypoint: [...PYTHON, sum], stdin });
      return Number(textOrBytes(stdout));
    }),
  );
  expect(sums).toEqual([0, 1, 2, 3, 4, 5].map((number) => number * 499_500));
});

test.for([
  { name: "dies of it", code: "x = bytearray(200 << 20)", exitCode: 137, oomKilled: true, stdout: "" },
  {
    name: "can go on after it",
    code: "try: bytearray(200 << 20)\nexcept MemoryError: print('less then', len(bytearray(1 << 20)))",
    exitCode: 0,
    oomKilled: false,
    stdout: "less then 1048576\n",
  },
])(
  "memory beyond the limit is refused, and the program $name",
  { timeout: TIMEOUT_MS },
  async (case_, { skip }) => {
    const source = await application(skip);
    const limits = { memoryBytesMax: 64 * MIB };
    const ended = await own.engine.run(source, { ...output, entrypoint: [...PYTHON, case_.code], limits });
    expect(ended).toMatchObject({ exitCode: case_.exitCode, oomKilled: case_.oomKilled });
    expect(textOrBytes(ended.stdout)).toBe(case_.stdout);
  },
);

test("a program that never ends is ended", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const source = await application(skip);
  const spin = [...PYTHON, "print('begun', flush=True)\nwhile True: pass"];
  const ended = await own.engine.run(source, { ...output, entrypoint: spin, timeoutMs: 3000 });
  expect({ exitCode: ended.exitCode, reason: ended.reason }).toEqual({ exitCode: 137, reason: "timeout" });
  expect(textOrBytes(ended.stdout)).toBe("begun\n");

  const abort = new AbortController();
  const stdout = () => abort.abort();
  await expect(
    own.engine.run(source, { entrypoint: spin, stdout, stderr: "ignore", signal: abort.signal }),
  ).rejects.toMatchObject({ code: "ABORTED" });
});

test("a volume that is read-only stays as it is", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const source = await application(skip);
  await using volume = await hostTree({ kept: "as it is", "directory/": "" });
  const code = `
import errno, os
def fails(action):
    try: action()
    except OSError as error: print(errno.errorcode[error.errno])
    else: print("did not fail")
print(open("/v/kept").read())
fails(lambda: open("/v/kept", "w"))
fails(lambda: open("/v/kept", "r+"))
fails(lambda: open("/v/new", "x"))
fails(lambda: os.unlink("/v/kept"))
fails(lambda: os.rename("/v/kept", "/v/moved"))
fails(lambda: os.mkdir("/v/more"))
fails(lambda: os.rmdir("/v/directory"))
fails(lambda: os.utime("/v/kept", (1, 1)))
fails(lambda: os.symlink("kept", "/v/link"))
fails(lambda: os.link("/v/kept", "/v/hard"))
`;
  const mounts = [{ type: "bind" as const, source: volume.path, target: "/v", readOnly: true }];
  const ended = await own.engine.run(source, { ...output, entrypoint: [...PYTHON, code], mounts, user: "0" });
  expect(textOrBytes(ended.stderr)).toBe("");
  expect(textOrBytes(ended.stdout)).toBe(`as it is\n${"EROFS\n".repeat(10)}`);
  expect(await readTree(volume.path)).toEqual({ "directory/": "", kept: "as it is" });
});
