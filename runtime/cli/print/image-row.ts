/** Images as `images` shows them: a row for each name. */
import { humanAgo } from "../../core/format/duration.ts";
import { printable } from "../../core/format/printable.ts";
import { decimalSize } from "../../core/format/size.ts";
import { repositoryOf } from "../../core/image/reference.ts";
import { type Struct, struct } from "../../core/template/value.ts";
import type { ImageInfo } from "../../engine/types.ts";
import { goTime } from "./go-time.ts";
import type { ListLayout } from "./rows.ts";

const SHORT_ID_LENGTH = 12;
const NONE = "<none>";

const HEADERS = {
  Containers: "CONTAINERS",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  SharedSize: "SHARED SIZE",
  Size: "SIZE",
  Tag: "TAG",
  UniqueSize: "UNIQUE SIZE",
};

export function imageLayout(withDigests: boolean): ListLayout {
  const digest = withDigests ? "{{.Digest}}\t" : "";
  return {
    table: `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    headers: HEADERS,
  };
}

/** @param whole ids are not cut off */
export function imageRows(image: ImageInfo, nowMs: number, whole: boolean): Struct[] {
  const names = image.tags.length === 0 ? [undefined] : image.tags;
  return names.map((name) => {
    const repository = name === undefined ? NONE : repositoryOf(name);
    const tag =
      name === undefined || name.length === repository.length ? NONE : name.slice(repository.length + 1);
    return struct("*formatter.imageContext", {
      Containers: "N/A",
      CreatedAt: image.createdMs === undefined ? "N/A" : goTime(image.createdMs),
      CreatedSince: image.createdMs === undefined ? "N/A" : humanAgo(image.createdMs, nowMs),
      Digest: image.manifestDigest,
      ID: whole ? image.id : image.id.slice("sha256:".length, "sha256:".length + SHORT_ID_LENGTH),
      Repository: printable(repository),
      SharedSize: "N/A",
      Size: decimalSize(image.sizeBytes),
      Tag: printable(tag),
      UniqueSize: "N/A",
    } satisfies Struct);
  });
}
