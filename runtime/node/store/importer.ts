/**
 * Images in: from layouts, archives, root file systems and bare modules. Loaded only by what imports; a run doesn't
 * need it.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { WpodError } from "../../core/error.ts";
import { digestHex } from "../../core/image/digest.ts";
import { LAYER_BYTES_MAX } from "../../core/image/limits.ts";
import { type Manifest, parseManifest } from "../../core/image/manifest.ts";
import { parsePlatform } from "../../core/image/platform.ts";
import type { ImageRecord } from "../../core/image/record.ts";
import {
  type Archive,
  DirectoryArchive,
  type FileMember,
  type Member,
  openFile,
  readDocument,
  TarArchive,
} from "./archive.ts";
import type { ImageCandidate } from "./candidate.ts";
import { createDecompressor, recognize, START_BYTES } from "./compression.ts";
import { isDockerArchive, readDockerArchive } from "./docker-archive.ts";
import type { ImageSource } from "./image-source.ts";
import { parseTag } from "./images.ts";
import { importCandidates } from "./import-session.ts";
import { isOciLayout, readImage, readOciLayout } from "./oci-layout.ts";
import { moduleImage, rootFileSystemImage } from "./plain-image.ts";
import { storeError, temporaryPath } from "./staging.ts";
import type { Store } from "./store.ts";

export interface ImportOptions {
  /** `os/architecture[/variant]`, as `--platform` takes it. */
  platform?: string | undefined;
  signal?: AbortSignal | undefined;
  nowMs?: number;
}

interface ReadOptions {
  platform: ReturnType<typeof parsePlatform> | undefined;
  name: string | undefined;
  path: string;
}

/**
 * All images of an archive or layout, with the names that it gives them: `wpod load -i PATH`.
 * @throws WpodError IMAGE_FORMAT for what is none; FILE_NOT_FOUND; what is wrong with an image; STORE_FULL; ABORTED
 */
export async function loadImages(
  store: Store,
  path: string,
  options: ImportOptions = {},
): Promise<ImageRecord[]> {
  const read = readOptions(path, undefined, options);
  return await withArchive(store, path, options, async (archive) => {
    const candidates = await readAny(archive, read);
    return await importCandidates(store, candidates, true, session(options));
  });
}

/**
 * One image of a place outside the store, for a run. It gets no name, and takes none from another image.
 * @throws WpodError as `loadImages`; USAGE when the place holds several
 */
export async function loadSource(
  store: Store,
  source: ImageSource,
  options: ImportOptions = {},
): Promise<ImageRecord> {
  const read = readOptions(source.path, source.name, options);
  return await withArchive(store, source.path, options, async (archive) => {
    const isDocker = source.transport === "docker-archive";
    if (isDocker ? !(await isDockerArchive(archive)) : !(await isOciLayout(archive))) {
      throw formatError([
        `${source.transport}: ${source.path} has no ${isDocker ? "manifest.json" : "index.json"}`,
      ]);
    }
    const candidates = isDocker ? await readDockerArchive(archive, read) : await readOciLayout(archive, read);
    if (candidates.length > 1) {
      const names = candidates.map((candidate) => candidate.names[0] ?? candidate.config.digest);
      throw new WpodError("USAGE", `${source.path} holds several images: ${names.slice(0, 20).join(", ")}`, {
        hint: `say which: ${source.transport}:${source.path}:TAG`,
      });
    }
    const [image] = await importCandidates(store, candidates, false, session(options));
    return image as ImageRecord;
  });
}

/**
 * An image of one layer from a root file system in a tar, or from a module, also compressed: `wpod import PATH NAME`.
 * @param name undefined for an image without a name
 * @throws WpodError REFERENCE_INVALID, IMAGE_FORMAT, FILE_NOT_FOUND, IMAGE_INVALID, STORE_FULL, ABORTED
 */
export async function importFile(
  store: Store,
  path: string,
  name: string | undefined,
  options: ImportOptions = {},
): Promise<ImageRecord> {
  const tag = name === undefined ? undefined : parseTag(name);
  const { nowMs, signal } = session(options);
  return await withPlainFile(store, path, options, async (member, start) => {
    const kind = recognize(start);
    if (kind !== "wasm" && kind !== "tar") {
      throw new WpodError("IMAGE_FORMAT", `${path} is neither a tar archive nor a WebAssembly module`, {
        hint: "import takes FILE.tar or FILE.wasm, also compressed with gzip or zstd",
      });
    }
    const input = { store, member, tag, nowMs, signal, path };
    const candidate = kind === "wasm" ? await moduleImage(input) : await rootFileSystemImage(input);
    const [image] = await importCandidates(store, [candidate], true, { nowMs, signal });
    return image as ImageRecord;
  });
}

function session({ signal, nowMs }: ImportOptions): { signal: AbortSignal | undefined; nowMs: number } {
  return { signal, nowMs: nowMs ?? Date.now() };
}

function readOptions(path: string, name: string | undefined, { platform }: ImportOptions): ReadOptions {
  return { platform: platform === undefined ? undefined : parsePlatform(platform), name, path };
}

/** An archive says by its content what it is. */
async function readAny(archive: Archive, options: ReadOptions): Promise<ImageCandidate[]> {
  if (await isOciLayout(archive)) return await readOciLayout(archive, options);
  if (archive instanceof DirectoryArchive) {
    const manifest = await readDirManifest(archive);
    if (manifest !== undefined) return [await readDir(archive, manifest, options)];
  } else if (await isDockerArchive(archive)) {
    return await readDockerArchive(archive, options);
  }
  throw formatError(
    archive instanceof DirectoryArchive
      ? [`oci: ${options.path} has no index.json`, `dir: ${options.path} has no manifest.json`]
      : [
          `oci-archive: ${options.path} has no index.json`,
          `docker-archive: ${options.path} has no manifest.json`,
        ],
  );
}

/** What skopeo calls `dir:`: a manifest, and blobs named after their digests, in one folder. */
async function readDirManifest(
  archive: Archive,
): Promise<{ manifest: Manifest; bytes: Uint8Array } | undefined> {
  const bytes = await readDocument(archive, "manifest.json");
  if (bytes === undefined) return undefined;
  return { manifest: parseManifest(bytes, undefined, '"manifest.json"'), bytes };
}

async function readDir(
  archive: Archive,
  { manifest, bytes }: { manifest: Manifest; bytes: Uint8Array },
  options: ReadOptions,
): Promise<ImageCandidate> {
  if (manifest.kind === "index") {
    throw new WpodError("IMAGE_INVALID", `${options.path} holds an index, whose images lie elsewhere`);
  }
  return { ...(await readImage(archive, manifest, bytes, digestHex, options)), indexes: [], names: [] };
}

async function withArchive<T>(
  store: Store,
  path: string,
  options: ImportOptions,
  work: (archive: Archive) => Promise<T>,
): Promise<T> {
  const status = await stat(path).catch((error) => {
    throw notFound(path, error);
  });
  if (status.isDirectory()) return await work(new DirectoryArchive(path));
  return await withPlainFile(store, path, options, async (member, start) => {
    const kind = recognize(start);
    if (kind !== "tar") {
      const reason =
        kind === "wasm"
          ? "is a WebAssembly module"
          : kind === "unknown"
            ? "is not a tar archive"
            : `is compressed with ${kind}, which wpod doesn't read`;
      throw formatError(
        [`oci-archive: ${path} ${reason}`, `docker-archive: ${path} ${reason}`],
        kind === "wasm" ? "import it: wpod import FILE.wasm NAME" : undefined,
      );
    }
    return await work(await TarArchive.scan(member));
  });
}

/** A file that can be read at any place, uncompressed: what is compressed, or a pipe, is spooled into the store first. */
async function withPlainFile<T>(
  store: Store,
  path: string,
  { signal }: ImportOptions,
  work: (member: Member, start: Uint8Array) => Promise<T>,
): Promise<T> {
  let spooled: string | undefined;
  const spool = async (kind: "gzip" | "zstd" | undefined, from: string): Promise<FileMember> => {
    spooled = temporaryPath(store, "spool");
    await spoolFile(from, spooled, kind, signal);
    return (await openFile(spooled)) as FileMember;
  };
  let member: FileMember | undefined;
  try {
    const status = await stat(path).catch((error) => {
      throw notFound(path, error);
    });
    if (status.isDirectory()) throw new WpodError("FILE_NOT_FOUND", `${path} is a directory, not a file`);
    // A pipe is opened once only: its writer sees the first reader go.
    member = (status.isFile() ? await openFile(path) : undefined) ?? (await spool(undefined, path));
    let start = await readStart(member);
    let kind = recognize(start);
    if (kind === "gzip" || kind === "zstd") {
      await member.close();
      const from = spooled;
      member = await spool(kind, from ?? path);
      if (from !== undefined) await rm(from, { force: true });
      start = await readStart(member);
      kind = recognize(start);
    }
    return await work(member, start);
  } catch (error) {
    throw storeError(error, store);
  } finally {
    await member?.close();
    if (spooled !== undefined) await rm(spooled, { force: true });
  }
}

async function spoolFile(
  source: string,
  target: string,
  kind: "gzip" | "zstd" | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  let bytes = 0;
  const bound = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > LAYER_BYTES_MAX) {
        throw new WpodError("IMAGE_INVALID", `${source} unpacks to more than ${LAYER_BYTES_MAX} bytes`);
      }
      yield chunk;
    }
  };
  const input = createReadStream(source, { highWaterMark: 1024 * 1024 });
  const output = createWriteStream(target, { flags: "wx", mode: 0o600 });
  try {
    const options = signal === undefined ? {} : { signal };
    if (kind === undefined) await pipeline(input, bound, output, options);
    else await pipeline(input, createDecompressor(kind), bound, output, options);
  } catch (error) {
    await rm(target, { force: true });
    if (signal?.aborted)
      throw new WpodError("ABORTED", "the import was aborted; nothing was imported", { cause: error });
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith("Z_") || code?.startsWith("ZSTD_")) {
      throw new WpodError("IMAGE_FORMAT", `${source} can't be unpacked: ${(error as Error).message}`, {
        cause: error,
      });
    }
    throw error;
  }
}

async function readStart(member: Member): Promise<Uint8Array> {
  const start = new Uint8Array(START_BYTES);
  let count = 0;
  while (count < START_BYTES) {
    const step = await member.read(start.subarray(count), count);
    if (step === 0) break;
    count += step;
  }
  return start.subarray(0, count);
}

function formatError(reasons: readonly string[], hint?: string): WpodError {
  return new WpodError(
    "IMAGE_FORMAT",
    `payload does not match any of the supported image formats:\n${reasons.map((reason) => ` * ${reason}`).join("\n")}`,
    {
      hint:
        hint ??
        "wpod load takes what docker save, podman save, skopeo and buildah write; a root file system: wpod import",
    },
  );
}

function notFound(path: string, error: unknown): WpodError {
  const { code } = error as NodeJS.ErrnoException;
  const why =
    code === "ENOENT" || code === "ENOTDIR" ? "no such file or directory" : (error as Error).message;
  return new WpodError("FILE_NOT_FOUND", `${path}: ${why}`, { cause: error });
}
