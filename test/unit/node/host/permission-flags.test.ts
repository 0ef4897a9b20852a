import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  inheritedPermissionFlags,
  isRestricted,
  permissionFlags,
} from "../../../../runtime/node/host/permission-flags.ts";
import { runChild } from "../../../fixtures/child.ts";

const SOURCES = fileURLToPath(new URL("../../../../runtime", import.meta.url));
const MODULE = new URL("../../../../runtime/node/host/permission-flags.ts", import.meta.url).href;

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "wpod-flags-")));
  for (const name of ["granted", "secret"]) writeFileSync(join(folder, name), name);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a process without the flags has none to hand on", () => {
  expect([isRestricted(), inheritedPermissionFlags()]).toEqual([false, []]);
});

/** Runs in the child and in a thread of it: what each may do. */
const TRIES = `
  const fs = require("node:fs");
  const attempt = (what, call) => {
    try { call(); return what + " ok"; } catch (error) { return what + " " + error.code; }
  };
  const results = () => [
    attempt("granted", () => fs.readFileSync(process.env.FOLDER + "/granted")),
    attempt("secret", () => fs.readFileSync(process.env.FOLDER + "/secret")),
    attempt("write", () => fs.writeFileSync(process.env.FOLDER + "/granted", "")),
    attempt("spawn", () => require("node:child_process").spawnSync(process.execPath, ["-v"])),
  ].join(", ");
`;
const DENIED = "granted ok, secret ERR_ACCESS_DENIED, write ERR_ACCESS_DENIED, spawn ERR_ACCESS_DENIED";

test("a restricted process and its threads may do what was granted, and no more", async () => {
  const script = `
    import { createRequire } from "node:module";
    import { Worker } from "node:worker_threads";
    import { inheritedPermissionFlags } from ${JSON.stringify(MODULE)};
    const require = createRequire(import.meta.url);
    ${TRIES}
    console.log(results());
    const thread = ${JSON.stringify(`${TRIES} require("node:worker_threads").parentPort.postMessage(results());`)};
    const { FOLDER } = process.env;
    new Worker(thread, { eval: true, execArgv: inheritedPermissionFlags(), env: { FOLDER } }).on("message", console.log);
  `;
  const flags = permissionFlags({ read: [SOURCES, join(folder, "granted")], write: [] });
  const { exitCode, stdout, stderr } = await runChild(
    process.execPath,
    [...flags, "--input-type=module", "-e", script],
    { env: { FOLDER: folder } },
  );
  expect({ exitCode, stderr: stderr.toString(), lines: stdout.toString().trim().split("\n") }).toEqual({
    exitCode: 0,
    stderr: "",
    lines: [DENIED, DENIED],
  });
});
