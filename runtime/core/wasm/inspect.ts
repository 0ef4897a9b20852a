/**
 * Says what a file is that somebody wants to run, by its content and never by its name.
 *
 * Takes any bytes and throws for none. Reads the headers of a module's sections and what is in the small ones: the cost doesn't
 * grow with the code.
 */
import { inspectModule, type ModuleInspection } from "./module-inspection.ts";
import { type NativeProgram, recogniseNativeProgram } from "./native-program.ts";
import type { Problem } from "./reader.ts";
import { recogniseScript, type Script } from "./script.ts";

export interface ComponentInspection {
  readonly kind: "component";
}

/** Begins as WebAssembly does, and is neither a module nor a component that is known. */
export interface MalformedInspection {
  readonly kind: "malformed";
  readonly problem: Problem;
}

/** WebAssembly as text, to be assembled first. */
export interface TextInspection {
  readonly kind: "text";
}

export interface UnknownInspection {
  readonly kind: "unknown";
  readonly empty: boolean;
}

export type Inspection =
  | ModuleInspection
  | ComponentInspection
  | MalformedInspection
  | NativeProgram
  | Script
  | TextInspection
  | UnknownInspection;

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
const MODULE = [0x01, 0x00, 0x00, 0x00];
/** The layer that stands where a module has the upper half of its version. */
const COMPONENT_LAYER = [0x01, 0x00];

export function inspect(bytes: Uint8Array): Inspection {
  if (bytes.length === 0) return { kind: "unknown", empty: true };
  if (startsWith(bytes, MAGIC.slice(0, bytes.length), 0)) return inspectWasm(bytes);
  const recognised = recogniseNativeProgram(bytes) ?? recogniseScript(bytes);
  if (recognised !== undefined) return recognised;
  return isText(bytes) ? { kind: "text" } : { kind: "unknown", empty: false };
}

function inspectWasm(bytes: Uint8Array): Inspection {
  if (bytes.length < 8) {
    return malformed("truncated", bytes.length, "ends inside its header");
  }
  if (startsWith(bytes, MODULE, 4)) return inspectModule(bytes);
  if (startsWith(bytes, COMPONENT_LAYER, 6)) return { kind: "component" };
  const version = bytes[4]! + bytes[5]! * 0x100 + bytes[6]! * 0x1_0000 + bytes[7]! * 0x100_0000;
  return malformed("malformed", 4, `has the version ${version}, which is unknown`);
}

function malformed(kind: Problem["kind"], offset: number, message: string): MalformedInspection {
  return { kind: "malformed", problem: { kind, offset, message } };
}

function startsWith(bytes: Uint8Array, expected: readonly number[], offset: number): boolean {
  return expected.every((byte, index) => bytes[offset + index] === byte);
}

/** A `(module` or `(component` behind blanks and comments that aren't too long. */
function isText(bytes: Uint8Array): boolean {
  const head = new TextDecoder().decode(bytes.subarray(0, 4096));
  const code = head.replace(/^(?:\s|;;.*|\(;[\s\S]*?;\))+/, "");
  return /^\(\s*(module|component)\b/.test(code);
}
