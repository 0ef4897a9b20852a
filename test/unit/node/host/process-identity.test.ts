import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { processStart } from "../../../../runtime/node/host/process-identity.ts";

test("this process is there, and the same each time", () => {
  expect(processStart(process.pid)).toBeDefined();
  expect(processStart(process.pid)).toBe(processStart(process.pid));
});

test("a process that ended isn't", async () => {
  const child = spawn(process.execPath, ["-e", "0"]);
  await once(child, "exit");
  expect(processStart(child.pid!)).toBeUndefined();
});

describe.runIf(process.platform === "linux")("on Linux", () => {
  test("one whose parent hasn't asked how it ended isn't, although the system still shows it", async () => {
    // The parent starts a child, tells its number, and becomes a program that never asks.
    const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    try {
      const [printed] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(printed.toString());
      process.kill(pid, "SIGKILL");
      await expect.poll(() => processStart(pid)).toBeUndefined();
      // It is still shown: signals to it don't fail.
      expect(process.kill(pid, 0)).toBe(true);
    } finally {
      parent.kill("SIGKILL");
    }
  });
});
