/** The thread of a container's program: joins the shim, the container's tree and its streams, and runs the module. */
import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import type { Preopen, System } from "../../shim/abi/system.ts";
import { runProgram } from "../../shim/preview1/program.ts";
import type { Bell } from "../core/ipc/bell.ts";
import { Gate } from "../core/ipc/gate.ts";
import { Mailbox } from "../core/ipc/mailbox.ts";
import { threadWaits } from "../core/ipc/thread-waits.ts";
import { assembleTree, type ContainerTree, flushFiles, lastState } from "../core/kernel/container-tree.ts";
import { AttentiveBell, HandOver } from "../core/kernel/hand-over.ts";
import { openPreopens } from "../core/kernel/kernel.ts";
import type { OpenStreams } from "../core/kernel/kernel-control.ts";
import { type ArenaMessage, ATTEND, CONTROL_CLIENT } from "../core/kernel/kernel-messages.ts";
import { ProgramEnd, ProgramSystem } from "../core/kernel/program-system.ts";
import { CachedDirectory } from "../core/kernel/remote/cached-directory.ts";
import { Connection } from "../core/kernel/remote/connection.ts";
import { openRemotePipe } from "../core/kernel/remote/remote-pipe.ts";
import type {
  FlushMessage,
  KernelPlace,
  LayerFiles,
  RecallMessage,
  StartMessage,
} from "../core/kernel/spec.ts";
import { MemoryAccount } from "../core/quota/memory-account.ts";
import { OpenFileLedger } from "../core/quota/open-file-ledger.ts";
import { buffersOf } from "../core/vfs/snapshot.ts";
import { makeMemory } from "../core/wasm/imported-memory.ts";
import { MemoryGuard } from "../core/wasm/memory-guard.ts";
import { HOST_CLOCKS } from "../node/clocks.ts";
import { collectGarbage } from "../node/host/garbage.ts";
import { fillRandom } from "../node/host/random.ts";
import { openBlob } from "../node/store/layer-reader.ts";
import { treeServices } from "../node/tree-services.ts";
import { keepCode } from "./keep-code.ts";
import { Metered } from "./metered.ts";
import { allowPauses, forgetPauses, watchWaits } from "./pause.ts";
import { exitMessage, reportTrap } from "./program-exit.ts";
import { openStreams } from "./streams.ts";
import { isThreaded, startThread } from "./threaded-program.ts";

/** What is left of a program is given back so long after it, unless the next one has come: that one needn't wait for it. */
const COLLECT_AFTER_MS = 100;
const US_PER_MS = 1000;

let isResting = false;
/** Has come while the thread was still forgetting the last one. */
let next: StartMessage | undefined;
let collecting: NodeJS.Timeout | undefined;

// One listener for good: a port that has none throws away what comes.
parentPort!.on("message", (message: StartMessage | RecallMessage<MessagePort> | FlushMessage) => {
  // What else may come is for a program that has ended.
  if (message.kind !== "start") return;
  if (isResting) next = message;
  else start(message);
});

function start(message: StartMessage): void {
  clearTimeout(collecting);
  if (isThreaded(message)) {
    startThread(message, parentPort!, keepCode);
    return;
  }
  const bell = new AttentiveBell(message.bell);
  const streams = openStreams(message, bell);
  const stdio = streams.files;
  const { credentials } = message.process;
  const { place } = message;
  // What is left open when it fails is closed with the thread.
  const services = place.kind === "here" ? treeServices(credentials) : undefined;
  const around: Surroundings = { bell, stdio, opened: [], memory: undefined };
  const tree = place.kind === "here" ? assembleTree(place.files, services!, stdio) : undefined;
  const { preopens } = message.process;
  const layers = place.kind === "here" ? place.files.layers : place.layers;
  const attention = tree && listen(message.wanted, tree, layers, around);
  const metered = new Metered(message.meter, parentPort!);
  const attended = metered.attention(attention, message.wanted);
  bell.attention = attended;
  allowPauses(message.pause);
  const connection = tree === undefined ? connect(place as KernelPlace, around) : undefined;
  const system: System = new ProgramSystem({
    args: message.process.argv,
    environ: message.process.env,
    stdio,
    preopens:
      connection === undefined ? openPreopens(tree!, preopens, credentials) : openFirst(connection, preopens),
    clocks: HOST_CLOCKS,
    bell,
    random: fillRandom,
    attention: attended,
    memoryReady(memory) {
      around.memory = memory;
      connection?.view.useMemory(memory);
    },
    openFiles: message.openFiles && new OpenFileLedger(message.openFiles),
    ioPage: message.ioPage,
    fileBytesMax: message.process.fileBytesMax,
    openPipe: () => attention?.openPipe() ?? openRemotePipe(connection!),
  });
  const account = message.memoryAccount && new MemoryAccount(message.memoryAccount);
  const reclaim = () => {
    if (!attention?.isHere) return;
    const startMs = performance.now();
    reclaimPages(tree!);
    account?.stalled((performance.now() - startMs) * US_PER_MS);
  };
  parentPort!.postMessage({ kind: "started", cpu: process.threadCpuUsage() });
  const ended = runProgram<ProgramEnd["outcome"]>(
    message.module,
    system,
    message.process.descriptorsMax,
    (thrown) => (thrown instanceof ProgramEnd ? thrown.outcome : undefined),
    { kind: "exit", status: 0 },
    {
      startExport: metered.startExport,
      instantiated(exports) {
        watchWaits(exports);
        metered.instantiated(exports);
      },
      memory: message.memory && ownMemory(message.memory),
      memoryGuard: account && new MemoryGuard(account, message.memoryWatched === true, reclaim),
    },
  );
  reportTrap(stdio[2], ended.outcome);
  streams.close();
  const snapshot = attention?.isHere ? lastState(tree!, message.keepFiles) : undefined;
  keepCode?.();
  // A program whose files moved may have been interrupted anywhere, and one that failed may have left anything.
  const hasMoved = attention?.isHere === false;
  const rests = message.isReusable && ended.outcome.kind === "exit" && !hasMoved;
  const exit = exitMessage(ended.outcome, ended.exports, snapshot, rests);
  parentPort!.postMessage(exit, snapshot === undefined ? [] : buffersOf(snapshot));
  if (!rests) return;
  services?.[Symbol.dispose]();
  for (const one of around.opened) one.close();
  isResting = true;
  // In a task of its own: what this one has on the stack is still in use.
  setImmediate(rest);
}

/** Forgets the program. */
function rest(): void {
  delete (globalThis as Record<symbol, unknown>)[ATTEND];
  forgetPauses();
  isResting = false;
  parentPort!.postMessage({ kind: "idle" });
  const message = next;
  next = undefined;
  if (message === undefined) collecting = setTimeout(collectGarbage, COLLECT_AFTER_MS);
  else start(message);
}

/** What is on disk too leaves memory, as far as there is too little of that. */
function reclaimPages({ fileSystems }: ContainerTree): void {
  for (const { space } of fileSystems) space.pages?.reserve(0, undefined);
}

/** An unshared memory can't be sent: it is made here. */
function ownMemory(memory: NonNullable<StartMessage["memory"]>): WebAssembly.Memory {
  return memory instanceof WebAssembly.Memory ? memory : makeMemory(memory);
}

type StandardFiles = OpenStreams["files"];

/** What a program has beside its files. */
interface Surroundings {
  readonly bell: Bell;
  readonly stdio: StandardFiles;
  /** Closed when it has ended. */
  readonly opened: { close(): void }[];
  /** Its memory, once it has one. */
  memory: WebAssembly.Memory | undefined;
}

/** The engine may want the files in another thread: it tells by a flag, and by an interrupt. */
function listen(
  wanted: SharedArrayBuffer,
  tree: ContainerTree,
  layers: readonly LayerFiles[],
  around: Surroundings,
): HandOver {
  const attention = new HandOver(new Int32Array(wanted), tree, () => {
    const received = receiveMessageOnPort(parentPort!) as
      | { message: RecallMessage<MessagePort> | FlushMessage }
      | undefined;
    if (received === undefined) return undefined;
    if (received.message.kind === "flush") {
      flushFiles(tree);
      const done = new Int32Array(received.message.done);
      Atomics.store(done, 0, 1);
      Atomics.notify(done, 0);
      return undefined;
    }
    const { port, ...seat } = received.message;
    const place = { ...seat, layers, arenas: port };
    const gate = new Gate(place.gate);
    return {
      connection: connect(place, around),
      send(message, buffers) {
        port.postMessage(message, buffers);
        gate.knock(CONTROL_CLIENT);
      },
    };
  });
  (globalThis as Record<symbol, unknown>)[ATTEND] = () => !threadWaits.isWaiting && attention.interrupt();
  return attention;
}

function connect(
  place: Omit<KernelPlace, "kind">,
  { bell, stdio, opened, memory }: Surroundings,
): Connection {
  const { gate, client, mailbox, layers } = place;
  const arenas = place.arenas as MessagePort | undefined;
  if (arenas !== undefined) opened.push(arenas);
  const connection = new Connection({
    mailbox: new Mailbox(mailbox),
    gate: new Gate(gate),
    client,
    bell,
    stdio,
    openBlob(layer) {
      const blob = layers[layer] && openBlob(layers[layer]);
      if (blob !== undefined) opened.push(blob);
      return blob;
    },
    receiveArena: () => arenas && (receiveMessageOnPort(arenas)?.message as ArenaMessage | undefined),
  });
  if (memory !== undefined) connection.view.useMemory(memory);
  return connection;
}

/** What a client of a kernel finds open has the first handles, in order. */
function openFirst(connection: Connection, preopens: readonly { name: string }[]): Preopen[] {
  return preopens.map(({ name }) => ({
    name,
    directory: new CachedDirectory(connection, connection.takeHandle()),
  }));
}
