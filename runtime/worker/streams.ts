/** Standard streams, as a message describes them: in a program's own thread, or at the kernel. */
import type { OpenFile } from "../../shim/abi/system.ts";
import type { Bell } from "../core/ipc/bell.ts";
import { Ring } from "../core/ipc/ring.ts";
import { BufferSource, NULL_SINK } from "../core/kernel/buffer-stream.ts";
import type { OpenStreams } from "../core/kernel/kernel-control.ts";
import { type Log, LoggedSink } from "../core/kernel/logged-sink.ts";
import { PacedWait } from "../core/kernel/paced-wait.ts";
import { RingSink, RingSource } from "../core/kernel/ring-stream.ts";
import type { LogSpec, StandardStreams, StreamSpec } from "../core/kernel/spec.ts";
import { type ByteSink, type ByteSource, KernelStreamFile, StreamFile } from "../core/kernel/stream.ts";
import type { LogStream } from "../core/log/cri.ts";
import { IoPage } from "../core/quota/io-page.ts";
import { TerminalFile } from "../core/terminal/terminal-file.ts";
import { HOST_CLOCKS, realtimeNs } from "../node/clocks.ts";
import { LateLogFile } from "../node/log/late-log-file.ts";
import { LogFile } from "../node/log/log-file.ts";
import { DirectSink } from "../node/stdio/direct-sink.ts";

/** In the thread of the only program that uses them. */
export function openStreams(streams: StandardStreams, bell: Bell): OpenStreams {
  return open(streams, bell, { Log: LogFile, Stream: StreamFile, Terminal: TerminalFile });
}

/** At the kernel, which knows a program before its container has a folder for the log. */
export function openKernelStreams(streams: StandardStreams, bell: Bell): OpenStreams {
  return open(streams, bell, { Log: LateLogFile, Stream: KernelStreamFile, Terminal: KernelTerminalFile });
}

/** A terminal whose reads and writes never wait, whatever a client sets. */
class KernelTerminalFile extends TerminalFile {
  override nonblock = true;

  override setStatus(): number {
    return 0;
  }
}

interface Classes {
  readonly Log: typeof LogFile | typeof LateLogFile;
  readonly Stream: typeof StreamFile;
  readonly Terminal: typeof TerminalFile;
}

function open(
  { stdio, terminal, log: logSpec }: StandardStreams,
  bell: Bell,
  { Log, Stream, Terminal }: Classes,
): OpenStreams {
  const log = logSpec && new Log(logSpec.path, logSpec.limits, realtimeNs);
  const logged = log && inLog(log, logSpec, bell);
  const output = (spec: StreamSpec, stream: LogStream): ByteSink => {
    const sink = sinkOf(spec, bell);
    return logged?.(sink, stream) ?? sink;
  };
  const files = (): readonly [OpenFile, OpenFile, OpenFile] => {
    if (terminal !== undefined) {
      const file = new Terminal(1n, terminal, bell, (sink) => logged?.(sink, "stdout") ?? sink);
      return [file, file, file];
    }
    const [stdin, stdout, stderr] = stdio;
    return [
      new Stream(1n, { source: sourceOf(stdin, bell) }),
      new Stream(2n, { sink: output(stdout, "stdout") }),
      new Stream(3n, { sink: output(stderr, "stderr") }),
    ];
  };
  return { files: files(), close: () => log?.close() };
}

function sourceOf(spec: StreamSpec, bell: Bell): ByteSource {
  if (spec.kind === "ring") return new RingSource(new Ring(spec.buffer, bell));
  return new BufferSource(spec.kind === "bytes" ? spec.bytes : undefined);
}

function sinkOf(spec: StreamSpec, bell: Bell): ByteSink {
  if (spec.kind === "ring") return new RingSink(new Ring(spec.buffer, bell));
  return spec.kind === "descriptor" ? new DirectSink(spec.fd, bell) : NULL_SINK;
}

function inLog(
  log: Log,
  { limits, ioPage }: LogSpec,
  bell: Bell,
): (sink: ByteSink, stream: LogStream) => ByteSink {
  const page = new IoPage(ioPage);
  const pace = { page, wait: new PacedWait(page, HOST_CLOCKS, bell), drops: limits.drops };
  return (sink, stream) => new LoggedSink(sink, log, stream, pace);
}
