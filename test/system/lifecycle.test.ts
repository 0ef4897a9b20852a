/** Images and containers through the built command line: what is loaded, listed, shown and removed. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sampleDirectory } from "../../samples/sample.ts";
import { guest } from "../fixtures/guests.ts";
import { layerTar, writeDockerArchive, writeOciArchive } from "../fixtures/oci-image.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const ID = /^sha256:[0-9a-f]{64}\n$/;
const HELLO = join(sampleDirectory("hello"), "hello.wasm");

beforeAll(() => cli.loadSamples());
afterAll(() => cli.dispose());

test("load: the names of what came, from a file, an OCI layout and standard input", async () => {
  const tar = await layerTar([
    { path: "bin/" },
    { path: "bin/hello", content: readFileSync(HELLO), mode: 0o755 },
  ]);
  const platforms = (made: string) => [
    { layers: [{ tar }], config: { Entrypoint: ["/bin/hello"], Labels: { made } } },
  ];
  await writeOciArchive(join(cli.directory, "oci.tar"), [{ name: "one:1", platforms: platforms("first") }]);
  await writeDockerArchive(join(cli.directory, "docker.tar"), [
    { name: "two:2", platforms: platforms("second") },
    { name: "localhost/three:3", platforms: platforms("second") },
  ]);
  expect(await cli.must(["load", "-i", "oci.tar"])).toMatch(/^Loaded image: \S+:1\n$/);
  const docker = await cli.must(["load"], {
    stdin: gzipSync(readFileSync(join(cli.directory, "docker.tar"))),
  });
  expect(docker.split("\n").sort()).toEqual([
    "",
    "Loaded image: docker.io/library/two:2",
    "Loaded image: localhost/three:3",
  ]);
  expect(await cli.must(["run", "--rm", "two:2", "x"])).toMatch(/^Hello from a container!/);
  expect(await cli.must(["run", "--rm", "docker-archive:docker.tar:two:2"])).toMatch(/^Hello/);
});

test("import: a module, a tar, a name of its own or from the file", async () => {
  expect(await cli.must(["import", HELLO])).toMatch(ID);
  expect(await cli.must(["run", "--rm", "hello", "a b"])).toContain("a b\n");
  const tar = await layerTar([
    { path: "app/" },
    { path: "app/hello.wasm", content: readFileSync(HELLO), mode: 0o755 },
  ]);
  writeFileSync(join(cli.directory, "My App.tar.gz"), gzipSync(tar));
  const id = await cli.must(["import", "My App.tar.gz"]);
  expect(id).toMatch(ID);
  expect(await cli.must(["image", "inspect", "--format", "{{.Id}}", "my-app"])).toBe(id);
  expect(await cli.must(["run", "--rm", "my-app", "/app/hello.wasm"])).toMatch(/^Hello/);
});

test("tag, images, rmi: rows 78, 81", async () => {
  await cli.must(["import", HELLO, "tagged:1"]);
  await cli.must(["tag", "tagged:1", "tagged:2", "localhost:5000/team/tagged"]);
  const format = ["--format", "{{.Repository}}:{{.Tag}}"];
  expect(await cli.must(["images", ...format, "tagged"])).toBe(
    "localhost/tagged:1\nlocalhost/tagged:2\nlocalhost:5000/team/tagged:latest\n",
  );
  expect(await cli.must(["rmi", "tagged:1"])).toBe("Untagged: localhost/tagged:1\n");
  const id = (await cli.must(["images", "--no-trunc", "-q", "tagged:2"])).trim();
  const several = await cli.wpod(["rmi", id]);
  expect(several).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining("by ID with more than one tag"),
  });

  const name = "user-of-tagged";
  await cli.must(["run", "--name", name, "tagged:2"]);
  await cli.must(["rmi", "localhost:5000/team/tagged"]);
  const used = await cli.wpod(["rmi", "tagged:2"]);
  expect(used).toMatchObject({
    exitCode: 2,
    stdout: "",
    stderr: expect.stringMatching(/^Error: image used by [0-9a-f]{64}: image is in use by a container: /),
  });
  await cli.must(["rm", name]);
  expect(await cli.must(["rmi", "tagged:2"])).toBe(`Untagged: localhost/tagged:2\nDeleted: ${id}\n`);
  expect(await cli.wpod(["rmi", "bogus"])).toMatchObject({
    exitCode: 1,
    stdout: "",
    stderr: expect.stringMatching(/^Error: bogus: image not known\n/),
  });
  expect(await cli.wpod(["rmi", "-f", "bogus"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

test("run, ps, logs, inspect, rm: a container's life", async () => {
  const exit = await guest("exit");
  const printed = await cli.wpod([
    "run",
    "--name",
    "alice",
    "-l",
    "a=1",
    "-l",
    "evil=\u001b[2J",
    exit,
    "3",
    "first",
    "second",
  ]);
  expect(printed).toEqual({ exitCode: 3, stdout: "first\nsecond\n", stderr: "" });
  expect(await cli.must(["ps", "--format", "{{.Names}}"])).toBe("");
  expect(await cli.must(["ps", "-a", "--format", "{{.Names}} {{.Status}} {{.Labels}}"])).toMatch(
    /^alice Exited \(3\) .* ago a=1,evil=\\e\[2J\n$/,
  );

  // rows 106 to 109
  expect(await cli.must(["logs", "alice"])).toBe("first\nsecond\n");
  expect(await cli.must(["logs", "-t", "alice"])).toMatch(
    /^([0-9-]+T[0-9:.]+([+-][0-9:]+|Z) (first|second)\n){2}$/,
  );
  expect(await cli.must(["logs", "--tail", "1", "alice"])).toBe("second\n");
  expect(await cli.must(["logs", "--tail", "0", "alice"])).toBe("");
  expect(await cli.must(["logs", "--tail", "10", "alice"])).toBe("first\nsecond\n");
  expect(await cli.must(["logs", "--since", "2100-01-01", "-f", "alice"])).toBe("");
  expect(await cli.must(["logs", "--until", "2000-01-01", "alice"])).toBe("");
  expect(await cli.must(["container", "logs", "--since", "1h", "alice"])).toBe("first\nsecond\n");

  // rows 91, 92
  const [shown] = JSON.parse(await cli.must(["inspect", "alice"]));
  expect(shown).toMatchObject({
    Id: expect.stringMatching(/^[0-9a-f]{64}$/),
    Name: "alice",
    Path: "/exit.wasm",
    Args: ["3", "first", "second"],
    State: { Status: "exited", Running: false, OOMKilled: false, Pid: 0, ExitCode: 3, Error: "" },
    Config: { Labels: { a: "1", evil: "\u001b[2J" } },
    Mounts: [],
    NetworkSettings: { Ports: {}, Networks: {} },
  });
  const id = shown.Id as string;
  expect(await cli.must(["inspect", "--format", "{{.State.ExitCode}} {{json .Args}}", id.slice(0, 8)])).toBe(
    '3 ["3","first","second"]\n',
  );
  expect(await cli.wpod(["inspect", "--format", "{{.No.Such}}", "alice"])).toMatchObject({
    exitCode: 125,
    stderr: 'Error: template: :1:5: executing "" at <.No.Such>: map has no entry for key "No"\n',
  });
  const both = await cli.wpod(["inspect", "bogus", "alice"]);
  expect(both).toMatchObject({ exitCode: 125, stderr: 'Error: no such object: "bogus"\n' });
  expect(JSON.parse(both.stdout)).toHaveLength(1);
  expect(await cli.wpod(["inspect", "bogus"])).toEqual({
    exitCode: 125,
    stdout: "[]\n",
    stderr: 'Error: no such object: "bogus"\n',
  });
  expect(await cli.wpod(["inspect", "--type", "image", "alice"])).toMatchObject({
    exitCode: 125,
    stderr: 'Error: no such image: "alice"\n',
  });

  // rows 33, 36, 99
  const twice = await cli.wpod(["run", "--name", "alice", exit, "0"]);
  expect(twice).toMatchObject({
    exitCode: 125,
    stderr: expect.stringMatching(
      /^Error: creating container storage: the container name "alice" is already in use by [0-9a-f]{64}/,
    ),
  });
  expect(await cli.must(["rm", "/alice"])).toBe("/alice\n");
  expect(await cli.wpod(["rm", "alice"])).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: 'Error: no container with name or ID "alice" found: no such container\n',
  });
  expect(await cli.wpod(["rm", "-f", "alice"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(await cli.wpod(["logs", "alice"])).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('"alice"'),
  });
});

test("rows 106, 110, 113: both streams of several containers, a text without its newline", async () => {
  const files = ["--entrypoint", "/bin/cat", "files"];
  writeFileSync(join(cli.directory, "no-newline"), "Hello without newline");
  await cli.must(["run", "--name", "bare", "-v", "./no-newline:/f", ...files, "/f"]);
  await cli.wpod(["run", "--name", "wrong", ...files, "/no/such"]);
  expect(await cli.must(["logs", "bare"])).toBe("Hello without newline");
  expect(await cli.wpod(["logs", "wrong"])).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: expect.stringContaining("/no/such"),
  });
  const both = await cli.wpod(["logs", "--names", "bare", "wrong"]);
  expect(both).toMatchObject({
    stdout: "bare Hello without newline",
    stderr: expect.stringMatching(/^wrong .*\/no\/such/),
  });
  expect((await cli.must(["rm", "-a"])).split("\n")).toHaveLength(3);
});

// Row 69.
test.each([
  ["ps", "-a"],
  ["images", "no-such-image"],
])("--format with a newline alone, of nothing: %s", async (...command) => {
  expect(await cli.wpod([...command, "--format", '{{"\\n"}}'])).toEqual({
    exitCode: 0,
    stdout: "",
    stderr: "",
  });
});

test("info: counts, as text, JSON and through a template", async () => {
  expect(await cli.must(["info"])).toMatch(/^Version: .*\nNode\.js: v/);
  const info = JSON.parse(await cli.must(["info", "--format", "json"]));
  expect(info).toMatchObject({ Containers: 0, Root: cli.root, Images: expect.any(Number) });
  expect(await cli.must(["info", "-f", "{{.Containers}} {{.Images}}"])).toBe(`0 ${info.Images}\n`);
});

test("--version, in one line", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(await cli.must(["--version"])).toBe(`wpod version ${version}\n`);
});
