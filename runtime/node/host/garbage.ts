/**
 * Collects garbage at once. A thread that has nothing to do never would, and V8 gives a WebAssembly memory back only then: the
 * memory of the last program would stay as long.
 */
let collect: (() => void) | undefined;

/** Takes about as long as the thread has live objects: 5 to 10 ms. */
export function collectGarbage(): void {
  collect ??= findCollector();
  collect();
}

/** V8 gives the function to contexts that are made after the flag was set, and to no guest: those have no JavaScript. */
function findCollector(): () => void {
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  const { runInNewContext } = process.getBuiltinModule("node:vm");
  setFlagsFromString("--expose-gc");
  const found = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return found;
}
