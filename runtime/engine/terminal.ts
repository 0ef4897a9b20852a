/** Gives a container a terminal, and joins that to what the caller wants: its own terminal, streams, buffers, functions. */
import { WpodError } from "../core/error.ts";
import type { Bell } from "../core/ipc/bell.ts";
import { isTerminalSize, type TerminalBuffers, type TerminalSize } from "../core/terminal/control-block.ts";
import { TERMINAL_SIZE_MAX } from "../core/terminal/limits.ts";
import { isTerminal } from "../node/stdio/tty.ts";
import { TerminalSession } from "../node/terminal/terminal-session.ts";
import { TerminalWriter } from "../node/terminal/terminal-writer.ts";
import { UserTerminal } from "../node/terminal/user-terminal.ts";
import { watchWindowSize, windowSize } from "../node/terminal/window-size.ts";
import {
  type InputJoint,
  joinTaker,
  letGo,
  NO_OUTPUT,
  type OutputJoint,
  type OutputTaker,
  openInput,
  plainTaker,
  takeOutput,
} from "./stdio.ts";
import type { InputSource, OutputTarget, RunOptions } from "./types.ts";

/** Of a terminal that nobody told its size: what programs assume. */
const SIZE_DEFAULT: TerminalSize = { columns: 80, rows: 24 };

export interface TerminalPlan {
  size: TerminalSize;
  /** Its size is that of the terminal of this process. */
  follows: boolean;
}

interface TerminalStreams {
  stdin?: InputSource | undefined;
  stdout?: OutputTarget | undefined;
}

export interface TerminalJoint {
  buffers: TerminalBuffers;
  stdin: InputJoint;
  stdout: OutputJoint;
  stderr: OutputJoint;
  /** There is somebody whom a signal can end: takes keys from now on. */
  start(): void;
  resize(size: TerminalSize): void;
}

/**
 * @returns undefined: no terminal
 * @throws WpodError USAGE for a size that no terminal has
 */
export function planTerminal({
  tty,
  stdin,
  stdout,
}: Pick<RunOptions, "tty" | "stdin" | "stdout">): TerminalPlan | undefined {
  if (!tty) return undefined;
  if (tty !== true) return { size: checkTerminalSize(tty), follows: false };
  const follows = stdin === "inherit" || stdout === "inherit";
  return { size: (follows ? windowSize() : undefined) ?? SIZE_DEFAULT, follows };
}

/** @throws WpodError USAGE */
export function checkTerminalSize({ columns, rows }: TerminalSize): TerminalSize {
  if (isTerminalSize({ columns, rows })) return { columns, rows };
  throw new WpodError("USAGE", `a terminal can't have ${columns} columns and ${rows} rows`, {
    hint: `both are whole numbers up to ${TERMINAL_SIZE_MAX}`,
  });
}

/**
 * Standard input of this process becomes raw when it is a terminal and the guest has it, until all output was handed on.
 *
 * @param signal told of ^C and ^\
 */
export function joinTerminal(
  plan: TerminalPlan,
  options: TerminalStreams,
  parts: { bell: Bell; collectBytesMax: number; signal: (name: string) => void },
): TerminalJoint {
  const { bell, collectBytesMax, signal } = parts;
  const taker = takeShown(options, collectBytesMax);
  const user = options.stdin === "inherit" ? UserTerminal.open() : undefined;
  const input = openInput(user === undefined ? options.stdin : user.keys);
  const session = new TerminalSession({
    // It may be another one than when the container was made.
    size: (plan.follows ? windowSize() : undefined) ?? plan.size,
    bell,
    show: taker.take,
    ready: user?.ready ?? Promise.resolve(),
    signal,
  });
  const output = joinTaker({ ...taker, take: (bytes) => session.written(bytes), done() {} }, bell);
  const unwatch = plan.follows ? watchWindowSize((size) => session.resize(size)) : undefined;

  const dropped = Promise.withResolvers<void>();
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    unwatch?.();
    user?.close();
    taker.done();
  };
  return {
    start() {
      // Without one nobody types anything, which is not an end.
      if (input !== undefined) void session.feed(input.chunks);
    },
    buffers: {
      control: session.control.buffer,
      input: session.input.buffer,
      output: (output.spec as { buffer: SharedArrayBuffer }).buffer,
    },
    stdin: {
      spec: NO_OUTPUT.spec,
      finish() {
        session.finish();
        if (input !== undefined) void letGo(input.chunks);
        input?.close();
      },
    },
    stdout: {
      ...output,
      spec: NO_OUTPUT.spec,
      async finish() {
        await output.finish();
        await Promise.race([session.shown, dropped.promise]);
        close();
      },
      drop() {
        output.drop();
        dropped.resolve();
      },
    },
    stderr: NO_OUTPUT,
    resize: (size) => session.resize(size),
  };
}

/** What is shown goes where standard output goes. */
function takeShown({ stdout }: TerminalStreams, collectBytesMax: number): OutputTaker {
  const writer = stdout === "inherit" && isTerminal(1) ? TerminalWriter.open(1) : undefined;
  if (writer !== undefined)
    return plainTaker(
      (bytes) => writer.write(bytes),
      () => writer.close(),
    );
  return takeOutput(stdout, 1, collectBytesMax) ?? plainTaker(() => {});
}
