/**
 * The first thing that happens in a `wpod run`: its worker starts, while this thread loads everything else. In the bundle a
 * file of its own, before the rest is read.
 */
import { prestartWorker } from "../engine/worker-entry.ts";

if (process.argv[2] === "run" && process.argv.length > 3) prestartWorker();
