/** A layer of 185 MB with 9,000 files brought into a store, against unpacking the same blob and throwing it away. */
import { createReadStream } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, gzipSync } from "node:zlib";
import { openFile } from "../../runtime/node/store/archive.ts";
import { streamLayer } from "../../runtime/node/store/layer-stream.ts";
import { runChild } from "../fixtures/child.ts";
import { rawTar } from "../fixtures/image-tar.ts";
import type { Bench, BenchCase } from "./bench-case.ts";

const FILES = 9000;
const LAYER_BYTES = 185_000_000;
/** What a process may hold while it imports. */
const RESIDENT_MB_MAX = 150;
const CHUNK_BYTES = 1024 * 1024;

export default async function importLayer({ directory }: Bench): Promise<BenchCase[]> {
  const blob = join(directory, "layer.tar.gz");
  await writeFile(blob, gzipSync(makeLayer()));
  const gunzip = (name: string, chunkSize: number) => ({
    name,
    measure: () =>
      timed(() =>
        pipeline(createReadStream(blob, { highWaterMark: chunkSize }), createGunzip({ chunkSize }), drop),
      ),
  });
  const subject = {
    name: "import",
    measure: () => timed(() => importOnce(blob, join(directory, "layer.tar"))),
  };
  const resident: BenchCase = {
    name: "resident",
    unit: "MB",
    subject: { name: "import", measure: () => residentMb(blob, join(directory, "apart.tar")) },
    valueMax: RESIDENT_MB_MAX,
    rounds: 3,
  };
  return [
    { name: "gunzip", unit: "ms", subject, baseline: gunzip("gunzip", 16 * 1024), ratioMax: 1.3, rounds: 5 },
    // Larger steps make zlib itself faster; the import takes the same ones.
    {
      name: "gunzip-1-mib",
      unit: "ms",
      subject,
      baseline: gunzip("gunzip in 1 MiB chunks", CHUNK_BYTES),
      ratioMax: 1.3,
      rounds: 5,
    },
    ...(process.platform === "linux" ? [resident] : []),
  ];
}

async function importOnce(blob: string, tarPath: string): Promise<void> {
  const member = await openFile(blob);
  if (member === undefined) throw new Error("the layer is there");
  try {
    await streamLayer(member, { tarPath, what: "the layer" });
  } finally {
    await member.close();
    await rm(tarPath, { force: true });
  }
}

/** In a process of its own. What `getrusage` says would count the parent's memory, from before the exec. */
async function residentMb(blob: string, tarPath: string): Promise<number> {
  const url = (file: string) => new URL(`../../runtime/node/store/${file}`, import.meta.url).href;
  const script = `
    const { streamLayer } = await import(${JSON.stringify(url("layer-stream.ts"))});
    const { openFile } = await import(${JSON.stringify(url("archive.ts"))});
    await streamLayer(await openFile(process.argv[1]), { tarPath: process.argv[2], what: "the layer" });
    const { readFileSync } = await import("node:fs");
    console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1] / 1024);
    process.exit();`;
  const { stdout, stderr } = await runChild(process.execPath, [
    "--input-type=module",
    "-e",
    script,
    blob,
    tarPath,
  ]);
  await rm(tarPath, { force: true });
  const value = Number(stdout.toString());
  if (!(value > 0)) throw new Error(stderr.toString());
  return value;
}

/** Half text and half noise: it packs to a third, as images do. */
function makeLayer(): Uint8Array {
  const content = new Uint8Array(Math.floor(LAYER_BYTES / FILES) - 512);
  let state = 1;
  const entries = Array.from({ length: FILES }, (_, at) => {
    for (let index = 0; index < content.length; index++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      content[index] = index % 5 === 0 ? state >>> 24 : 0x61 + ((index * 7 + at) % 23);
    }
    return { path: `usr/lib/d${at % 300}/file${at}`, content: content.slice() };
  });
  return rawTar(entries);
}

async function drop(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of chunks);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
