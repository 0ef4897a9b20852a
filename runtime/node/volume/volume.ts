/**
 * The files of a container as embedders know files: memfs's `Volume`, over the container's own tree. Loaded only when
 * somebody asks for it: memfs takes 30 ms.
 */
import { Volume } from "memfs";
import type { FileSystem } from "../../core/vfs/file-system.ts";
import { VolumeCore } from "./volume-core.ts";

/** What is written through it counts against the limits of the file system; beyond them it is ENOSPC. */
export function openVolume(files: FileSystem): Volume {
  return new Volume(new VolumeCore(files));
}
