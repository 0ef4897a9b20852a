/** `--filter name=value`: which containers, images or volumes are listed. Equal names are alternatives, other names all have to fit. */
import { WpodError } from "../../core/error.ts";
import type { ContainerInfo, ImageInfo, VolumeInfo } from "../../engine/types.ts";

type Test<T> = (item: T, value: string) => boolean;

const CONTAINER_TESTS: Readonly<Record<string, Test<ContainerInfo>>> = {
  ancestor: ({ image, imageId }, value) =>
    image === value || imageId === value || imageId.startsWith(`sha256:${value}`) || nameFits(image, value),
  exited: ({ status, exitCode }, value) => status === "exited" && String(exitCode) === value,
  id: ({ id }, value) => id.startsWith(value),
  label: ({ labels }, value) => labelFits(labels, value),
  name: ({ name }, value) => name.includes(value.replace(/^\//, "")),
  status: ({ status }, value) => status === value,
};

const IMAGE_TESTS: Readonly<Record<string, Test<ImageInfo>>> = {
  dangling: ({ tags }, value) => (tags.length === 0) === (value === "true"),
  id: ({ id }, value) => id.replace("sha256:", "").startsWith(value.replace("sha256:", "")),
  label: ({ config }, value) => labelFits(config.config?.Labels ?? {}, value),
  reference: ({ tags }, value) => tags.some((tag) => nameFits(tag, value)),
};

const VOLUME_TESTS: Readonly<Record<string, Test<VolumeInfo>>> = {
  dangling: ({ containers }, value) => (containers.length === 0) === /^(1|t|true)$/i.test(value),
  driver: (_volume, value) => value === "local",
  label: ({ labels }, value) => labelFits(labels, value),
  name: ({ name }, value) => name.includes(value),
};

const STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

/** @throws WpodError USAGE, in podman's words */
export function filterContainers(containers: ContainerInfo[], filters: readonly string[]): ContainerInfo[] {
  return filter(containers, filters, CONTAINER_TESTS, (text, name, value) => {
    if (value === undefined) return `invalid filter ${JSON.stringify(text)}`;
    if (!Object.hasOwn(CONTAINER_TESTS, name)) return `${name} is an invalid filter`;
    if (name === "status" && !STATUSES.includes(value)) return `invalid filter 'status=${value}'`;
    return undefined;
  });
}

/** @throws WpodError USAGE, in podman's words */
export function filterImages(images: ImageInfo[], filters: readonly string[]): ImageInfo[] {
  return filter(images, filters, IMAGE_TESTS, (text, name, value) => {
    if (value === undefined) {
      return `invalid image filter ${JSON.stringify(text)}: must be in the format "filter=value or filter!=value"`;
    }
    return Object.hasOwn(IMAGE_TESTS, name) ? undefined : `unsupported image filter ${JSON.stringify(name)}`;
  });
}

/** @throws WpodError USAGE, in podman's words */
export function filterVolumes(volumes: VolumeInfo[], filters: readonly string[]): VolumeInfo[] {
  return filter(volumes, filters, VOLUME_TESTS, (text, name, value) => {
    if (value === undefined) return `invalid filter ${JSON.stringify(text)}`;
    return Object.hasOwn(VOLUME_TESTS, name) ? undefined : `"${name}" is an invalid volume filter`;
  });
}

/** `hello`, `hello:1`, `localhost/hello`: the name from any of its slashes on, with or without its tag. */
export function nameFits(name: string, wanted: string): boolean {
  const [untagged = name] = /^.*(?=:[^/]*$)/.exec(name) ?? [];
  return [name, untagged].some((candidate) => candidate === wanted || candidate.endsWith(`/${wanted}`));
}

function filter<T>(
  items: readonly T[],
  filters: readonly string[],
  tests: Readonly<Record<string, Test<T>>>,
  problemOf: (text: string, name: string, value: string | undefined) => string | undefined,
): T[] {
  const groups = new Map<string, string[]>();
  for (const text of filters) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? undefined : text.slice(equals + 1);
    const problem = problemOf(text, name, value);
    if (problem !== undefined || value === undefined) throw new WpodError("USAGE", problem ?? text);
    groups.set(name, [...(groups.get(name) ?? []), value]);
  }
  return items.filter((item) =>
    [...groups].every(([name, values]) =>
      // All labels have to be there; of the others, one.
      name === "label"
        ? values.every((value) => tests[name]!(item, value))
        : values.some((value) => tests[name]!(item, value)),
    ),
  );
}

function labelFits(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  if (!Object.hasOwn(labels, key)) return false;
  return equals < 0 || labels[key] === wanted.slice(equals + 1);
}
