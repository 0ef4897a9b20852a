/**
 * Commands about a container whose process may open no socket: through the channel to the process that started it, which listens in its place.
 */
import type { ChildProcess } from "node:child_process";

/** From the parent; the answer has the same number. */
interface ControlMessage {
  control: { number: number; line: string };
}
interface AnswerMessage {
  answer: { number: number; line: string };
}
/** From the child: it has this container, and answers. */
interface ContainerMessage {
  container: string;
}

type Message = Partial<ControlMessage & AnswerMessage & ContainerMessage> | string | null;

/** The child's end. @returns what ends it */
export function answerParent(container: string, respond: (line: string) => Promise<string>): () => void {
  const hear = (message: Message) => {
    if (typeof message !== "object" || message?.control === undefined) return;
    const { number, line } = message.control;
    void respond(line).then((text) =>
      process.send?.({ answer: { number, line: text } } satisfies AnswerMessage),
    );
  };
  process.on("message", hear);
  process.send?.({ container } satisfies ContainerMessage);
  return () => void process.off("message", hear);
}

/** The parent's end. */
export class ControlChannel {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (line: string) => void>();
  #number = 0;

  /** @param ready called when the child has its container */
  constructor(child: ChildProcess, ready: (container: string) => void = () => {}) {
    this.#child = child;
    child.on("message", (message: Message) => {
      if (typeof message !== "object" || message === null) return;
      if (message.container !== undefined) ready(message.container);
      if (message.answer === undefined) return;
      this.#pending.get(message.answer.number)?.(message.answer.line);
      this.#pending.delete(message.answer.number);
    });
  }

  /** Never, when the child has ended. */
  ask(line: string): Promise<string> {
    const number = this.#number++;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#pending.set(number, resolve);
    this.#child.send({ control: { number, line } } satisfies ControlMessage, () => {});
    return promise;
  }
}
