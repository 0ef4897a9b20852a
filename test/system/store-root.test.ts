/**
 * A root and a mount's source that can't be used: one sentence, status 125, and nothing that hinders the next try. Disks
 * are real ones, mounted in a namespace that ends with its command.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runChild } from "../fixtures/child.ts";
import { Cli, type Printed, WPOD } from "./cli.ts";

const cli = new Cli();
const isRoot = process.getuid?.() === 0;
const canMount = isRoot && spawnSync("unshare", ["-m", "true"]).status === 0;
const hasCompiler = process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0;

beforeAll(() => cli.loadSamples(), 120_000);
afterAll(() => cli.dispose());

/** What a person gets to see: a sentence, perhaps a line about what to do, and no word of the runtime's inside. */
function expectSentence(printed: Printed, sentence: RegExp): void {
  expect(printed).toEqual({ exitCode: 125, stdout: "", stderr: expect.stringMatching(sentence) });
  expect(printed.stderr).toMatch(/^Error: /);
  expect(printed.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  expect(printed.stderr).not.toMatch(/SQLITE|ERR_|undefined|\bat .*:\d+/);
}

let count = 0;
/** A place for a root, in which there is nothing yet. */
function freshRoot(): string {
  const folder = join(cli.directory, `case-${count++}`);
  mkdirSync(folder);
  return join(folder, "root");
}

/** A copy of the store with the sample images. */
function goodRoot(): string {
  const root = freshRoot();
  cpSync(cli.root, root, { recursive: true });
  const database = new DatabaseSync(join(root, "state.db"));
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return root;
}

const VERBS: readonly (readonly string[])[] = [["images"], ["run", "--rm", "hello"], ["load", "-i", "hello-layout"], ["ps"]]; // biome-ignore format: one line

async function expectRefused(root: string, sentence: RegExp, env: Record<string, string> = {}): Promise<void> {
  for (const args of VERBS) expectSentence(await cli.wpod(args, { env, root }), sentence);
} // biome-ignore format: one line

interface BadRoot {
  name: string;
  sentence: RegExp;
  make: () => string;
  /** Why it can't be had here. */
  skip?: string | false;
}

const BAD_ROOTS: readonly BadRoot[] = [
  {
    name: "a file",
    sentence: /root can't be used as the store: it is not a directory/,
    make() {
      const root = freshRoot();
      writeFileSync(root, "");
      return root;
    },
  },
  {
    name: "a folder in a file",
    sentence: /can't be used as the store: it is not a directory/,
    make() {
      const root = freshRoot();
      writeFileSync(root, "");
      return join(root, "deeper", "still");
    },
  },
  {
    name: "a link that leads nowhere",
    sentence: /can't be used as the store/,
    make() {
      const root = freshRoot();
      symlinkSync("nowhere", root);
      return root;
    },
  },
  {
    name: "a link to itself",
    sentence: /can't be used as the store/,
    make() {
      const root = freshRoot();
      symlinkSync("root", root);
      return root;
    },
  },
  {
    name: "a folder with other files",
    sentence: /it holds other files, such as "letter\.txt"/,
    make() {
      const root = freshRoot();
      mkdirSync(root);
      writeFileSync(join(root, "letter.txt"), "");
      return root;
    },
  },
  {
    name: "a folder of another user",
    sentence: /it belongs to another user \(1234, and you are 0\)/,
    skip: !isRoot && "needs root, to give a folder away",
    make() {
      const root = freshRoot();
      mkdirSync(root);
      chownSync(root, 1234, 1234);
      return root;
    },
  },
  {
    name: "a store of another user",
    sentence: /it belongs to another user \(1234, and you are 0\)/,
    skip: !isRoot && "needs root, to give a folder away",
    make() {
      const root = goodRoot();
      chownSync(root, 1234, 1234);
      return root;
    },
  },
  ...[0o777, 0o770, 0o1777].map((mode) => ({
    name: `a store of mode ${mode.toString(8)}`,
    sentence: new RegExp(`others may write to it \\(mode 0?${mode.toString(8)}\\)\\nchmod go-w `),
    make() {
      const root = goodRoot();
      chmodSync(root, mode);
      return root;
    },
  })),
  {
    name: "a store of another layout",
    sentence: /made by another version of wpod \(layout "2", this one knows 1\)/,
    make() {
      const root = goodRoot();
      writeFileSync(join(root, "version"), "2\n");
      return root;
    },
  },
  {
    name: "a database of a newer schema",
    sentence: /was written by a newer wpod \(schema 99, this one knows \d+\)/,
    make() {
      const root = goodRoot();
      const database = new DatabaseSync(join(root, "state.db"));
      database.exec("PRAGMA user_version = 99");
      database.close();
      return root;
    },
  },
  ...[
    {
      name: "text",
      damage: (path: string) => writeFileSync(path, "not a database, but a text\n".repeat(500)),
    },
    { name: "cut in its first page", damage: (path: string) => truncateSync(path, 1000) },
    { name: "cut in the middle", damage: (path: string) => truncateSync(path, 3 * 4096) },
    {
      name: "overwritten behind its first page",
      damage: (path: string) => writeFileSync(path, readFileSync(path).fill(0xff, 4096)),
    },
    {
      name: "overwritten in its schema",
      damage: (path: string) => writeFileSync(path, readFileSync(path).fill(0xff, 100, 4096)),
    },
  ].map(({ name, damage }) => ({
    name: `a database that is ${name}`,
    sentence: /the state database \S+state\.db is damaged\nmove it away/,
    make() {
      const root = goodRoot();
      damage(join(root, "state.db"));
      return root;
    },
  })),
  {
    name: "a directory in place of the database",
    sentence: /the state database \S+state\.db can't be used: /,
    make() {
      const root = goodRoot();
      rmSync(join(root, "state.db"));
      mkdirSync(join(root, "state.db"));
      return root;
    },
  },
];

describe("a root that is", () => {
  for (const { name, sentence, make, skip } of BAD_ROOTS) {
    test(name, async (context) => {
      if (skip !== undefined && skip !== false) context.skip(skip);
      const root = make();
      await expectRefused(root, sentence);
    });
  }
});

/** Runs a shell script in a namespace of its own, where `disk` is an empty directory of this case. */
async function onDisk(script: string): Promise<Printed & { disk: string }> {
  const disk = join(cli.directory, `disk-${count++}`);
  mkdirSync(disk);
  const setUp = 'wpod() { "$NODE" "$WPOD" "$@"; echo "status $?" >&2; }\n';
  const child = await runChild("unshare", ["-m", "sh", "-c", setUp + script], {
    cwd: cli.directory,
    env: { NODE: process.execPath, WPOD, DISK: disk, WPOD_ROOT: join(disk, "root"), GOOD: cli.root },
  });
  return { exitCode: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString(), disk };
}

describe.skipIf(!canMount)("a disk (needs root, to mount one) that is", () => {
  test.each([
    { name: "full from the beginning", options: "size=4k" },
    { name: "too small for the database", options: "size=48k" },
    { name: "too small for what processes share", options: "size=88k" },
    { name: "without inodes", options: "nr_inodes=6" },
  ])("$name: told so, and good again when there is room", async ({ options }) => {
    const { stderr, stdout } = await onDisk(`
      mount -t tmpfs -o ${options} tmpfs "$DISK"
      wpod images
      wpod run --rm hello
      wpod load -i hello-layout
      mount -o remount,size=64m,nr_inodes=10000 "$DISK"
      wpod load -q -i hello-layout >/dev/null
      wpod run --rm hello
    `);
    const refused = "Error: no space is left [^\\n]*\\n(?!Error)[^\\n]*\\nstatus 125\\n";
    expect(stderr).toMatch(new RegExp(`^(${refused}){3}status 0\\nstatus 0\\n$`));
    expect(stdout).toMatch(/^Hello/);
  });

  test("full while an image is loaded: nothing of it is there, and everything when there is room", async () => {
    const { stderr, stdout } = await onDisk(`
      mount -t tmpfs -o size=1m tmpfs "$DISK"
      wpod images -q
      dd if=/dev/zero of="$DISK/root/tmp/filler" bs=1k count=2000 2>/dev/null
      wpod load -i hello-layout
      wpod images -q
      find "$DISK/root" -type f -not -name 'state.db*' -not -name filler -not -name version
      rm "$DISK/root/tmp/filler"
      wpod load -q -i hello-layout >/dev/null
      wpod run --rm hello
    `);
    expect(stderr).toMatch(
      /^status 0\nError: no space is left [^\n]*\n[^\n]*\nstatus 125\nstatus 0\nstatus 0\nstatus 0\n$/,
    );
    expect(stdout).toMatch(/^Hello/);
  });

  test.each([
    { name: "nothing on it", fill: "" },
    { name: "a store on it", fill: 'cp -a "$GOOD" "$DISK/root"' },
  ])("read-only, with $name", async ({ fill }) => {
    const { stderr, stdout } = await onDisk(`
      mount -t tmpfs tmpfs "$DISK"
      ${fill}
      mount -o remount,ro "$DISK"
      wpod images
      wpod run --rm hello
      wpod load -i hello-layout
    `);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^(Error: \S+root can't be used as the store: you may not write to it\n[^\n]*\nstatus 125\n){3}$/,
    );
  });
});

describe.skipIf(!hasCompiler)("a disk (needs a C compiler, to make one of it) without", () => {
  const library = join(cli.directory, "poor-disk.so");
  beforeAll(() => {
    const source = fileURLToPath(new URL("../fixtures/poor-disk.c", import.meta.url));
    execFileSync("cc", ["-shared", "-fPIC", "-o", library, source, "-ldl"]);
  });

  const cases: readonly { name: string; env: Record<string, string>; sentence: RegExp; isSlow?: boolean }[] =
    [
      {
        name: "shared memory",
        env: { NO_SHARED_MEMORY: "1" },
        sentence:
          /the state database \S+state\.db can't be used: its file system has no memory that processes can share/,
      },
      {
        name: "locks",
        env: { NO_LOCKS: String(constants.errno.EOPNOTSUPP) },
        sentence: /the state database \S+state\.db can't be used: /,
      },
      {
        // What NFS answers without its lock service: SQLite takes it for another process's lock, and waits five seconds.
        name: "a lock service",
        env: { NO_LOCKS: "37" },
        sentence: /the state database \S+state\.db is locked by another process\n.*no locks/,
        isSlow: true,
      },
    ];
  test.each(cases)("$name", { timeout: 60_000 }, async ({ env, sentence, isSlow }) => {
    const poor = { ...env, LD_PRELOAD: library };
    for (const root of isSlow === true ? [freshRoot()] : [freshRoot(), goodRoot()]) {
      for (const args of isSlow === true ? [["images"]] : VERBS) {
        expectSentence(await cli.wpod(args, { env: poor, root }), sentence);
      }
      // On a better disk it is a store.
      expect(await cli.must(["images", "-q"], { root })).toBeDefined();
    }
  });
});

describe("a bind mount whose source", () => {
  const sources: readonly { name: string; make: (path: string) => void; sentence: RegExp }[] = [
    { name: "is missing", make: () => {}, sentence: /statfs \S+source: no such file or directory\n/ },
    { name: "is a link that leads nowhere", make: (path) => symlinkSync("nowhere", path), sentence: /statfs \S+source: no such file or directory\n/ },
    { name: "is a link to itself", make: (path) => symlinkSync("source", path), sentence: /statfs \S+source: too many levels of symbolic links\n/ },
    { name: "is a FIFO", make: (path) => void execFileSync("mkfifo", [path]), sentence: /source" of a bind mount is a FIFO\n/ },
  ]; // biome-ignore format: a line for each

  test.each(sources)("$name", async ({ make, sentence }) => {
    const folder = freshRoot();
    mkdirSync(folder);
    const source = join(folder, "source");
    make(source);
    expectSentence(await cli.wpod(["run", "--rm", "-v", `${source}:/m`, "hello"]), sentence);
    expect(await cli.must(["ps", "-aq"])).toBe("");
  });

  test("is a socket or a device", async () => {
    const path = join(cli.directory, "socket");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      expectSentence(await cli.wpod(["run", "--rm", "-v", `${path}:/m`, "hello"]), /of a bind mount is a socket\n/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expectSentence(await cli.wpod(["run", "--rm", "-v", "/dev/null:/m", "hello"]), /"\/dev\/null" of a bind mount is a device\n/);
  }); // biome-ignore format: long lines

  test("may not be read, nor the folder that it is in", async (context) => {
    const folder = freshRoot();
    mkdirSync(join(folder, "inner"), { recursive: true });
    const asNobody = (source: string) =>
      spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, WPOD, "run", "--rm", "-v", `${source}:/m`, "hello"], {
        env: { PATH: process.env.PATH, WPOD_ROOT: nobodysRoot },
        encoding: "utf8",
      }); // biome-ignore format: one line
    const nobodysRoot = join(folder, "..", "nobodys");
    if (isRoot) {
      chmodSync(cli.directory, 0o755);
      cpSync(goodRoot(), nobodysRoot, { recursive: true });
      execFileSync("chown", ["-R", "65534:65534", nobodysRoot]);
      const works = asNobody(cli.directory);
      if (works.status !== 0) context.skip(`another user can't run wpod from here: ${works.stderr}`);
    }
    for (const [locked, source] of [
      [join(folder, "inner"), join(folder, "inner")],
      [folder, join(folder, "inner")],
    ] as const) {
      chmodSync(locked, 0);
      const { status, stdout, stderr } = isRoot
        ? asNobody(source)
        : await cli.wpod(["run", "--rm", "-v", `${source}:/m`, "hello"]).then((printed) => ({ ...printed, status: printed.exitCode }));
      chmodSync(locked, 0o755);
      expectSentence({ exitCode: status, stdout, stderr }, /inner.*: permission denied/);
    } // biome-ignore format: long lines
  });
});

test("nothing was left in a root that was refused", async () => {
  const root = freshRoot();
  mkdirSync(root);
  writeFileSync(join(root, "letter.txt"), "");
  await expectRefused(root, /other files/);
  expect(readdirSync(root)).toEqual(["letter.txt"]);
  const file = freshRoot();
  writeFileSync(file, "");
  await expectRefused(file, /not a directory/);
  expect(existsSync(join(file, ".."))).toBe(true);
  expect(readdirSync(join(file, ".."))).toEqual(["root"]);
});
