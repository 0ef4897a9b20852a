/** All mounts of a `run`, whichever flag names them. */
import type { MountSpec } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";
import { parseMount } from "./mount.ts";
import { parseTmpfs, parseVolume } from "./volume.ts";

/** @param directory what relative paths of the host begin at */
export function parseMounts(flags: ParsedFlags, directory: string): MountSpec[] {
  return [
    ...flags.list("volume").map((text) => parseVolume(text, directory)),
    ...flags.list("mount").map((text) => parseMount(text, directory)),
    ...flags.list("tmpfs").map(parseTmpfs),
  ];
}
