import { describe, expect, test } from "vitest";
import { parseLogOptions } from "../../../../runtime/cli/run/log-options.ts";

test.each([
  { options: ["max-size=10m", "max-file=5"], limits: { logFileBytesMax: 10 << 20, logFilesMax: 5 } },
  { options: ["max-size=32k"], limits: { logFileBytesMax: 32 << 10 } },
  { options: ["max-size=-1"], limits: {} },
  { options: ["max-file=1"], limits: { logFilesMax: 1 } },
  { options: ["max-file=100"], limits: { logFilesMax: 100 } },
  { options: ["max-rate=1m"], limits: { logBps: 1 << 20 } },
  { options: ["max-rate=0"], limits: { logBps: 0 } },
  { options: ["mode=non-blocking", "max-buffer-size=4m"], limits: { logMode: "non-blocking" } },
  { options: ["mode=blocking", "compress=false"], limits: { logMode: "blocking" } },
  { options: ["max-file=3", "max-file=4"], limits: { logFilesMax: 4 } },
])("$options", ({ options, limits }) => {
  expect(parseLogOptions(options)).toEqual(limits);
});

const SIZE = "a size is a number with a unit, such as 512k or 10m";

describe("is refused, with the reason", () => {
  test.each([
    { option: "", why: "it is NAME=VALUE" },
    { option: "max-size", why: "it is NAME=VALUE" },
    { option: "max-size=", why: SIZE },
    { option: "max-size=12x", why: SIZE },
    { option: "max-size=-2", why: SIZE },
    { option: "max-size=32767", why: "a file has 32768 bytes or more" },
    { option: "max-file=0", why: "a log has 1 to 100 files" },
    { option: "max-file=101", why: "a log has 1 to 100 files" },
    { option: "max-file=-1", why: "a log has 1 to 100 files" },
    { option: "max-file=two", why: "a log has 1 to 100 files" },
    { option: "max-rate=fast", why: SIZE },
    { option: "max-rate=-1", why: SIZE },
    { option: "max-buffer-size=x", why: SIZE },
    { option: "mode=", why: "a mode is blocking or non-blocking" },
    { option: "mode=Blocking", why: "a mode is blocking or non-blocking" },
    { option: "=1", why: "unknown option" },
    { option: "max-sizes=1m", why: "unknown option" },
    { option: "__proto__=1", why: "unknown option" },
  ])("$option", ({ option, why }) => {
    expect(() => parseLogOptions([option])).toThrow(
      expect.objectContaining({
        code: "USAGE",
        message: `invalid --log-opt ${JSON.stringify(option)}: ${why}`,
      }),
    );
  });

  test.each(["compress=true", "tag={{.Name}}", "labels=a", "env=b", "path=/var/log/x"])(
    "%s, which docker or podman has",
    (option) => {
      expect(() => parseLogOptions([option])).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    },
  );
});
