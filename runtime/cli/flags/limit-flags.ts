/** What a container may use: when it is run, and for one that runs. */
import type { Flag } from "./flag.ts";

export const LIMIT_FLAGS: readonly Flag[] = [
  {
    long: "cpu-period",
    kind: "integer",
    value: "us",
    help: "The period that --cpu-quota is for, in microseconds; 100000 unless it is said",
  },
  {
    long: "cpu-quota",
    kind: "integer",
    value: "us",
    help: "Limit CPU time in each period, in microseconds",
  },
  {
    long: "cpu-shares",
    short: "c",
    kind: "integer",
    value: "weight",
    help: "Its part, where containers want more CPU time together than they may have; 1024 unless it is said",
  },
  { long: "cpus", kind: "text", value: "number", help: "Limit CPU time: 0.5 is half of one" },
  {
    long: "memory",
    short: "m",
    kind: "text",
    value: "size",
    help: "Limit the program's memory: bytes, or with a unit: 64m, 1g",
  },
  {
    long: "pids-limit",
    kind: "text",
    value: "number",
    help: "Limit its programs and their threads; -1 is no limit",
  },
  {
    long: "device-read-bps",
    kind: "list",
    value: "[path:]rate",
    help: "Limit the bytes a second that are read from files: 10mb",
  },
  {
    long: "device-read-iops",
    kind: "list",
    value: "[path:]rate",
    help: "Limit the reads a second from files",
  },
  {
    long: "device-write-bps",
    kind: "list",
    value: "[path:]rate",
    help: "Limit the bytes a second that are written to files: 10mb",
  },
  {
    long: "device-write-iops",
    kind: "list",
    value: "[path:]rate",
    help: "Limit the writes a second to files",
  },
  {
    long: "storage-opt",
    kind: "list",
    value: "option",
    help: "Limit what its writable layer holds: size=1g, inodes=10000",
  },
  {
    long: "memory-reservation",
    kind: "text",
    value: "size",
    help: "Start only when so much is free of what all may have: see the configuration file",
  },
  { long: "memory-swap", kind: "text", value: "size", help: "Accepted: there is no swap" },
  { long: "memory-swappiness", kind: "integer", value: "percent", help: "Accepted: there is no swap" },
];
