/** `--cidfile`: the id of a container in a file, which goes when the container goes. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { WpodError } from "../../core/error.ts";

/** Annotation by which whoever removes the container finds the file. */
export const CIDFILE_ANNOTATION = "wpod.cidfile";

/** @throws WpodError FILE_NOT_FOUND when it can't be written */
export function writeCidfile(path: string, id: string): void {
  try {
    writeFileSync(path, id);
  } catch (error) {
    throw new WpodError(
      "FILE_NOT_FOUND",
      `the container's id can't be written: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** Removes the file when it still holds this id: another container's may be in its place. */
export function removeCidfile(path: string | undefined, id: string): void {
  if (path === undefined) return;
  try {
    if (readFileSync(path, "utf8") === id) rmSync(path);
  } catch {
    // It is gone, or not ours to remove.
  }
}
