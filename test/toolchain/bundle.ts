/**
 * Bundles the sources for release, as files that need nothing but Node.js beside them: the command line and one for each
 * thread's entry point, as CommonJS, which starts 4 ms earlier than a module in a process and its worker; the library as a
 * module. What few callers ask for lies in files of its own, loaded on demand: in one file it would load crypto, zlib and
 * streams for everybody, which takes 20 ms.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type OutputChunk, type OutputOptions, type RolldownPlugin, rolldown } from "rolldown";

export interface BundlePlan {
  /** The repository: sources are found, and packages resolved, from here. */
  root: string;
  /** Replaced as a whole. */
  outDirectory: string;
  /** What happens before anything else is loaded; a file of its own. */
  prestart: string;
  /** Source of the command line; relative to the root, as all that follow. */
  commandLine: string;
  library: string;
  /** Where the `*.worker.ts` are. */
  workers: string;
  /** Plain CommonJS, copied: it has to be readable for a Node.js that is too old for everything else. */
  launcher: string;
  /** The same for a thread; and what both load the bundle with. */
  workerLauncher: string;
  codeCache: string;
}

export interface BundledFile {
  /** Relative to the output. */
  path: string;
  sizeBytes: number;
}

const PRESTART = "prestart.js";

/** Something in the sources that can't be shipped. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/** Whitespace goes, names stay: a stack trace has to be readable, and with the code cache short names gain nothing. */
const MINIFY = { compress: false, mangle: false, codegen: true } as const;

/** @throws BundleError where an output would need something that isn't shipped */
export async function bundle(plan: BundlePlan): Promise<BundledFile[]> {
  const { root, outDirectory } = plan;
  // Built beside the old one and moved into its place: a test that runs meanwhile never sees half of it.
  const staging = `${outDirectory}.${process.pid}`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(join(staging, "bin"), { recursive: true });
  try {
    const files = await writeBundles(plan, staging);
    await writeFile(join(staging, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
    await cp(join(root, plan.launcher), join(staging, "bin", "wpod.js"));
    await writeCodeCache(plan, staging, files);
    await replace(outDirectory, staging);
    return files;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function writeBundles(plan: BundlePlan, staging: string): Promise<BundledFile[]> {
  const workers = await workerSources(join(plan.root, plan.workers));
  const single = { format: "cjs", codeSplitting: false } as const;
  const chunks = [
    ...(await bundleOne(plan, plan.prestart, { ...single, file: join(staging, PRESTART) })),
    ...(await bundleOne(plan, plan.commandLine, {
      format: "cjs",
      dir: staging,
      entryFileNames: "wpod.js",
      // Beside it, so that a path seen from a chunk is right; a verb's file, and what it imports, is read when it is asked for.
      chunkFileNames: "wpod-[name].js",
    })),
    ...(await bundleOne(plan, plan.library, {
      format: "esm",
      dir: staging,
      entryFileNames: "engine.mjs",
      chunkFileNames: "engine/[name].mjs",
    })),
  ];
  for (const name of workers) {
    const file = join(staging, programFileName(name));
    chunks.push(...(await bundleOne(plan, join(plan.workers, name), { ...single, file })));
  }
  const outputs = new Set([...chunks.map((chunk) => chunk.fileName), ...workers.map(workerFileName)]);
  for (const chunk of chunks) checkSelfContained(chunk, outputs);
  await writeFile(join(staging, "THIRD-PARTY-LICENSES.txt"), await thirdPartyLicenses(chunks));
  return chunks.map((chunk) => ({ path: chunk.fileName, sizeBytes: Buffer.byteLength(chunk.code) }));
}

/** As Node.js does with a CommonJS module when it loads one. */
async function wrap(file: string): Promise<void> {
  const source = await readFile(file, "utf8");
  await writeFile(file, `(function(exports,require,module,__filename,__dirname){${source}\n})\n`);
}

/** What was kept of another bundle's code is never looked at: its folder is named after the bundle. */
async function writeCodeCache(
  plan: BundlePlan,
  staging: string,
  files: readonly BundledFile[],
): Promise<void> {
  // What comes before everything else is loaded as it is.
  for (const { path } of files) {
    if (path.endsWith(".js") && path !== PRESTART) await wrap(join(staging, path));
  }
  const hash = createHash("sha256");
  for (const { path } of files) hash.update(await readFile(join(staging, path)));
  const source = await readFile(join(plan.root, plan.codeCache), "utf8");
  await writeFile(
    join(staging, "code-cache.js"),
    source.replace("@BUNDLE@", hash.digest("hex").slice(0, 16)),
  );
  const launcher = await readFile(join(plan.root, plan.workerLauncher), "utf8");
  for (const name of await workerSources(join(plan.root, plan.workers))) {
    await writeFile(
      join(staging, workerFileName(name)),
      launcher.replace("@PROGRAM@", programFileName(name)),
    );
  }
}

async function bundleOne(plan: BundlePlan, source: string, output: OutputOptions): Promise<OutputChunk[]> {
  const build = await rolldown({
    input: join(plan.root, source),
    cwd: plan.root,
    platform: "node",
    external: (name, importer) => isBuiltin(name) && !isReplaced(name, importer),
    plugins: [workerUrls(), lazyChildProcess(), asciiOnly()],
    tsconfig: false,
    onLog(level, log, report) {
      // What can't be resolved would be a warning, and an import that fails at the user's.
      if (level === "warn" && ["UNRESOLVED_IMPORT", "IMPORT_IS_UNDEFINED"].includes(log.code ?? "")) {
        throw new BundleError(log.message);
      }
      report(level, log);
    },
  });
  try {
    const { output: written } = await build.write({ minify: MINIFY, ...output });
    return written.filter((file) => file.type === "chunk");
  } catch (error) {
    throw inShort(error);
  } finally {
    await build.close();
  }
}

/** The bundler draws pictures in colour; one line for each thing that is wrong is enough to find it. */
function inShort(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof BundleError) return error;
  const lines = stripVTControlCharacters(error.message).split("\n");
  const wrong = [...new Set(lines.filter((line) => /^\[[A-Z_]+\]/.test(line)))];
  return wrong.length === 0 ? error : new BundleError(wrong.join("\n"), { cause: error });
}

/** Sources name a thread's entry point as it lies in the sources; in the bundle all of them lie in one directory. */
function workerUrls(): RolldownPlugin {
  return {
    name: "worker-urls",
    transform: {
      filter: { code: /\.worker\.ts/ },
      handler: (code) =>
        code.replace(
          /(["'])(?:\.\.?\/)[\w./-]*?([\w-]+)\.worker\.ts\1/g,
          (_, quote, name) => `${quote}./${name}.worker.js${quote}`,
        ),
    },
  };
}

/** A file of ASCII is read as one byte a character, which V8 takes as it is: 1 ms for the command line. */
function asciiOnly(): RolldownPlugin {
  return {
    name: "ascii-only",
    renderChunk: (code) =>
      code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  };
}

/** commander imports `node:child_process` for commands that are programs of their own; we have none, and it costs 5 ms. */
function lazyChildProcess(): RolldownPlugin {
  const id = "\0lazy-child-process";
  return {
    name: "lazy-child-process",
    resolveId(source, importer) {
      return isReplaced(source, importer) ? id : null;
    },
    load(loaded) {
      if (loaded !== id) return null;
      const spawn = 'process.getBuiltinModule("node:child_process").spawn(...args)';
      return `export default { spawn(...args) { return ${spawn}; } };`;
    },
  };
}

function isReplaced(name: string, importer: string | undefined): boolean {
  return name === "node:child_process" && /[\\/]node_modules[\\/]commander[\\/]/.test(importer ?? "");
}

/** @param outputs names of all files that are built */
function checkSelfContained(chunk: OutputChunk, outputs: ReadonlySet<string>): void {
  // Code from the cache has no `import()`: allowing it costs every start 3 ms.
  if (chunk.fileName.endsWith(".js") && /(?<![.\w$])(?<!async )import\(/.test(chunk.code)) {
    throw new BundleError(`${chunk.fileName} imports a module of Node.js on demand: import it statically`);
  }
  for (const name of [...chunk.imports, ...chunk.dynamicImports]) {
    if (!isBuiltin(name) && !outputs.has(name)) {
      throw new BundleError(`${chunk.fileName} is not self-contained: it imports ${name}`);
    }
  }
  // What the bundler didn't see as an import: a require of a package's own, or a worker that isn't built.
  for (const [, name = ""] of chunk.code.matchAll(
    /\b(?:require|import)(?:\$\d+)?\(\s*["'`]([^"'`]+)["'`]\s*\)/g,
  )) {
    if (!isBuiltin(name) && !name.startsWith("./")) {
      throw new BundleError(`${chunk.fileName} is not self-contained: it loads ${name}`);
    }
  }
  for (const [, name = ""] of chunk.code.matchAll(/["'`]\.?[\w./-]*?([\w-]+\.worker\.(?:ts|js))["'`]/g)) {
    if (!outputs.has(name)) throw new BundleError(`${chunk.fileName} starts ${name}, which is not built`);
  }
}

function isBuiltin(name: string): boolean {
  return name.startsWith("node:") || builtinModules.includes(name);
}

/** What the licenses of bundled packages ask for: their text goes where their code goes. */
async function thirdPartyLicenses(chunks: readonly OutputChunk[]): Promise<string> {
  const directories = new Set<string>();
  for (const id of chunks.flatMap((chunk) => Object.keys(chunk.modules))) {
    const directory = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0];
    if (directory !== undefined) directories.add(directory);
  }
  const texts: string[] = [];
  for (const directory of [...directories].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
    const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : await readFile(join(directory, file), "utf8");
    texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

async function workerSources(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith(".worker.ts")).sort();
}

/** `container.program.js`: what the thread's launcher loads. */
function programFileName(source: string): string {
  return `${basename(source, ".worker.ts")}.program.js`;
}

function workerFileName(source: string): string {
  return `${basename(source, ".ts")}.js`;
}

async function replace(target: string, staging: string): Promise<void> {
  const old = `${staging}.old`;
  await rename(target, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(staging, target);
  await rm(old, { recursive: true, force: true });
}

/**
 * Copies the declarations that the library's own declaration needs, and nothing else of what the compiler wrote.
 *
 * @param compiled where the compiler writes them, in the shape of the repository
 * @param entry relative to it
 * @param packages whose types a declaration may use: those that a user installs with this one
 * @throws BundleError for a declaration that isn't there, or a package that isn't among these
 */
export async function copyDeclarations(
  compiled: string,
  entry: string,
  target: string,
  packages: readonly string[],
): Promise<string[]> {
  await rm(target, { recursive: true, force: true });
  const done = new Set<string>();
  const waiting = [resolve(compiled, entry)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (done.has(path)) continue;
    done.add(path);
    const name = relative(compiled, path);
    const text = await readFile(path, "utf8").catch(() => {
      throw new BundleError(`no declaration ${name}: the compiler didn't write it`);
    });
    for (const [, wanted = ""] of text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
      if (wanted.startsWith(".")) waiting.push(resolve(dirname(path), wanted.replace(/\.[jt]s$/, ".d.ts")));
      else if (!isBuiltin(wanted) && !packages.includes(wanted)) {
        throw new BundleError(`${name} needs the types of ${wanted}, which users don't install`);
      }
    }
    await mkdir(dirname(join(target, name)), { recursive: true });
    // A reader's compiler may not allow imports that end in `.ts`.
    await writeFile(join(target, name), text.replace(/(["'])(\.[^"'\n]*)\.ts\1/g, "$1$2.js$1"));
  }
  return [...done].map((path) => relative(compiled, path)).sort();
}
