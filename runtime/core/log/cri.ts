/**
 * The Kubernetes (CRI) log format: `TIMESTAMP STREAM TAG TEXT`, a line for each line or piece of one.
 *
 * The tag is F for a line that ended, P for a piece of one that goes on in the stream's next record. Text without a
 * newline is written at once, as P: a guest may be ended at any instant, and what it said must be there.
 * @see https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */
const NEWLINE = 10;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export type LogStream = "stdout" | "stderr";

export interface LogRecord {
  timeNs: bigint;
  stream: LogStream;
  partial: boolean;
  /** Without the newline. */
  bytes: Uint8Array;
}

/** Longest text of one record; a longer line becomes several, all but the last P. */
export const RECORD_BYTES_MAX = 16 * 1024;

/** `2016-10-06T00:17:09.669794202Z`: RFC 3339 with all nine digits, so that lines sort. */
export function formatTime(timeNs: bigint): string {
  const seconds = timeNs / 1_000_000_000n;
  const fraction = (timeNs % 1_000_000_000n).toString().padStart(9, "0");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** Nanoseconds of an RFC 3339 time, or undefined when it is none. */
export function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** The records of one write, as the bytes that go to the file. */
export function formatRecords(stream: LogStream, timeNs: bigint, text: Uint8Array): Uint8Array {
  const time = formatTime(timeNs);
  const full = encoder.encode(`${time} ${stream} F `);
  const partial = encoder.encode(`${time} ${stream} P `);
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(NEWLINE, start);
    const lineEnd = newline < 0 ? text.length : newline;
    const end = Math.min(lineEnd, start + RECORD_BYTES_MAX);
    const ended = end === newline;
    pieces.push(ended ? full : partial, text.subarray(start, end));
    sizeBytes += full.length + (end - start) + 1;
    start = ended ? end + 1 : end;
  }
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    out.set(piece, at);
    at += piece.length;
    if (index % 2 === 1) out[at++] = NEWLINE;
  }
  return out;
}

/** One line of a log file, without its newline. Undefined when it is none: a file that was cut, or another's. */
export function parseRecord(line: Uint8Array): LogRecord | undefined {
  const timeEnd = line.indexOf(32);
  const streamEnd = timeEnd < 0 ? -1 : line.indexOf(32, timeEnd + 1);
  if (streamEnd < 0 || line[streamEnd + 2] !== 32) return undefined;
  const stream = decoder.decode(line.subarray(timeEnd + 1, streamEnd));
  const tag = line[streamEnd + 1];
  const timeNs = parseTime(decoder.decode(line.subarray(0, timeEnd)));
  if (timeNs === undefined || (stream !== "stdout" && stream !== "stderr")) return undefined;
  if (tag !== 70 /* F */ && tag !== 80 /* P */) return undefined;
  return { timeNs, stream, partial: tag === 80, bytes: line.subarray(streamEnd + 3) };
}
