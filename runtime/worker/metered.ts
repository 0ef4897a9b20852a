/** A program that counts its own work: the engine makes it wait by the memory that it exports, and between two calls. */
import type { MessagePort } from "node:worker_threads";
import type { Attention, FileExchange } from "../../shim/abi/system.ts";
import type { ProgramParts } from "../../shim/preview1/program.ts";
import { type StartMessage, Wanted } from "../core/kernel/spec.ts";
import { MeterControl } from "../core/wasm/meter-control.ts";

export class Metered {
  readonly #spec: StartMessage["meter"];
  readonly #port: MessagePort;
  #control: MeterControl | undefined;

  /** @param port to the engine, which is told of the memory */
  constructor(spec: StartMessage["meter"], port: MessagePort) {
    this.#spec = spec;
    this.#port = port;
  }

  /** For `runProgram`. */
  get parts(): Pick<ProgramParts, "instantiated" | "startExport"> {
    const spec = this.#spec;
    if (spec === undefined) return {};
    return {
      startExport: spec.start,
      instantiated: (exports) => {
        const { buffer } = exports[spec.memory] as WebAssembly.Memory;
        const shared = buffer as unknown as SharedArrayBuffer;
        this.#control = new MeterControl(shared);
        this.#port.postMessage({ kind: "meter", buffer: shared });
      },
    };
  }

  /** What a program attends to between two calls: waiting, and what it attends to without that. */
  attention(other: Attention | undefined, wanted: SharedArrayBuffer): Attention | undefined {
    if (this.#spec === undefined) return other;
    return new MeteredAttention(other, new Int32Array(wanted), () => this.#control?.waitWhilePaused());
  }
}

class MeteredAttention implements Attention {
  readonly wanted: Int32Array;
  readonly #other: Attention | undefined;
  readonly #wait: () => void;
  #inHost = true;

  constructor(other: Attention | undefined, wanted: Int32Array, wait: () => void) {
    this.wanted = wanted;
    this.#other = other;
    this.#wait = wait;
  }

  get inHost(): boolean {
    return this.#other?.inHost ?? this.#inHost;
  }

  set inHost(is: boolean) {
    if (this.#other === undefined) this.#inHost = is;
    else this.#other.inHost = is;
  }

  get files(): FileExchange | undefined {
    return this.#other?.files;
  }

  set files(files: FileExchange | undefined) {
    if (this.#other !== undefined) this.#other.files = files;
  }

  attend(): void {
    this.#wait();
    if ((Atomics.load(this.wanted, 0) & Wanted.recall) !== 0) this.#other?.attend();
  }
}
