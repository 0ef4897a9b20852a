/** Reads a container's log, rotated files included, oldest record first. */
import { createReadStream, existsSync, watch } from "node:fs";
import { dirname } from "node:path";
import { type LogRecord, parseRecord } from "../../core/log/cri.ts";
import { logPaths } from "./log-file.ts";

const NEWLINE = 10;

export interface LogQuery {
  sinceNs?: bigint;
  untilNs?: bigint;
  /** The last so many lines: whole ones, however many records they are in. */
  tail?: number;
}

/** Records of what is in the log now. */
export async function* readLog(
  path: string,
  fileCountMax: number,
  query: LogQuery,
): AsyncGenerator<LogRecord> {
  const records = filtered(allRecords(path, fileCountMax), query);
  if (query.tail === undefined) yield* records;
  else yield* lastLines(records, query.tail);
}

/**
 * What is in the log now, then what is appended, until `ended()` says that no more will come.
 * Rotation while following is seen: the rest of the old file is read first.
 */
export async function* followLog(
  path: string,
  fileCountMax: number,
  query: LogQuery,
  ended: () => boolean,
): AsyncGenerator<LogRecord> {
  const watcher = watch(dirname(path));
  let changed = Promise.withResolvers<void>();
  watcher.on("change", () => changed.resolve());
  watcher.on("error", () => changed.resolve());
  try {
    let lastNs = -1n;
    let atLast = 0;
    let first = true;
    for (;;) {
      changed = Promise.withResolvers<void>();
      const last = ended();
      const source = first
        ? readLog(path, fileCountMax, query)
        : filtered(allRecords(path, fileCountMax), { ...query, sinceNs: lastNs });
      // Times never go back in a log: what is new is what follows the last one, past those of the same instant.
      let skip = first ? 0 : atLast;
      first = false;
      for await (const record of source) {
        if (record.timeNs === lastNs && skip > 0) {
          skip--;
          continue;
        }
        atLast = record.timeNs === lastNs ? atLast + 1 : 1;
        lastNs = record.timeNs;
        yield record;
      }
      if (last) return;
      await Promise.race([changed.promise, delay(FOLLOW_LOOK_MS)]);
    }
  } finally {
    watcher.close();
  }
}

/** How often the end of a container is looked at when nothing is written. */
const FOLLOW_LOOK_MS = 250;

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function* allRecords(path: string, fileCountMax: number): AsyncGenerator<LogRecord> {
  for (const file of logPaths(path, fileCountMax)) {
    if (!existsSync(file)) continue;
    for await (const line of lines(file)) {
      const record = parseRecord(line);
      if (record !== undefined) yield record;
    }
  }
}

async function* lines(file: string): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
}

async function* filtered(records: AsyncIterable<LogRecord>, query: LogQuery): AsyncGenerator<LogRecord> {
  for await (const record of records) {
    if (query.sinceNs !== undefined && record.timeNs < query.sinceNs) continue;
    if (query.untilNs !== undefined && record.timeNs > query.untilNs) continue;
    yield record;
  }
}

/** Keeps as many records as the last lines have: P records belong to the line that their stream's next F ends. */
async function* lastLines(records: AsyncIterable<LogRecord>, count: number): AsyncGenerator<LogRecord> {
  if (count === 0) return;
  const kept: LogRecord[] = [];
  let lineCount = 0;
  const starts = { stdout: true, stderr: true };
  for await (const record of records) {
    if (starts[record.stream]) lineCount++;
    starts[record.stream] = !record.partial;
    kept.push({ ...record, bytes: Uint8Array.from(record.bytes) });
    while (lineCount > count) {
      const dropped = kept.shift()!;
      // The line went with its last record.
      if (!dropped.partial) lineCount--;
    }
  }
  yield* kept;
}
