/** Answers commands of other processes about a container that runs here. */
import type { ControlRequest } from "../core/control/messages.ts";
import { WpodError } from "../core/error.ts";
import { controlPath } from "../node/control/control-path.ts";
import { answerRequest, ControlServer } from "../node/control/control-server.ts";
import { isRestricted } from "../node/host/permission-flags.ts";
import { answerParent } from "./control-channel.ts";
import type { Container, Limits } from "./types.ts";

/** Most programs have ended by then, and nobody needs to listen for them. */
const LISTEN_AFTER_MS = 50;

/** Those that may change while a container runs. */
const CHANGEABLE = [
  "memoryBytesMax",
  "cpus",
  "cpuPeriodMs",
  "cpuShares",
  "cpuTimeMs",
  "threadsMax",
  "readBps",
  "writeBps",
  "readIops",
  "writeIops",
  "logBps",
  "diskBytesMax",
  "inodesMax",
] as const satisfies (keyof Limits)[];

/** @returns what stops listening */
export function listenFor(root: string, container: Container): () => void {
  const { id } = container;
  const respond = (line: string) => answerRequest(line, id, (request) => answer(container, request));
  let server: ControlServer | undefined;
  if (isRestricted()) return answerParent(id, respond);
  const timer = setTimeout(() => {
    server = ControlServer.listen(controlPath(root, id), respond);
  }, LISTEN_AFTER_MS);
  timer.unref();
  return () => {
    clearTimeout(timer);
    server?.[Symbol.dispose]();
  };
}

async function answer(container: Container, request: ControlRequest): Promise<unknown> {
  if (request.kind === "stats") return container.stats();
  for (const name of Object.keys(request.limits)) {
    if ((CHANGEABLE as readonly string[]).includes(name)) continue;
    throw new WpodError("UNSUPPORTED", `the limit "${name}" can't be changed while the container runs`);
  }
  await container.update(request.limits);
  return undefined;
}
