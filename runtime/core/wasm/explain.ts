/**
 * Why a program can't run, told to the person who wanted to run it: one sentence, a hint, a stable code. Pure.
 */
import { WpodError } from "../error.ts";
import type { Inspection } from "./inspect.ts";
import type { MemoryCap } from "./memory-cap.ts";
import { PAGE_BYTES } from "./memory-type.ts";
import { linkerInput, type ModuleInspection } from "./module-inspection.ts";
import type { NativeProgram } from "./native-program.ts";
import type { Problem } from "./reader.ts";

/** What was to be run. */
export interface ProgramSource {
  /** As the person knows it: a path in the image, or of the host. */
  readonly path: string;
  /** The image that holds it, as it was named, and what its config says it is for; undefined for a file without an image. */
  readonly image?: { readonly name: string; readonly platform: string } | undefined;
}

const WHERE_TO_FIND_IMAGES =
  "look for an image whose platform is wasi/wasm or wasip1/wasm, or make one from a module: wpod import app.wasm NAME";
const HOW_TO_BUILD =
  "build it for WASI preview 1: clang --target=wasm32-wasip1, rustc --target wasm32-wasip1, GOOS=wasip1 GOARCH=wasm go build";

/**
 * @returns what is wrong with a program; undefined for a module that can be tried, and for a script, whose interpreter is the program
 */
export function explainProgram(program: Inspection, source: ProgramSource): WpodError | undefined {
  const path = printable(source.path);
  switch (program.kind) {
    case "module":
      return program.problem === undefined
        ? explainModule(program, path)
        : explainProblem(program.problem, source.path);
    case "component":
      return new WpodError(
        "PROGRAM_COMPONENT",
        `${path} is a WebAssembly component; wpod runs modules of WASI preview 1`,
        {
          hint: `components come later; until then ${HOW_TO_BUILD}`,
        },
      );
    case "malformed":
      return explainProblem(program.problem, source.path);
    case "elf":
    case "mach-o":
    case "pe":
      return explainNative(program, path, source.image);
    case "text":
      return invalid(
        `${path} is WebAssembly as text; wpod runs the binary format`,
        `wat2wasm ${path} makes it`,
      );
    case "script":
      if (program.interpreter !== "") return undefined;
      return new WpodError(
        "COMMAND_NOT_EXECUTABLE",
        `${path} is a script whose first line names no interpreter`,
      );
    case "unknown":
      return program.empty
        ? invalid(`${path} is empty`, "a WebAssembly module begins with \\0asm")
        : invalid(`${path} isn't a WebAssembly module: it doesn't begin with \\0asm`, HOW_TO_BUILD);
  }
}

/**
 * @param missing imports that nobody provides; not empty
 */
export function explainImports(
  missing: readonly { module: string; name: string }[],
  path: string,
): WpodError {
  const names = [...new Set(missing.map(({ module, name }) => printable(`${module}.${name}`)))].sort();
  const [it, them] = names.length === 1 ? ["a function", "it"] : ["functions", "them"];
  const known = ECOSYSTEMS.find(([modules]) => missing.some(({ module }) => modules.test(module)));
  const listed = names.slice(0, LISTED_COUNT_MAX).join(", ");
  const more = names.length > LISTED_COUNT_MAX ? ` and ${names.length - LISTED_COUNT_MAX} more` : "";
  return new WpodError(
    "PROGRAM_IMPORTS",
    `${printable(path)} needs ${it} that wpod doesn't have: ${listed}${more}`,
    {
      hint:
        known?.[1] ??
        `a program that runs under wpod imports from wasi_snapshot_preview1 only; rebuild it without ${them}`,
    },
  );
}

/** What a cap says when it isn't one. */
export function explainMemory(cap: Exclude<MemoryCap, { kind: "capped" }>, path: string): WpodError {
  if (cap.kind === "malformed") return explainProblem(cap.problem, path);
  const pages = Math.ceil(cap.minimumBytes / PAGE_BYTES);
  const counted = `${cap.minimumBytes} bytes (${pages} ${pages === 1 ? "page" : "pages"})`;
  return new WpodError(
    "MEMORY_LIMIT",
    `the module needs at least ${counted} of memory, the limit is ${cap.limitBytes}`,
    { hint: `give it that: --memory ${cap.minimumBytes}b` },
  );
}

/** What V8 says when it refuses to compile a module. */
export function explainCompileError(error: Error, path: string): WpodError {
  const reason = printable(error.message.replace(/^WebAssembly\.\w+\(\): /, ""));
  return new WpodError("PROGRAM_INVALID", `${printable(path)} isn't a valid WebAssembly module: ${reason}`, {
    hint: "was it copied whole? else it may use a proposal that this version of Node.js doesn't have",
    cause: error,
  });
}

function explainModule(module: ModuleInspection, path: string): WpodError | undefined {
  if (module.entryPoint !== "none") return undefined;
  switch (linkerInput(module)) {
    case "object":
      return invalid(
        `${path} is an object file, not a program`,
        "link it first: wasm-ld, or clang without -c",
      );
    case "library":
      return invalid(`${path} is a shared library, not a program`, "link the program statically");
    case undefined:
      return invalid(`${path} has no entry point: it exports neither _start nor _initialize`, HOW_TO_BUILD);
  }
}

export function explainProblem(problem: Problem, givenPath: string): WpodError {
  const path = printable(givenPath);
  const what =
    problem.kind === "truncated" ? "is a truncated WebAssembly module" : "isn't a valid WebAssembly module";
  return invalid(
    `${path} ${what}: it ${printable(problem.message)}, at byte ${problem.offset}`,
    problem.kind === "truncated"
      ? "copy or download it again"
      : "build it again, or see what wasm-tools validate says",
  );
}

const NATIVE_NAMES = { elf: "an ELF file", "mach-o": "a Mach-O file", pe: "a Windows program" };

function explainNative(program: NativeProgram, path: string, image: ProgramSource["image"]): WpodError {
  const name = NATIVE_NAMES[program.kind];
  if (image !== undefined) {
    return new WpodError(
      "IMAGE_PLATFORM",
      `${printable(image.name)} is an image for ${printable(image.platform)}, its program is ${name}; wpod runs WebAssembly`,
      { hint: WHERE_TO_FIND_IMAGES },
    );
  }
  const target = [program.os, program.architecture].filter((part) => part !== undefined).join("/");
  const builtFor = target === "" ? "" : ` for ${target}`;
  return invalid(`${path} is ${name}${builtFor}; wpod runs WebAssembly`, HOW_TO_BUILD);
}

/** Programs of other ecosystems are known by the modules that they import from. */
const ECOSYSTEMS: readonly (readonly [modules: RegExp, hint: string])[] = [
  [/^wasix_/, "it was built for WASIX; rebuild it for WASI preview 1"],
  [/^(gojs|go)$/, "it was built for a browser (GOOS=js); rebuild it with GOOS=wasip1"],
  [
    /^(wbg|__wbindgen.*)$/,
    "it was built by wasm-bindgen for JavaScript; rebuild it with --target wasm32-wasip1",
  ],
  [/^(env|a)$/, "it looks built by Emscripten; rebuild it with -sSTANDALONE_WASM, or for wasm32-wasip1"],
];

function invalid(message: string, hint: string): WpodError {
  return new WpodError("PROGRAM_INVALID", message, { hint });
}

/** Names come from the guest and go to a terminal: nothing that steers it, and not without end. */
function printable(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "\uFFFD");
  return clean.length <= PRINTED_LENGTH_MAX ? clean : `${clean.slice(0, PRINTED_LENGTH_MAX)}...`;
}

const PRINTED_LENGTH_MAX = 200;
const LISTED_COUNT_MAX = 200;
