/**
 * A program made of nothing but system calls: each with constant arguments, their errnos and what they wrote printed at
 * the end. The same bytes run under any runtime.
 */
import { Buffer } from "node:buffer";

export type Argument = number | bigint | string;

export interface ProbeCall {
  readonly name: string;
  /** Numbers are `i32`, bigints `i64`; a string is its address and its size, two parameters. */
  readonly args: readonly Argument[];
}

/** Where results are: errnos from 0 on, 4 bytes each; the calls may write from `OUT_PTR` on. */
export const OUT_PTR = 2048;
const DUMP_BYTES = 4096;
const TEXT_PTR = 8192;
const DUMP_IOVEC_PTR = 4096;
const MODULE = "wasi_snapshot_preview1";
const I32 = 0x7f;
const I64 = 0x7e;

export function probeModule(
  calls: readonly ProbeCall[],
  data: readonly (readonly [number, Uint8Array])[] = [],
) {
  const texts = new Texts();
  const lowered = calls.map(({ name, args }) => ({ name, args: args.flatMap((arg) => texts.lower(arg)) }));
  const dump = { name: "fd_write", args: [1, DUMP_IOVEC_PTR, 1, DUMP_IOVEC_PTR + 8] };
  const all = [...lowered, dump];
  const functions = [...new Map(all.map((call) => [call.name, call])).values()];
  const types = functions.map(({ args }) => [
    0x60,
    ...vector(args.map((arg) => [typeof arg === "bigint" ? I64 : I32])),
    ...vector([[I32]]),
  ]);
  const code = all.flatMap(({ name, args }, index) => [
    ...[0x41, ...signed(index === all.length - 1 ? DUMP_IOVEC_PTR + 8 : index * 4)],
    ...args.flatMap((arg) => [typeof arg === "bigint" ? 0x42 : 0x41, ...signed(arg)]),
    ...[0x10, ...unsigned(functions.findIndex((called) => called.name === name))],
    ...[0x36, 2, 0], // i32.store
  ]);
  const body = [0, ...code, 0x0b];
  const iovec = new Uint8Array(new Uint32Array([0, DUMP_BYTES]).buffer);
  const segments = [...data, ...texts.segments, [DUMP_IOVEC_PTR, iovec] as const];
  const imported = functions.map(({ name }, index) => [
    ...text(MODULE),
    ...text(name),
    0,
    ...unsigned(index),
  ]);
  const start = [...text("_start"), 0, ...unsigned(functions.length)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([...types, [0x60, 0, 0]])),
    ...section(2, vector(imported)),
    ...section(3, vector([unsigned(functions.length)])),
    ...section(5, vector([[0, 2]])),
    ...section(7, vector([[...text("memory"), 2, 0], start])),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
    ...section(
      11,
      vector(
        segments.map(([ptr, bytes]) => [
          0,
          0x41,
          ...signed(ptr),
          0x0b,
          ...vector([...bytes].map((byte) => [byte])),
        ]),
      ),
    ),
  ]);
}

/** Strings in memory, each once. */
class Texts {
  readonly segments: [number, Uint8Array][] = [];
  #next = TEXT_PTR;
  readonly #known = new Map<string, (number | bigint)[]>();

  lower(arg: Argument): (number | bigint)[] {
    if (typeof arg !== "string") return [arg];
    const known = this.#known.get(arg);
    if (known !== undefined) return known;
    const bytes = Buffer.from(arg);
    const lowered = [this.#next, bytes.length];
    this.segments.push([this.#next, bytes]);
    this.#known.set(arg, lowered);
    this.#next += bytes.length + 1;
    return lowered;
  }
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return vector([...Buffer.from(value)].map((byte) => [byte]));
}

function unsigned(value: number): number[] {
  const bytes = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

function signed(value: number | bigint): number[] {
  const bytes = [];
  let rest = typeof value === "bigint" ? BigInt.asIntN(64, value) : BigInt(value | 0);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}
