import { expect, test } from "vitest";
import type { ContainerInfo, ImageInfo } from "../../../../runtime/engine/types.ts";
import { commandLine, type Printed } from "../context-for-test.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 1_700_000_000_000;
const HEADER = "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n";

function container(parts: Partial<ContainerInfo>): ContainerInfo {
  return {
    id: "0123456789abcdef".repeat(4),
    name: "foobar_baz",
    image: "ubuntu",
    imageId: `sha256:${"a".repeat(64)}`,
    status: "created",
    createdMs: NOW_MS - DAY_MS,
    startedMs: undefined,
    finishedMs: undefined,
    pid: 0,
    path: "",
    args: [],
    env: [],
    workdir: "/",
    user: "",
    hostname: "h",
    labels: {},
    annotations: {},
    mounts: [],
    limits: {},
    readOnly: false,
    autoRemove: false,
    entrypoint: [],
    command: [],
    stopSignal: "SIGTERM",
    platform: "wasi/wasm",
    network: "none",
    logPath: undefined,
    tty: false,
    exitCode: 0,
    oomKilled: false,
    reason: undefined,
    ...parts,
  };
}

const CONTAINERS = [
  container({
    name: "one",
    path: "/bin/a-long-program",
    args: ["--flag"],
    labels: { b: "2", a: "1" },
    status: "exited",
    exitCode: 3,
    finishedMs: NOW_MS - 180_000,
  }),
  container({
    id: "f".repeat(64),
    name: "two",
    image: "localhost/other:1",
    path: "p",
    status: "running",
    startedMs: NOW_MS - 5000,
    labels: { "evil\u001b[2J": "x\u202e" },
  }),
];

/** Words are parted by spaces; `␣` stands for one inside a word. */
function words(line: string): string[] {
  return line === "" ? [] : line.split(" ").map((word) => word.replaceAll("␣", " "));
}

function ps(args: string, containers: ContainerInfo[] = CONTAINERS): Promise<Printed> {
  const engine = { containers: { list: async () => containers } };
  return commandLine(["ps", ...words(args)], { engine, nowMs: NOW_MS });
}

test("ps: docker's table, to the space", async () => {
  const created = container({ id: "containerID1", status: "created" });
  expect((await ps("-a", [created])).stdout).toBe(
    "CONTAINER ID   IMAGE     COMMAND   CREATED        STATUS    PORTS     NAMES\n" +
      'containerID1   ubuntu    ""        24 hours ago   Created             foobar_baz\n',
  );
  expect((await ps("", [])).stdout).toBe(HEADER);
  expect((await ps("--noheading", [])).stdout).toBe("");
});

test.each([
  ["--format {{.ID}}", "0123456789ab\nffffffffffff\n"],
  ["--no-trunc --format {{.ID}}", `${"0123456789abcdef".repeat(4)}\n${"f".repeat(64)}\n`],
  ["-q", "0123456789ab\nffffffffffff\n"],
  ["-q --format table", "0123456789ab\nffffffffffff\n"],
  ["--format table\\t{{.Image}}", "IMAGE\nubuntu\nlocalhost/other:1\n"],
  ["--format table␣{{.Image}}", "IMAGE\nubuntu\nlocalhost/other:1\n"],
  ["--format {{.Names}}\\t{{.State}}", "one\texited\ntwo\trunning\n"],
  ["--format {{.Status}}", "Exited (3) 3 minutes ago\nUp 5 seconds\n"],
  ["--format {{.Command}}", '"/bin/a-long-program…"\n"p"\n'],
  ["--no-trunc --format {{.Command}}", '"/bin/a-long-program --flag"\n"p"\n'],
  // What a terminal would do is shown.
  ["--format {{.Labels}}", "a=1,b=2\nevil\\e[2J=x\\u202e\n"],
  ['--format {{.Label␣"a"}}', "1\n\n"],
  ["--format {{json␣.Labels}}", '"a=1,b=2"\n"evil\\\\e[2J=x\\\\u202e"\n'],
  ['--format {{"\\n"}}', "\n\n\n\n"],
  ['--format {{"a\\tb"}}\\t|', "a\tb\t|\na\tb\t|\n"],
  ["-n 1 --format {{.Names}}", "one\n"],
  ["-l --format {{.Names}}", "one\n"],
  ["-f name=tw --format {{.Names}}", "two\n"],
  ["-f status=exited --format {{.Names}}", "one\n"],
  ["-f exited=3 --format {{.Names}}", "one\n"],
  ["-f label=a --format {{.Names}}", "one\n"],
  ["-f label=a=2 --format {{.Names}}", ""],
  ["-f label=a -f label=b=2 --format {{.Names}}", "one\n"],
  ["-f id=ff --format {{.Names}}", "two\n"],
  ["-f ancestor=other --format {{.Names}}", "two\n"],
  ["-f name=one -f name=two --format {{.Names}}", "one\ntwo\n"],
])("ps %s", async (args, stdout) => {
  expect(await ps(args)).toEqual({ status: 0, stdout, stderr: "" });
});

test("ps --format json: an object a line, keys in order, labels as one text", async () => {
  const lines = (await ps("--format json")).stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  const row = JSON.parse(lines[0]!);
  expect(row).toMatchObject({ Labels: "a=1,b=2", State: "exited", ID: "0123456789ab" });
  expect(Object.keys(row)).toEqual(Object.keys(row).sort());
});

test.each([
  ["-f x", 'invalid filter "x"'],
  ["-f foo=x", "foo is an invalid filter"],
  ["-f status=bogus", "invalid filter 'status=bogus'"],
  ["--format {{InvalidFunction}}", 'template: :1: function "InvalidFunction" not defined'],
  ["--format {{nil}}", 'template: :1:2: executing "" at <nil>: nil is not a command'],
  [
    "--format {{.Bad}}",
    'template: :1:2: executing "" at <.Bad>: can\'t evaluate field Bad in type *formatter.ContainerContext',
  ],
])("ps %s is refused", async (args, message) => {
  expect(await ps(args)).toEqual({ status: 125, stdout: "", stderr: `Error: ${message}\n` });
});

const IMAGE: ImageInfo = {
  id: `sha256:${"ab".repeat(32)}`,
  manifestDigest: `sha256:${"cd".repeat(32)}`,
  tags: ["localhost/hello:latest", "localhost:5000/team/hello:1.0"],
  platform: "wasi/wasm",
  createdMs: NOW_MS - 3 * DAY_MS,
  sizeBytes: 12_345,
  layers: [],
  config: { config: { Labels: { a: "1" } } },
};
const DANGLING: ImageInfo = {
  ...IMAGE,
  id: `sha256:${"12".repeat(32)}`,
  tags: [],
  createdMs: undefined,
  config: {},
};

function images(args: string, list: ImageInfo[] = [IMAGE, DANGLING]): Promise<Printed> {
  const engine = { images: { list: async () => list } };
  return commandLine(["images", ...words(args)], { engine, nowMs: NOW_MS });
}

test("images: a row for each name, <none> without", async () => {
  expect((await images("")).stdout).toBe(
    "REPOSITORY                  TAG       IMAGE ID       CREATED      SIZE\n" +
      "localhost/hello             latest    abababababab   3 days ago   12.3kB\n" +
      "localhost:5000/team/hello   1.0       abababababab   3 days ago   12.3kB\n" +
      "<none>                      <none>    121212121212   N/A          12.3kB\n",
  );
  expect((await images("", [])).stdout).toBe("REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
});

test.each([
  ["-q", "abababababab\n121212121212\n"],
  ["-q --no-trunc", `sha256:${"ab".repeat(32)}\nsha256:${"12".repeat(32)}\n`],
  ["hello --format {{.Repository}}", "localhost/hello\nlocalhost:5000/team/hello\n"],
  ["hello:1.0 --format {{.Tag}}", "1.0\n"],
  ["team/hello --format {{.Tag}}", "1.0\n"],
  ["ello --format {{.Tag}}", ""],
  ["-f dangling=true --format {{.ID}}", "121212121212\n"],
  ["-f label=a --format {{.Tag}}", "latest\n1.0\n"],
  ["-f reference=hello:latest -q", "abababababab\n"],
  ["--digests --format {{.Digest}} hello:1.0", `sha256:${"cd".repeat(32)}\n`],
])("images %s", async (args, stdout) => {
  expect(await images(args)).toEqual({ status: 0, stdout, stderr: "" });
});

test.each([
  ["-f json", 'invalid image filter "json": must be in the format "filter=value or filter!=value"'],
  ["-f foo=bar", 'unsupported image filter "foo"'],
])("images %s is refused", async (args, message) => {
  expect(await images(args)).toEqual({ status: 125, stdout: "", stderr: `Error: ${message}\n` });
});
