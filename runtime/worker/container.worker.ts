/** The thread of a container's program: joins the shim, the container's tree and its streams, and runs the module. */
import { parentPort } from "node:worker_threads";
import type { OpenFile, System } from "../../shim/abi/system.ts";
import { runProgram } from "../../shim/preview1/program.ts";
import { Bell } from "../core/ipc/bell.ts";
import { Ring } from "../core/ipc/ring.ts";
import { BufferSource, NULL_SINK } from "../core/kernel/buffer-stream.ts";
import { assembleTree } from "../core/kernel/container-tree.ts";
import { ProgramEnd, ProgramSystem } from "../core/kernel/program-system.ts";
import { RingSink, RingSource } from "../core/kernel/ring-stream.ts";
import type { ExitMessage, Outcome, StartMessage, StreamSpec } from "../core/kernel/spec.ts";
import { type ByteSink, StreamFile } from "../core/kernel/stream.ts";
import type { LogStream } from "../core/log/cri.ts";
import { buffersOf, takeSnapshot } from "../core/vfs/snapshot.ts";
import { MEMORY_REFUSED_EXPORT } from "../core/wasm/memory-watch.ts";
import { HOST_CLOCKS, realtimeNs } from "../node/clocks.ts";
import { fillRandom } from "../node/host/random.ts";
import { LogFile } from "../node/log/log-file.ts";
import { DirectSink } from "../node/stdio/direct-sink.ts";
import { treeServices } from "../node/tree-services.ts";

/** In the bundle: keeps what V8 compiled for the next start, where that is missing. */
const keepCode = (globalThis as Record<symbol, unknown>)[Symbol.for("wpod.keepCode")] as
  | (() => void)
  | undefined;

parentPort!.once("message", (message: StartMessage) => start(message));

function start(message: StartMessage): void {
  const bell = new Bell(message.bell);
  const log = message.log && new LogFile(message.log.path, message.log.limits, realtimeNs);
  const [stdin, stdout, stderr] = message.stdio;
  const stdio: [OpenFile, OpenFile, OpenFile] = [
    new StreamFile(1n, { source: sourceOf(stdin, bell) }),
    new StreamFile(2n, { sink: logged(sinkOf(stdout, bell), log, "stdout") }),
    new StreamFile(3n, { sink: logged(sinkOf(stderr, bell), log, "stderr") }),
  ];
  const { credentials } = message.process;
  const tree = assembleTree(message.files, treeServices(credentials), stdio);
  const system: System = new ProgramSystem({
    args: message.process.argv,
    environ: message.process.env,
    stdio,
    preopens: message.process.preopens.map(({ name, path }) => ({
      name,
      directory:
        path === "/" && name === "/" ? tree.openRoot(credentials) : tree.openCapability(path, credentials),
    })),
    clocks: HOST_CLOCKS,
    bell,
    random: fillRandom,
  });
  parentPort!.postMessage({ kind: "started" });
  const ended = runProgram<ProgramEnd["outcome"]>(
    message.module,
    system,
    message.process.descriptorsMax,
    (thrown) => (thrown instanceof ProgramEnd ? thrown.outcome : undefined),
    { kind: "exit", status: 0 },
  );
  if (ended.outcome.kind === "trap") reportTrap(stdio[2], ended.outcome);
  log?.close();
  const snapshot = message.keepFiles ? takeSnapshot(tree.root) : undefined;
  const refused = ended.exports?.[MEMORY_REFUSED_EXPORT] as WebAssembly.Global | undefined;
  const exit: ExitMessage = {
    kind: "exit",
    outcome: ended.outcome,
    memoryRefused: refused?.value === 1,
    snapshot,
  };
  keepCode?.();
  parentPort!.postMessage(exit, snapshot === undefined ? [] : buffersOf(snapshot));
}

/** As wasmtime and a shell do: who only sees the status would not know why. */
function reportTrap(stderr: OpenFile, outcome: Extract<Outcome, { kind: "trap" }>): void {
  stderr.write(new TextEncoder().encode(`wpod: the program trapped: ${outcome.message}\n`));
}

function sourceOf(spec: StreamSpec, bell: Bell) {
  if (spec.kind === "ring") return new RingSource(new Ring(spec.buffer, bell));
  return new BufferSource(spec.kind === "bytes" ? spec.bytes : undefined);
}

function sinkOf(spec: StreamSpec, bell: Bell): ByteSink {
  if (spec.kind === "ring") return new RingSink(new Ring(spec.buffer, bell));
  return spec.kind === "descriptor" ? new DirectSink(spec.fd, bell) : NULL_SINK;
}

function logged(sink: ByteSink, log: LogFile | undefined, stream: LogStream): ByteSink {
  if (log === undefined) return sink;
  const note = (source: Uint8Array, count: number): number => {
    if (count > 0) log.append(stream, source.subarray(0, count));
    return count;
  };
  return {
    write: (source) => note(source, sink.write(source)),
    tryWrite: (source) => note(source, sink.tryWrite(source)),
    writable: () => sink.writable(),
  };
}
