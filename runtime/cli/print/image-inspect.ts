/** An image as `inspect` shows it: docker's keys. */
import { repositoryOf } from "../../core/image/reference.ts";
import type { ImageInfo } from "../../engine/types.ts";

/** @see https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Image/operation/ImageInspect */
export function inspectImage(image: ImageInfo): object {
  const { config } = image;
  const [os = "", architecture = "", variant = ""] = image.platform.split("/");
  const repositories = new Set(image.tags.map(repositoryOf));
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: [...repositories].map((repository) => `${repository}@${image.manifestDigest}`),
    Parent: "",
    Comment: "",
    Created: config.created ?? "",
    Author: config.author ?? "",
    Config: {
      User: config.config?.User ?? "",
      Env: config.config?.Env ?? [],
      Cmd: config.config?.Cmd ?? null,
      Entrypoint: config.config?.Entrypoint ?? null,
      Labels: config.config?.Labels ?? null,
      WorkingDir: config.config?.WorkingDir ?? "",
      Volumes: config.config?.Volumes ?? null,
      ExposedPorts: config.config?.ExposedPorts ?? null,
      StopSignal: config.config?.StopSignal ?? "",
    },
    Architecture: architecture,
    Variant: variant,
    Os: os,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: { Name: "layers", Data: {} },
    RootFS: { Type: "layers", Layers: image.layers.map(({ diffId }) => diffId) },
    History: config.history ?? [],
  };
}
