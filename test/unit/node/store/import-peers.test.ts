/** Images that other tools made, compared with what those tools say is in them. */
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ImageRecord } from "../../../../runtime/core/image/record.ts";
import { parseImageSource } from "../../../../runtime/node/store/image-source.ts";
import { loadImages, loadSource } from "../../../../runtime/node/store/importer.ts";
import { openLayer } from "../../../../runtime/node/store/layer-reader.ts";
import type { Store } from "../../../../runtime/node/store/store.ts";
import { mustRun } from "../../../fixtures/child.ts";
import { listIndex } from "../../../fixtures/image-index.ts";
import { need } from "../../../fixtures/tools.ts";
import { temporaryFolder, temporaryStore } from "./store-for-test.ts";

/** A tree with what images have: links of both kinds, modes, an empty directory, a large file, long and odd names. */
function makeTree(path: string): void {
  mkdirSync(join(path, "usr", "bin"), { recursive: true });
  mkdirSync(join(path, "empty"), { mode: 0o700 });
  mkdirSync(join(path, "long".repeat(30)));
  writeFileSync(join(path, "usr", "bin", "tool"), "#!/bin/sh\n", { mode: 0o755 });
  linkSync(join(path, "usr", "bin", "tool"), join(path, "usr", "bin", "alias"));
  symlinkSync("usr/bin", join(path, "bin"));
  writeFileSync(join(path, "long".repeat(30), "name".repeat(40)), "deep");
  writeFileSync(join(path, "é 日"), "unicode");
  writeFileSync(join(path, "large"), Buffer.alloc(300_000, "large "));
}

/** umoci makes the image of two layers: the second one changes, adds and removes. */
async function makeLayout(umoci: string): Promise<string> {
  const folder = temporaryFolder();
  const layout = join(folder, "made");
  const image = `${layout}:1.0`;
  const tree = join(folder, "tree");
  makeTree(tree);
  await mustRun(umoci, ["init", "--layout", layout]);
  await mustRun(umoci, ["new", "--image", image]);
  await mustRun(umoci, ["insert", "--rootless", "--image", image, tree, "/"]);
  await mustRun(umoci, ["insert", "--rootless", "--image", image, "--whiteout", "/empty"]);
  await mustRun(umoci, [
    "insert",
    "--rootless",
    "--image",
    image,
    "--opaque",
    join(tree, "usr", "bin"),
    "/usr/bin",
  ]);
  await mustRun(umoci, [
    "config",
    "--image",
    image,
    "--config.entrypoint",
    "/bin/tool",
    "--config.cmd",
    "-x",
    "--config.env",
    "A=b",
    "--config.user",
    "5:6",
    "--config.workingdir",
    "/usr",
    "--os",
    "wasi",
    "--architecture",
    "wasm",
  ]);
  return layout;
}

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Name, type, size and target of each member, as GNU tar prints them. */
async function listWithTar(path: string): Promise<string[]> {
  // umoci leaves the last padding and the end mark out, which GNU tar asks for.
  const bytes = readFileSync(path);
  const stdin = Buffer.concat([bytes, Buffer.alloc(((512 - (bytes.length % 512)) % 512) + 1024)]);
  const { stdout } = await mustRun(
    "tar",
    ["--quoting-style=literal", "--numeric-owner", "--full-time", "-tvf", "-"],
    {
      env: { TZ: "UTC", LC_ALL: "C.UTF-8" },
      stdin,
    },
  );
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const match = /^(\S)(\S+) (\d+)\/(\d+) +(\d+) \S+ \S+ (.*)$/.exec(line) as RegExpExecArray;
      const [, type = "", mode = "", uid, gid, size, rest = ""] = match;
      const [name = "", target] = rest.split(type === "h" ? " link to " : " -> ");
      const path = name.replace(/^\.?\/|\/$/g, "");
      return `${path} ${type === "h" ? "-" : type}${type === "l" ? "" : mode} ${uid}:${gid} ${type === "-" ? size : ""}${type === "l" ? target : ""}${type === "h" ? "link" : ""}`;
    });
}

function listOurs(store: Store, diffId: `sha256:${string}`): string[] {
  const open = openLayer(store.layer(diffId));
  const letters = {
    file: "-",
    directory: "d",
    symlink: "l",
    fifo: "p",
    "character-device": "c",
    "block-device": "b",
  };
  const seen = new Set<number>();
  const entries = [...listIndex(open.index)].sort(
    ([, left], [, right]) => left.offsetBytes - right.offsetBytes,
  );
  const lines = entries
    .filter(([, entry]) => entry.implied !== true)
    .map(([path, entry]) => {
      const isLink = entry.type === "file" && seen.has(entry.inode);
      seen.add(entry.inode);
      const mode = entry.type === "symlink" ? "" : modeText(entry.mode);
      const size = entry.type === "file" && !isLink ? `${entry.sizeBytes}` : "";
      return `${path} ${letters[entry.type]}${mode} ${entry.uid}:${entry.gid} ${size}${entry.target}${isLink ? "link" : ""}`;
    });
  const directories = [
    "",
    ...[...listIndex(open.index)].filter(([, entry]) => entry.type === "directory").map(([path]) => path),
  ];
  for (const directory of directories) {
    const prefix = directory === "" ? "" : `${directory}/`;
    for (const name of open.index.whiteouts(directory)) lines.push(`${prefix}.wh.${name}`);
    if (open.index.isOpaque(directory)) lines.push(`${prefix}.wh..wh..opq`);
  }
  open.close();
  return lines;
}

function modeText(mode: number): string {
  return [6, 3, 0]
    .map((shift) =>
      "rwx".replace(/./g, (letter, at: number) => ((mode >> (shift + 2 - at)) & 1 ? letter : "-")),
    )
    .join("");
}

/** Which of several names of a file is the link depends on the order: only that there is one is compared. */
function comparable(lines: string[]): string[] {
  return lines
    .map((line) =>
      line.includes(".wh.")
        ? (line.split(" ")[0] as string)
        : line.replace(/ (\d+|link)$/, (_, size: string) => (size === "link" ? " linked" : ` ${size}`)),
    )
    .sort();
}

async function expectLayersAsTar(store: Store, record: ImageRecord): Promise<void> {
  for (const { diffId } of record.layers) {
    const { tarPath } = store.layer(diffId);
    expect(sha256(readFileSync(tarPath))).toBe(diffId);
    expect(comparable(listOurs(store, diffId))).toEqual(
      comparable((await listWithTar(tarPath)).filter((line) => !line.startsWith(" "))),
    );
  }
}

test("umoci's layout: digests, config and every file as umoci and tar say", async ({ skip }) => {
  const layout = await makeLayout(need(skip, "umoci"));
  const store = temporaryStore();
  const [record] = (await loadImages(store, layout)) as [ImageRecord];
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  expect(record.manifestDigest).toBe(index.manifests[0].digest);
  expect(record.tags).toEqual(["localhost/made:1.0"]);
  const manifest = JSON.parse(
    readFileSync(join(layout, "blobs", "sha256", record.manifestDigest.slice(7)), "utf8"),
  );
  expect(record.id).toBe(manifest.config.digest);
  expect(
    record.layers.map(({ digest, compressedBytes, mediaType }) => ({
      digest,
      size: compressedBytes,
      mediaType,
    })),
  ).toEqual(manifest.layers);
  expect(record.config.config).toMatchObject({
    Entrypoint: ["/bin/tool"],
    Cmd: ["-x"],
    Env: ["A=b"],
    User: "5:6",
    WorkingDir: "/usr",
  });
  expect(record.platform).toBe("wasi/wasm");
  await expectLayersAsTar(store, record);
  const names = record.layers.flatMap(({ diffId }) => comparable(listOurs(store, diffId)));
  expect(names).toContain(".wh.empty");
  expect(names).toContain("usr/bin/.wh..wh..opq");
});

test("skopeo's copies of one image, in each format: the same image, the same layers", async ({ skip }) => {
  const layout = await makeLayout(need(skip, "umoci"));
  const skopeo = need(skip, "skopeo");
  const folder = temporaryFolder();
  const store = temporaryStore();
  const [original] = (await loadImages(store, layout)) as [ImageRecord];
  const inspected = JSON.parse((await mustRun(skopeo, ["inspect", `oci:${layout}:1.0`])).stdout.toString());
  expect(inspected.Digest).toBe(original.manifestDigest);
  expect(inspected.Layers).toEqual(original.layers.map((layer) => layer.digest));

  const copies: { to: string; load: string; flags?: string[]; names?: string[]; sameConfig?: boolean }[] = [
    {
      to: `oci:${join(folder, "plain")}:2`,
      load: join(folder, "plain"),
      names: ["localhost/plain:2"],
      sameConfig: true,
    },
    {
      to: `oci-archive:${join(folder, "a.tar")}:hello`,
      load: join(folder, "a.tar"),
      names: ["localhost/hello:latest"],
      sameConfig: true,
    },
    {
      to: `oci-archive:${join(folder, "b.tar")}:quay.io/x/hello:3`,
      load: join(folder, "b.tar"),
      names: ["quay.io/x/hello:3"],
      sameConfig: true,
    },
    {
      to: `docker-archive:${join(folder, "d.tar")}:hello:2`,
      load: join(folder, "d.tar"),
      names: ["docker.io/library/hello:2"],
    },
    { to: `dir:${join(folder, "dir")}`, load: join(folder, "dir"), names: [], sameConfig: true },
    { to: `dir:${join(folder, "v2")}`, load: join(folder, "v2"), flags: ["--format", "v2s2"], names: [] },
  ];
  for (const { to, load, flags = [], names, sameConfig } of copies) {
    rmSync(load, { recursive: true, force: true });
    await mustRun(skopeo, ["copy", "--quiet", ...flags, `oci:${layout}:1.0`, to]);
    const fresh = temporaryStore();
    const [record] = (await loadImages(fresh, load)) as [ImageRecord];
    expect(
      record.layers.map((layer) => layer.diffId),
      to,
    ).toEqual(original.layers.map((layer) => layer.diffId));
    if (names !== undefined) expect(record.tags, to).toEqual(names);
    if (sameConfig === true) expect(record.id, to).toBe(original.id);
    expect(record.config.config, to).toMatchObject({ Entrypoint: ["/bin/tool"], Env: ["A=b"] });
    await expectLayersAsTar(fresh, record);
  }
});

test("buildah's images, from scratch: archive and layout", async ({ skip }) => {
  const buildah = need(skip, "buildah");
  const folder = temporaryFolder();
  makeTree(join(folder, "tree"));
  const flags = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
  const run = async (...args: string[]) =>
    (await mustRun(buildah, [...flags, ...args])).stdout.toString().trim();
  const container = await run("from", "scratch");
  await run("copy", container, join(folder, "tree"), "/opt");
  await run(
    "config",
    "--os",
    "wasi",
    "--arch",
    "wasm",
    "--entrypoint",
    '["/opt/usr/bin/tool"]',
    "--label",
    "a=b",
    container,
  );
  await run("commit", "--quiet", container, `oci-archive:${join(folder, "b.tar")}:built`);
  await run("commit", "--quiet", container, `docker-archive:${join(folder, "d.tar")}:built:1`);
  const store = temporaryStore();
  const [archive] = (await loadImages(store, join(folder, "b.tar"))) as [ImageRecord];
  expect(archive).toMatchObject({ tags: ["localhost/built:latest"], platform: "wasi/wasm" });
  expect(archive.config.config).toMatchObject({ Entrypoint: ["/opt/usr/bin/tool"], Labels: { a: "b" } });
  await expectLayersAsTar(store, archive);
  const [docker] = (await loadImages(store, join(folder, "d.tar"))) as [ImageRecord];
  expect(docker.tags).toEqual(["docker.io/library/built:1"]);
  await expectLayersAsTar(store, docker);
});

test("podman's save, both formats, several images in one file", async ({ skip }) => {
  const podman = need(skip, "podman");
  const umoci = need(skip, "umoci");
  const skopeo = need(skip, "skopeo");
  const layout = await makeLayout(umoci);
  const folder = temporaryFolder();
  const flags = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
  const archive = join(folder, "in.tar");
  await mustRun(skopeo, ["copy", "--quiet", `oci:${layout}:1.0`, `oci-archive:${archive}:localhost/tool:1`]);
  await mustRun(podman, [...flags, "load", "--quiet", "-i", archive]);
  await mustRun(podman, [...flags, "tag", "localhost/tool:1", "localhost/other:2"]);
  const listed = (await mustRun(podman, [...flags, "images", "--no-trunc", "--quiet"])).stdout
    .toString()
    .trim()
    .split("\n")[0];
  for (const format of ["oci-archive", "docker-archive"]) {
    const file = join(folder, `${format}.tar`);
    await mustRun(podman, [...flags, "save", "--quiet", "--format", format, "-o", file, "localhost/tool:1"]);
    const store = temporaryStore();
    const [record] = (await loadImages(store, file)) as [ImageRecord];
    expect(record.tags, format).toEqual(["localhost/tool:1"]);
    if (format === "oci-archive") expect(record.id).toBe(listed);
    await expectLayersAsTar(store, record);
    const source = parseImageSource(`${format}:${file}:localhost/tool:1`);
    expect((await loadSource(store, source as NonNullable<typeof source>)).id).toBe(record.id);
  }
  const layoutOfZstd = join(folder, "zstd");
  const push = [
    "push",
    "--quiet",
    "--compression-format",
    "zstd",
    "localhost/tool:1",
    `oci:${layoutOfZstd}:z`,
  ];
  await mustRun(podman, [...flags, ...push]);
  const zstdStore = temporaryStore();
  const [zstd] = (await loadImages(zstdStore, layoutOfZstd)) as [ImageRecord];
  expect(zstd.layers.map((layer) => layer.mediaType)).toEqual(
    Array(3).fill("application/vnd.oci.image.layer.v1.tar+zstd"),
  );
  await expectLayersAsTar(zstdStore, zstd);

  const both = join(folder, "both.tar");
  await mustRun(podman, [
    ...flags,
    "save",
    "--quiet",
    "--multi-image-archive",
    "-o",
    both,
    "localhost/tool:1",
    "localhost/other:2",
  ]);
  const store = temporaryStore();
  const names = (await loadImages(store, both)).flatMap((record) => record.tags);
  expect([...new Set(names)].sort()).toEqual(["localhost/other:2", "localhost/tool:1"]);
});
