import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TREE } from "../../../runtime/cli/verbs.ts";
import { commandLine } from "./context-for-test.ts";

/** What podman 4.3 and 5 answer, with its name changed. */
const REFUSALS = [
  // rows 9 to 11, 27: flags
  ["run --foo IMG", 125, "Error: unknown flag: --foo\nSee 'wpod run --help'\n"],
  ["run -h", 125, "Error: flag needs an argument: 'h' in -h\nSee 'wpod run --help'\n"],
  ["run -ih", 125, "Error: flag needs an argument: 'h' in -h\nSee 'wpod run --help'\n"],
  ["bad --invalid", 125, "Error: unknown flag: --invalid\nSee 'wpod --help'\n"],
  ["--foo run", 125, "Error: unknown flag: --foo\nSee 'wpod --help'\n"],
  ["ps -ZZ", 125, "Error: unknown shorthand flag: 'Z' in -ZZ\nSee 'wpod ps --help'\n"],
  ["ps -aZ", 125, "Error: unknown shorthand flag: 'Z' in -Z\nSee 'wpod ps --help'\n"],
  ["images -d", 125, "Error: unknown shorthand flag: 'd' in -d\nSee 'wpod images --help'\n"],
  ["run --name", 125, "Error: flag needs an argument: --name\nSee 'wpod run --help'\n"],
  ["run --=x IMG", 125, "Error: bad flag syntax: --=x\nSee 'wpod run --help'\n"],
  ["run ---x IMG", 125, "Error: bad flag syntax: ---x\nSee 'wpod run --help'\n"],
  ["run --rm=maybe IMG", 125, `Error: invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax\nSee 'wpod run --help'\n`],
  ["run -i=maybe IMG", 125, `Error: invalid argument "maybe" for "-i, --interactive" flag: strconv.ParseBool: parsing "maybe": invalid syntax\nSee 'wpod run --help'\n`],
  ["run --timeout x IMG", 125, `Error: invalid argument "x" for "--timeout" flag: strconv.ParseUint: parsing "x": invalid syntax\nSee 'wpod run --help'\n`],
  ["run --timeout -1 IMG", 125, `Error: invalid argument "-1" for "--timeout" flag: strconv.ParseUint: parsing "-1": invalid syntax\nSee 'wpod run --help'\n`],
  ["run --timeout 18446744073709551616 IMG", 125, `Error: invalid argument "18446744073709551616" for "--timeout" flag: strconv.ParseUint: parsing "18446744073709551616": value out of range\nSee 'wpod run --help'\n`],
  ["ps --last x", 125, `Error: invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax\nSee 'wpod ps --help'\n`],
  ["logs --tail x y", 125, `Error: invalid argument "x" for "-n, --tail" flag: strconv.ParseInt: parsing "x": invalid syntax\nSee 'wpod logs --help'\n`],
  // rows 12, 13: the tree
  ["bad", 125, "Error: unrecognized command `wpod bad`\n\nDid you mean this?\n\tload\n\ttag\n\nTry 'wpod --help' for more information\n"],
  ["image bad", 125, "Error: unrecognized command `wpod image bad`\n\nDid you mean this?\n\tload\n\ttag\n\nTry 'wpod image --help' for more information\n"],
  ["image NoSuchCommand", 125, "Error: unrecognized command `wpod image NoSuchCommand`\nTry 'wpod image --help' for more information\n"],
  ["image", 125, "Error: missing command 'wpod image COMMAND'\n"],
  ["", 125, "Error: missing command 'wpod COMMAND'\n"],
  ["pull x", 125, "Error: `wpod pull` is not supported yet\nTry 'wpod --help' for more information\n"],
  // rows 14, 15: counts of operands
  ["version extra", 125, "Error: `wpod version` takes no arguments\nSee 'wpod version --help'\n"],
  ["load x", 125, "Error: `wpod load` takes no arguments\nSee 'wpod load --help'\n"],
  ["run", 125, "Error: requires at least 1 arg(s), only received 0\nSee 'wpod run --help'\n"],
  ["tag x", 125, "Error: requires at least 2 arg(s), only received 1\nSee 'wpod tag --help'\n"],
  ["images a b", 125, "Error: accepts at most 1 arg(s), received 2\nSee 'wpod images --help'\n"],
  ["import", 125, "Error: accepts between 1 and 2 arg(s), received 0\nSee 'wpod import --help'\n"],
  ["rmi", 125, "Error: image name or ID must be specified\nSee 'wpod rmi --help'\n"],
  ["rmi -a x", 125, "Error: when using the --all switch, you may not pass any images names or IDs\nSee 'wpod rmi --help'\n"],
  ["rm", 125, "Error: you must provide at least one name or id\nSee 'wpod rm --help'\n"],
  ["logs", 125, "Error: specify at least one container name or ID to log\nSee 'wpod logs --help'\n"],
  ["inspect", 125, "Error: no names or ids specified\nSee 'wpod inspect --help'\n"],
  // row 17: before and after the verb
  ["--log-level=telepathic version", 1, `Log Level "telepathic" is not supported, choose from: trace, debug, info, warn, warning, error, fatal, panic\n`],
  ["version --log-level telepathic", 1, `Log Level "telepathic" is not supported, choose from: trace, debug, info, warn, warning, error, fatal, panic\n`],
  // values of run's flags
  ["run --pull=bogus IMG", 125, `Error: unsupported pull policy "bogus"\n`],
  ["run --stop-signal=BAD IMG", 125, "Error: invalid signal: BAD\n"],
  ["run -m 5x IMG", 125, "Error: invalid size: '5x'\na size looks like 65536, 512k, 64m or 1g\n"],
  ["run -m 65535 IMG", 125, "Error: the memory limit of 65535 bytes is less than a page of WebAssembly memory, 65536 bytes\na limit looks like --memory 64m\n"],
  ["run -v :/x IMG", 125, "Error: host directory cannot be empty\n"],
  ["run -v /x: IMG", 125, "Error: container directory cannot be empty\n"],
  ["run --env-file /no/such/file IMG", 125, "Error: open /no/such/file: no such file or directory\n"],
  ["run -e =x IMG", 125, 'Error: invalid environment variable: "=x" has no name\n'],
  ["run --network=host IMG", 125, "Error: --network=host is not supported yet: containers have no network yet\nleave it out, or say --network=none\n"],
  ["run --add-host x IMG", 125, 'Error: bad format for --add-host: "x"\nit looks like --add-host db:10.0.0.1\n'],
  ["run --add-host x:y IMG", 125, 'Error: invalid IP address in --add-host: "y"\n'],
  ["run --hostname a_b IMG", 125, 'Error: invalid hostname "a_b"\n'],
  [
    "run -a asdfasdf IMG",
    125,
    'Error: invalid stream "asdfasdf" for --attach - must be one of stdin, stdout, or stderr: invalid argument\n',
  ],
  ["run --rmi --rm=false IMG", 125, "Error: the --rmi option does not work without --rm\n"],
  [
    "run --log-driver=InvalidDriver IMG",
    125,
    "Error: running container create option: invalid log driver: invalid argument\n",
  ],
  // of docker, later
  ["run -d IMG", 125, "Error: --detach is not supported yet: containers run in the foreground until there is a host process for detached ones\n'wpod run --help' lists the flags that are\n"],
  ["run -p 80:80 IMG", 125, "Error: --publish is not supported yet: containers have no network yet\n'wpod run --help' lists the flags that are\n"],
] as const; // biome-ignore format: a line for each

test.each(REFUSALS)("wpod %s", async (line, status, stderr) => {
  const printed = await commandLine(line === "" ? [] : line.split(" "));
  expect({ status: printed.status, stderr: printed.stderr }).toEqual({ status, stderr });
});

const DOCKER_FLAGS: readonly { long: string; short?: string; takesValue: boolean }[] = JSON.parse(
  readFileSync(new URL("../../../spec/cli/docker-run-flags.json", import.meta.url), "utf8"),
).flags;

test.each(DOCKER_FLAGS)("docker's run --$long is known: it works, or is refused by name", async (flag) => {
  // Everything is read before the last flag is refused, and nothing is run.
  const value = flag.takesValue ? ["value"] : [];
  const { stderr } = await commandLine(["run", `--${flag.long}`, ...value, "--no-such-flag"]);
  const known =
    /^Error: unknown flag: --no-such-flag\n/.test(stderr) ||
    stderr.startsWith(
      `Error: invalid argument "value" for "${[flag.short && `-${flag.short}`, `--${flag.long}`].filter(Boolean).join(", ")}" flag: `,
    ) ||
    stderr.startsWith(`Error: --${flag.long} is not supported yet: `);
  expect(known || (flag.long === "help" && stderr === ""), stderr).toBe(true);
  if (flag.short !== undefined) {
    const short = await commandLine(["run", `-${flag.short}`, ...value, "--no-such-flag"]);
    expect(short.stderr).toBe(stderr);
  }
});

test.each(["run -d=false --privileged=false --init=0 --restart no --sig-proxy --no-healthcheck"])(
  "what says only what wpod does anyway is taken: %s",
  async (line) => {
    expect((await commandLine(line.split(" "))).stderr).toBe(
      "Error: requires at least 1 arg(s), only received 0\nSee 'wpod run --help'\n",
    );
  },
);

const VERBS = TREE.flatMap((item) =>
  "verbs" in item
    ? item.verbs.map((verb) => ({ path: `${item.name} ${verb.name}`, verb }))
    : [{ path: item.name, verb: item }],
);

test.each(VERBS)("wpod $path --help: its usage line begins with the command", async ({ path, verb }) => {
  const { status, stdout, stderr } = await commandLine([...path.split(" "), "--help"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout.split("\n")[0]).toBe(verb.summary);
  expect(stdout).toContain(`\nUsage:\n  wpod ${path} [options]`);
  expect(stdout).toMatch(/\nOptions:\n( {2}.+\n)+$/);
  expect(await commandLine(["help", ...path.split(" ")])).toEqual({ status, stdout, stderr });
});

test("help of the whole, of a group, and where help may stand", async () => {
  const whole = await commandLine(["--help"]);
  expect(whole.status).toBe(0);
  expect(whole.stdout).toMatch(
    /^Manage pods, containers and images\n\nUsage:\n {2}wpod \[options\] \[command\]\n/,
  );
  for (const item of TREE) expect(whole.stdout).toContain(`\n  ${item.name.padEnd(9)}  ${item.summary}\n`);
  expect(await commandLine(["-h"])).toEqual(whole);
  expect(await commandLine(["help"])).toEqual(whole);
  // Without a command it is printed too, and that is an error.
  expect((await commandLine([])).stdout).toBe(whole.stdout);
  const group = await commandLine(["image", "--help"]);
  expect(group.stdout).toContain("\nUsage:\n  wpod image [command]\n");
  expect((await commandLine(["image", "ls", "-h"])).stdout).toContain("Aliases:\n  ls, list\n");
});

test("the version, in one line", async () => {
  for (const args of [["--version"], ["-v"]]) {
    expect(await commandLine(args)).toEqual({ status: 0, stdout: "wpod version 1.2.3\n", stderr: "" });
  }
});

test("version --format", async () => {
  expect((await commandLine(["version", "--format", "{{.Client.Version}} {{.Server.Version}}"])).stdout).toBe(
    "1.2.3 1.2.3\n",
  );
  expect((await commandLine(["version", "--format", '{{"\\n"}}'])).stdout.trim()).toBe("");
  expect(JSON.parse((await commandLine(["version", "--format", "json"])).stdout)).toMatchObject({
    Client: { Version: "1.2.3" },
  });
  expect((await commandLine(["version"])).stdout).toMatch(
    /^Version: {6}1\.2\.3\nAPI Version: {2}1\.2\.3\nNode Version: v/,
  );
});
