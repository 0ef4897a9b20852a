/** The end of a container's host process: answers commands about it, one line after the other. */
import { rmSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { LineReader } from "../../core/control/line-reader.ts";
import {
  answerLine,
  type ControlAnswer,
  type ControlRequest,
  parseRequest,
} from "../../core/control/messages.ts";
import { WpodError } from "../../core/error.ts";
import { makeControlFolder } from "./control-path.ts";

/** Commands that are connected at a time. */
const CONNECTIONS_MAX = 64;

/** @throws WpodError; what it answers is sent */
export type Answerer = (request: ControlRequest) => Promise<unknown>;

/** What one line is answered with. */
export async function answerRequest(line: string, container: string, answer: Answerer): Promise<string> {
  return answerLine(container, await settle(line, container, answer));
}

async function settle(line: string, container: string, answer: Answerer): Promise<ControlAnswer> {
  try {
    return { kind: "done", value: (await answer(parseRequest(line, container))) ?? null };
  } catch (error) {
    if (!(error instanceof WpodError)) throw error;
    const { code, message, hint } = error;
    return { kind: "refused", code, message, hint };
  }
}

export class ControlServer implements Disposable {
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.#path = path;
    this.#server = server;
  }

  /**
   * Keeps no process alive. Where it can't listen, nobody can ask: that is no reason for a container to end.
   * @param respond to a line, with a line
   */
  static listen(path: string, respond: (line: string) => Promise<string>): ControlServer | undefined {
    try {
      makeControlFolder(path);
      // Not an import: most containers end before anybody could ask.
      const server = process.getBuiltinModule("node:net").createServer();
      const own = new ControlServer(path, server);
      server.maxConnections = CONNECTIONS_MAX;
      server.on("connection", (socket) => own.#serve(socket, respond));
      server.on("error", () => {});
      server.listen(path);
      server.unref();
      return own;
    } catch {
      return undefined;
    }
  }

  #serve(socket: Socket, respond: (line: string) => Promise<string>): void {
    this.#sockets.add(socket);
    socket.unref();
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
    const reader = new LineReader();
    let answered = Promise.resolve();
    socket.on("data", (chunk: Buffer) => {
      const lines = reader.push(chunk);
      if (lines === undefined) socket.destroy();
      for (const line of lines ?? []) {
        answered = answered.then(async () => void socket.write(await respond(line)));
        answered.catch((error) => socket.destroy(error as Error));
      }
    });
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    removeSocket(this.#path);
  }
}

/** Of a process that has gone. */
export function removeSocket(path: string): void {
  if (process.platform !== "win32") rmSync(path, { force: true });
}
