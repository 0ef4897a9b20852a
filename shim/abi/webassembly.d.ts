/**
 * The WebAssembly of the host, as far as it is used: neither the language's nor Node's types declare it.
 *
 * @see https://webassembly.github.io/spec/js-api/
 */
declare namespace WebAssembly {
  interface MemoryDescriptor {
    initial: number | bigint;
    maximum?: number | bigint;
    shared?: boolean;
    /** Numbers are bigints for "i64". */
    address?: "i32" | "i64";
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(deltaPages: number): number;
  }
  class Module {
    constructor(bytes: ArrayBuffer | ArrayBufferView);
    static exports(module: Module): { name: string; kind: string }[];
    static imports(module: Module): { module: string; name: string; kind: string }[];
  }
  class Instance {
    constructor(module: Module, imports: object);
    readonly exports: Record<string, unknown>;
  }
  class Table {
    set(index: number, value: unknown): void;
  }
  class Global {
    value: unknown;
  }
  function compile(bytes: ArrayBuffer | ArrayBufferView): Promise<Module>;
  function validate(bytes: ArrayBuffer | ArrayBufferView): boolean;
  class RuntimeError extends Error {}
  class CompileError extends Error {}
  class LinkError extends Error {}
}
