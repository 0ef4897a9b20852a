/** The thread of the kernel: serves whoever knocks, and sleeps when nobody does. */
import { getHeapStatistics } from "node:v8";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Gate } from "../core/ipc/gate.ts";
import type { HandOverMessage } from "../core/kernel/hand-over.ts";
import { Kernel } from "../core/kernel/kernel.ts";
import { KernelControl } from "../core/kernel/kernel-control.ts";
import {
  type ArenaMessage,
  CONTROL_CLIENT,
  type ExpectRequest,
  type KernelAnswer,
  type KernelData,
  type NumberedAnswer,
  type NumberedRequest,
} from "../core/kernel/kernel-messages.ts";
import { WorkClock } from "../core/kernel/work-clock.ts";
import { buffersOf } from "../core/vfs/snapshot.ts";
import { treeServices } from "../node/tree-services.ts";
import { keepCode } from "./keep-code.ts";
import { openKernelStreams } from "./streams.ts";

/** A running program whose files will come. */
interface Expected {
  id: number;
  request: ExpectRequest;
  source: MessagePort;
}

const DONE = { kind: "done" as const, snapshot: undefined } satisfies KernelAnswer;
const expected = new Map<number, Expected>();
const port = parentPort!;
const data = workerData as KernelData;
const gate = new Gate(data.gate);
const clock = new WorkClock(new Float64Array(data.worked), () => performance.now());
/** By client: where its shared memory is sent. */
const ports = new Map<number, MessagePort>();
const kernel = new Kernel(
  gate,
  (client, id, memory) => {
    const arena: ArenaMessage = { id, memory };
    ports.get(client)?.postMessage(arena);
  },
  clock,
);
const control = new KernelControl(kernel, treeServices, openKernelStreams);
kernel.onMessages(CONTROL_CLIENT, readMessages);

/** Ports that were closed since the event loop had its turn: until then they are there, with all that was sent to them. */
let closedCount = 0;
/** Even when there is always something to do. */
const CLOSED_COUNT_MAX = 64;
/** A thread that has had nothing to do for so long keeps no memory for the next files. */
const SPARE_MEMORY_MS = 2000;
run();

/** A client is answered sooner without the event loop, and nothing here waits for events: it has its turn only to clear away. */
function run(): void {
  for (;;) {
    const seen = gate.now();
    const isIdle = !kernel.serve();
    if (closedCount > (isIdle ? 0 : CLOSED_COUNT_MAX)) {
      closedCount = 0;
      setImmediate(run);
      return;
    }
    if (!isIdle) continue;
    const isRung = gate.sleep(seen, kernel.hasSpareMemory ? SPARE_MEMORY_MS : Infinity);
    if (!isRung) kernel.giveSpareMemory();
  }
}

function closePort(source: MessagePort | undefined): void {
  if (source === undefined) return;
  source.close();
  closedCount++;
}

function readMessages(): void {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: NumberedRequest<MessagePort> } | undefined;
    if (received === undefined) break;
    read(received.message);
  }
  for (const program of expected.values()) takeOver(program);
}

function read({ id, request, port: source }: NumberedRequest<MessagePort>): void {
  if (request.kind === "expect") {
    expected.set(request.client, { id, request, source: source! });
  } else if (request.kind === "forget") {
    forget(request.client);
    answer(id, DONE);
  } else if (request.kind === "count") {
    const heapBytes = getHeapStatistics().used_heap_size;
    const { treeCount: trees, clientCount: clients, openCount: open } = kernel;
    answer(id, { ...DONE, counts: { trees, clients, open, heapBytes } });
  } else {
    if (request.kind === "attach" && source !== undefined) ports.set(request.client, source);
    const given = control.handle(request);
    // It has done most of what it ever does. Before the answer: the process may end with that.
    if (request.kind === "close-tree") keepCode?.();
    answer(id, given);
    const isOut = request.kind === "detach" || (request.kind === "attach" && given.kind === "refused");
    if (isOut) {
      closePort(ports.get(request.client));
      ports.delete(request.client);
    }
  }
}

function takeOver({ id, request, source }: Expected): void {
  const received = receiveMessageOnPort(source) as { message: HandOverMessage } | undefined;
  if (received === undefined) return;
  expected.delete(request.client);
  ports.set(request.client, source);
  answer(id, control.takeOver(request, received.message));
}

function forget(client: number): void {
  const program = expected.get(client);
  if (program === undefined) return;
  // It may have sent its files just before it ended.
  takeOver(program);
  if (!expected.has(client)) return;
  expected.delete(client);
  closePort(program.source);
  answer(program.id, {
    kind: "refused",
    code: "CONTAINER_STATE",
    message: "the program has ended",
    hint: undefined,
  });
}

function answer(id: number, given: KernelAnswer): void {
  const reply: NumberedAnswer = { id, answer: given };
  const snapshot = given.kind === "done" ? given.snapshot : undefined;
  port.postMessage(reply, snapshot === undefined ? [] : buffersOf(snapshot));
}
