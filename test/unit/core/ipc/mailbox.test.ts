import { expect, test } from "vitest";
import { Gate } from "../../../../runtime/core/ipc/gate.ts";
import { Mailbox } from "../../../../runtime/core/ipc/mailbox.ts";

/** Whoever knocks is answered at once, or not at all. */
class AnsweringGate extends Gate {
  answer: (() => void) | undefined = undefined;

  override ring(): void {
    this.answer?.();
  }
}

test("a call is answered with a number; it is asked until then", () => {
  const gate = new AnsweringGate(Gate.create(32).buffer);
  const client = Mailbox.create();
  const kernel = new Mailbox(client.buffer);
  expect(kernel.asked()).toBeUndefined();
  gate.answer = () => {
    expect(kernel.asked()).toBe(7);
    kernel.answer(-44);
    expect(kernel.asked()).toBeUndefined();
  };
  expect(client.call(7, gate, 1)).toBe(-44);
});

test("whose patience is at an end has lost the kernel, whatever comes later", () => {
  const gate = new AnsweringGate(Gate.create(32).buffer);
  const { buffer } = Mailbox.create();
  const client = new Mailbox(buffer, 1);
  const lost = expect.objectContaining({ code: "KERNEL_LOST" });
  expect(() => client.call(7, gate, 1)).toThrow(lost);
  new Mailbox(buffer).answer(0);
  expect(() => client.call(8, gate, 1)).toThrow(lost);
});
