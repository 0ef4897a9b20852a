/** The thread of the kernel: serves whoever knocks, and sleeps when nobody does. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Gate } from "../core/ipc/gate.ts";
import { Kernel } from "../core/kernel/kernel.ts";
import { KernelControl } from "../core/kernel/kernel-control.ts";
import { CONTROL_CLIENT, type NumberedAnswer, type NumberedRequest } from "../core/kernel/kernel-messages.ts";
import { buffersOf } from "../core/vfs/snapshot.ts";
import { treeServices } from "../node/tree-services.ts";

const port = parentPort!;
const gate = new Gate(workerData as SharedArrayBuffer);
const kernel = new Kernel(gate);
const control = new KernelControl(kernel, treeServices);
kernel.onMessages(CONTROL_CLIENT, readMessages);

// It never goes back to its event loop: a client is answered sooner, and nothing here waits for events.
for (;;) {
  const seen = gate.now();
  if (!kernel.serve()) gate.sleep(seen, Infinity);
}

function readMessages(): void {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: NumberedRequest } | undefined;
    if (received === undefined) return;
    const { id, request } = received.message;
    const answer = control.handle(request);
    const reply: NumberedAnswer = { id, answer };
    const snapshot = answer.kind === "done" ? answer.snapshot : undefined;
    port.postMessage(reply, snapshot === undefined ? [] : buffersOf(snapshot));
  }
}
