import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { parseSignal } from "../../../../runtime/core/container/signal.ts";
import { SIGNAL_NAMES } from "../../../../shim/abi/signal.ts";

test.each([
  ["TERM", "SIGTERM", 15, "end"],
  ["sigterm", "SIGTERM", 15, "end"],
  ["15", "SIGTERM", 15, "end"],
  ["9", "SIGKILL", 9, "end"],
  ["31", "SIGSYS", 31, "end"],
  ["POLL", "SIGIO", 29, "end"],
  ["SIGIOT", "SIGABRT", 6, "end"],
  ["SIGWINCH", "SIGWINCH", 28, "ignore"],
  ["SIGCLD", "SIGCHLD", 17, "ignore"],
  ["STOP", "SIGSTOP", 19, "stop"],
])("%s is %s", (text, name, number, action) => {
  expect(parseSignal(text)).toEqual({ name, number, action });
});

test.each(["", "SIG", "0", "32", "-1", "1.0", "SIGNOPE", "__proto__", "TERM "])("%j is none", (text) => {
  expect(parseSignal(text)).toBeUndefined();
});

describe.runIf(process.platform === "linux")("on Linux", () => {
  test("numbers are the system's", () => {
    for (const [name, number] of Object.entries(constants.signals)) {
      expect(parseSignal(name)?.number, name).toBe(number);
    }
  });
});

test("whatever a guest can raise has a default action", () => {
  for (const name of SIGNAL_NAMES.slice(1)) expect(parseSignal(name), name).toBeDefined();
});
