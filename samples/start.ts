/**
 * `npm start`: builds wpod, makes the sample images, runs one as a container, and says what to try next.
 */
import { spawnSync } from "node:child_process";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { makeImage } from "./make-image.ts";
import { SAMPLES } from "./sample.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const wpod = join("dist", "bin", "wpod.js");

step("Building wpod");
run([join("test", "toolchain", "build.ts")]);

for (const name of SAMPLES) {
  // Under .build/, which git ignores: the work tree stays clean.
  const directory = join(root, ".build", "images", name);
  await makeImage(name, directory);
  step(`Loading the image ${name}, made from samples/${name}`);
  run([wpod, "load", "-i", relative(root, directory)]);
}

const command = ["run", "--rm", "hello", "one", "two words"];
step(`Running it as a container: wpod ${command.map(quoted).join(" ")}\n`);
const started = performance.now();
run([wpod, ...command]);
const elapsedMs = Math.round(performance.now() - started);

console.log(`
That was a WebAssembly program from an image, in a container of its own: started, run and removed in ${elapsedMs} ms.

Try next:
  node ${wpod} images
  node ${wpod} run --rm files
  node ${wpod} run --rm -w /data files cat welcome.txt
  node ${wpod} run --rm --read-only files write /data/new text     (is refused)
  node ${wpod} run --rm -v ${quoted(join(root, "samples"))}:/mnt:ro files tree /mnt
Remove the images again:
  node ${wpod} rmi hello files`);

function step(what: string): void {
  console.log(`> ${what}`);
}

/** Runs a script of this clone under this Node, its output passed through. A failure ends all of this. */
function run(args: readonly string[]): void {
  const { status, error } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error !== undefined) throw error;
  if (status === 0) return;
  console.error(`> That failed with exit code ${status}: node ${args.map(quoted).join(" ")}`);
  process.exit(status ?? 1);
}

function quoted(word: string): string {
  return /[^\w./\\:=-]/.test(word) ? `"${word}"` : word;
}
