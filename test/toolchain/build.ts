/**
 * `npm run build`: bundles into `dist/`, and does nothing when no input changed. With `--types` it puts the library's
 * declarations beside the bundles: what runs doesn't need them, so `npm start` and `npm test` go without.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BundlePlan } from "./bundle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");

const PLAN: BundlePlan = {
  root,
  outDirectory: dist,
  prestart: "runtime/cli/prestart.ts",
  commandLine: "runtime/cli/main.ts",
  library: "runtime/engine/index.ts",
  workers: "runtime/worker",
  launcher: "test/toolchain/launcher.cjs",
  workerLauncher: "test/toolchain/worker-launcher.cjs",
  codeCache: "test/toolchain/code-cache.cjs",
};
const DECLARATION = "runtime/engine/index.d.ts";

/** Everything that an output depends on, the compiler's and the bundler's versions (in the lock file) included. */
const INPUTS = ["shim", "runtime", "test/toolchain", "package.json", "package-lock.json", "tsconfig.json"];

if (import.meta.main) {
  try {
    await buildDist({ types: process.argv.includes("--types") });
  } catch (error) {
    // A wrong import is the developer's to correct; where in the bundler it was found says nothing.
    process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** Brings `dist/` up to date. Says on stderr what it did, when it did something. */
export async function buildDist({ types }: { types: boolean }): Promise<void> {
  const startedMs = performance.now();
  const key = inputsDigest();
  const bundleStamp = join(dist, ".bundle-stamp");
  const typesStamp = join(dist, ".types-stamp");

  if (readText(bundleStamp) !== key) {
    // The bundler takes 60 ms to load: not for nothing.
    const { bundle } = await import("./bundle.ts");
    const files = await bundle(PLAN);
    writeFileSync(bundleStamp, key);
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const elapsedMs = Math.round(performance.now() - startedMs);
    process.stderr.write(
      `build: ${files.length} files, ${Math.ceil(sizeBytes / 1024)} KiB in ${elapsedMs} ms\n`,
    );
  }
  if (types && readText(typesStamp) !== key) {
    await declare();
    writeFileSync(typesStamp, key);
  }
}

async function declare(): Promise<void> {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [compiler, "--build", join(root, "runtime", "engine")], {
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0)
    throw new Error("the declarations can't be written: the compiler says above what is wrong");
  const { copyDeclarations } = await import("./bundle.ts");
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const packages = Object.keys(manifest.dependencies);
  await copyDeclarations(join(root, ".build", "types"), DECLARATION, join(dist, "types"), packages);
}

function inputsDigest(): string {
  const hash = createHash("sha256");
  for (const input of INPUTS.map((name) => join(root, name))) {
    if (!existsSync(input)) continue;
    for (const path of filesUnder(input)) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

function filesUnder(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
