/**
 * The first thing that happens in a `wpod run`: its worker starts, and the kernel's where it has volumes, while this thread loads everything else. In the bundle a
 * file of its own, before the rest is read.
 */
import { prestartKernel } from "../engine/kernel-entry.ts";
import { prestartWorker } from "../engine/worker-entry.ts";

const isRun = process.argv[2] === "run" && process.argv.length > 3;
// Another process does the work then, and comes here too.
const isElsewhere =
  process.permission === undefined && process.argv.some((word) => word.startsWith("--isolation"));
if (isRun && !isElsewhere) {
  prestartWorker();
  // Volumes are there. One started in vain costs less than one that is waited for.
  if (process.argv.some((word, index, words) => namesVolume(word, words[index + 1]))) prestartKernel();
}

/** As the flags of a run do: what is no path of the host is a volume's name, or none. */
function namesVolume(word: string, next = ""): boolean {
  if (word === "--mount") return next.includes("volume");
  if (word.startsWith("--mount=")) return word.includes("volume");
  if (word === "-v" || word === "--volume") return !isPath(next);
  if (word.startsWith("--volume=")) return !isPath(word.slice("--volume=".length));
  return /^-v./.test(word) && !isPath(word.slice(2));
}

function isPath(value: string): boolean {
  return /^[./~\\]|^[A-Za-z]:[\\/]/.test(value) && /.:./.test(value);
}
