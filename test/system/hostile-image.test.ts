/** Images that somebody made by hand: one sentence, docker's exit code, and nothing of the host is shown or changed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ImageConfig } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";
import { type LayerFile, layerTar, writeOciLayout } from "../fixtures/oci-image.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
let env: Uint8Array;
beforeAll(async () => {
  env = readFileSync(await guest("env"));
}, 120_000);
afterAll(() => cli.dispose());

interface Case {
  name: string;
  files?: readonly LayerFile[];
  config?: NonNullable<ImageConfig["config"]>;
  args?: readonly string[];
  exitCode: number;
  /** One line; a hint may follow. */
  says?: RegExp;
}
const UP = "../".repeat(12);

const cases: readonly Case[] = [
  { name: "USER 4294967296", config: { User: "4294967296" }, exitCode: 126, says: /user id 4294967296/ },
  { name: "USER __proto__", config: { User: "__proto__" }, exitCode: 126, says: /unable to find user __proto__/ },
  { name: "passwd is a link to the host's", files: [{ path: "etc/passwd", type: "symlink", target: `${UP}etc/passwd` }], config: { User: "daemon" }, exitCode: 126, says: /unable to find user daemon/ },
  { name: "passwd is a loop", files: [{ path: "etc/passwd", type: "symlink", target: "passwd" }], config: { User: "bob" }, exitCode: 126, says: /unable to find user bob/ },
  { name: "passwd is a directory", files: [{ path: "etc/passwd/" }], config: { User: "bob" }, exitCode: 126, says: /unable to find user bob/ },
  { name: "WORKDIR through a link that climbs", files: [{ path: "w", type: "symlink", target: `${UP}tmp` }], config: { WorkingDir: "/w" }, exitCode: 126, says: /workdir "\/w" does not exist/ },
  { name: "WORKDIR through a link that stays", files: [{ path: "w", type: "symlink", target: "bin" }], config: { WorkingDir: "/w" }, exitCode: 0 },
  { name: "WORKDIR ../..", config: { WorkingDir: "../.." }, exitCode: 125, says: /needs to be an absolute path/ },
  { name: "VOLUME ../..", config: { Volumes: { "../..": {}, __proto__x: {} } }, exitCode: 0 },
  { name: "a label called __proto__", config: { Labels: JSON.parse('{"__proto__":"x","a\\u001b[31m":"b"}') }, exitCode: 0 },
  { name: "ENTRYPOINT is a link to the host's", files: [{ path: "e", type: "symlink", target: `${UP}bin/sh` }], config: { Entrypoint: ["/e"] }, exitCode: 127, says: /no such file/ },
  { name: "ENTRYPOINT is a link of /proc", files: [{ path: "e", type: "symlink", target: "/proc/self/exe" }], config: { Entrypoint: ["/e"] }, exitCode: 127, says: /no such file/ },
  { name: "ENTRYPOINT that steers a terminal", config: { Entrypoint: ["/\u001b[31mred"] }, exitCode: 127, says: /\\e\[31mred/ },
  { name: "a script that runs itself", files: [{ path: "s", content: "#!/s\n" }], config: { Entrypoint: ["/s"] }, exitCode: 126, says: /too many levels of interpreters/ },
  { name: "/etc leads to the host's /tmp", files: [{ path: "etc", type: "symlink", target: `/${UP}tmp` }], exitCode: 0 },
  { name: "/etc/hosts is a directory", files: [{ path: "etc/hosts/x" }], exitCode: 125, says: /can't mount on \/etc\/hosts/ },
  { name: "/dev is a file", files: [{ path: "dev", content: "x" }], exitCode: 125, says: /can't mount on \/dev/ },
  { name: "a mount point behind a link that climbs", files: [{ path: "m", type: "symlink", target: `${UP}no/such` }], args: ["--tmpfs", "/m/x"], exitCode: 125, says: /can't mount on/ },
  { name: "a path out of the layer", files: [{ path: "../../evil", content: "x" }], exitCode: 125, says: /leads out of the layer/ },
  { name: "a whiteout of the parent", files: [{ path: "a/.wh...", content: "" }], exitCode: 125, says: /not a valid whiteout/ },
  { name: "a whiteout of the directory itself", files: [{ path: "a/.wh..", content: "" }], exitCode: 125, says: /not a valid whiteout/ },
  { name: "a whiteout of nothing", files: [{ path: "a/.wh.", content: "" }], exitCode: 125, says: /not a valid whiteout/ },
]; // biome-ignore format: a line for each

test.each(cases)("$name", async ({ name, files = [], config = {}, args = [], exitCode, says }) => {
  const layout = `l${cases.findIndex((one) => one.name === name)}`;
  const tar = await layerTar([{ path: "bin/env.wasm", content: env, mode: 0o755 }, ...files]);
  const image = { layers: [{ tar }], config: { Entrypoint: ["/bin/env.wasm"], ...config } };
  await writeOciLayout(join(cli.directory, layout), [{ name: "hostile:1", platforms: [image] }]);
  const printed = await cli.wpod(["run", "--rm", ...args, `oci:${layout}`], {
    env: { HOST_SECRET: "leaks" },
  });
  expect(printed.exitCode).toBe(exitCode);
  expect(printed.stdout).not.toContain("leaks");
  expect(printed.stderr).not.toContain("\u001b");
  expect(printed.stderr.split("\n").length).toBeLessThanOrEqual(3);
  if (says === undefined) expect(printed.stderr).toBe("");
  else expect(printed.stderr).toMatch(says);
});

test("env with a newline is one variable, and __proto__ is one like any other", async () => {
  const tar = await layerTar([{ path: "env.wasm", content: env, mode: 0o755 }]);
  const config = { Entrypoint: ["/env.wasm"], Env: ["A=1\nB=2", "__proto__=x"] };
  await writeOciLayout(join(cli.directory, "newline"), [
    { name: "newline:1", platforms: [{ layers: [{ tar }], config }] },
  ]);
  const lines = (await cli.must(["run", "--rm", "oci:newline"])).split("\0");
  expect(lines).toContain("A=1\nB=2");
  expect(lines).toContain("__proto__=x");
  expect(lines).not.toContain("B=2");
});
