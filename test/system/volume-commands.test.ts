/** `wpod volume` and `-v NAME:/path`, as commands of their own processes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { guest } from "../fixtures/guests.ts";
import { Cli, whenEnded, whenPrinted } from "./cli.ts";

const cli = new Cli();
let disk: string;

beforeAll(async () => {
  disk = await guest("disk");
}, 120_000);
afterAll(() => cli.dispose());

test("a volume lives from create to rm, and what is in it outlives containers", async () => {
  expect(await cli.must(["volume", "create", "--label", "a=b", "data"])).toBe("data\n");
  expect(await cli.wpod(["volume", "create", "data"])).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining("volume with name data already exists"),
  });
  expect(await cli.must(["volume", "create", "--ignore", "data"])).toBe("data\n");
  expect(await cli.must(["run", "--rm", "-v", "data:/d", disk, "put", "/d/note", "kept"])).toBe("");
  expect(await cli.must(["run", "--rm", "-v", "data:/e:ro", disk, "get", "/e/note"])).toBe("kept\n");
  const mount = "type=volume,source=data,target=/f,readonly";
  const refused = await cli.wpod(["run", "--rm", "--mount", mount, disk, "put", "/f/note", "x"]);
  expect(refused).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("Read-only file system") });
  expect(await cli.must(["volume", "ls"])).toBe("DRIVER    VOLUME NAME\nlocal     data\n");
  expect(JSON.parse(await cli.must(["volume", "inspect", "data"]))).toMatchObject([
    { Name: "data", Driver: "local", Labels: { a: "b" }, Scope: "local" },
  ]);
  expect(await cli.must(["volume", "rm", "data"])).toBe("data\n");
  expect(await cli.must(["volume", "ls", "-q"])).toBe("");
});

test("one that a container's record has is refused, by its exit status and in words", async () => {
  await cli.must(["run", "--name", "user", "-v", "used:/d", disk, "own", "/d"]);
  const refused = await cli.wpod(["volume", "rm", "used"]);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(
    /^Error: volume used is being used by the following container\(s\): [0-9a-f]{64}:/,
  );
  expect(await cli.must(["volume", "ls", "-q", "--filter", "dangling=true"])).toBe("");
  await cli.must(["rm", "user"]);
  expect(await cli.must(["volume", "prune", "--all", "--force"])).toMatch(
    /^Deleted Volumes:\nused\n\nTotal reclaimed space: /,
  );
});

test("one that another process has open is refused, and free when that one was killed", async () => {
  const holder = cli.start([
    "run",
    "--rm",
    "-v",
    "busy:/d",
    disk,
    "put",
    "/d/note",
    "x",
    "sync",
    "/d/note",
    "spin",
  ]);
  await whenPrinted(holder, "spinning");
  const refused = await cli.wpod(["run", "--rm", "-v", "busy:/d", disk, "get", "/d/note"]);
  expect(refused).toMatchObject({
    exitCode: 125,
    stderr: expect.stringMatching(
      /^Error: volume "busy" is in use by container [0-9a-f]{12} of another wpod process/,
    ),
  });
  const ended = whenEnded(holder);
  holder.kill("SIGKILL");
  await ended;
  expect(await cli.must(["run", "--rm", "-v", "busy:/d", disk, "get", "/d/note"])).toBe("x\n");
});

test("pruning asks, and no answer is no", async () => {
  const name = (await cli.must(["volume", "create"])).trim();
  expect(name).toMatch(/^[0-9a-f]{64}$/);
  const asked = await cli.must(["volume", "prune"], { stdin: "n\n" });
  expect(asked).toBe(
    "WARNING! This will remove anonymous local volumes not used by at least one container.\n" +
      "Are you sure you want to continue? [y/N] Total reclaimed space: 0B\n",
  );
  expect(await cli.must(["volume", "prune"], { stdin: "" })).toContain("Total reclaimed space: 0B");
  expect(await cli.must(["volume", "prune"], { stdin: "y\n" })).toContain(`Deleted Volumes:\n${name}\n`);
});
