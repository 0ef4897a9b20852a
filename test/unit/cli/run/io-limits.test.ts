import { describe, expect, test } from "vitest";
import { parseFlags } from "../../../../runtime/cli/flags/parse-flags.ts";
import { RUN_FLAGS } from "../../../../runtime/cli/flags/run-flags.ts";
import { parseResources, resourceWarnings } from "../../../../runtime/cli/run/resources.ts";

const given = (args: readonly string[]) =>
  parseFlags(args, { flags: RUN_FLAGS, interspersed: false, command: "wpod run" });

test.each([
  { args: ["--device-read-bps=/dev/sda:1mb"], limits: { readBps: 1 << 20 } },
  { args: ["--device-read-bps=1mb"], limits: { readBps: 1 << 20 } },
  { args: ["--device-write-bps=C:\\disk:1k"], limits: { writeBps: 1024 } },
  { args: ["--device-write-bps=/a:b:7"], limits: { writeBps: 7 } },
  { args: ["--device-read-iops=/dev/sda:100"], limits: { readIops: 100 } },
  { args: ["--device-write-iops=100"], limits: { writeIops: 100 } },
  // Of several devices the strictest counts: there is one.
  { args: ["--device-read-bps=/dev/a:20", "--device-read-bps=/dev/b:10"], limits: { readBps: 10 } },
  { args: ["--device-read-bps=/dev/a:0", "--device-read-bps=/dev/b:10"], limits: { readBps: 10 } },
  { args: ["--device-read-bps=0", "--device-read-iops=/dev/a:0"], limits: {} },
  { args: ["--storage-opt=size=64m"], limits: { diskBytesMax: 64 << 20 } },
  { args: ["--storage-opt=inodes=5", "--storage-opt=size=1"], limits: { diskBytesMax: 1, inodesMax: 5 } },
  { args: [], limits: {} },
])("$args", ({ args, limits }) => {
  expect(parseResources(given(args))).toEqual(limits);
});

const BYTES = "it is a number with a unit, such as 10mb or /dev/sda:10mb";
const OPERATIONS = "it is a whole number, such as 1000 or /dev/sda:1000";

describe("is refused, with the reason", () => {
  test.each([
    ...["", ":", "/dev/sda:", "sda:10mb", "/dev/sda:-1", "-1", "10x", "/dev/sda:10mb:", "1e400", "∞"].flatMap(
      (text) => [
        { flag: "device-read-bps", text, why: BYTES },
        { flag: "device-write-bps", text, why: BYTES },
      ],
    ),
    ...["", "/dev/sda:", "-1", "1.5", "10k", "9007199254740992", "/dev/sda:x"].flatMap((text) => [
      { flag: "device-read-iops", text, why: OPERATIONS },
      { flag: "device-write-iops", text, why: OPERATIONS },
    ]),
    ...["size=", "size=-1", "size=12x", "size=0", "size"].map((text) => ({
      flag: "storage-opt",
      text,
      why: "a size is a number with a unit, such as 64m or 1g",
    })),
    ...["inodes=", "inodes=0", "inodes=-1", "inodes=1k", "inodes=9007199254740992"].map((text) => ({
      flag: "storage-opt",
      text,
      why: "inodes are a whole number from 1 on",
    })),
    ...["", "=", "dm.basesize=10G", "Size=1m"].map((text) => ({
      flag: "storage-opt",
      text,
      why: "unknown option",
    })),
  ])("--$flag $text", ({ flag, text, why }) => {
    expect(() => parseResources(given([`--${flag}=${text}`]))).toThrow(
      expect.objectContaining({
        code: "USAGE",
        message: `invalid --${flag} ${JSON.stringify(text)}: ${why}`,
      }),
    );
  });
});

test.each([
  { args: ["--device-read-bps=/dev/sda:1mb"], warned: ["device-read-bps"] },
  {
    args: ["--device-write-iops=/dev/sda:1", "--device-read-bps=/dev/sda:1mb", "--device-write-bps=1"],
    warned: ["device-read-bps", "device-write-iops"],
  },
  { args: ["--device-read-bps=1mb", "--storage-opt=size=1"], warned: [] },
])("$args: a device that is named is warned of", ({ args, warned }) => {
  expect(resourceWarnings(given(args))).toEqual(
    warned.map((flag) => `--${flag} holds for all files of the container together, whatever device it names`),
  );
});
