/**
 * The first thing that happens in a `wpod run`: its worker starts, while this thread loads everything else. In the bundle a
 * file of its own, before the rest is read.
 */
import { prestartWorker } from "../engine/worker-entry.ts";

const isRun = process.argv[2] === "run" && process.argv.length > 3;
// Another process does the work then, and comes here too.
const isElsewhere =
  process.permission === undefined && process.argv.some((word) => word.startsWith("--isolation"));
if (isRun && !isElsewhere) prestartWorker();
