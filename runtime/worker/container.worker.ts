/** The thread of a container's program: joins the shim, the container's tree and its streams, and runs the module. */
import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import type { Preopen, System } from "../../shim/abi/system.ts";
import { runProgram } from "../../shim/preview1/program.ts";
import type { Bell } from "../core/ipc/bell.ts";
import { Gate } from "../core/ipc/gate.ts";
import { Mailbox } from "../core/ipc/mailbox.ts";
import { assembleTree, type ContainerTree, lastState } from "../core/kernel/container-tree.ts";
import { AttentiveBell, HandOver } from "../core/kernel/hand-over.ts";
import { openPreopens } from "../core/kernel/kernel.ts";
import type { OpenStreams } from "../core/kernel/kernel-control.ts";
import { ATTEND, CONTROL_CLIENT } from "../core/kernel/kernel-messages.ts";
import { ProgramEnd, ProgramSystem } from "../core/kernel/program-system.ts";
import { CachedDirectory } from "../core/kernel/remote/cached-directory.ts";
import { Connection } from "../core/kernel/remote/connection.ts";
import { openRemotePipe } from "../core/kernel/remote/remote-pipe.ts";
import type { LayerFiles, RecallMessage, StartMessage, TreePlace } from "../core/kernel/spec.ts";
import { buffersOf } from "../core/vfs/snapshot.ts";
import { makeMemory } from "../core/wasm/imported-memory.ts";
import { HOST_CLOCKS } from "../node/clocks.ts";
import { fillRandom } from "../node/host/random.ts";
import { openBlob } from "../node/store/layer-reader.ts";
import { treeServices } from "../node/tree-services.ts";
import { exitMessage, reportTrap } from "./program-exit.ts";
import { openStreams } from "./streams.ts";
import { isThreaded, startThread } from "./threaded-program.ts";

type KernelPlace = Extract<TreePlace, { kind: "kernel" }>;

/** In the bundle: keeps what V8 compiled for the next start, where that is missing. */
const keepCode = (globalThis as Record<symbol, unknown>)[Symbol.for("wpod.keepCode")] as
  | (() => void)
  | undefined;

parentPort!.once("message", (message: StartMessage) => start(message));

function start(message: StartMessage): void {
  if (isThreaded(message)) {
    startThread(message, parentPort!, keepCode);
    return;
  }
  const bell = new AttentiveBell(message.bell);
  const streams = openStreams(message, bell);
  const stdio = streams.files;
  const { credentials } = message.process;
  const { place } = message;
  const tree =
    place.kind === "here" ? assembleTree(place.files, treeServices(credentials), stdio) : undefined;
  const { preopens } = message.process;
  const layers = place.kind === "here" ? place.files.layers : place.layers;
  const attention = tree && listen(message.recall, tree, layers, bell, stdio);
  bell.attention = attention;
  const connection = tree === undefined ? connect(place as KernelPlace, bell, stdio) : undefined;
  const system: System = new ProgramSystem({
    args: message.process.argv,
    environ: message.process.env,
    stdio,
    preopens:
      connection === undefined ? openPreopens(tree!, preopens, credentials) : openFirst(connection, preopens),
    clocks: HOST_CLOCKS,
    bell,
    random: fillRandom,
    attention,
    openPipe: () => attention?.openPipe() ?? openRemotePipe(connection!),
  });
  parentPort!.postMessage({ kind: "started" });
  const ended = runProgram<ProgramEnd["outcome"]>(
    message.module,
    system,
    message.process.descriptorsMax,
    (thrown) => (thrown instanceof ProgramEnd ? thrown.outcome : undefined),
    { kind: "exit", status: 0 },
    { memory: message.memory && ownMemory(message.memory) },
  );
  reportTrap(stdio[2], ended.outcome);
  streams.close();
  const snapshot = attention?.isHere ? lastState(tree!, message.keepFiles) : undefined;
  keepCode?.();
  const exit = exitMessage(ended.outcome, ended.exports, snapshot);
  parentPort!.postMessage(exit, snapshot === undefined ? [] : buffersOf(snapshot));
}

/** An unshared memory can't be sent: it is made here. */
function ownMemory(memory: NonNullable<StartMessage["memory"]>): WebAssembly.Memory {
  return memory instanceof WebAssembly.Memory ? memory : makeMemory(memory);
}

type StandardFiles = OpenStreams["files"];

/** The engine may want the files in another thread: it tells by a flag, and by an interrupt. */
function listen(
  recall: SharedArrayBuffer,
  tree: ContainerTree,
  layers: readonly LayerFiles[],
  bell: Bell,
  stdio: StandardFiles,
): HandOver {
  const attention = new HandOver(new Int32Array(recall), tree, () => {
    const received = receiveMessageOnPort(parentPort!) as { message: RecallMessage<MessagePort> } | undefined;
    if (received === undefined) return undefined;
    const { port, ...seat } = received.message;
    const place = { ...seat, layers };
    const gate = new Gate(place.gate);
    return {
      connection: connect(place, bell, stdio),
      send(message, buffers) {
        port.postMessage(message, buffers);
        gate.knock(CONTROL_CLIENT);
      },
    };
  });
  (globalThis as Record<symbol, unknown>)[ATTEND] = () => attention.interrupt();
  return attention;
}

function connect(place: Omit<KernelPlace, "kind">, bell: Bell, stdio: StandardFiles): Connection {
  const { gate, client, mailbox, layers } = place;
  return new Connection({
    mailbox: new Mailbox(mailbox),
    gate: new Gate(gate),
    client,
    bell,
    stdio,
    openBlob: (layer) => layers[layer] && openBlob(layers[layer]),
  });
}

/** What a client of a kernel finds open has the first handles, in order. */
function openFirst(connection: Connection, preopens: readonly { name: string }[]): Preopen[] {
  return preopens.map(({ name }) => ({
    name,
    directory: new CachedDirectory(connection, connection.takeHandle()),
  }));
}
