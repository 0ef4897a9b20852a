/**
 * What a command asks of the process that hosts a container, and what comes back: a line of JSON each. Both ends belong to one
 * user, and may be of different versions of wpod.
 */
import { type ErrorCode, WpodError } from "../error.ts";

/** Another number is another protocol. */
const CONTROL_VERSION = 1;
/** A longer line is none of ours. */
export const CONTROL_LINE_BYTES_MAX = 1 << 20;

/** Numbers by the names of the engine's limits: which there are is the engine's to know. */
export type LimitChanges = Readonly<Record<string, number>>;

export type ControlRequest =
  /** Answered with a `ContainerUsage`. */
  | { kind: "stats" }
  /** Answered with null. */
  | { kind: "update"; limits: LimitChanges };

export type ControlAnswer =
  | { kind: "done"; value: unknown }
  | { kind: "refused"; code: ErrorCode; message: string; hint: string | undefined };

interface Envelope {
  version: number;
  /** The whole id: whoever answers under this name is the host of another container if it isn't the same. */
  container: string;
}

export function requestLine(container: string, request: ControlRequest): string {
  return line({ version: CONTROL_VERSION, container, request });
}

export function answerLine(container: string, answer: ControlAnswer): string {
  return line({ version: CONTROL_VERSION, container, answer });
}

function line(message: Envelope & Record<string, unknown>): string {
  return `${JSON.stringify(message)}\n`;
}

/** @throws WpodError USAGE, in a sentence for whoever asked */
export function parseRequest(text: string, container: string): ControlRequest {
  const request = object(open(text, container).request);
  switch (request?.kind) {
    case "stats":
      return { kind: "stats" };
    case "update": {
      const limits = object(request.limits);
      if (limits === undefined) throw unreadable();
      for (const value of Object.values(limits)) if (typeof value !== "number") throw unreadable();
      return { kind: "update", limits: limits as LimitChanges };
    }
    default:
      throw new WpodError("UNSUPPORTED", "the container's process doesn't know what it was asked", {
        hint: "it is of another version of wpod: start the container again",
      });
  }
}

/** @throws WpodError CONTAINER_STATE when it isn't an answer of that container's process */
export function parseAnswer(text: string, container: string): ControlAnswer {
  const answer = object(open(text, container).answer);
  if (answer?.kind === "done") return { kind: "done", value: answer.value };
  const { code, message, hint } = answer ?? {};
  if (answer?.kind !== "refused" || typeof code !== "string" || typeof message !== "string")
    throw unreadable();
  return {
    kind: "refused",
    code: code as ErrorCode,
    message,
    hint: typeof hint === "string" ? hint : undefined,
  };
}

/** @throws WpodError what was refused */
export function answeredValue(answer: ControlAnswer): unknown {
  if (answer.kind === "done") return answer.value;
  const { code, message, hint } = answer;
  throw new WpodError(code, message, hint === undefined ? {} : { hint });
}

function open(text: string, container: string): Record<string, unknown> {
  let message: Record<string, unknown> | undefined;
  try {
    message = object(JSON.parse(text));
  } catch {
    throw unreadable();
  }
  if (message === undefined) throw unreadable();
  if (message.version !== CONTROL_VERSION) {
    throw new WpodError("CONTAINER_STATE", "the container's process is of another version of wpod", {
      hint: "use that version, or start the container again",
    });
  }
  if (message.container !== container) {
    throw new WpodError("CONTAINER_STATE", "another container answers in the place of this one");
  }
  return message;
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function unreadable(): WpodError {
  return new WpodError("CONTAINER_STATE", "what came through the container's control socket can't be read");
}
