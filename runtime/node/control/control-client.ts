/** A command's end: asks the process that hosts a container. */
import { connect } from "node:net";
import { LineReader } from "../../core/control/line-reader.ts";
import { answeredValue, type ControlRequest, parseAnswer, requestLine } from "../../core/control/messages.ts";
import { WpodError } from "../../core/error.ts";

const AGAIN_MS = 20;
/** A process that began just now may not listen yet. */
const LISTEN_WAIT_MS = 2000;
const ANSWER_WAIT_MS = 10_000;

/**
 * @param isAlive whether its process is there still
 * @throws WpodError what it answers; CONTAINER_STATE when it doesn't
 */
export async function askContainer(
  path: string,
  container: string,
  request: ControlRequest,
  isAlive: () => boolean,
): Promise<unknown> {
  const deadlineMs = Date.now() + LISTEN_WAIT_MS;
  for (;;) {
    const text = await ask(path, requestLine(container, request));
    if (text !== undefined) return answeredValue(parseAnswer(text, container));
    if (!isAlive())
      throw new WpodError("CONTAINER_STATE", `container ${container.slice(0, 12)} is not running`);
    if (Date.now() > deadlineMs) {
      throw new WpodError(
        "CONTAINER_STATE",
        `the process of container ${container.slice(0, 12)} doesn't answer`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** @returns undefined when nobody listens there, or goes before the answer */
function ask(path: string, line: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect(path);
  const reader = new LineReader();
  const timer = setTimeout(() => socket.destroy(), ANSWER_WAIT_MS);
  socket.on("error", () => {});
  socket.once("close", () => {
    clearTimeout(timer);
    resolve(undefined);
  });
  socket.once("connect", () => socket.write(line));
  socket.on("data", (chunk: Buffer) => {
    const lines = reader.push(chunk);
    if (lines?.length === 0) return;
    resolve(lines?.[0]);
    socket.destroy();
  });
  return promise;
}
