/** A volume as `volume inspect` prints it. */
import type { VolumeInfo } from "../../engine/types.ts";
import { rfc3339 } from "./go-time.ts";
import { DRIVER } from "./volume-row.ts";

/** @see https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Volume/operation/VolumeInspect */
export function inspectVolume({ name, createdMs, labels, options, path }: VolumeInfo): object {
  return {
    CreatedAt: rfc3339(createdMs),
    Driver: DRIVER,
    Labels: labels,
    Mountpoint: path,
    Name: name,
    Options: options,
    Scope: "local",
  };
}
