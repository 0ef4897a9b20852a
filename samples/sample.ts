/** What a sample's image.json says: which of its files become an image, and how that is started. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ImageConfig } from "../runtime/engine/types.ts";

export interface Sample {
  /** The image's name, with its tag. */
  readonly name: string;
  /** Absolute path in the image -> file in the sample's directory. */
  readonly files: Readonly<Record<string, string>>;
  /** Absolute path in the image -> target of a symbolic link. */
  readonly links: Readonly<Record<string, string>>;
  readonly config: NonNullable<ImageConfig["config"]>;
}

/** Every sample, in the order in which a newcomer meets them. */
export const SAMPLES = ["hello", "files"] as const;
export type SampleName = (typeof SAMPLES)[number];

export function sampleDirectory(name: SampleName): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

export async function readSample(name: SampleName): Promise<Sample> {
  return JSON.parse(await readFile(join(sampleDirectory(name), "image.json"), "utf8"));
}
