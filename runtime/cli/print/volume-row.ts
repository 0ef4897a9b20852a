/** Volumes as `volume ls` shows them. @see docker/cli cli/command/formatter/volume.go */
import { printable } from "../../core/format/printable.ts";
import { type Struct, struct } from "../../core/template/value.ts";
import type { VolumeInfo } from "../../engine/types.ts";
import type { ListLayout } from "./rows.ts";

/** wpod has no other, and calls it as docker does. */
export const DRIVER = "local";

export const VOLUME_LAYOUT: ListLayout = {
  table: "{{.Driver}}\t{{.Name}}",
  headers: {
    Availability: "AVAILABILITY",
    Driver: "DRIVER",
    Group: "GROUP",
    Labels: "LABELS",
    Links: "LINKS",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Scope: "SCOPE",
    Size: "SIZE",
    Status: "STATUS",
  },
};

export function volumeRow(volume: VolumeInfo): Struct {
  return struct("*formatter.volumeContext", {
    Availability: "N/A",
    Driver: DRIVER,
    Group: "N/A",
    Labels: Object.entries(volume.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
    Links: "N/A",
    Mountpoint: volume.path,
    Name: printable(volume.name),
    Scope: "local",
    Size: "N/A",
    Status: "N/A",
  } satisfies Struct);
}
