/** A store in a folder of its own, gone when the test file ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { openStore, type Store } from "../../../../runtime/node/store/store.ts";

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "wpod-store-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Open until the end of the test. */
export function temporaryStore(root = join(temporaryFolder(), "root")): Store {
  const store = openStore(root);
  cleanups.push(() => store.close());
  return store;
}
