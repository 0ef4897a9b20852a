/** The places outside the store that an image can be named by: `oci:DIR[:TAG]`, `oci-archive:FILE`, `docker-archive:FILE`. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { WpodError } from "../../core/error.ts";

export type Transport = "oci" | "oci-archive" | "docker-archive";

export interface ImageSource {
  transport: Transport;
  /** Absolute. */
  path: string;
  /** Which image of it; undefined when it wasn't said. */
  name: string | undefined;
}

const TRANSPORT = /^(oci|oci-archive|docker-archive):(.+)$/s;

/** Undefined for what is no such place, but a name. */
export function parseImageSource(text: string): ImageSource | undefined {
  const match = TRANSPORT.exec(text);
  if (match === null) return undefined;
  const transport = match[1] as Transport;
  const rest = match[2] as string;
  // Paths may have colons, on Windows all have: the longest that exists is the path.
  for (let end = rest.length; end > 0; end = rest.lastIndexOf(":", end - 1)) {
    const path = rest.slice(0, end);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) continue;
    return { transport, path: resolve(path), name: rest.slice(end + 1) || undefined };
  }
  throw new WpodError("FILE_NOT_FOUND", `${text}: no such file or directory`);
}
