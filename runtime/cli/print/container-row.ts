/** A container as `ps` shows it: the fields of docker's, for tables and templates. */

import { humanAgo, humanDuration } from "../../core/format/duration.ts";
import { printable } from "../../core/format/printable.ts";
import { decimalSize } from "../../core/format/size.ts";
import { type Struct, struct } from "../../core/template/value.ts";
import type { ContainerInfo } from "../../engine/types.ts";
import { goTime } from "./go-time.ts";
import type { ListLayout } from "./rows.ts";

const SHORT_ID_LENGTH = 12;
const COMMAND_LENGTH_MAX = 20;
const MOUNT_LENGTH_MAX = 15;

export const CONTAINER_LAYOUT: ListLayout = {
  table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
  headers: {
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    ID: "CONTAINER ID",
    Image: "IMAGE",
    Labels: "LABELS",
    LocalVolumes: "LOCAL VOLUMES",
    Mounts: "MOUNTS",
    Names: "NAMES",
    Networks: "NETWORKS",
    Platform: "PLATFORM",
    Ports: "PORTS",
    RunningFor: "CREATED",
    Size: "SIZE",
    State: "STATE",
    Status: "STATUS",
  },
};

/** @param whole nothing is cut off */
export function containerRow(container: ContainerInfo, nowMs: number, whole: boolean): Struct {
  const { id, image, labels } = container;
  const command = [container.path, ...container.args].join(" ");
  const mounts = container.mounts.map(({ type, source, target }) =>
    type === "bind" ? (source ?? "") : target,
  );
  // In the order of docker's JSON.
  return struct("*formatter.ContainerContext", {
    Command: JSON.stringify(printable(whole ? command : shorten(command, COMMAND_LENGTH_MAX))),
    CreatedAt: goTime(container.createdMs),
    ID: whole ? id : id.slice(0, SHORT_ID_LENGTH),
    Image: printable(image),
    Label: (name) => printable(labels[String(name)] ?? ""),
    Labels: printable(pairs(labels)),
    LocalVolumes: "0",
    Mounts: printable(mounts.map((mount) => (whole ? mount : shorten(mount, MOUNT_LENGTH_MAX))).join(",")),
    Names: container.name,
    Networks: container.network,
    Platform: container.platform,
    Ports: "",
    RunningFor: humanAgo(container.createdMs, nowMs),
    Size: decimalSize(0),
    State: container.status,
    Status: statusText(container, nowMs),
  } satisfies Struct);
}

/** `Up 5 seconds`, `Exited (0) 3 minutes ago`, `Created`. */
function statusText(container: ContainerInfo, nowMs: number): string {
  switch (container.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${humanDuration(Math.max(0, nowMs - (container.startedMs ?? nowMs)))}`;
    case "exited":
      return `Exited (${container.exitCode}) ${humanAgo(container.finishedMs ?? container.createdMs, nowMs)}`;
  }
}

/** `a=1,b=2`, keys in order. */
function pairs(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(",");
}

function shorten(text: string, lengthMax: number): string {
  const characters = [...text];
  return characters.length <= lengthMax ? text : `${characters.slice(0, lengthMax - 1).join("")}…`;
}
