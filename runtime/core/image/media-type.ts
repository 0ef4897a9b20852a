/**
 * Media types of images: what each document and blob says that it is.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/media-types.md
 * @see https://distribution.github.io/distribution/spec/manifest-v2-2/
 */

export const MediaType = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
} as const;

/** What a manifest's media type says it is; undefined for one that is no manifest of an image. */
export function manifestKind(mediaType: string): "image" | "index" | undefined {
  switch (mediaType) {
    case MediaType.ociIndex:
    case MediaType.dockerIndex:
      return "index";
    case MediaType.ociManifest:
    case MediaType.dockerManifest:
      return "image";
    default:
      return undefined;
  }
}

export function isConfig(mediaType: string): boolean {
  return mediaType === MediaType.ociConfig || mediaType === MediaType.dockerConfig;
}

const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](?:gzip|zstd))?$/;

/**
 * A layer that holds a tar. How it is compressed is not read from here: tools write types that don't fit, and the
 * first bytes of the blob tell it better.
 */
export function isLayer(mediaType: string): boolean {
  return LAYER.test(mediaType);
}
