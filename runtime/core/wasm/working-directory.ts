/**
 * Lets a program start in a working directory that isn't `/`.
 *
 * Preview 1 knows no working directory: each program carries its own idea of one.
 * - Go takes it from the environment variable PWD.
 * - wasi-libc (C, C++, Rust, Python, Swift, ...) begins at `/`, and says `x` and `/x` to its host in the same words. Only inside
 *   the program can the two be told apart, so code is added there, to libc's own functions:
 *   - A program with `chdir` in it has a variable for its working directory. It is found by how it is used, and set.
 *   - A program without has none. Where the compiler left the names of functions, relative paths get the directory in front
 *     before libc looks them up, and `getcwd` answers it. A stripped one can't be helped: nothing is found in it.
 * `spec/working-directory.json` says what holds for which language.
 * @see https://github.com/WebAssembly/wasi-libc/blob/main/libc-bottom-half/sources/preopens.c
 */
import { assert } from "../error.ts";
import {
  again,
  call,
  forEver,
  globalGet,
  globalSet,
  i32Add,
  i32And,
  i32Const,
  i32Eq,
  i32Eqz,
  i32GeU,
  i32Mul,
  i32Shl,
  load8,
  localGet,
  localSet,
  localTee,
  memoryGrow,
  ret,
  store8,
  store32,
  when,
} from "./assembly.ts";
import { findFunctions } from "./function-names.ts";
import { type DirectoryVariable, findDirectoryVariable } from "./libc-directory.ts";
import { ModuleEditor, ValueType } from "./module-editor.ts";
import type { ModuleInspection } from "./module-inspection.ts";
import { MalformedError } from "./reader.ts";
import type { FunctionType } from "./type-section.ts";

/**
 * How a program gets to know its working directory.
 * - "unused": it looks up no paths
 * - "environment": it reads PWD
 * - "variable", "prefix": code was added to its libc
 * - "unreachable": relative paths begin at `/`, whatever anybody does
 */
export type WorkingDirectorySupport = "unused" | "environment" | "variable" | "prefix" | "unreachable";

export interface WorkingDirectory {
  readonly support: WorkingDirectorySupport;
  /** The module that starts there; the same array where nothing was changed. */
  readonly bytes: Uint8Array;
}

/** A path of POSIX, with its end. */
const PATH_BYTES_MAX = 4096;

/**
 * Needs some time for programs of libc (0.1 s for 26 MB, 0.6 s for 75 MB), so it isn't worth asking for `/`, where everything starts anyway.
 *
 * @param directory absolute, without a slash at its end; it has to exist when the program starts, and stand in PWD
 */
export function enterWorkingDirectory(
  bytes: Uint8Array,
  module: ModuleInspection,
  directory: string,
): WorkingDirectory {
  assert(/^\/.*[^/]$/.test(directory), "a working directory is absolute, and has no slash at its end");
  if (!module.imports.some(({ name }) => name.startsWith("path_"))) return { support: "unused", bytes };
  if (isGo(module)) return { support: "environment", bytes };
  const path = new TextEncoder().encode(directory);
  // Threads are instances of their own, which would each change the directory of all.
  const [memory, ...others] = module.memories;
  const plain = memory !== undefined && others.length === 0 && !memory.shared && !memory.memory64;
  if (module.problem !== undefined || !plain || path.length >= PATH_BYTES_MAX - 1) {
    return { support: "unreachable", bytes };
  }
  try {
    const editor = new ModuleEditor(bytes);
    const variable = findDirectoryVariable(bytes, module, editor);
    if (variable !== undefined) {
      setVariable(editor, variable, path);
      return { support: "variable", bytes: editor.finish() };
    }
    const libc = findLibc(bytes, module, editor);
    if (libc !== undefined) {
      prefixPaths(editor, libc, path);
      return { support: "prefix", bytes: editor.finish() };
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return { support: "unreachable", bytes };
}

/** Whether a relative path begins where it should. */
export function relativePathsWork(support: WorkingDirectorySupport): boolean {
  return support !== "unreachable";
}

/** TinyGo names itself otherwise, and uses wasi-libc. */
function isGo(module: ModuleInspection): boolean {
  return module.producers.some(({ field, name }) => field === "processed-by" && name === "Go cmd/compile");
}

// Functions of wasi-libc. The first two turn a path into a preopen and what follows it; every call with a path uses one of them.
const LOOK_UPS = ["__wasilibc_find_relpath", "__wasilibc_find_abspath"];
/** Only there when `chdir` is: then putting a directory in front would be wrong after the program's own `chdir`. */
const ALLOCATING_LOOK_UP = "__wasilibc_find_relpath_alloc";
const GETCWD = "getcwd";
const MALLOCS = ["malloc", "dlmalloc"];
const NAMES = new Set([...LOOK_UPS, ALLOCATING_LOOK_UP, GETCWD, ...MALLOCS]);

interface Libc {
  readonly getcwd: number | undefined;
  readonly malloc: number;
  /** Whose first parameter is a path. */
  readonly lookUps: readonly number[];
}

function findLibc(bytes: Uint8Array, module: ModuleInspection, editor: ModuleEditor): Libc | undefined {
  const section = module.sections.find(({ name }) => name === "name");
  if (section === undefined) return undefined;
  const names = findFunctions(bytes, section, NAMES);
  if (names.has(ALLOCATING_LOOK_UP)) return undefined;
  const index = (name: string, matches: (type: FunctionType) => boolean) => {
    const found = names.get(name);
    const type = found === undefined ? undefined : editor.typeOf(found);
    return type !== undefined && matches(type) ? found : undefined;
  };
  const malloc = MALLOCS.map((name) => index(name, isType(1, 1))).find((found) => found !== undefined);
  const lookUps = LOOK_UPS.map((name) => index(name, takesPath)).filter((found) => found !== undefined);
  if (malloc === undefined || lookUps.length === 0) return undefined;
  return { getcwd: index(GETCWD, isType(2, 1)), malloc, lookUps };
}

function isType(paramCount: number, resultCount: number): (type: FunctionType) => boolean {
  const areI32 = (types: readonly number[], count: number) =>
    types.length === count && types.every((type) => type === ValueType.i32);
  return ({ params, results }) => areI32(params, paramCount) && areI32(results, resultCount);
}

function takesPath({ params, results }: FunctionType): boolean {
  return params[0] === ValueType.i32 && results.length === 1 && results[0] === ValueType.i32;
}

/**
 * Before the variable is first used: a page of memory for the directory's name, and the variable points there. libc never
 * frees what the variable pointed at first. The program's own `chdir` comes later, and holds from then on.
 */
function setVariable(editor: ModuleEditor, variable: DirectoryVariable, directory: Uint8Array): void {
  const type = editor.addType({ params: [], results: [] });
  const entered = editor.addGlobal();
  const page = 0;
  const enter = editor.addFunction(
    type,
    1,
    [
      globalGet(entered),
      when(ret),
      i32Const(1),
      globalSet(entered),
      // Not by malloc: it has no name here. libc's allocator takes memory that others grew as a gap in its own.
      i32Const(1),
      memoryGrow,
      localTee(page),
      i32Const(-1),
      i32Eq,
      when(ret),
      localGet(page),
      i32Const(16),
      i32Shl,
      localSet(page),
      storeBytes(page, directory, true),
      i32Const(variable.address),
      localGet(page),
      store32,
    ].flat(),
  );
  for (const functionIndex of variable.functions) editor.insertAtStart(functionIndex, call(enter));
}

/** A rename looks up two paths before it uses the first: so many prefixed paths are kept at once. */
const BUFFER_COUNT = 4;
const BUFFER_BYTES = 2 * PATH_BYTES_MAX;
const SLASH = 0x2f;

/** In each look-up: `path = absolute(path)`. And `getcwd` answers the directory where it fits. */
function prefixPaths(editor: ModuleEditor, libc: Libc, directory: Uint8Array): void {
  const type = editor.addType({ params: [ValueType.i32], results: [ValueType.i32] });
  const buffers = editor.addGlobal();
  const turn = editor.addGlobal();
  const [path, first, buffer, length] = [0, 1, 2, 3];
  const prefix = Uint8Array.of(...directory, SLASH);
  const giveUp = when(localGet(path), ret);
  const absolute = editor.addFunction(
    type,
    3,
    [
      // Absolute already, empty, or no path at all.
      localGet(path),
      i32Eqz,
      giveUp,
      localGet(path),
      load8,
      localTee(first),
      i32Eqz,
      giveUp,
      localGet(first),
      i32Const(SLASH),
      i32Eq,
      giveUp,
      globalGet(buffers),
      i32Eqz,
      when(i32Const(BUFFER_COUNT * BUFFER_BYTES), call(libc.malloc), globalSet(buffers)),
      globalGet(buffers),
      i32Eqz,
      giveUp,
      globalGet(buffers),
      globalGet(turn),
      i32Const(BUFFER_BYTES),
      i32Mul,
      i32Add,
      localSet(buffer),
      globalGet(turn),
      i32Const(1),
      i32Add,
      i32Const(BUFFER_COUNT - 1),
      i32And,
      globalSet(turn),
      storeBytes(buffer, prefix, false),
      // Copies with the end. A path that is too long stays as it is: libc or the host refuses it.
      forEver(
        localGet(length),
        i32Const(PATH_BYTES_MAX),
        i32GeU,
        giveUp,
        localGet(buffer),
        localGet(length),
        i32Add,
        localGet(path),
        localGet(length),
        i32Add,
        load8,
        localTee(first),
        store8(prefix.length),
        localGet(first),
        i32Eqz,
        when(localGet(buffer), ret),
        localGet(length),
        i32Const(1),
        i32Add,
        localSet(length),
        again(0),
      ),
      [0x00], // unreachable: the loop has no other end
    ].flat(),
  );
  for (const functionIndex of libc.lookUps) {
    editor.insertAtStart(functionIndex, [localGet(0), call(absolute), localSet(0)].flat());
  }
  if (libc.getcwd !== undefined) editor.insertAtStart(libc.getcwd, answerDirectory(libc.malloc, directory));
}

/** `getcwd(buffer, size)`. Where it doesn't fit, libc is asked to put `/` into one byte: it knows how to fail. */
function answerDirectory(malloc: number, directory: Uint8Array): number[] {
  const [buffer, size] = [0, 1];
  return [
    localGet(buffer),
    i32Eqz,
    when(
      i32Const(directory.length + 1),
      localSet(size),
      localGet(size),
      call(malloc),
      localTee(buffer),
      i32Eqz,
      when(localGet(buffer), ret),
    ),
    localGet(size),
    i32Const(directory.length + 1),
    i32GeU,
    when(storeBytes(buffer, directory, true), localGet(buffer), ret),
    localGet(size),
    i32Eqz,
    i32Eqz,
    localSet(size),
  ].flat();
}

/** `memcpy(local, bytes)`, byte by byte: a path is short, and data segments stay as they are. */
function storeBytes(local: number, bytes: Uint8Array, withEnd: boolean): number[] {
  const code: number[] = [];
  for (const [offset, byte] of [...bytes, ...(withEnd ? [0] : [])].entries()) {
    code.push(...localGet(local), ...i32Const(byte), ...store8(offset));
  }
  return code;
}
